/**
 * Time-outs of many objects on one timer, in seconds. All members of a list have the same period, so the list is in the order in which they
 * fall due: start and stop are O(1), and whoever looks for what is due looks at the heads only. The timer is there while any list has members:
 * a process that waits for nobody does not wake up.
 */
import { EVJOBSHTDN, evctl, onTimer } from "./aem";

const SECOND: i64 = 1_000_000_000;

/** Seconds for which the timer has run. */
let seconds: u32 = 0;
/** Its event; 0: it is not there. */
let timer: i32 = 0;
/** Members of all lists. */
let members: u32 = 0;
/** Address of the list that was initialized last; each knows the one before. */
let lists: usize = 0;

/** Stands at the start of the object that it belongs to (`extends Deadline`); `stop` it before the object's end. */
@unmanaged
export class Deadline {
  private next: usize;
  private prev: usize;
  /** The second at which it is due. */
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
    members--;
  }
}


@unmanaged
export class DeadlineList {
  private next: usize;
  private prev: usize;
  /** Seconds from start to due. */
  private period: u32;
  private expired: u32;
  private before: usize;

  /** Once. `expired` gets the address of each member that was in the list for `period` seconds, or up to one less: it has left it. */
  initialize(period: u32, expired: (deadline: usize) => void): void {
    this.next = changetype<usize>(this);
    this.prev = changetype<usize>(this);
    this.period = period;
    this.expired = expired.index;
    this.before = lists;
    lists = changetype<usize>(this);
  }

  /**
   * Starts `deadline`, out of whatever list it was in. Should the process have as many events as it may, none falls due until one is started
   * when it has fewer.
   */
  start(deadline: Deadline): void {
    deadline.stop();
    deadline.due = seconds + this.period;
    deadline.next = changetype<usize>(this);
    deadline.prev = this.prev;
    changetype<Deadline>(this.prev).next = changetype<usize>(deadline);
    this.prev = changetype<usize>(deadline);
    members++;
    if (timer <= 0) timer = onTimer(SECOND, SECOND, tick);
  }

  /** Takes out one that is due: its address, or 0. */
  private take(): usize {
    const first = this.next;
    if (first == changetype<usize>(this)) return 0;
    const deadline = changetype<Deadline>(first);
    if (<i32>(seconds - deadline.due) < 0) return 0;
    deadline.stop();
    return first;
  }

  /** Calls `expired` with what is due, in this list and in those that were initialized before. */
  static expire(): void {
    let list = lists;
    while (list != 0) {
      const l = changetype<DeadlineList>(list);
      for (let due = l.take(); due != 0; due = l.take()) call_indirect<void>(l.expired, due);
      list = l.before;
    }
  }
}

function tick(jid: i32, overrun: i32): void {
  seconds += 1 + <u32>overrun;
  DeadlineList.expire();
  if (members != 0) return;
  evctl(jid, EVJOBSHTDN, 0);
  timer = 0;
}
