/*
 * A part of aemos.h. Processes: life, signals, clock, log, random numbers; children; what is counted and can be watched.
 */
#ifndef AEMOS_PROCESS_H
#define AEMOS_PROCESS_H

#define SIGKILL 9
#define SIGUSR1 10
#define SIGUSR2 12
#define SIGTERM 15

/* Nanoseconds since boot. */
#define CLOCK_MONOTONIC 1
/* Ticks of the time-stamp counter. */
#define CLOCK_TSC 4

#define LOG_ERROR 3
#define LOG_WARNING 4
#define LOG_NOTICE 5
#define LOG_INFO 6
#define LOG_DEBUG 7

/* Ends the process with `status` (0 to 255). Its sockets and events go with it. */
AEMOS_CALL(exit) __attribute__((noreturn)) void exit(int status);
/* Number of this process, > 0. */
AEMOS_CALL(getpid) int getpid(void);
/* SIGTERM, SIGUSR1, SIGUSR2 go to its handler (on_signal) or make a blocking call of it return -EINTR, SIGKILL ends it, 0 asks. -ESRCH, -EINVAL. */
AEMOS_CALL(kill) int kill(int pid, int signal);
/* Takes the lowest signal that waits for this process: its number, or 0. */
AEMOS_CALL(sigtake) int sigtake(void);
/* CLOCK_*; -EINVAL for another clock. */
AEMOS_CALL(clock_gettime) int64_t clock_gettime(int clock);
/* Blocks for at least `nanoseconds`; handlers run meanwhile. 0, -EINTR, -EINVAL: negative. */
AEMOS_CALL(nanosleep) int nanosleep(int64_t nanoseconds);
/* Writes a line of UTF-8, up to 256 bytes of it, to the console. The bytes written, -EFAULT, -EINVAL. */
AEMOS_CALL(log) int log(int level, const char *text, int length);
/* Fills up to 1 MiB with random numbers fit for keys. `flags` is 0. Returns `length`, -EFAULT, -EINVAL. */
AEMOS_CALL(getrandom) int getrandom(void *buffer, int length, int flags);

/* Counters of the kernel since boot; sdk/sysinfo.ts says what each is. New ones are added at the end only. */
struct system_information {
  uint64_t version; /* major << 32 | minor << 16 | patch */
  uint64_t uptime;  /* nanoseconds */
  uint64_t processes;
  uint64_t memory_total, memory_free; /* bytes */
  uint64_t interrupts;
  uint64_t events, activations, handled;
  uint64_t frames_received, bytes_received, frames_sent, bytes_sent, frames_dropped;
  uint64_t tcp_connections, tcp_accepted, tcp_retransmitted;
  uint64_t interrupt_tsc;
  uint64_t payload_delivered, payload_copied; /* bytes received from sockets, and copied on their way from the receive ring */
  uint64_t tcp_time_waits, tcp_time_waits_cut;
  uint64_t frames_segmented, frames_merged;
  uint64_t console_lost; /* bytes of log lines */
};
#define SYSTEM_INFORMATION_SIZE 200
_Static_assert(sizeof(struct system_information) == SYSTEM_INFORMATION_SIZE, "system_information: 25 counters of 64 bits");

/* Writes up to `length` bytes of the counters. The bytes written: fewer from a kernel that counts less. -EFAULT, -EINVAL. */
AEMOS_CALL(sysinfo) int sysinfo(struct system_information *buffer, int length);

/* ---- Other processes of one's own: fork, spawn, waitpid ---- */

/* fork: the child has copies of the parent's events as well. Without it the child begins with none. */
#define FORK_EVENTS 1
/* fork, spawn: the child's status is forgotten when it ends; nobody has to wait for it. */
#define FORK_NO_WAIT 2
/* waitpid: returns 0 when no child has ended. */
#define WNOHANG 1

