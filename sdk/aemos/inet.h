/*
 * A part of aemos.h. Addresses: their families, the order of their bytes, and how they are written (RFC 4291, 2.2; RFC 6943, 3.1.1).
 */
#ifndef AEMOS_INET_H
#define AEMOS_INET_H

#define AF_INET 2
#define AF_INET6 10
/* Addresses in host order: htonl() them. */
#define INADDR_ANY 0u
#define INADDR_LOOPBACK 0x7f000001u
#define INADDR_NONE 0xffffffffu

typedef uint16_t in_port_t;
typedef uint32_t in_addr_t;

struct in_addr {
  in_addr_t s_addr; /* network order */
};

struct in6_addr {
  uint8_t s6_addr[16];
};

static inline uint16_t htons(uint16_t value) { return __builtin_bswap16(value); }
static inline uint16_t ntohs(uint16_t value) { return __builtin_bswap16(value); }
static inline uint32_t htonl(uint32_t value) { return __builtin_bswap32(value); }
static inline uint32_t ntohl(uint32_t value) { return __builtin_bswap32(value); }

/* ---- Addresses in text ---- */

/* Four numbers up to 255, in one to three digits, up to the end of the text. */
static inline int aemos_read_ipv4(const char *text, uint8_t *octets) {
  for (int part = 0; part < 4; part++, text++) {
    const char *start = text;
    unsigned value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
      if (text != start && value == 0) return 0;
      value = value * 10 + (unsigned)(*text - '0');
      if (value > 255) return 0;
    }
    if (text == start || *text != (part < 3 ? '.' : 0)) return 0;
    octets[part] = (uint8_t)value;
  }
  return 1;
}

/* Of a hexadecimal digit; -1: it is none. */
static inline int aemos_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  letter |= 0x20;
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Eight groups of one to four digits, of which the last two may be an address of IPv4; "::" stands for one or more of them that are 0. */
static inline int aemos_read_ipv6(const char *text, uint8_t *octets) {
  int size = 0, gap = -1;
  if (*text == ':' && *++text != ':') return 0;
  while (*text != 0) {
    if (*text == ':') { /* the second of two */
      if (gap >= 0 || size == 16) return 0;
      gap = size;
      text++;
      continue;
    }
    const char *start = text;
    unsigned group = 0;
    for (; aemos_digit(*text) >= 0; text++) {
      if (text == start + 4) return 0;
      group = group << 4 | (unsigned)aemos_digit(*text);
    }
    if (*text == '.') {
      if (size > 12 || !aemos_read_ipv4(start, octets + size)) return 0;
      size += 4;
      break;
    }
    if (text == start || size == 16) return 0;
    octets[size++] = (uint8_t)(group >> 8);
    octets[size++] = (uint8_t)group;
    if (*text == 0) break;
    /* Nothing ends in one colon. */
    if (*text++ != ':' || *text == 0) return 0;
  }
  if (gap < 0) return size == 16;
  if (size == 16) return 0;
  memmove(octets + 16 - (size - gap), octets + gap, (size_t)(size - gap));
  memset(octets + gap, 0, (size_t)(16 - size));
  return 1;
}

/*
 * Writes the address that `text` says to `destination`, in network order: of AF_INET ("10.0.2.15") a struct in_addr, of AF_INET6 ("2001:db8::1", "::ffff:10.0.2.15") a struct in6_addr. 1; 0: it is no
 * address of that family, and some of the bytes may have been written; -EAFNOSUPPORT: another family. What is written otherwise, with too few parts, with zeros in front, with a zone, is no address.
 */
static inline int inet_pton(int family, const char *text, void *destination) {
  if (family == AF_INET) return aemos_read_ipv4(text, destination);
  return family == AF_INET6 ? aemos_read_ipv6(text, destination) : -EAFNOSUPPORT;
}

/* The address of IPv4 that `text` says, in network order; INADDR_NONE when it is none, or is 255.255.255.255. */
static inline in_addr_t inet_addr(const char *text) {
  struct in_addr address;
  return inet_pton(AF_INET, text, &address) == 1 ? address.s_addr : INADDR_NONE;
}

#endif
