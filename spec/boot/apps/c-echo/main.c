/*
 * An application in C, for spec/boot/aem/c.test.ts: TCP echo on port 2000 by AEM handlers, with a table of connections in static
 * memory; and a periodic timer that hands in what it measured. The rest is what compilers like to get wrong on a new
 * machine: floats, recursion, static data, bulk memory.
 */
#include "../report.h"

#define PORT 2000
#define CONNECTIONS 64
#define MILLISECOND 1000000ll
#define ROUNDS 20

struct connection {
  int read, close;
  int64_t bytes;
  struct sockaddr_in peer;
};

static struct connection connections[CONNECTIONS];
/* Filled by accept's event before each call of its handler. */
static struct sockaddr_in peer;
static socklen_t peer_length = sizeof(peer);
static unsigned char block[65536];
static const char greeting[] = "static data";

static void closed(int jid, int fd, int error) {
  struct connection *connection = &connections[fd];
  row("c-closed", jid == connection->close, error, connection->bytes);
  close(fd);
}

static void received(int jid, int fd, void *data, int length, struct sockaddr_in *from) {
  struct connection *connection = &connections[fd];
  if (connection->bytes == 0) row("c-received", jid == connection->read, length, from != 0, *(unsigned char *)data);
  if (length <= 0) return;
  connection->bytes += length;
  /* In pieces: what came goes back as one stream all the same. */
  const struct iovec pieces[] = {{data, (size_t)length / 2}, {0, 0}, {(char *)data + length / 2, (size_t)(length - length / 2)}};
  writev(fd, pieces, 3);
}

static void accepted(int jid, int fd, int newfd) {
  if (newfd >= CONNECTIONS) {
    close(newfd);
    return;
  }
  struct connection *connection = &connections[newfd];
  connection->bytes = 0;
  connection->peer = peer;
  connection->read = sockasync_read(newfd, 0, received);
  connection->close = sockasync_close(newfd, 0, closed);
  row("c-accepted", jid, fd, newfd, peer_length, peer.sin_family, ntohl(peer.sin_addr.s_addr));
  if (connection->read < 0 || connection->close < 0) close(newfd);
}

static int64_t started;

/* Every 10 ms, 20 times: the mean of the periods in floating point, and the counters of the event. */
static void tick(int jid, int overrun) {
  static int calls, expirations;
  calls++;
  expirations += 1 + overrun;
  if (expirations < ROUNDS) return;
  double mean = (double)(clock_gettime(CLOCK_MONOTONIC) - started) / (double)expirations / 1000.0;
  struct event_statistics statistics = {.size = sizeof(statistics)};
  int result = evctl(jid, EVJOBSTAT, (intptr_t)&statistics);
  row("c-timer", calls, expirations, (int64_t)mean);
  row("c-statistics", result, statistics.size, statistics.type, (int64_t)statistics.activations,
      (int64_t)(statistics.handled + statistics.coalesced + statistics.waiting), statistics.fd);
  row("c-ended", evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP), evctl(jid, EVJOBLOOKUP, 0));
}

/* Each level has an array on the shadow stack, which the levels below must leave alone. */
static int64_t sum_of_squares(int n) {
  int64_t values[32];
  for (int i = 0; i < 32; i++) values[i] = (int64_t)n * n + i;
  if (n > 1) values[0] += sum_of_squares(n - 1);
  for (int i = 1; i < 32; i++)
    if (values[i] != (int64_t)n * n + i) return -1;
  return values[0];
}

static double square_root(double value) {
  double root = value;
  for (int i = 0; i < 40; i++) root = (root + value / root) / 2;
  return root;
}

static uint32_t crc32(const unsigned char *data, size_t length) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < length; i++) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

/* Overlapping moves both ways over a pattern; the test does the same. */
static void memory_of_its_own(void) {
  int zeros = 1;
  for (size_t i = 0; i < sizeof(block); i++) zeros &= block[i] == 0;
  for (size_t i = 0; i < sizeof(block); i++) block[i] = (unsigned char)(i * 7 + (i >> 8));
  memmove(block + 100, block, 50000);
  memmove(block + 10, block + 20, 60000);
  memset(block + 30000, 0xa5, 1000);
  memcpy(block + 62000, block + 1000, 3000);
  row("c-memory", zeros, crc32(block, sizeof(block)), memcmp(block + 62000, block + 1000, 3000),
      memcmp("a", "b", 1) < 0, (int64_t)strlen(greeting), memcmp(greeting, "static data", sizeof(greeting)));
}

int main(void) {
  volatile double two = 2.0, large = 1e300, zero = 0.0;
  volatile float third = 1.0f / 3.0f;
  row("c-floats", (int64_t)(square_root(two) * 1e12), (int64_t)(third * 16777216.0f), large * large > large,
      zero / zero != zero / zero, (int)(large * -1.0));
  row("c-recursion", sum_of_squares(100));
  memory_of_its_own();
  row("c-addresses", inet_addr("10.0.2.15"), inet_addr("10.0.2.256"), inet_addr("10.0.2"), htons(0x1234));

  int listener = listen_tcp(PORT, 16);
  int jid = sockasync_accept(listener, (struct sockaddr *)&peer, &peer_length, 0, accepted);
  started = clock_gettime(CLOCK_MONOTONIC);
  row("c-registered", listener, jid, evtimer(10 * MILLISECOND, 10 * MILLISECOND, 0, tick));
  const struct iovec piece = {(void *)greeting, 1};
  row("c-options", set_option(listener, IPPROTO_TCP, TCP_NODELAY, 1), get_option(listener, IPPROTO_TCP, TCP_NODELAY),
      get_option(listener, SOL_SOCKET, 99), writev_flags(listener, &piece, 1, 0x100), (int64_t)vmtable_size());
  row("c-refused", evtimer(-1, 0, 0, tick), evctl(-5, EVJOBLOOKUP, 0), sockasync_read(listener, 0, received),
      setsockopt(listener, SOL_SOCKET, 99, &jid, sizeof(jid)), getrandom((void *)0xfffffff0u, 8, 0));
  if (jid < 0) log_error("sockasync_accept", jid);
  return enter_keepalive();
}
