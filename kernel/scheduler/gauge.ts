/**
 * A gauge: a number that goes up and down (frames in use, events that wait), and waiters that want to hear when it has
 * risen to their trigger. Each hears of it once; it may hear again only after the number has sunk below its release.
 *
 *     value  ────────────────╱╲──────╱───   trigger: told      two lists: `armed`, lowest trigger first
 *                       ╱        ╲╱                                        `told`, highest release first
 *     ─────────────╱───────────────────╲─   release: armed again
 *
 * The owner compares the number with `rise` and `fall`, and calls `reached` or `sunk` only when one is passed: that is all that a
 * gauge costs. Only waiters that are due are visited. Registration walks along a list to its place: the owner limits how long those are.
 */
import { Link } from "../list";
import { WAKE_SYSTEM } from "./wait";

/** A waiter of a gauge: as a Waiter, but that its threshold stands where a Waiter has its mask. Its callback gets WAKE_SYSTEM and the value. */
@unmanaged
export class Threshold extends Link {
  /** (threshold: Waiter, events: u32, value: u32) => void */
  callback: u32;
  /** Told when the value is this or more. */
  trigger: u32;
  /** Armed again when the value is less than this; at most `trigger`. */
  release: u32;
}


@unmanaged
export class Gauge {
  /** `reached` has to be called when the value is this or more. */
  rise: u32;
  /** `sunk` has to be called when the value is less than this. */
  fall: u32;
  private armedNext: usize;
  private armedPrev: usize;
  private toldNext: usize;
  private toldPrev: usize;


  @inline private get armed(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Gauge>("armedNext"));
  }


  @inline private get told(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Gauge>("toldNext"));
  }

  initialize(): void {
    this.armed.initialize();
    this.told.initialize();
    this.update();
  }

  /** A prepared waiter joins. It is told at once when the value has been reached already. */
  add(threshold: Threshold, value: u32): void {
    this.arm(threshold);
    this.update();
    if (value >= this.rise) this.reached(value);
  }

  /** Tells all whose trigger is `value` or less. A callback may change the value, and so come back here. */
  reached(value: u32): void {
    const armed = this.armed;
    let link = armed.next;
    while (changetype<usize>(link) != changetype<usize>(armed)) {
      const threshold = changetype<Threshold>(link);
      if (threshold.trigger > value) break;
      threshold.remove();
      this.tell(threshold);
      this.update();
      call_indirect<void>(threshold.callback, threshold, WAKE_SYSTEM, value);
      link = armed.next;
    }
    this.update();
  }

  /** Arms again all whose release is more than `value`. */
  sunk(value: u32): void {
    const told = this.told;
    let link = told.next;
    while (changetype<usize>(link) != changetype<usize>(told)) {
      const threshold = changetype<Threshold>(link);
      if (threshold.release <= value) break;
      threshold.remove();
      this.arm(threshold);
      link = told.next;
    }
    this.update();
  }

  /** After a waiter has left. */
  update(): void {
    const armed = this.armed;
    this.rise = armed.isEmpty ? u32.MAX_VALUE : changetype<Threshold>(armed.next).trigger;
    const told = this.told;
    this.fall = told.isEmpty ? 0 : changetype<Threshold>(told.next).release;
  }

  /** Waiters there are, counted up to `most`. */
  count(most: u32): u32 {
    return countList(this.armed, most, 0, 0) + countList(this.told, most, 0, 0);
  }

  /** Waiters for which the function index `among`, (waiter: Waiter, argument: i32) => bool, says true. */
  countWhere(among: u32, argument: i32): u32 {
    const most = u32.MAX_VALUE;
    return countList(this.armed, most, among, argument) + countList(this.told, most, among, argument);
  }

  /** `append` to a member of a list puts in front of that member. */
  private arm(threshold: Threshold): void {
    const head = this.armed;
    let link = head.next;
    while (
      changetype<usize>(link) != changetype<usize>(head) &&
      changetype<Threshold>(link).trigger <= threshold.trigger
    )
      link = link.next;
    link.append(threshold);
  }

  private tell(threshold: Threshold): void {
    const head = this.told;
    let link = head.next;
    while (
      changetype<usize>(link) != changetype<usize>(head) &&
      changetype<Threshold>(link).release >= threshold.release
    )
      link = link.next;
    link.append(threshold);
  }
}

function countList(head: Link, most: u32, among: u32, argument: i32): u32 {
  let count: u32 = 0;
  let link = head.next;
  while (count < most && changetype<usize>(link) != changetype<usize>(head)) {
    if (among == 0 || call_indirect<bool>(among, link, argument)) count++;
    link = link.next;
  }
  return count;
}
