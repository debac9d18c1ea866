/*
 * Shadow stacks of threads that overflow, for spec/boot/aem/c-executors.test.ts: each in a child, which has to trap before it has written into what
 * is not its own, while a handler of the parent stands in the middle of its stack.
 */
#include "../report.h"

#define MILLISECOND 1000000ll
#define THREADS 3
/* threadStackKiB and stackKiB of the manifest. */
#define THREAD_STACK 65536
#define LARGEST_FRAME 131072

enum { WITHIN, DEEP, WIDE, FILLED, LAST, CASES };

static int chosen, asleep;
static bool over;

/* An address of which the compiler does not know what it is of, so that the array is there as a whole. */
static char *hidden(char *address) {
  __asm__ volatile("" : "+r"(address) : : "memory");
  return address;
}

/* Frames of a KiB each. */
static int depth(int n) {
  char array[1024];
  char *frame = hidden(array);
  frame[0] = frame[1023] = (char)n;
  return n > 0 ? depth(n - 1) + frame[0] : 0;
}

/* One frame that is larger than the whole stack, which the compiler lets pass: main's stack is larger. */
__attribute__((noinline)) static int wide(void) {
  char array[LARGEST_FRAME - 4096];
  char *frame = hidden(array);
  frame[0] = 1;
  return frame[0];
}

/* What the kernel writes to a stack, and beyond its end. */
static void calls(void) {
  char local[64];
  row("c-within", getrandom(local, 64, 0), getrandom(hidden(local) - THREAD_STACK, 8, 0), depth(40));
}

static void work(int jid, int overrun) {
  char local[64];
  if (chosen == WITHIN) calls();
  else if (chosen == WIDE) wide();
  else if (chosen == FILLED) memset(hidden(local) - THREAD_STACK - 64, 0x55, THREAD_STACK);
  else depth(84);
  row("c-overflowed", chosen, local[0]);
  exit(9);
}

static void sleepy(int jid, int overrun) {
  asleep++;
  while (!over) nanosleep(MILLISECOND);
}

static void child(int which) {
  chosen = which;
  // The first thread that is free takes it: the others sleep.
  int before = which == LAST ? THREADS - 1 : 1;
  asleep = 0;
  for (int i = 0; i < before; i++) evtimer(1, 0, EVF_THREAD, sleepy);
  while (asleep < before) nanosleep(MILLISECOND);
  evtimer(1, 0, EVF_THREAD, work);
  while (true) enter_keepalive();
}

static int wrong;

/* Stands in the middle of its stack until all is over. */
static void neighbour(int jid, int overrun) {
  char frame[32768];
  for (int i = 0; i < 32768; i++) frame[i] = (char)(i * 7);
  sleepy(jid, overrun);
  for (int i = 0; i < 32768; i++) wrong += frame[i] != (char)(i * 7);
}

int main(void) {
  for (int i = 0; i < THREADS; i++)
    if (evtimer(1, 0, EVF_THREAD, neighbour) < 0) return 1;
  while (asleep < THREADS) nanosleep(MILLISECOND);
  for (int which = 0; which < CASES; which++) {
    int status = -1, pid = fork(0);
    if (pid == 0) child(which);
    int waited = waitpid(pid, &status, 0);
    row("c-guarded", which, pid > 0 && waited == pid, status);
  }
  over = true;
  nanosleep(20 * MILLISECOND);
  row("c-neighbours", wrong);
  return 21;
}
