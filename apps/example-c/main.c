/*
 * The example of an event-driven server of the requirements of AEM, chapter 2.1.3, line by line. What differs: a call returns its
 * error as a negative number, so log_error takes the place of perror; and the handler does something.
 */
#include "aemos.h"

#define SERVER_ADDR "0.0.0.0"
#define SERVER_PORT 2003

static const char answer[] = "accepted by an event handler\n";

/*
 * This event handler is executed upon connection.
 */
void accepted(int jid, int old_sockfd, int new_sockfd) {
  send(new_sockfd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
  close(new_sockfd);
}

/* Static: they are written after the registration, each time a connection comes. */
static struct sockaddr_in c_addr;
static int c_len;

int main(void) {
  int sfd;
  int err;
  int id;
  struct sockaddr_in s_addr;

  c_len = sizeof(c_addr);

  if ((sfd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)) < 0) {
    log_error("socket", sfd);
    exit(1);
  }

  bzero((char *)&s_addr, sizeof(s_addr));
  s_addr.sin_family = AF_INET;
  s_addr.sin_addr.s_addr = inet_addr(SERVER_ADDR);
  s_addr.sin_port = htons(SERVER_PORT);

  if ((err = bind(sfd, (struct sockaddr *)&s_addr, sizeof(s_addr))) < 0) {
    log_error("bind", err);
    exit(1);
  }

  listen(sfd, 5);

  /* Event registration for accept - non blocking system call */
  id = sockasync_accept(sfd, (struct sockaddr *)&c_addr, &c_len, 0, accepted);
  if (id < 0) {
    log_error("sockasync_accept", id);
    exit(1);
  }

  enter_keepalive();
  return 0;
}
