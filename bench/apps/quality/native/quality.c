/*
 * The programs of bench/apps/quality in C, statement by statement, for gcc -O2: linked into the same image (bench/quality.ts), where the application calls them. Their results have to
 * be those of its own ones.
 */
#include "quality.h"

#define ROOM 524288
#define COPIES 1000
#define HASHED 131072

static _Alignas(64) union {
  uint32_t words[ROOM / 4];
  uint8_t bytes[ROOM];
  double numbers[ROOM / 8];
} room;
static _Alignas(64) uint8_t text[131072];
static const char item[] = "{\"id\": 12345, \"name\": \"a \\\"quoted\\\" name\", \"on\": true, \"none\": null, \"list\": [1, -23, 456, [], {}]},\n";
static size_t text_length;
static uint32_t rng;

static uint32_t next(void) {
  rng ^= rng << 13;
  rng ^= rng >> 17;
  rng ^= rng << 5;
  return rng;
}

static void prepare(void) {
  rng = 2463534242;
  for (int i = 0; i < ROOM / 4; i++) room.words[i] = next();
}

static uint32_t crc(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; bit++) c = c & 1 ? (c >> 1) ^ 0xedb88320 : c >> 1;
    room.words[i] = c;
  }
  uint32_t sum = 0xffffffff;
  for (int i = 1024; i < 200000; i++) sum = room.words[(sum ^ room.bytes[i]) & 255] ^ (sum >> 8);
  return ~sum;
}

static uint32_t sieve(void) {
  const uint32_t limit = 400000;
  __builtin_memset(room.bytes, 0, limit);
  uint32_t primes = 0;
  for (uint32_t p = 2; p < limit; p++) {
    if (room.bytes[p]) continue;
    primes++;
    for (uint64_t multiple = (uint64_t)p * p; multiple < limit; multiple += p) room.bytes[multiple] = 1;
  }
  return primes;
}

static uint32_t chase(void) {
  const int count = 65536;
  for (int i = 0; i < count; i++) room.words[i] = (uint32_t)i;
  for (int i = count - 1; i > 0; i--) {
    uint32_t other = next() % (uint32_t)i, kept = room.words[i];
    room.words[i] = room.words[other];
    room.words[other] = kept;
  }
  uint32_t at = 0, sum = 0;
  for (int i = 0; i < 8 * count; i++) {
    at = room.words[at];
    sum = sum * 31 + at;
  }
  return sum;
}

static void sift(int root, int end) {
  for (;;) {
    int child = 2 * root + 1;
    if (child >= end) return;
    if (child + 1 < end && room.words[child] < room.words[child + 1]) child++;
    uint32_t upper = room.words[root], lower = room.words[child];
    if (upper >= lower) return;
    room.words[root] = lower;
    room.words[child] = upper;
    root = child;
  }
}

static uint32_t sort(void) {
  const int count = 32768;
  for (int root = count / 2 - 1; root >= 0; root--) sift(root, count);
  for (int end = count - 1; end > 0; end--) {
    uint32_t first = room.words[0];
    room.words[0] = room.words[end];
    room.words[end] = first;
    sift(0, end);
  }
  uint32_t sum = 0;
  for (int i = 0; i < count; i++) sum = sum * 31 + room.words[i];
  return sum;
}

static uint32_t multiply(void) {
  const int size = 64;
  double *a = room.numbers, *b = a + size * size, *c = b + size * size;
  for (int i = 0; i < 2 * size * size; i++) a[i] = (double)(next() & 1023) / 8;
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) {
      double sum = 0;
      for (int k = 0; k < size; k++) sum += a[i * size + k] * b[k * size + j];
      c[i * size + j] = sum;
    }
  double sum = 0;
  for (int i = 0; i < size * size; i++) sum += c[i];
  return (uint32_t)(int64_t)sum;
}

static void write_text(void) {
  uint8_t *end = text;
  *end++ = '[';
  for (int i = 0; i < COPIES; i++) {
    __builtin_memcpy(end, item, sizeof item - 1);
    end += sizeof item - 1;
  }
  end[-2] = ']';
  text_length = (size_t)(end - text);
}

static uint32_t hash(void) { return sha256(text, HASHED); }
static uint32_t parse(void) { return parse_json(text, text_length); }

static uint32_t (*const programs[])(void) = {crc, sieve, chase, sort, hash, parse, multiply};

/* What the application imports as native_prepare and native_run; the first parameter is wasm2c's. */
void w2c_aemos_native_prepare(void *imports) {
  (void)imports;
  write_text();
  prepare();
}

uint32_t w2c_aemos_native_run(void *imports, uint32_t program) {
  (void)imports;
  return programs[program]();
}
