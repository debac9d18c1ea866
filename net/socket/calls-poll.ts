/**
 * poll (POSIX; numbers as in Linux): waits until one of several sockets is ready. For applications that are written in the synchronous
 * way (AEM 2.1.4): an event costs the same however many there are, poll looks at each descriptor in each call.
 *
 * Most of the calls find something and never wait: they need no memory. A call that waits has a waiter at each socket
 * (kernel/scheduler/waitset.ts) until it returns, whatever way. -ERESTART as everywhere: the call is made again after the handlers, and goes on to
 * its first deadline.
 */
import { EFAULT, EINVAL, ENOMEM, ERESTART, ETIMEDOUT } from "../../kernel/errno";
import { NO_DEADLINE } from "../../kernel/interrupts/deadline";
import { letInterruptIn } from "../../kernel/interrupts/vectors";
import { readUser, userRange, writeUser } from "../../kernel/memory/user";
import { waitOn } from "../../kernel/scheduler/block";
import { currentThread } from "../../kernel/scheduler/running";
import { Thread } from "../../kernel/scheduler/thread";
import { POLLERR, POLLHUP } from "../../kernel/scheduler/wait";
import { createWaitSet, releaseWaitSet, WaitSet } from "../../kernel/scheduler/waitset";
import { now } from "../../kernel/time/clock";
import { socketOf } from "./descriptor";
import { Socket } from "./socket";

/** Most descriptors of one call. */
export const POLL_LIMIT: u32 = 1024;
/** The descriptor is none: reported, never waited for. */
export const POLLNVAL: u32 = 0x20;
/** Descriptors after which interrupts are let in. */
const STRETCH: u32 = 64;

/** struct pollfd: i32 fd, u16 events, u16 revents. */
const POLLFD_SHIFT: usize = 3;
const EVENTS: usize = 4;
const REVENTS: usize = 6;

/** One struct pollfd. */
let scratch: usize = 0;

/** Bytes that `initializePollCall` needs. */
export const POLL_CALL_STORAGE: usize = 8;
export function initializePollCall(storage: usize): void {
  scratch = storage;
}

/**
 * Waits until one of `count` descriptors is ready for what it is asked for, or `timeout` milliseconds have passed (0: does not wait; negative:
 * for ever). How many are ready, their bits in `revents`; 0: time is up. A negative descriptor is passed over. -EINVAL: more than
 * POLL_LIMIT; -EFAULT; -EINTR; -ENOMEM.
 */
export function sys_poll(fds: usize, count: u32, timeout: i32): i32 {
  if (count > POLL_LIMIT) return -EINVAL;
  if (!userRange(fds, (<usize>count) << POLLFD_SHIFT)) return -EFAULT;
  const thread = currentThread();
  // As in nanosleep: a wait that handlers interrupted goes on; a handler's own wait has a deadline of its own.
  const handling = thread.handling != 0;
  let deadline = handling ? 0 : thread.deadline;
  if (deadline == 0) deadline = timeout < 0 ? NO_DEADLINE : now() + <u64>timeout * 1_000_000;
  let result = lookOnce(fds, count);
  if (result == 0 && timeout != 0) result = wait(thread, fds, count, deadline);
  if (!handling) thread.deadline = result == -ERESTART ? deadline : 0;
  return result == -ETIMEDOUT ? 0 : result;
}

/** Lets an interrupt in now and then: a call with many descriptors is long, and the kernel runs with interrupts off. */
@inline
function breathe(index: u32): void {
  if ((index + 1) % STRETCH == 0) letInterruptIn();
}


@inline
function bitsOf(socket: Socket | null, wanted: u32): u32 {
  if (socket === null) return POLLNVAL;
  return call_indirect<u32>(socket.protocol.poll, socket) & (wanted | POLLERR | POLLHUP) & 0xffff;
}

/** What is ready now, reported. How many, -EFAULT. */
function lookOnce(fds: usize, count: u32): i32 {
  let ready = 0;
  for (let index: u32 = 0; index < count; index++) {
    const user = fds + ((<usize>index) << POLLFD_SHIFT);
    let error = readUser(scratch, user, REVENTS);
    if (error < 0) return error;
    const fd = load<i32>(scratch);
    const bits = fd < 0 ? 0 : bitsOf(socketOf(fd), load<u16>(scratch, EVENTS));
    error = report(user, bits);
    if (error < 0) return error;
    if (bits != 0) ready++;
    breathe(index);
  }
  return ready;
}


@inline
function report(user: usize, bits: u32): i32 {
  store<u16>(scratch, <u16>bits, REVENTS);
  return writeUser(user + REVENTS, scratch + REVENTS, 2);
}

/** How many are ready, when one is; else a negative errno, -ETIMEDOUT among them. */
function wait(thread: Thread, fds: usize, count: u32, deadline: u64): i32 {
  const set = createWaitSet(thread, count);
  if (set === null) return -ENOMEM;
  let result = join(set, fds, count);
  while (result == 0) {
    if (set.woken == 0) result = waitOn(null, 0, deadline);
    if (result < 0) break;
    set.woken = 0;
    result = lookAgain(set);
  }
  if (result > 0) result = reportAll(set, fds, result);
  releaseWaitSet(thread);
  return result;
}

/** Listens to all, and looks at each from when it listens: nothing is missed. How many are ready, -EFAULT. */
function join(set: WaitSet, fds: usize, count: u32): i32 {
  let ready = 0;
  for (let index: u32 = 0; index < count; index++) {
    const error = readUser(scratch, fds + ((<usize>index) << POLLFD_SHIFT), REVENTS);
    if (error < 0) return error;
    const fd = load<i32>(scratch);
    const wanted = <u32>load<u16>(scratch, EVENTS);
    const socket = socketOf(fd);
    const entry = set.join(socket, wanted | POLLERR | POLLHUP);
    entry.fd = fd;
    entry.wanted = <u16>wanted;
    if (fd >= 0) entry.found = <u16>bitsOf(socket, wanted);
    if (entry.found != 0) ready++;
    breathe(index);
  }
  return ready;
}

function lookAgain(set: WaitSet): i32 {
  let ready = 0;
  for (let index: u32 = 0; index < set.joined; index++) {
    const entry = set.entry(index);
    if (entry.gone) entry.found = <u16>POLLNVAL;
    else if (entry.fd >= 0) entry.found = <u16>bitsOf(socketOf(entry.fd), entry.wanted);
    if (entry.found != 0) ready++;
    breathe(index);
  }
  return ready;
}

function reportAll(set: WaitSet, fds: usize, ready: i32): i32 {
  for (let index: u32 = 0; index < set.joined; index++) {
    const error = report(fds + ((<usize>index) << POLLFD_SHIFT), set.entry(index).found);
    if (error < 0) return error;
    breathe(index);
  }
  return ready;
}