/*
 * A copy of this process: the child's pid here, 0 in the child, which has memory, globals and stack of its own and the descriptors of its
 * parent. -EAGAIN: too many processes or children; -ENOMEM; -EINVAL; -EPERM in a handler that runs on a thread of its own; of FORK_EVENTS: -ENOSPC: the system has no room
 * for the copies of the events; -EDQUOT: a socket has as many with them as it may.
 */
AEMOS_CALL(fork) int fork(int flags);
/* Starts the application that is linked in under a name as a child. Its pid; -ENOENT: no name of one stands there; -EAGAIN, -ENOMEM: as of fork; -EINVAL: an unknown flag. */
AEMOS_CALL(spawn) int spawn(const char *name, int length, int flags);
/* Waits until child `pid` (-1: any) has ended, writes its status (`status` 0: nowhere) and forgets it. Its pid; 0: WNOHANG; -ECHILD, -EINTR, -EFAULT, -EINVAL. */
AEMOS_CALL(waitpid) int waitpid(int pid, int *status, int flags);

/* spawn of a string. */
static inline int spawn_named(const char *name, int flags) { return spawn(name, (int)strlen(name), flags); }

/* ---- Watching ---- */

/* It is the caller; it can run and waits for its turn; it is blocked in a system call. */
#define PROCESS_RUNNING 1
#define PROCESS_RUNNABLE 2
#define PROCESS_BLOCKED 3
/* Process numbers are 1 to this. */
#define PROCESS_LIMIT 255

/* What processinfo writes; sdk/processinfo.ts says what each field is. New ones are added at the end only. */
struct process_information {
  int32_t pid;
  int32_t parent; /* 0: none */
  uint32_t state; /* PROCESS_* */
  uint32_t descriptors;
  uint64_t cpu_time;      /* nanoseconds */
  uint64_t pending, held; /* activated events: in the queue, and outside of it */
  uint64_t events;
  uint64_t memory_bytes, memory_limit;
  uint64_t vmtable_used, vmtable_peak, vmtable_size, vmtable_failures;
  uint64_t refused_calls, refused_events, limit_refusals, held_total;
  char name[32];               /* then zeros */
  uint32_t events_of_type[14]; /* EVENT_ACCEPT .. EVENT_ERROR */
};
#define PROCESS_INFORMATION_SIZE 216
_Static_assert(sizeof(struct process_information) == PROCESS_INFORMATION_SIZE, "process_information: 216 bytes");

/* Writes up to `length` bytes of what process `pid` (0: this one) uses now. The bytes written, -ESRCH, -EFAULT, -EINVAL. */
AEMOS_CALL(processinfo) int processinfo(int pid, struct process_information *buffer, int length);
/* Bytes of the caller's vmtable zone: `vmtableKiB` of its manifest, or less on a small machine. */
static inline uint64_t vmtable_size(void) {
  struct process_information own = {.vmtable_size = 0};
  processinfo(0, &own, PROCESS_INFORMATION_SIZE);
  return own.vmtable_size;
}

/* The pid of the first process of that name in the image's manifest. -ESRCH, -EINVAL: a name has 1 to 64 bytes; -EFAULT. */
AEMOS_CALL(getpidof) int getpidof(const char *name, int length);

/* getpidof of a string. */
static inline int process_named(const char *name) { return getpidof(name, (int)strlen(name)); }

/* ---- The log ---- */

/* Logs a string. */
static inline void log_text(int level, const char *text) { log(level, text, (int)strlen(text)); }

/* Logs `what`: error `error`. What perror does where errors are results. */
static inline void log_error(const char *what, int error) {
  char line[128];
  size_t at = strlen(what) < 96 ? strlen(what) : 96;
  memcpy(line, what, at);
  memcpy(line + at, ": error ", 8);
  at += 8;
  uint32_t rest = error < 0 ? 0u - (uint32_t)error : (uint32_t)error;
  if (error < 0) line[at++] = '-';
  uint32_t divisor = 1;
  while (rest / divisor >= 10) divisor *= 10;
  for (; divisor != 0; divisor /= 10) line[at++] = (char)('0' + rest / divisor % 10);
  log(LOG_ERROR, line, (int)at);
}

#endif
