/*
 * Streams for bulk transfers, as bench/apps/streams has them: TCP port 9 takes what comes (discard, RFC 863) and closes when the peer has; port 8 sends as many bytes as each four
 * that come ask for. A datagram to UDP port 9 asks for the memory that is free: five 64-bit words, the last of them that (struct SystemInformation of the SDK has it there).
 *
 * A process each, by blocking calls: they wait while nobody asks.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "guest.h"

#define SOURCE 8
#define SINK 9
#define CONTROL 9
#define PIECE 65536

static char bytes[PIECE];

static int bound(int type, uint16_t port) {
  int fd = socket(AF_INET, type, 0), one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
  if (type == SOCK_STREAM && listen(fd, 16) < 0) die("listen");
  return fd;
}

static void sink(int listener) {
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    while (fd >= 0 && recv(fd, bytes, sizeof bytes, 0) > 0) {
    }
    close(fd);
  }
}

static void source(int listener) {
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    uint32_t left;
    while (fd >= 0 && recv(fd, &left, sizeof left, MSG_WAITALL) == sizeof left)
      while (left > 0) {
        ssize_t sent = send(fd, bytes, left < sizeof bytes ? left : sizeof bytes, MSG_NOSIGNAL);
        if (sent <= 0) break;
        left -= (uint32_t)sent;
      }
    close(fd);
  }
}

static void control(int fd) {
  for (;;) {
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    char question[64];
    uint64_t words[5] = {0};
    if (recvfrom(fd, question, sizeof question, 0, (struct sockaddr *)&peer, &length) < 0) continue;
    words[4] = free_bytes();
    sendto(fd, words, sizeof words, 0, (struct sockaddr *)&peer, length);
  }
}

static void start(void (*work)(int), int fd) {
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) work(fd);
  close(fd);
}

void streams(void) {
  start(sink, bound(SOCK_STREAM, SINK));
  start(source, bound(SOCK_STREAM, SOURCE));
  start(control, bound(SOCK_DGRAM, CONTROL));
}
