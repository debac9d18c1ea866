/*
 * The load of bench/apps/load.json as it is written for Linux: a periodic timer of the highest priority (SCHED_FIFO), and below it two processes that compute, one with a thousand
 * periodic timers, and one that takes a flood of datagrams on UDP port 9. The timer's process is alone with its priority; all others are ordinary ones.
 *
 *     row late EARLIEST LATEST, in nanoseconds, for each ROUND calls
 */
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

#define HIGHEST 63
#define SECOND 1000000000
/* As the applications have them. */
#define PERIOD 4999999
#define ROUND 100
#define TIMERS 1000
#define TIMER_PERIOD 20000000
#define STEP 10007
#define DISCARD 9

static int periodic(long period) {
  int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec time = {{0, period}, {0, period}};
  if (fd < 0 || timerfd_settime(fd, 0, &time, NULL) < 0) die("timerfd");
  return fd;
}

static void urgent(void) {
  struct sched_param priority = {.sched_priority = HIGHEST};
  if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0 || mlockall(MCL_CURRENT | MCL_FUTURE) < 0) die("SCHED_FIFO");
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  int64_t due = time.tv_sec * (int64_t)SECOND + time.tv_nsec, latest = 0;
  int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec first = {{0, PERIOD}, {(due + PERIOD) / SECOND, (due + PERIOD) % SECOND}};
  timerfd_settime(fd, TFD_TIMER_ABSTIME, &first, NULL);
  for (int calls = 1;; calls++) {
    uint64_t expirations;
    if (read(fd, &expirations, sizeof expirations) < 0) die("timerfd");
    clock_gettime(CLOCK_MONOTONIC, &time);
    due += PERIOD * (int64_t)expirations;
    int64_t late = time.tv_sec * (int64_t)SECOND + time.tv_nsec - due;
    if (late > latest) latest = late;
    if (calls % ROUND == 0) printf("row late %lld\n", (long long)latest);
  }
}

static void timers(void) {
  int poll_fd = epoll_create1(0);
  for (long i = 0; i < TIMERS; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = periodic(TIMER_PERIOD + i * STEP)};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, event.data.fd, &event) < 0) die("epoll_ctl");
  }
  for (;;) {
    struct epoll_event events[64];
    int count = epoll_wait(poll_fd, events, 64, -1);
    for (int i = 0; i < count; i++) {
      uint64_t expirations;
      if (read(events[i].data.fd, &expirations, sizeof expirations) < 0) die("timerfd");
    }
  }
}

static void sink(void) {
  static char data[2048];
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(DISCARD)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
  while (recv(fd, data, sizeof data, 0) >= 0) {
  }
  die("recv");
}

static void hog(void) {
  for (volatile uint64_t turns = 0;; turns++) {
  }
}

void load(void) {
  void (*const others[])(void) = {timers, sink, hog, hog};
  for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
    if (fork() == 0) others[i]();
  urgent();
}
