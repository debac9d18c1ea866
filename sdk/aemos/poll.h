/*
 * A part of aemos.h. Waiting for several sockets in the synchronous way: poll, and select over it. For many sockets events cost less.
 */
#ifndef AEMOS_POLL_H
#define AEMOS_POLL_H

/* revents: the descriptor is none. */
#define POLLNVAL 0x20
/* Most descriptors of one call of poll. */
#define POLL_LIMIT 1024

struct pollfd {
  int fd;           /* negative: passed over */
  uint16_t events;  /* POLLIN, POLLOUT, POLLRDHUP to wait for */
  uint16_t revents; /* what holds of these, and POLLERR, POLLHUP, POLLNVAL */
};
_Static_assert(sizeof(struct pollfd) == 8, "pollfd: 8 bytes");

/*
 * Waits until one of the `count` structs is ready, or `timeout` milliseconds have passed (0: only looks; negative: for ever). How many are
 * ready; 0: time is up. Handlers run meanwhile, but for a call inside a handler. -EINVAL: more than POLL_LIMIT; -EFAULT, -EINTR, -ENOMEM.
 */
AEMOS_CALL(poll) int poll(struct pollfd *fds, int count, int timeout);

/* ---- select, over poll ---- */

/* Descriptors of a set are below this. */
#define FD_SETSIZE 1024
#define FD_SET_BYTES 128

typedef struct {
  unsigned char bits[FD_SET_BYTES];
} fd_set;

/* Empties a set. */
static inline void FD_ZERO(fd_set *set) { memset(set, 0, sizeof(*set)); }

/* Puts a descriptor in; one that a set cannot hold is not put in. */
static inline void FD_SET(int fd, fd_set *set) {
  if ((unsigned)fd < FD_SETSIZE) set->bits[fd / 8] |= 1u << fd % 8;
}

/* Takes a descriptor out. */
static inline void FD_CLR(int fd, fd_set *set) {
  if ((unsigned)fd < FD_SETSIZE) set->bits[fd / 8] &= ~(1u << fd % 8);
}

/* Whether a descriptor is in; not in 0, which stands for no set. */
static inline bool FD_ISSET(int fd, const fd_set *set) {
  return set != 0 && (unsigned)fd < FD_SETSIZE && (set->bits[fd / 8] & 1u << fd % 8) != 0;
}

/* A member stays in the set if it is ready: 1 then. */
static inline int aemos_keep(int fd, fd_set *set, bool ready) {
  if (!FD_ISSET(fd, set)) return 0;
  if (!ready) FD_CLR(fd, set);
  return ready;
}

/*
 * Waits until a descriptor below `limit` in one of the sets (0: none) can be read, be written, or has failed, or `timeout` milliseconds have
 * passed (negative: for ever). The sets then hold those that are ready; how many that is, over all sets. -EBADF: a set has a descriptor that is
 * none (the sets are as they were); else as poll. Takes 8 bytes of the shadow stack for each descriptor up to `limit`.
 */
static inline int select(int limit, fd_set *reads, fd_set *writes, fd_set *errors, int timeout) {
  if (limit < 0 || limit > FD_SETSIZE) return -EINVAL;
  struct pollfd list[limit > 0 ? limit : 1];
  int count = 0, ready = 0;
  for (int fd = 0; fd < limit; fd++) {
    int events = (FD_ISSET(fd, reads) ? POLLIN | POLLRDHUP : 0) | (FD_ISSET(fd, writes) ? POLLOUT : 0);
    if (events != 0 || FD_ISSET(fd, errors)) list[count++] = (struct pollfd){.fd = fd, .events = (uint16_t)events};
  }
  int result = poll(list, count, timeout);
  if (result < 0) return result;
  for (int i = 0; i < count; i++)
    if (list[i].revents & POLLNVAL) return -EBADF;
  for (int i = 0; i < count; i++) {
    int found = list[i].revents;
    ready += aemos_keep(list[i].fd, reads, (found & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) != 0);
    ready += aemos_keep(list[i].fd, writes, (found & (POLLOUT | POLLERR)) != 0);
    ready += aemos_keep(list[i].fd, errors, (found & POLLERR) != 0);
  }
  return ready;
}

#endif
