/* A process in C that fills its shadow stack when a datagram comes to port 2001: it has to trap, not to run into its data. */
#include "../report.h"

static int depth(int n) {
  volatile char frame[4096];
  frame[0] = (char)n;
  frame[4095] = (char)n;
  return n < 1000000 ? depth(n + 1) + frame[0] : 0;
}

static void received(int jid, int fd, void *data, int length, struct sockaddr_in *from) {
  row("c-overflowing", length);
  row("c-overflowed", depth(0));
}

int main(void) {
  row("c-overflow", sockasync_read(bind_udp(2001), 0, received));
  return enter_keepalive();
}
