/*
 * The servers of apps/default.json as they are written for Linux: one thread, epoll, level-triggered, non-blocking sockets. TCP and UDP echo on port 7, HTTP/1.1
 * with keep-alive on port 80, which answers every GET with the page that stands in the initramfs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "guest.h"

/* Not static and not inlined: their addresses are looked up in the program. */
__attribute__((noinline)) void echo_handler(int fd, const char *data, size_t length);
__attribute__((noinline)) void datagram_handler(int fd, const char *data, size_t length, const struct sockaddr_in *peer);

#define EVENTS 64
#define ROOM 16384
#define ECHO_PORT 7
#define HTTP_PORT 80

enum kind { FREE, ECHO_LISTENER, HTTP_LISTENER, DATAGRAMS, ECHO, HTTP };

/* What is read and not answered, or answered and not sent. */
struct connection {
  enum kind kind;
  size_t length, sent;
  char *buffer;
};

static struct connection *connections;
static size_t connection_room;
static int poll_fd;
static char *answer;
static size_t answer_length;

static struct connection *connection_of(int fd) {
  if ((size_t)fd >= connection_room) {
    size_t room = connection_room ? connection_room * 2 : 1024;
    while ((size_t)fd >= room) room *= 2;
    connections = realloc(connections, room * sizeof *connections);
    if (!connections) die("memory");
    memset(connections + connection_room, 0, (room - connection_room) * sizeof *connections);
    connection_room = room;
  }
  return &connections[fd];
}

static void watch(int fd, enum kind kind) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  connection_of(fd)->kind = kind;
  if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void rewatch(int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(poll_fd, EPOLL_CTL_MOD, fd, &event) < 0) die("epoll_ctl");
}

static void open_port(int type, uint16_t port, enum kind kind) {
  int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
  int one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
  if (type == SOCK_STREAM && listen(fd, 65535) < 0) die("listen");
  watch(fd, kind);
}

static void end(int fd) {
  struct connection *c = connection_of(fd);
  free(c->buffer);
  memset(c, 0, sizeof *c);
  close(fd);
}

/* Sends what is there. 0: all of it; 1: the rest waits for EPOLLOUT; -1: the connection has ended. */
static int flush(int fd, const char *data, size_t length, size_t *sent) {
  while (*sent < length) {
    ssize_t n = send(fd, data + *sent, length - *sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return 1;
    if (n <= 0) return -1;
    *sent += (size_t)n;
  }
  return 0;
}

static void accept_all(int fd, enum kind kind) {
  for (;;) {
    int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
    if (peer < 0) return;
    int one = 1;
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(peer, kind);
  }
}

/* What comes is here: bench/latency.ts counts up to its first instruction. */
void echo_handler(int fd, const char *data, size_t length) {
  size_t sent = 0;
  int outcome = flush(fd, data, length, &sent);
  if (outcome < 0) return end(fd);
  if (outcome == 0) return;
  struct connection *c = connection_of(fd);
  c->length = length - sent;
  c->sent = 0;
  c->buffer = malloc(c->length);
  if (!c->buffer) return end(fd);
  memcpy(c->buffer, data + sent, c->length);
  rewatch(fd, EPOLLOUT);
}

static void echo(int fd, uint32_t events) {
  struct connection *c = connection_of(fd);
  static char shared[ROOM];
  if (c->length == 0) {
    ssize_t n = recv(fd, shared, sizeof shared, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return end(fd);
    return echo_handler(fd, shared, (size_t)n);
  }
  if (!(events & EPOLLOUT)) return end(fd);
  int outcome = flush(fd, c->buffer, c->length, &c->sent);
  if (outcome < 0) return end(fd);
  if (outcome > 0) return;
  free(c->buffer);
  c->buffer = NULL;
  c->length = c->sent = 0;
  rewatch(fd, EPOLLIN);
}

/* One request at a time; its answer is `answer`, and what has been sent of it stands in `sent`. */
static void http(int fd, uint32_t events) {
  struct connection *c = connection_of(fd);
  if (events & EPOLLOUT) {
    int outcome = flush(fd, answer, answer_length, &c->sent);
    if (outcome < 0) return end(fd);
    if (outcome > 0) return;
    c->sent = 0;
    rewatch(fd, EPOLLIN);
    return;
  }
  static char shared[ROOM];
  if (c->length) memcpy(shared, c->buffer, c->length);
  ssize_t n = recv(fd, shared + c->length, sizeof shared - 1 - c->length, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return end(fd);
  size_t length = c->length + (size_t)n;
  shared[length] = 0;
  size_t at = 0;
  int close_after = 0;
  for (char *stop; (stop = strstr(shared + at, "\r\n\r\n")) && !close_after;) {
    if (strncmp(shared + at, "GET ", 4) != 0) return end(fd);
    *stop = 0;
    close_after = strcasestr(shared + at, "\r\nConnection: close") != NULL || strstr(shared + at, " HTTP/1.0") != NULL;
    at = (size_t)(stop + 4 - shared);
    int outcome = flush(fd, answer, answer_length, &c->sent);
    if (outcome < 0) return end(fd);
    if (outcome > 0) {
      rewatch(fd, EPOLLOUT);
      break;
    }
    c->sent = 0;
  }
  if (close_after) return end(fd);
  free(c->buffer);
  c->buffer = NULL;
  c->length = length - at;
  if (c->length == 0) return;
  if (c->length >= sizeof shared - 1 || !(c->buffer = malloc(c->length))) return end(fd);
  memcpy(c->buffer, shared + at, c->length);
}

/* Likewise. */
void datagram_handler(int fd, const char *data, size_t length, const struct sockaddr_in *peer) {
  sendto(fd, data, length, 0, (const struct sockaddr *)peer, sizeof *peer);
}

static void datagrams(int fd) {
  static char data[65536];
  struct sockaddr_in peer;
  for (;;) {
    socklen_t length = sizeof peer;
    ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&peer, &length);
    if (n < 0) return;
    datagram_handler(fd, data, (size_t)n, &peer);
  }
}

static void read_page(void) {
  int fd = open("/page", O_RDONLY);
  off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
  if (size < 0) die("/page");
  answer = malloc((size_t)size + 256);
  if (!answer) die("memory");
  int head = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %ld\r\n\r\n", (long)size);
  if (pread(fd, answer + head, (size_t)size, 0) != size) die("/page");
  answer_length = (size_t)head + (size_t)size;
  close(fd);
}

void serve(void) {
  read_page();
  poll_fd = epoll_create1(0);
  open_port(SOCK_STREAM, ECHO_PORT, ECHO_LISTENER);
  open_port(SOCK_DGRAM, ECHO_PORT, DATAGRAMS);
  open_port(SOCK_STREAM, HTTP_PORT, HTTP_LISTENER);
  puts("serving");
  struct epoll_event events[EVENTS];
  for (;;) {
    int count = epoll_wait(poll_fd, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      switch (connection_of(fd)->kind) {
        case ECHO_LISTENER: accept_all(fd, ECHO); break;
        case HTTP_LISTENER: accept_all(fd, HTTP); break;
        case DATAGRAMS: datagrams(fd); break;
        case ECHO: echo(fd, events[i].events); break;
        case HTTP: http(fd, events[i].events); break;
        case FREE: break;
      }
    }
  }
}
