/* report.ts for test applications in C: a log line `row NAME VALUE ...`, numbers in decimal. */
#ifndef SPEC_REPORT_H
#define SPEC_REPORT_H

#include "aemos.h"

#define ROW_VALUES 6

static inline void row_values(const char *name, const int64_t *values, size_t count) {
  char line[240];
  size_t at = strlen(name) < 80 ? strlen(name) : 80;
  memcpy(line, "row ", 4);
  memcpy(line + 4, name, at);
  at += 4;
  for (size_t i = 0; i < count && i < ROW_VALUES; i++) {
    uint64_t rest = values[i] < 0 ? 0 - (uint64_t)values[i] : (uint64_t)values[i];
    uint64_t divisor = 1;
    line[at++] = ' ';
    if (values[i] < 0) line[at++] = '-';
    while (rest / divisor >= 10) divisor *= 10;
    for (; divisor != 0; divisor /= 10) line[at++] = (char)('0' + rest / divisor % 10);
  }
  log(LOG_INFO, line, (int)at);
}

/* row("name", 1, 2): up to six values. */
#define row(name, ...)                                                        \
  do {                                                                        \
    const int64_t list[] = {__VA_ARGS__};                                     \
    row_values((name), list, sizeof(list) / sizeof(list[0]));                 \
  } while (0)

#endif
