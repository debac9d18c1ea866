/*
 * What Linux needs inside of the guest for what aemos has events for: a line `row NAME CROWD VALUE` for each figure, with CROWD registered or armed, in instructions (-icount shift=0: a tick of the TSC
 * is one), up to the return of epoll_wait; reading the event's data would come on top. Medians of ROUNDS; what reading the counter costs is taken off.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

#define ROUNDS 201
#define MILLISECOND 1000000
/* Of poll and select, which take long. */
#define FEW 5
/* Descriptors that are registered, or timers that are armed, beside the one that is measured; the largest is `crowd=` of the command line. */
static const unsigned crowds[] = {0, 1000, 10000, 100000, 1000000};
static unsigned crowd_count;

static uint64_t samples[ROUNDS], overhead;

static int ascending(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static uint64_t median(unsigned rounds) {
  qsort(samples, rounds, sizeof *samples, ascending);
  uint64_t value = samples[rounds / 2];
  return value > overhead ? value - overhead : 0;
}

static void row_of(const char *name, unsigned crowd, unsigned rounds) {
  printf("row %s %u %llu\n", name, crowd ? crowd : 1, (unsigned long long)median(rounds));
}

static void row(const char *name, unsigned crowd) { row_of(name, crowd, ROUNDS); }

/* What each of the `crowd` takes: bytes of memory that are free no more. */
static void memory_row(const char *name, unsigned crowd, unsigned long before) {
  printf("row %s 1 %lu\n", name, (before - free_bytes()) / crowd);
}

#define SAMPLES(code)                 \
  for (int i = 0; i < ROUNDS; i++) {  \
    uint64_t begin = ticks();         \
    code;                             \
    samples[i] = ticks() - begin;     \
  }

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static struct itimerspec at(uint64_t due) {
  return (struct itimerspec){.it_value = {(time_t)(due / 1000000000), (long)(due % 1000000000)}};
}

static int add(int poll_fd, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  return epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void timers(void) {
  int poll_fd = epoll_create1(0), fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event event;
  unsigned armed = 0;
  unsigned long before = free_bytes();
  add(poll_fd, fd);
  for (unsigned c = 0; c < crowd_count; c++) {
    for (; armed < crowds[c]; armed++) {
      int other = timerfd_create(CLOCK_MONOTONIC, 0);
      /* Far away, spread over an hour. */
      struct itimerspec time = at(now() + 3600000000000ull + armed * 36000000ull);
      if (other < 0 || timerfd_settime(other, TFD_TIMER_ABSTIME, &time, NULL) < 0 || add(poll_fd, other) < 0) die("timerfd");
    }
    SAMPLES({
      struct itimerspec time = at(1000000000ull * 100000 + (unsigned)i);
      timerfd_settime(fd, TFD_TIMER_ABSTIME, &time, NULL);
    })
    row("timer.arm", armed);
    for (int i = 0; i < ROUNDS; i++) {
      uint64_t due = now() + MILLISECOND, expirations;
      struct itimerspec time = at(due);
      timerfd_settime(fd, TFD_TIMER_ABSTIME, &time, NULL);
      epoll_wait(poll_fd, &event, 1, -1);
      samples[i] = now() - due;
      if (read(fd, &expirations, sizeof expirations) < 0) die("timerfd");
    }
    row("timer.to-handler", armed);
  }
  memory_row("memory.timer", armed, before);
}

/* poll and select of `count` descriptors from `first` on, of which the last one, `ready`, has an event. */
static void poll_all(int first, unsigned count, int ready) {
  struct pollfd *list = malloc((count + 1) * sizeof *list);
  size_t bytes = ((size_t)ready / 64 + 1) * 8;
  unsigned char *set = malloc(bytes);
  if (!list || !set) die("memory");
  for (unsigned i = 0; i <= count; i++) list[i] = (struct pollfd){.fd = i == count ? ready : first + (int)i, .events = POLLIN};
  eventfd_write(ready, 1);
  for (int i = 0; i < FEW; i++) {
    uint64_t begin = ticks();
    poll(list, count + 1, -1);
    samples[i] = ticks() - begin;
  }
  row_of("event.wait.poll", count, FEW);
  for (int i = 0; i < FEW; i++) {
    memset(set, 0, bytes);
    for (unsigned n = 0; n <= count; n++) set[list[n].fd / 8] |= (unsigned char)(1 << list[n].fd % 8);
    uint64_t begin = ticks();
    syscall(SYS_select, ready + 1, set, NULL, NULL, NULL);
    samples[i] = ticks() - begin;
  }
  row_of("event.wait.select", count, FEW);
  free(list);
  free(set);
}

/* An event that has occurred is waited for, with so many registered: epoll_wait, and beside it poll and select. */
static void wait_for(int poll_fd, int fd, int first, unsigned registered) {
  struct epoll_event event;
  eventfd_t value;
  eventfd_write(fd, 1);
  SAMPLES(epoll_wait(poll_fd, &event, 1, -1))
  row("event.wait.epoll", registered);
  eventfd_read(fd, &value);
  int ready = eventfd(0, EFD_NONBLOCK);
  poll_all(first, registered, ready);
  close(ready);
}

static void events(void) {
  int poll_fd = epoll_create1(0), fd = eventfd(0, EFD_NONBLOCK);
  struct epoll_event event;
  eventfd_t value;
  add(poll_fd, fd);
  unsigned registered = 0;
  unsigned long before = free_bytes();
  for (unsigned c = 0; c < crowd_count; c++) {
    for (; registered < crowds[c]; registered++)
      if (add(poll_fd, eventfd(0, 0)) < 0) die("epoll_ctl");
    for (int i = 0; i < ROUNDS; i++) {
      uint64_t begin = ticks();
      eventfd_write(fd, 1);
      epoll_wait(poll_fd, &event, 1, -1);
      samples[i] = ticks() - begin;
      eventfd_read(fd, &value);
    }
    row("event.same-process", registered);
    for (int i = 0; i < ROUNDS; i++) {
      int other = eventfd(0, 0);
      uint64_t begin = ticks();
      add(poll_fd, other);
      samples[i] = ticks() - begin;
      close(other);
    }
    row("event.register", registered);
    wait_for(poll_fd, fd, fd + 1, registered);
  }
  memory_row("memory.event", registered, before);
}

/* A blocked process of the highest priority gets an event: from the write to its first instruction behind the read. */
static void other_process(void) {
  uint64_t *times = mmap(NULL, 2 * ROUNDS * sizeof *times, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int fd = eventfd(0, 0);
  eventfd_t value;
  pid_t child = fork();
  if (child == 0) {
    struct sched_param priority = {.sched_priority = 63};
    if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0) die("SCHED_FIFO");
    for (int i = 0; i < ROUNDS; i++) {
      eventfd_read(fd, &value);
      times[ROUNDS + i] = ticks();
    }
    _exit(0);
  }
  for (int i = 0; i < ROUNDS; i++) {
    usleep(1000);
    times[i] = ticks();
    eventfd_write(fd, 1);
  }
  waitpid(child, NULL, 0);
  for (int i = 0; i < ROUNDS; i++) samples[i] = times[ROUNDS + i] - times[i];
  row("event.other-process", 0);
}

/* In a process that ends with all it has opened. */
static void in_child(void (*work)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    work();
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

void measure(void) {
  const char *most = getenv("crowd");
  while (crowd_count < sizeof crowds / sizeof *crowds && crowds[crowd_count] <= (most ? (unsigned)atoi(most) : 100000)) crowd_count++;
  SAMPLES({})
  overhead = median(ROUNDS);
  SAMPLES(syscall(SYS_getppid))
  row("syscall", 0);
  other_process();
  in_child(events);
  in_child(timers);
  puts("measured");
}
