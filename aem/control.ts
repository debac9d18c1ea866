/**
 * What evctl does to one event beyond ending, stopping and starting it: filter, time-out, handler, flags, own memory, latencies,
 * statistics. (aem/evctl.ts is the call itself; dropping what waits is in aem/clean.ts.)
 *
 * Each returns 0 or a negative errno: -EFAULT where the application's struct cannot be read, -ENOSPC where there is no extra
 * left (aem/extra.ts), -EINVAL.
 */
import { EDQUOT, EFAULT, EINVAL, ENOMEM, ENOSPC, EOPNOTSUPP } from "../kernel/errno";
import { readUser, readUserLong, writeUser } from "../kernel/memory/user";
import { resolveHandler } from "../kernel/process/module";
import { addTimerLevel, timerPending, timerStartAt, timerStop } from "../kernel/time/timers";
import {
  BUFFER_STRUCT_SIZE,
  BUFFER_WAIT,
  BUFFERS_PER_EVENT,
  EVENT_CHILD,
  EVENT_READ,
  EVENT_SOCK,
  EVENT_TIMER,
  EventBuffer,
  EventFilter,
  EventStatistics,
  EVF_EXECUTORS,
  EVF_KEEPALIVE,
  EVF_ONESHOT,
  EVF_PRIORITY_MASK,
  EVF_PRIORITY_SHIFT,
  FILTER_SIZE,
  HANDLER_ALLOCATOR,
  LATENCY_BUCKETS,
  PRIORITY_LEVELS,
  STATISTICS_SIZE,
} from "./abi";
import { makePending } from "./activation";
import { retry, setPriority } from "./queue";
import { Event, EVENT_MEASURED } from "./event";
import { isFunction } from "./executors";
import {
  EventExtra,
  EXTRA_BUFFERS_ONLY,
  EXTRA_TIMED_OUT,
  extraOf,
  isOwnMemory,
  needExtra,
  startTimeout,
} from "./extra";
import { checkFilter, setFilter } from "./jobs/filter";
import { hasTimeout } from "./jobs/timeout";
import { startMeasuring } from "./latency";
import { checkFlags, keepaliveGained, keepaliveLost, listenAnew, logBadHandler } from "./registry";

/** Bytes that `initializeControl` needs. */
export const CONTROL_STORAGE: usize = STATISTICS_SIZE;

/** Where structs of the application are read to and composed: static data are read-only. */
let scratch: usize = 0;

/** Once at boot. `storage`: CONTROL_STORAGE bytes, 8-aligned. */
export function initializeControl(storage: usize): void {
  scratch = storage;
}

/**
 * Reads a struct of up to `limit` bytes that begins with its size into the scratch, and fills it up with zeros. 0; -EFAULT; -EINVAL: a size
 * below 4 or above the limit.
 */
function readStruct(user: usize, limit: u32): i32 {
  if (readUser(scratch, user, 4) < 0) return -EFAULT;
  const size = load<u32>(scratch);
  if (size < 4 || size > limit) return -EINVAL;
  memory.fill(scratch, 0, limit);
  return readUser(scratch, user, size);
}

/** EVJOBFILTER. `user` 0: no filter. */
export function controlFilter(event: Event, user: usize): i32 {
  const filter = changetype<EventFilter>(scratch);
  if (user == 0) memory.fill(scratch, 0, FILTER_SIZE);
  else {
    const result = readStruct(user, FILTER_SIZE);
    if (result < 0) return result;
  }
  const refused = checkFilter(event, filter);
  if (refused < 0) return refused;
  if (user == 0 && event.extra == 0) return 0;
  const extra = needExtra(event);
  if (extra === null) return -ENOSPC;
  setFilter(event, extra, filter);
  return 0;
}

/** EVJOBTIMEOUT. `user` 0: none. */
export function controlTimeout(event: Event, user: usize): i32 {
  if (!hasTimeout(event.type)) return -EINVAL;
  if (user != 0 && readUserLong(scratch, user) < 0) return -EFAULT;
  const nanoseconds = user == 0 ? 0 : load<u64>(scratch);
  if (<i64>nanoseconds < 0) return -EINVAL;
  if (nanoseconds == 0 && event.extra == 0) return 0;
  const extra = needExtra(event);
  if (extra === null) return -ENOSPC;
  extra.timeout = nanoseconds;
  // One that has run out and was not told is forgotten.
  extra.clear(EXTRA_TIMED_OUT);
  if (nanoseconds == 0) timerStop(extra);
  else startTimeout(extra);
  return 0;
}

/** EVJOBHANDLER: from the next call on. */
export function controlHandler(event: Event, index: u32): i32 {
  const type = event.type;
  const code = resolveHandler(event.process, index, type);
  if (code == 0) {
    logBadHandler(event.process, type, index);
    return -EINVAL;
  }
  event.handler = code;
  return 0;
}

/** EVJOBPRIO: at once, also for an activation that waits, and for its timers. -ENOMEM: the level would be a new one. */
export function controlPriority(event: Event, priority: u32): i32 {
  if (priority >= PRIORITY_LEVELS) return -EINVAL;
  if (!addTimerLevel(priority)) return -ENOMEM;
  setPriority(event, priority);
  if (event.extra != 0 && timerPending(extraOf(event)))
    timerStartAt(extraOf(event), extraOf(event).expires, priority);
  if (<u32>event.type <= EVENT_SOCK && event.object != 0) listenAnew(event, event.socket);
  if (event.type == EVENT_CHILD && !event.waiter.isEmpty) {
    event.waiter.remove();
    event.waiter.level = priority;
    event.process.childWait.join(event.waiter);
  }
  return 0;
}

