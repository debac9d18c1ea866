/* Memory and strings: enough of string.h for code without a libc. Lengths from 8 bytes on are one instruction each. */
#ifndef AEMOS_STRING_H
#define AEMOS_STRING_H

#include <stddef.h>

static inline void *memcpy(void *restrict destination, const void *restrict source, size_t length) {
  return __builtin_memcpy(destination, source, length);
}

static inline void *memmove(void *destination, const void *source, size_t length) {
  return __builtin_memmove(destination, source, length);
}

static inline void *memset(void *destination, int value, size_t length) {
  return __builtin_memset(destination, value, length);
}

static inline void bzero(void *destination, size_t length) { __builtin_memset(destination, 0, length); }

static inline int memcmp(const void *left, const void *right, size_t length) {
  const unsigned char *a = left, *b = right;
  for (; length != 0; length--, a++, b++)
    if (*a != *b) return *a - *b;
  return 0;
}

static inline size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

#endif
