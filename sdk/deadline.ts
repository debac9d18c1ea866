/**
 * Time-outs of many objects on one timer, in seconds. All members of a list have the same period, so the list is in the order in which they
 * fall due: start and stop are O(1), and whoever looks for what is due looks at the heads only. The timer is there while any list has members:
 * a process that waits for nobody does not wake up.
 */
import { EVJOBSHTDN, evctl, onTimer, SHUTDOWN_DROP } from "./aem";

const SECOND: i64 = 1_000_000_000;

/** Seconds for which the timer has run. */
let seconds: u32 = 0;
/** Its event; 0: it is not there; STARTING: it is about to be. */
let timer: i32 = 0;
/** No jid. Handlers may run at the end of the call that makes the timer, and start members. */
const STARTING: i32 = -1;
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
    if (timer == 0) startTimer();
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

/**
 * Starts the timer, which ends within a second if there are no members: 0, or why there can be none, a negative errno. For the start of a process, to know
 * that its time-outs will work; and for one whose events are gone, by EVTBLINIT, or in a child of `fork` without FORK_EVENTS.
 */
export function startDeadlines(): i32 {
  timer = 0;
  return startTimer();
}

function startTimer(): i32 {
  timer = STARTING;
  const jid = onTimer(SECOND, SECOND, tick);
  timer = max(jid, 0);
  return min(jid, 0);
}

function tick(jid: i32, overrun: i32): void {
  // In a child of `fork` with FORK_EVENTS it has another one.
  if (timer != STARTING) timer = jid;
  seconds += 1 + <u32>overrun;
  DeadlineList.expire();
  if (members != 0 || timer != jid) return;
  // Before the call, at whose end another thread may start a member.
  timer = 0;
  evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
}