/** EVJOBFLAGS. A priority of 0 in its field leaves it as it is. A timer without a period stays one-shot. */
export function controlFlags(event: Event, flags: u32): i32 {
  const old = <u32>event.flags;
  const same = (flags & EVF_EXECUTORS) == (old & EVF_EXECUTORS);
  const refused = checkFlags(flags & ~EVF_EXECUTORS);
  if (refused < 0) return refused;
  if (!same) return -EOPNOTSUPP;
  const priority = (flags & EVF_PRIORITY_MASK) >> EVF_PRIORITY_SHIFT;
  const changed = priority == 0 ? 0 : controlPriority(event, priority - 1);
  if (changed < 0) return changed;
  if (event.type == EVENT_TIMER && event.data == 0) flags |= EVF_ONESHOT;
  event.flags = <u8>flags;
  // What has occurred during its only call was passed over (dispatch.ts). That is one of several now.
  if (old & ~flags & EVF_ONESHOT && event.handlers != 0 && !isFunction(event)) makePending(event);
  if (flags & ~old & EVF_KEEPALIVE) keepaliveGained(event.process);
  else if (old & ~flags & EVF_KEEPALIVE) keepaliveLost(event.process);
  return 0;
}

/** EVJOBHISTOGRAM. What was measured stays to be read until it begins anew. */
export function controlHistogram(event: Event, begin: u32): i32 {
  if (begin > 1) return -EINVAL;
  if (begin == 0) {
    event.clear(EVENT_MEASURED);
    return 0;
  }
  const extra = needExtra(event);
  if (extra === null) return -ENOSPC;
  startMeasuring(event, extra);
  return 0;
}

/** EVJOBBUFFER. -EDQUOT: BUFFERS_PER_EVENT wait already. */
export function controlBuffer(event: Event, user: usize): i32 {
  if (event.type != EVENT_READ) return -EINVAL;
  const result = readStruct(user, BUFFER_STRUCT_SIZE);
  if (result < 0) return result;
  const buffer = changetype<EventBuffer>(scratch);
  if (buffer.size < 12 || buffer.flags & ~BUFFER_WAIT) return -EINVAL;
  if ((buffer.length == 0) != (buffer.address == 0)) return -EINVAL;
  if (!isOwnMemory(buffer.address, buffer.length)) return -EFAULT;
  const extra = needExtra(event);
  if (extra === null) return -ENOSPC;
  if (buffer.length != 0) {
    if (<u32>extra.bufferCount >= BUFFERS_PER_EVENT) return -EDQUOT;
    extra.addBuffer(buffer.address, buffer.length);
  }
  if (buffer.flags & BUFFER_WAIT) extra.mark(EXTRA_BUFFERS_ONLY);
  else extra.clear(EXTRA_BUFFERS_ONLY);
  retry(event);
  return 0;
}

/** EVJOBALLOCATOR. `index` 0: none. */
export function controlAllocator(event: Event, index: u32): i32 {
  if (event.type != EVENT_READ) return -EINVAL;
  // Workers and clones deliver the same event side by side: one answer could not be told from another's.
  if (!isFunction(event)) return -EOPNOTSUPP;
  let code: usize = 0;
  if (index != 0) {
    code = resolveHandler(event.process, index, HANDLER_ALLOCATOR);
    if (code == 0) {
      logBadHandler(event.process, HANDLER_ALLOCATOR, index);
      return -EINVAL;
    }
  } else if (event.extra == 0) return 0;
  const extra = needExtra(event);
  if (extra === null) return -ENOSPC;
  extra.allocator = code;
  retry(event);
  return 0;
}

/** EVJOBSTAT. `state`: EVENT_* bits for the application. */
export function controlStatistics(event: Event, user: usize, state: u32): i32 {
  const s = changetype<EventStatistics>(scratch);
  if (readUser(scratch, user, 4) < 0) return -EFAULT;
  const size = min(s.size, STATISTICS_SIZE);
  if (size < 4) return -EINVAL;
  memory.fill(scratch, 0, STATISTICS_SIZE);
  s.size = size;
  s.state = state;
  s.type = event.type;
  s.flags = (<u32>event.flags) | ((<u32>event.priority + 1) << EVF_PRIORITY_SHIFT);
  s.priority = event.priority;
  s.fd = event.fd;
  s.waiting = event.waiting;
  s.activations = event.activations;
  s.handled = event.handled;
  s.errors = event.errors;
  if (event.extra != 0) addExtra(s, extraOf(event));
  // Whatever is none of the others came together with one of them. Modulo 2^32, as they are.
  s.coalesced = event.activations - event.handled - event.waiting - <u32>s.filtered - <u32>s.cleaned;
  return writeUser(user, scratch, size);
}

function addExtra(s: EventStatistics, extra: EventExtra): void {
  s.filtered = extra.filtered;
  s.cleaned = extra.cleaned;
  s.latencyMin = extra.latencyMin;
  s.latencyMax = extra.latencyMax;
  s.latencySum = extra.latencySum;
  memory.copy(scratch + offsetof<EventStatistics>(), extra.buckets, LATENCY_BUCKETS << 2);
}
