/**
 * Time-outs of many objects on one timer. All members of a list have the same period, so the list is in the order in which they
 * fall due: start and stop are O(1), and whoever looks for what is due looks at the head only.
 */

/** Stands at the start of the object that it belongs to (`extends Deadline`); `stop` it before its first use and its end. */
@unmanaged
export class Deadline {
  private next: usize;
  private prev: usize;
  /** The tick at which it is due. */
  due: u32;

  /** In no list; for a fresh object. */
  @inline clear(): void {
    this.next = 0;
  }


  @inline get pending(): bool {
    return this.next != 0;
  }

  /** Leaves its list, if it is in one. */
  stop(): void {
    if (this.next == 0) return;
    changetype<Deadline>(this.next).prev = this.prev;
    changetype<Deadline>(this.prev).next = this.next;
    this.next = 0;
  }
}


@unmanaged
export class DeadlineList {
  private next: usize;
  private prev: usize;
  /** Ticks from start to due. */
  private period: u32;

  initialize(period: u32): void {
    this.next = changetype<usize>(this);
    this.prev = changetype<usize>(this);
    this.period = period;
  }

  /** Starts `deadline` at tick `now`, out of whatever list it was in. */
  start(deadline: Deadline, now: u32): void {
    deadline.stop();
    deadline.due = now + this.period;
    deadline.next = changetype<usize>(this);
    deadline.prev = this.prev;
    changetype<Deadline>(this.prev).next = changetype<usize>(deadline);
    this.prev = changetype<usize>(deadline);
  }

  /** Takes out one that is due at tick `now`: its address, or 0. */
  take(now: u32): usize {
    const first = this.next;
    if (first == changetype<usize>(this)) return 0;
    const deadline = changetype<Deadline>(first);
    if (<i32>(now - deadline.due) < 0) return 0;
    deadline.stop();
    return first;
  }
}
