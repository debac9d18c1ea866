/**
 * A wait of one thread on many queues at once: what poll needs. A thread has one waiter of its own; the others stand in frames that it has
 * for the time of the call. The thread remembers them, so that whoever ends it takes them out of their queues too.
 *
 *     thread.waitSet ──► ├ WaitSet ┼ entries: count × WaitSetEntry ┤   2^order frames
 */
import { allocateFrames, freeFrames, FRAME_SIZE } from "../memory/frames";
import { wakeThread } from "./wake";
import { Thread } from "./thread";
import { Waiter, WaitQueue, WAKE_GONE } from "./wait";


@unmanaged
export class WaitSetEntry extends Waiter {
  set: WaitSet;
  /** The caller's own. */
  fd: i32;
  wanted: u16;
  found: u16;

  /** Its object has gone away meanwhile. */
  @inline get gone(): bool {
    return this.mask == 0;
  }
}


@unmanaged
export class WaitSet {
  thread: Thread;
  order: u32;
  /** Entries that have joined a queue: the first ones. */
  joined: u32;
  /** Not 0: one of the queues has said something since this was cleared. */
  woken: u32;

  /** In no queue until `join`. */
  @inline entry(index: u32): WaitSetEntry {
    return changetype<WaitSetEntry>(
      changetype<usize>(this) + offsetof<WaitSet>() + <usize>index * offsetof<WaitSetEntry>(),
    );
  }

  /** The next entry, which listens to `events` of `queue` (null: to nothing). */
  join(queue: WaitQueue | null, events: u32): WaitSetEntry {
    const entry = this.entry(this.joined++);
    entry.prepare(onWake.index, events, this.thread.level);
    entry.set = this;
    entry.found = 0;
    if (queue !== null) queue.join(entry);
    return entry;
  }
}

/** Room for `count` entries, until `releaseWaitSet`. Null: no frames. A thread has one set at most. */
export function createWaitSet(thread: Thread, count: u32): WaitSet | null {
  const bytes = offsetof<WaitSet>() + <usize>count * offsetof<WaitSetEntry>();
  const order: u32 = bytes > FRAME_SIZE ? 20 - <u32>clz(<u32>bytes - 1) : 0;
  const address = allocateFrames(order);
  if (address == 0) return null;
  const set = changetype<WaitSet>(address);
  set.thread = thread;
  set.order = order;
  set.joined = 0;
  set.woken = 0;
  thread.waitSet = address;
  return set;
}

/** All entries leave their queues, and the memory goes back. Nothing for a thread that has no set. */
export function releaseWaitSet(thread: Thread): void {
  if (thread.waitSet == 0) return;
  const set = changetype<WaitSet>(thread.waitSet);
  for (let index: u32 = 0; index < set.joined; index++) set.entry(index).remove();
  thread.waitSet = 0;
  freeFrames(changetype<usize>(set), set.order);
}

function onWake(waiter: Waiter, events: u32, detail: u32): void {
  const entry = changetype<WaitSetEntry>(waiter);
  if (events & WAKE_GONE) {
    entry.remove();
    // Of one that listens, WAKE_GONE is always set.
    entry.mask = 0;
  }
  const set = entry.set;
  set.woken = 1;
  set.thread.woken |= (events & ~WAKE_GONE) | 1;
  wakeThread(set.thread, set.thread.level);
}
