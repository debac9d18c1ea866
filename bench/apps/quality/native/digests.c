/*
 * Two of the programs of bench/apps/quality in C (quality.c): SHA-256, and a parser of JSON texts.
 */
#include "quality.h"

/* SHA-256 (FIPS 180-4) of a multiple of 64 bytes, without the padding. */
static const uint32_t k[64] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
  0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
  0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
  0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
  0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
  0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotr(uint32_t x, int n) { return x >> n | x << (32 - n); }

uint32_t sha256(const uint8_t *data, size_t length) {
  static uint32_t w[64];
  uint32_t h0 = 0x6a09e667, h1 = 0xbb67ae85, h2 = 0x3c6ef372, h3 = 0xa54ff53a;
  uint32_t h4 = 0x510e527f, h5 = 0x9b05688c, h6 = 0x1f83d9ab, h7 = 0x5be0cd19;
  for (const uint8_t *end = data + length; data < end; data += 64) {
    for (int i = 0; i < 16; i++) {
      uint32_t word;
      __builtin_memcpy(&word, data + 4 * i, 4);
      w[i] = __builtin_bswap32(word);
    }
    for (int i = 16; i < 64; i++) {
      uint32_t x = w[i - 15], y = w[i - 2];
      uint32_t s0 = rotr(x, 7) ^ rotr(x, 18) ^ (x >> 3), s1 = rotr(y, 17) ^ rotr(y, 19) ^ (y >> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = h0, b = h1, c = h2, d = h3, e = h4, f = h5, g = h6, h = h7;
    for (int i = 0; i < 64; i++) {
      uint32_t s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
      uint32_t one = h + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i];
      uint32_t s0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
      uint32_t two = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
    }
    h0 += a, h1 += b, h2 += c, h3 += d, h4 += e, h5 += f, h6 += g, h7 += h;
  }
  return h0 ^ h1 ^ h2 ^ h3 ^ h4 ^ h5 ^ h6 ^ h7;
}

/* A parser of JSON texts (RFC 8259) that keeps no tree. */
static const uint8_t *at, *stop;
static uint32_t seen;

static int value(void);

static void skip(void) {
  while (at < stop) {
    uint8_t c = *at;
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
    at++;
  }
}

static void note(uint32_t n) { seen = seen * 31 + n; }

static int string(void) {
  for (at++; at < stop; at++) {
    uint8_t c = *at;
    if (c == '"') {
      at++;
      return 1;
    }
    if (c == '\\') at++;
    else if (c < 0x20) return 0;
    note(c);
  }
  return 0;
}

static int number(void) {
  uint32_t n = 0;
  int negative = *at == '-';
  if (negative) at++;
  const uint8_t *first = at;
  while (at < stop) {
    uint32_t digit = (uint32_t)*at - '0';
    if (digit > 9) break;
    n = n * 10 + digit;
    at++;
  }
  note(negative ? 0 - n : n);
  return at > first;
}

static int word(uint32_t wanted) {
  uint32_t found;
  if (stop - at < 4) return 0;
  __builtin_memcpy(&found, at, 4);
  if (found != wanted) return 0;
  at += 4;
  note(wanted);
  return 1;
}

static int list(uint8_t closing, int members) {
  at++;
  skip();
  if (at < stop && *at == closing) {
    at++;
    return 1;
  }
  while (at < stop) {
    if (members) {
      if (*at != '"' || !string()) return 0;
      skip();
      if (at >= stop || *at != ':') return 0;
      at++;
    }
    if (!value()) return 0;
    if (at >= stop) return 0;
    uint8_t c = *at++;
    if (c == closing) return 1;
    if (c != ',') return 0;
    skip();
  }
  return 0;
}

static int value(void) {
  skip();
  if (at >= stop) return 0;
  uint8_t c = *at;
  int good;
  if (c == '{') good = list('}', 1);
  else if (c == '[') good = list(']', 0);
  else if (c == '"') good = string();
  else if (c == 't') good = word(0x65757274);
  else if (c == 'n') good = word(0x6c6c756e);
  else good = number();
  skip();
  return good;
}

uint32_t parse_json(const uint8_t *from, size_t length) {
  at = from;
  stop = from + length;
  seen = 1;
  return value() && at == stop ? seen : 0;
}
