/* What the files of the Linux guest have of one another. */
#pragma once
#include <stdint.h>

/* Says what failed, with errno, and ends the guest. */
void die(const char *what) __attribute__((noreturn));
/* Writes a value into a file of /proc. */
void setting(const char *path, const char *value);
/* Memory that nobody has, in bytes; files and freed slabs count as free only when they are. */
unsigned long free_bytes(void);
/* streams.c: starts its processes. */
void streams(void);
/* serve.c: never returns. */
void serve(void);
/* load.c: never returns. */
void load(void);
/* response.c: never returns. */
void response(void);
/* measure.c */
void measure(void);

/* Under -icount shift=0 a tick is an instruction, and a nanosecond. */
static inline uint64_t ticks(void) {
  uint32_t low, high;
  __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
  return (uint64_t)high << 32 | low;
}
