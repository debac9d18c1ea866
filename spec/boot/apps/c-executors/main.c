/*
 * Executors in C, for spec/boot/aem/c-executors.test.ts. What has an address stands on a shadow stack in linear memory: each thread has one
 * of its own, and a fork has a copy. So all of this is recursion over arrays, with something in the middle of it that lets others run.
 */
#include "../report.h"

#define MILLISECOND 1000000ll
#define DEPTH 12
#define THREADS 3
#define ROUNDS 5
#define CALLS 6
#define GENERATIONS 6
#define PORT 1

struct frame {
  struct frame *outer;
  int seed;
  int cells[32];
};

static int parent;

static void fill(struct frame *frame, struct frame *outer, int seed) {
  frame->outer = outer;
  frame->seed = seed;
  for (int i = 0; i < 32; i++) frame->cells[i] = seed * 1000 + i;
}

/* How many cells of this frame and of those that it was called from are not what `fill` wrote, `added` more. */
static int wrong(const struct frame *frame, int added) {
  int count = 0;
  for (; frame != 0; frame = frame->outer)
    for (int i = 0; i < 32; i++) count += frame->cells[i] != frame->seed * 1000 + i + added;
  return count;
}

/* ---- A fork in the middle of a recursion ---- */

static int globals = 5;

static int recurse(int depth, struct frame *outer, int *forked) {
  struct frame frame;
  fill(&frame, outer, depth);
  int below = 0;
  if (depth < DEPTH) below = recurse(depth + 1, &frame, forked);
  else {
    *forked = fork(0);
    if (*forked == 0) {
      // Up to the first frame, through pointers that were made before the fork.
      globals += 100;
      for (struct frame *at = &frame; at != 0; at = at->outer)
        for (int i = 0; i < 32; i++) at->cells[i] += 7;
    } else nanosleep(5 * MILLISECOND);
  }
  return below + wrong(&frame, *forked == 0 ? 7 : 0);
}

static void fork_deep(const char *child, const char *in_parent) {
  int forked = -1, status = -1;
  int bad = recurse(1, 0, &forked);
  if (forked == 0) {
    row(child, bad, globals, getpid() != parent);
    exit(40 + (bad == 0));
  }
  int waited = waitpid(forked, &status, 0);
  row(in_parent, bad, globals, forked > 0 && waited == forked, status);
}

/* ---- Handlers on threads ---- */

static int active, most, done, broken, overlapping;
/* Handlers that wait for each other; and whether they stay in the middle of their recursion. */
static int wanted = 1, held;
static bool taken[THREADS];
static struct frame *places[THREADS];

/* Whether a frame lies within the reach of one that another handler has in use. */
static bool near(const struct frame *left, const struct frame *right) {
  uintptr_t a = (uintptr_t)left, b = (uintptr_t)right;
  return (a < b ? b - a : a - b) < sizeof(struct frame);
}

static int sleepy(int depth, struct frame *outer, int slot, int seed) {
  struct frame frame;
  fill(&frame, outer, seed + depth);
  if (depth == 0) places[slot] = &frame;
  for (int i = 0; i < THREADS; i++) overlapping += i != slot && places[i] != 0 && near(places[i], &frame);
  int bad = 0;
  if (depth < 8) bad = sleepy(depth + 1, &frame, slot, seed);
  else
    do nanosleep((1 + slot) * MILLISECOND);
    while (held);
  return bad + wrong(&frame, 0);
}

static void threaded(int jid, int overrun) {
  int slot = 0;
  while (taken[slot]) slot++;
  taken[slot] = true;
  active++;
  while (active < wanted) nanosleep(MILLISECOND);
  wanted = 1;
  if (active > most) most = active;
  for (int round = 0; round < ROUNDS; round++) broken += sleepy(0, 0, slot, 100 * slot + round);
  if (slot == 0) row("c-thread-fork", fork(0), getpid() == parent);
  places[slot] = 0;
  taken[slot] = false;
  active--;
  done++;
}

static int functions;

/* On the main thread, in between. */
static void function(int jid, int overrun) {
  struct frame frame;
  fill(&frame, 0, 77);
  nanosleep(MILLISECOND);
  broken += wrong(&frame, 0);
  functions++;
}

