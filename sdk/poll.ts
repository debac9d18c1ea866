/**
 * Waiting for several sockets in the synchronous way: poll, and select over it. Beside events, and inside handlers too; for many
 * sockets events cost less (sdk/aem.ts).
 */
import { EBADF, EINVAL, ENOMEM } from "./errno";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from "./socket";

/** revents: the descriptor is none. */
export const POLLNVAL: i32 = 0x20;
/** Most descriptors of one call of poll. */
export const POLL_LIMIT: i32 = 1024;


@unmanaged
export class pollfd {
  /** Negative: passed over. */
  fd: i32;
  /** POLLIN, POLLOUT, POLLRDHUP to wait for. */
  events: u16;
  /** What holds of these, and POLLERR, POLLHUP, POLLNVAL. */
  revents: u16;
}

/**
 * Waits until one of the `count` structs at `fds` is ready, or `timeout` milliseconds have passed (0: only looks; negative: for ever).
 * How many are ready; 0: time is up. Handlers run meanwhile, but for a call inside a handler. -EINVAL: more than POLL_LIMIT; -EFAULT;
 * -EINTR: a signal; -ENOMEM.
 */
// @ts-ignore: decorator
@external("aemos", "poll") export declare function poll(fds: usize, count: i32, timeout: i32): i32;

// ---- select ----

/** Descriptors of a set are below this; a set is FD_SETSIZE / 8 bytes. */
export const FD_SETSIZE: i32 = 1024;
export const FD_SET_BYTES: i32 = 128;

/** Empties a set. */
export function FD_ZERO(set: usize): void {
  memory.fill(set, 0, FD_SET_BYTES);
}
/** Address of the octet with the descriptor's bit, and the bit in it; a set holds descriptors below FD_SETSIZE. */
// @ts-ignore: decorator
@inline
function octet(fd: i32, set: usize): usize {
  return set + ((<u32>fd) >> 3);
}
// @ts-ignore: decorator
@inline
function bit(fd: i32): u32 {
  return (<u32>1) << ((<u32>fd) & 7);
}
// @ts-ignore: decorator
@inline
function fits(fd: i32): bool {
  return <u32>fd < <u32>FD_SETSIZE;
}

/** Puts a descriptor in; one that a set cannot hold is not put in. */
export function FD_SET(fd: i32, set: usize): void {
  if (fits(fd)) store<u8>(octet(fd, set), load<u8>(octet(fd, set)) | bit(fd));
}
/** Takes a descriptor out. */
export function FD_CLR(fd: i32, set: usize): void {
  if (fits(fd)) store<u8>(octet(fd, set), load<u8>(octet(fd, set)) & ~bit(fd));
}
/** Whether a descriptor is in; not in 0, which stands for no set. */
export function FD_ISSET(fd: i32, set: usize): bool {
  return set != 0 && fits(fd) && (load<u8>(octet(fd, set)) & bit(fd)) != 0;
}

// @ts-ignore: decorator
@inline
function entryAt(list: usize, index: i32): pollfd {
  return changetype<pollfd>(list + <usize>index * offsetof<pollfd>());
}

/**
 * Waits until a descriptor below `limit` in one of the sets (0: none) can be read, be written, or has failed, or `timeout`
 * milliseconds have passed (negative: for ever). The sets then hold those that are ready; how many that is, over all sets. -EBADF: a set
 * has a descriptor that is none (the sets are as they were); else as `poll`.
 */
export function select(limit: i32, readSet: usize, writeSet: usize, errorSet: usize, timeout: i32): i32 {
  if (limit < 0 || limit > FD_SETSIZE) return -EINVAL;
  // Not static: a handler that runs meanwhile may call this as well.
  const list = heap.alloc(<usize>max(limit, 1) * offsetof<pollfd>());
  if (list == 0) return -ENOMEM;
  let count = 0;
  for (let fd = 0; fd < limit; fd++) {
    const events = (FD_ISSET(fd, readSet) ? POLLIN | POLLRDHUP : 0) | (FD_ISSET(fd, writeSet) ? POLLOUT : 0);
    if (events == 0 && !FD_ISSET(fd, errorSet)) continue;
    const entry = entryAt(list, count++);
    entry.fd = fd;
    entry.events = <u16>events;
    entry.revents = 0;
  }
  const result = poll(list, count, timeout);
  const ready = result < 0 ? result : takeSets(list, count, readSet, writeSet, errorSet);
  heap.free(list);
  return ready;
}

function takeSets(list: usize, count: i32, readSet: usize, writeSet: usize, errorSet: usize): i32 {
  for (let index = 0; index < count; index++) {
    if (entryAt(list, index).revents & POLLNVAL) return -EBADF;
  }
  let ready = 0;
  for (let index = 0; index < count; index++) {
    const entry = entryAt(list, index);
    const found = <i32>entry.revents;
    ready += keep(entry.fd, readSet, (found & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) != 0);
    ready += keep(entry.fd, writeSet, (found & (POLLOUT | POLLERR)) != 0);
    ready += keep(entry.fd, errorSet, (found & POLLERR) != 0);
  }
  return ready;
}

/** A member stays in the set if it is ready: 1 then. */
function keep(fd: i32, set: usize, isReady: bool): i32 {
  if (!FD_ISSET(fd, set)) return 0;
  if (isReady) return 1;
  FD_CLR(fd, set);
  return 0;
}
