/*
 * Data of the image that the build has packed (tools/lz4.ts) in LZ4's block format (github.com/lz4/lz4, doc/lz4_Block_format.md): the kernel's, before its main, and an
 * application's, when it is instantiated.
 */
#include <stdint.h>

#include "unpack.h"

#define LITERALS_LENGTH(token) ((token) >> 4)
#define MATCH_LENGTH(token) ((token) & 15)
#define LONG_LENGTH 15
#define SHORTEST_MATCH 4

static uint64_t read_length(const uint8_t** from, uint64_t length) {
  if (length != LONG_LENGTH) return length;
  uint8_t more;
  do length += more = *(*from)++;
  while (more == 255);
  return length;
}

/* Byte after byte, upwards: a match may reach into what it makes. */
static uint8_t* copy(uint8_t* to, const uint8_t** from, uint64_t length) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(*from), "+c"(length) : : "memory");
  return to;
}

void aemos_unpack(uint8_t* to, const uint8_t* block, const uint8_t* end) {
  for (;;) {
    uint8_t token = *block++;
    to = copy(to, &block, read_length(&block, LITERALS_LENGTH(token)));
    /* The last sequence has no match. */
    if (block == end) return;
    const uint8_t* match = to - (block[0] | block[1] << 8);
    block += 2;
    to = copy(to, &match, read_length(&block, MATCH_LENGTH(token)) + SHORTEST_MATCH);
  }
}
