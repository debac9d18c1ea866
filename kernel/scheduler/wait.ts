/**
 * Wait queues (AEM: activation points, 2.2 of the requirements; Linux: wait_queue_head_t). An object that can have
 * something to tell has one; who wants to hear puts a `Waiter` in. Both kinds of listener are the same to the object: a
 * blocked thread, and an AEM event whose callback makes its job activate it.
 *
 * Only what is registered for the object is visited, so that only active events cost anything.
 */
import { Link } from "../list";

/** What a waiter listens to; Linux's poll bits where it has them. */
export const POLLIN: u32 = 0x0001;
/** Urgent data lie ahead (TCP). */
export const POLLPRI: u32 = 0x0002;
export const POLLOUT: u32 = 0x0004;
export const POLLERR: u32 = 0x0008;
export const POLLHUP: u32 = 0x0010;
/** A soft error was noted: the connection goes on, and the application may ask what it was (TCP_SOFT_ERROR). */
export const POLLMSG: u32 = 0x0400;
export const POLLRDHUP: u32 = 0x2000;
/** A connection waits to be accepted (a listener also says POLLIN). */
export const WAKE_ACCEPT: u32 = 0x10000;
/** A state transition; `detail` is old << 8 | new. */
export const WAKE_STATE: u32 = 0x20000;
/** The object goes away: whoever waits must let go of it. `detail`: 1 when the application closed it, else 0. */
export const WAKE_GONE: u32 = 0x40000;
/** What an object says that has one thing to tell (a message port, the link, …); `detail` is its own. */
export const WAKE_SYSTEM: u32 = 0x80000;

/** The highest bits of a waiter's mask are its level. */
const LEVEL_SHIFT: u32 = 26;
const LEVELS: u32 = 0xffff_ffff << LEVEL_SHIFT;


@unmanaged
export class Waiter extends Link {
  /** (waiter: Waiter, events: u32, detail: u32) => void, called with those bits of the mask that occurred. */
  callback: u32;
  /** The POLL* and WAKE_* bits that are of interest. WAKE_GONE is always. And the level. */
  mask: u32;

  /** `level`: of whoever waits, 0 .. 63, for queues that waiters `join`. */
  @inline prepare(callback: u32, mask: u32, level: u32 = 0): void {
    this.initialize();
    this.callback = callback;
    this.mask = mask | WAKE_GONE | (level << LEVEL_SHIFT);
  }


  @inline get level(): u32 {
    return this.mask >>> LEVEL_SHIFT;
  }


  @inline set level(level: u32) {
    this.mask = (this.mask & ~LEVELS) | (level << LEVEL_SHIFT);
  }

  /** From now on only the end is heard of. */
  deafen(): void {
    this.mask = (this.mask & LEVELS) | WAKE_GONE;
  }
}

/** The head of a queue of waiters. Set up by `initialize()`; `join(waiter)` or `append(waiter)` joins; `waiter.remove()` leaves. */
@unmanaged
export class WaitQueue extends Link {
  /** Behind those of its level and of higher ones: the first is of the highest. As many steps as there are waiters of lower levels. */
  join(waiter: Waiter): void {
    const level = waiter.level;
    let last = this.prev;
    while (changetype<usize>(last) != changetype<usize>(this) && changetype<Waiter>(last).level < level)
      last = last.prev;
    // `prepend` to a member of a list puts behind that member.
    last.prepend(waiter);
  }

  /**
   * Tells every waiter that listens to one of `events`. A callback may remove its own waiter and no other one, except on WAKE_GONE, where
   * it must remove its own.
   */
  wake(events: u32, detail: u32): void {
    let link = this.next;
    while (changetype<usize>(link) != changetype<usize>(this)) {
      const waiter = changetype<Waiter>(link);
      link = link.next;
      const hit = waiter.mask & events;
      if (hit != 0) call_indirect<void>(waiter.callback, waiter, hit, detail);
    }
  }

  /** Whether any waiter listens to one of `events`. */
  listens(events: u32): bool {
    let link = this.next;
    while (changetype<usize>(link) != changetype<usize>(this)) {
      if ((changetype<Waiter>(link).mask & events) != 0) return true;
      link = link.next;
    }
    return false;
  }
}
