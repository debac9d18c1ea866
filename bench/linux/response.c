/*
 * bench/apps/response as it is written for Linux: three servers of SCHED_FIFO 48, 32 and 16, a socket each for their requests, and above them a timer that sends them. The same
 * rows.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

#define PERIOD 1000000
/* Nanoseconds of a request's work, as bench/apps/response has it. */
#define SERVICE 200000
#define TRIALS 20
#define PERIODS 1500
#define PAUSE 100
#define SERVERS 3
#define LOADS 3
#define MOST 16384

static const int halves[LOADS] = {1, 2, 20};
static uint32_t taken[LOADS][MOST];
static int done[LOADS], in_time[LOADS], turns = 1000;
static int64_t ended;

static void priority(int level) {
  struct sched_param parameters = {.sched_priority = level};
  if (sched_setscheduler(0, SCHED_FIFO, &parameters) < 0 || mlockall(MCL_CURRENT | MCL_FUTURE) < 0) die("SCHED_FIFO");
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * (int64_t)1000000000 + time.tv_nsec;
}

/* Nanoseconds that it took; it ended at `ended`. */
static int64_t work(void) {
  static volatile uint32_t state = 2463534242;
  int64_t begin = now();
  uint32_t x = state;
  for (int i = 0; i < turns; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
  }
  state = x;
  ended = now();
  return ended - begin;
}

/* As many turns as take SERVICE: by the shortest of some, which nothing interrupted. */
static void calibrate(void) {
  for (int trial = 0; trial < 3; trial++) {
    int64_t least = INT64_MAX;
    for (int i = 0; i < TRIALS; i++) {
      int64_t time = work();
      if (time < least) least = time;
    }
    turns = (int)(turns * (int64_t)SERVICE / least);
  }
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static unsigned percentile(int load, int part) {
  return done[load] ? taken[load][(done[load] * part + 999) / 1000 - 1] : 0;
}

static void report(int level, int64_t service) {
  for (int load = 0; load < LOADS; load++) {
    qsort(taken[load], (size_t)done[load], sizeof(uint32_t), ascending);
    printf("row response %d %d %d %u %u %u\n", level, done[load], in_time[load], percentile(load, 500),
           percentile(load, 990), percentile(load, 999));
  }
  printf("row service %d %lld\n", level, (long long)service);
}

/* A datagram without times ends a load, and another, behind the last, asks for the rows. */
static void serve_requests(int fd, int level) {
  int64_t service = INT64_MAX, times[2];
  priority(level);
  calibrate();
  for (int phase = 0;;) {
    if (recv(fd, times, sizeof times, 0) < (ssize_t)sizeof times) {
      if (phase == LOADS) report(level, service);
      else phase++;
      continue;
    }
    int64_t time = work();
    if (time < service) service = time;
    if (done[phase] == MOST) die("more requests than there can be");
    taken[phase][done[phase]++] = (uint32_t)((ended - times[0]) / 1000);
    if (ended <= times[1]) in_time[phase]++;
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
  for (unsigned phase = 0; phase < LOADS; phase++) {
    int posted = 0, refused = 0;
    int64_t times[2] = {0, 0};
    for (int64_t period = 0; period <= PERIODS + PAUSE;) {
      uint64_t expirations;
      if (read(fd, &expirations, sizeof expirations) < 0) die("timerfd");
      if (period == 0) times[1] = now() + PERIODS * (int64_t)PERIOD;
      period += (int64_t)expirations;
      if (period > PERIODS) continue;
      int64_t passed = PERIOD * (int64_t)expirations, tenth = passed / 10, rest = passed * halves[phase] / 2 - tenth;
      /* To the highest last: what sending to the others takes is the load's, not the system's. */
      for (int i = SERVERS - 1; i >= 0; i--) {
        due[i] += i == 0 ? tenth : rest / 2;
        for (; due[i] >= SERVICE; due[i] -= SERVICE) {
          times[0] = now();
          if (send(to[i], times, sizeof times, MSG_DONTWAIT) == sizeof times) posted++;
          else refused++;
        }
      }
    }
    printf("row load %d %d %d\n", halves[phase], posted, refused);
    for (int i = 0; i < SERVERS; i++) send(to[i], "", 1, 0);
  }
  for (int i = 0; i < SERVERS; i++) send(to[i], "", 1, 0);
  for (;;) pause();
}
