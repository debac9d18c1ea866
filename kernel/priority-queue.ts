/**
 * A queue with 64 priority levels, first in, first out within a level: what a scheduler needs (Linux: rt_prio_array). A map
 * of the levels in use makes finding the highest one an instruction; every operation is O(1). One kind of queue for all
 * that waits by priority: runnable threads, activated events, threads that wait for the memory of their process.
 *
 *     ├ levels: u64, bit l = level l has members ┼ 64 × Link, the heads ┤
 */
import { Link } from "./list";

export const PRIORITY_LEVELS: u32 = 64;
/** Bytes of storage; 8-aligned. */
export const PRIORITY_QUEUE_SIZE: usize = 8 + <usize>PRIORITY_LEVELS * 8;


@unmanaged
export class PriorityQueue {
  /** Bit l: level l has members. */
  levels: u64;


  @inline private head(level: u32): Link {
    return changetype<Link>(changetype<usize>(this) + 8 + ((<usize>level) << 3));
  }

  /** Makes it empty. */
  initialize(): void {
    this.levels = 0;
    for (let level: u32 = 0; level < PRIORITY_LEVELS; level++) this.head(level).initialize();
  }


  @inline get isEmpty(): bool {
    return this.levels == 0;
  }

  /** The highest level with a member; -1 when it is empty. */
  @inline get top(): i32 {
    const levels = this.levels;
    return levels == 0 ? -1 : 63 ^ (<i32>clz(levels));
  }


  @inline append(member: Link, level: u32): void {
    this.head(level).append(member);
    this.levels |= (<u64>1) << level;
  }

  /** Ahead of all others of its level. */
  @inline prepend(member: Link, level: u32): void {
    this.head(level).prepend(member);
    this.levels |= (<u64>1) << level;
  }

  /** Takes a member out; `level` is the one that it was put in at. */
  @inline remove(member: Link, level: u32): void {
    member.remove();
    this.tidy(level);
  }

  /** A member of `level` may have been taken out by its link alone. */
  @inline tidy(level: u32): void {
    if (this.head(level).isEmpty) this.levels &= ~((<u64>1) << level);
  }

  /** Takes over all members of `other`, behind the own ones of their levels. */
  appendAll(other: PriorityQueue): void {
    for (let levels = other.levels; levels != 0; levels &= levels - 1) {
      const level: u32 = <u32>ctz(levels);
      const from = other.head(level);
      const first = from.next;
      const last = from.prev;
      const head = this.head(level);
      const before = head.prev;
      before.next = first;
      first.prev = before;
      last.next = head;
      head.prev = last;
      from.initialize();
    }
    this.levels |= other.levels;
    other.levels = 0;
  }

  /** Takes the first member of a level that has one out. */
  @inline takeFirst(level: u32): Link {
    const head = this.head(level);
    const member = head.next;
    const next = member.next;
    head.next = next;
    next.prev = head;
    member.initialize();
    if (changetype<usize>(next) == changetype<usize>(head)) this.levels &= ~((<u64>1) << level);
    return member;
  }

  /** The first member of a level that has one. It stays. */
  @inline first(level: u32): Link {
    return this.head(level).next;
  }
}
