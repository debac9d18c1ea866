/*
 * The load generator of the benchmarks, on the host: `client MODE HOST PORT AMOUNT [WIDTH]`. Writes operations (or bytes) and nanoseconds.
 *
 *     udp      datagrams of 64 bytes to an echo service for AMOUNT milliseconds, WIDTH of them in flight; what has no answer in 100 ms counts as lost and is sent anew
 *     tcp      64 bytes on each of WIDTH connections to an echo service, again as soon as they are back, for AMOUNT milliseconds
 *     in       AMOUNT bytes to a service that closes when it has them all
 *     out      AMOUNT bytes from a service that sends as many as it is asked for
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SIZE 64
#define WIDTH_MOST 256
#define LOST 100
#define PIECE 65536

static struct sockaddr_in server;
static char data[PIECE];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static int opened(int type) {
  int fd = socket(AF_INET, type, 0), one = 1;
  struct timeval patience = {.tv_sec = 30};
  if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server) < 0) fail("connect");
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (type == SOCK_STREAM) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static uint64_t udp(uint64_t milliseconds, int width) {
  int fd = opened(SOCK_DGRAM);
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  uint64_t operations = 0;
  uint64_t until = now() + milliseconds * 1000000;
  for (int i = 0; i < width; i++) send(fd, data, SIZE, 0);
  while (now() < until) {
    if (poll(&wait, 1, LOST) == 0) {
      for (int i = 0; i < width; i++) send(fd, data, SIZE, 0);
      continue;
    }
    while (recv(fd, data, sizeof data, MSG_DONTWAIT) == SIZE) {
      operations++;
      send(fd, data, SIZE, 0);
    }
  }
  return operations;
}

static uint64_t tcp(uint64_t milliseconds, int width, uint64_t *begin) {
  struct pollfd wait[WIDTH_MOST];
  size_t missing[WIDTH_MOST];
  uint64_t operations = 0;
  for (int i = 0; i < width; i++) {
    wait[i] = (struct pollfd){.fd = opened(SOCK_STREAM), .events = POLLIN};
    missing[i] = SIZE;
    /* QEMU's user network listens with a backlog of 1: each is there before the next one comes. */
    if (send(wait[i].fd, data, SIZE, 0) != SIZE || recv(wait[i].fd, data, SIZE, MSG_WAITALL) != SIZE) fail("first echo");
  }
  *begin = now();
  for (int i = 0; i < width; i++)
    if (send(wait[i].fd, data, SIZE, 0) != SIZE) fail("send");
  while (now() < *begin + milliseconds * 1000000) {
    if (poll(wait, (nfds_t)width, 10000) <= 0) fail("no answer");
    for (int i = 0; i < width; i++) {
      if (!wait[i].revents) continue;
      ssize_t count = recv(wait[i].fd, data, missing[i], 0);
      if (count <= 0) fail("recv");
      missing[i] -= (size_t)count;
      if (missing[i]) continue;
      operations++;
      missing[i] = SIZE;
      if (send(wait[i].fd, data, SIZE, 0) != SIZE) fail("send");
    }
  }
  return operations;
}

static void in(uint64_t bytes) {
  int fd = opened(SOCK_STREAM);
  for (uint64_t left = bytes; left > 0;) {
    ssize_t sent = send(fd, data, left < PIECE ? left : PIECE, 0);
    if (sent <= 0) fail("send");
    left -= (uint64_t)sent;
  }
  shutdown(fd, SHUT_WR);
  if (recv(fd, data, sizeof data, 0) != 0) fail("end of stream");
}

static void out(uint64_t bytes) {
  int fd = opened(SOCK_STREAM);
  uint32_t wanted = (uint32_t)bytes;
  if (send(fd, &wanted, sizeof wanted, 0) != sizeof wanted) fail("send");
  for (uint64_t left = bytes; left > 0;) {
    ssize_t count = recv(fd, data, sizeof data, 0);
    if (count <= 0) fail("recv");
    left -= (uint64_t)count;
  }
}

int main(int argc, char **argv) {
  if (argc < 5 || inet_pton(AF_INET, argv[2], &server.sin_addr) != 1) return 2;
  server.sin_family = AF_INET;
  server.sin_port = htons((uint16_t)atoi(argv[3]));
  uint64_t amount = strtoull(argv[4], NULL, 10), count = amount;
  int width = argc > 5 ? atoi(argv[5]) : 1;
  if (width < 1 || width > WIDTH_MOST) return 2;
  uint64_t begin = now();
  if (strcmp(argv[1], "udp") == 0) count = udp(amount, width);
  else if (strcmp(argv[1], "tcp") == 0) count = tcp(amount, width, &begin);
  else if (strcmp(argv[1], "in") == 0) in(amount);
  else if (strcmp(argv[1], "out") == 0) out(amount);
  else return 2;
  printf("%llu %llu\n", (unsigned long long)count, (unsigned long long)(now() - begin));
  return 0;
}