static void threads(void) {
  wanted = THREADS;
  held = 1;
  for (int i = 0; i < THREADS; i++)
    if (evtimer(MILLISECOND, 0, EVF_THREAD, threaded) < 0) row("c-thread-refused", i);
  int jid = evtimer(MILLISECOND, 4 * MILLISECOND, 0, function);
  struct frame frame;
  fill(&frame, 0, 9);
  for (int slot = 0; slot < THREADS; slot++)
    while (places[slot] == 0) nanosleep(MILLISECOND);
  // The child has the main thread's stack, while workers stand in the middle of theirs.
  fork_deep("c-beside-child", "c-beside-parent");
  held = 0;
  while (done < THREADS) nanosleep(MILLISECOND);
  evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
  row("c-threads", done, most, broken + wrong(&frame, 0), overlapping, functions > 0);
}

/* ---- Threads in a fork of a fork of a fork: the stacks of the parent's threads are none of the child's ---- */

static void generation(int left) {
  if (left == 0) exit(99);
  int pid = fork(0);
  if (pid < 0) exit(1);
  if (pid == 0) {
    done = 0;
    int jid = evtimer(MILLISECOND, 0, EVF_THREAD, threaded);
    if (jid < 0) exit(2);
    while (done == 0) nanosleep(MILLISECOND);
    if (broken != 0) exit(3);
    generation(left - 1);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  if (getpid() != parent) exit(status);
  struct process_information information;
  processinfo(0, &information, sizeof(information));
  row("c-generations", status, information.vmtable_size < GENERATIONS * THREADS * 65536);
}

/* ---- Handlers in clones: they tell the parent by a message what they saw ---- */

struct report {
  int pid, calls, wrong, own;
};

static bool keeps;
static int calls, own, told, own_told, stale, pids_changed, last_pid, ended, statuses;

/* Of an event that a capsule has registered: runs there while it has nothing else to do. */
static void ticked(int jid, int overrun) { own++; }

static void cloned(int jid, int overrun) {
  struct frame frame;
  if (calls++ == 0 && keeps && evtimer(MILLISECOND, MILLISECOND, 0, ticked) < 0) exit(1);
  fill(&frame, 0, calls);
  struct report report = {getpid(), calls, wrong(&frame, 0), own};
  evpost(parent, PORT, &report, sizeof(report));
  // Its own events run in the pauses; and now and then further activations have to wait for it.
  if (keeps && calls % 3 == 0) nanosleep(30 * MILLISECOND);
  // Whatever is left on the stack and in globals is the clone's.
  fill(&frame, 0, 4242);
}

static void message(int jid, int from, void *data, int length) {
  struct report report;
  memcpy(&report, data, sizeof(report));
  pids_changed += report.pid != last_pid;
  last_pid = report.pid;
  stale += report.wrong + (report.pid != from) + (length != sizeof(report));
  told++;
  own_told = report.own;
  row("c-clone", report.calls, report.pid != parent);
}

static void child(int jid, int pid, int status) {
  ended++;
  statuses += status;
}

static void clones(const char *name, int flags, bool waited) {
  told = own_told = stale = pids_changed = last_pid = ended = statuses = 0;
  int jid = evtimer(2 * MILLISECOND, (keeps ? 8 : 2) * MILLISECOND, flags, cloned);
  while (told < CALLS || (keeps && own_told == 0)) nanosleep(MILLISECOND);
  evctl(jid, EVJOBSTOP, 0);
  while (waited && ended < CALLS) nanosleep(MILLISECOND);
  // Time for what must not come.
  nanosleep(30 * MILLISECOND);
  row(name, jid > 0, stale, pids_changed, calls, ended >= CALLS ? CALLS : ended, statuses);
  // Each activation has come to one call, or to the same call as another, or waits.
  struct event_statistics statistics;
  while (evctl(jid, EVJOBLOOKUP, 0) & EVENT_HANDLING) nanosleep(MILLISECOND);
  event_statistics(jid, &statistics);
  row("c-counted", statistics.activations - statistics.handled - statistics.coalesced - statistics.waiting);
  evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
}

int main(void) {
  parent = getpid();
  fork_deep("c-fork-child", "c-fork-parent");
  threads();
  generation(GENERATIONS);
  if (on_message(PORT, message, 0) < 0) return 1;
  int jid = on_child(0, child, 0);
  if (jid < 0) return 2;
  clones("c-forks", EVF_FORK, true);
  clones("c-unwaited", EVF_FORK | EVF_NOCLDWAIT, false);
  keeps = true;
  clones("c-capsules", EVF_CAPSULE, false);
  row("c-end", on_child(parent, child, 0), globals, own);
  return 21;
}
