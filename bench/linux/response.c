/*
 * bench/apps/response as it is written for Linux: three servers of SCHED_FIFO 48, 32 and 16, a socket each for their requests, and above them a timer that sends them. The same
 * rows.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

#define WORK 18000
#define MOST 262143
#define PERIOD 1000000
#define SERVICE 200000
#define PERIODS 1500
#define PAUSE 100
#define SERVERS 3

static const int halves[] = {1, 2, 20};
static uint32_t counts[MOST + 1];

static void priority(int level) {
  struct sched_param parameters = {.sched_priority = level};
  if (sched_setscheduler(0, SCHED_FIFO, &parameters) < 0 || mlockall(MCL_CURRENT | MCL_FUTURE) < 0) die("SCHED_FIFO");
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * (int64_t)1000000000 + time.tv_nsec;
}

static void work(void) {
  static volatile uint32_t state = 2463534242;
  uint32_t x = state;
  for (int i = 0; i < WORK; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
  }
  state = x;
}

static int percentile(int done, int part) {
  int64_t wanted = ((int64_t)done * part + 999) / 1000, seen = 0;
  for (int at = 0; at <= MOST; at++) {
    seen += counts[at];
    if (seen >= wanted) return at;
  }
  return MOST;
}

static void serve_requests(int fd, int level) {
  int done = 0;
  int64_t service = INT64_MAX, posted;
  priority(level);
  for (;;) {
    if (recv(fd, &posted, sizeof posted, 0) < 8) {
      printf("row response %d %d %d %d %d %lld\n", level, done, percentile(done, 500), percentile(done, 990),
             percentile(done, 999), (long long)service);
      memset(counts, 0, sizeof counts);
      done = 0;
      continue;
    }
    int64_t begin = now();
    work();
    int64_t end = now(), taken = (end - posted) / 1000;
    if (end - begin < service) service = end - begin;
    counts[taken < MOST ? taken : MOST]++;
    done++;
  }
}

void response(void) {
  static const int levels[SERVERS] = {48, 32, 16};
  int to[SERVERS];
  int64_t due[SERVERS] = {0};
  /* For as many requests as a message event of aemos takes, 64, at 768 bytes each; the kernel doubles it. */
  int room = 64 * 768 / 2;
  /* The priorities are to have all of the processor. */
  setting("/proc/sys/kernel/sched_rt_runtime_us", "-1");
  for (int i = 0; i < SERVERS; i++) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0) die("socketpair");
    if (fork() == 0) serve_requests(pair[0], levels[i]);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    to[i] = pair[1];
  }
  priority(63);
  int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec time = {{0, PERIOD}, {0, 100 * PERIOD}};
  timerfd_settime(fd, 0, &time, NULL);
  for (unsigned phase = 0; phase < sizeof halves / sizeof *halves; phase++) {
    int posted = 0, refused = 0;
    for (int64_t period = 0; period <= PERIODS + PAUSE;) {
      uint64_t expirations;
      if (read(fd, &expirations, sizeof expirations) < 0) die("timerfd");
      period += (int64_t)expirations;
      if (period > PERIODS) continue;
      int64_t passed = PERIOD * (int64_t)expirations, tenth = passed / 10, rest = passed * halves[phase] / 2 - tenth;
      for (int i = 0; i < SERVERS; i++) {
        due[i] += i == 0 ? tenth : rest / 2;
        for (; due[i] >= SERVICE; due[i] -= SERVICE) {
          int64_t begin = now();
          if (send(to[i], &begin, sizeof begin, MSG_DONTWAIT) == sizeof begin) posted++;
          else refused++;
        }
      }
    }
    printf("row load %d %d %d\n", halves[phase], posted, refused);
    for (int i = 0; i < SERVERS; i++) send(to[i], "", 1, 0);
  }
  for (;;) pause();
}
