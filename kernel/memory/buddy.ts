/**
 * Binary buddy allocator (Knuth, TAOCP 1, 2.5) over abstract units: physical frames, or the smallest blocks of a vmtable.
 *
 * A block of order k is 2^k units and starts on a multiple of 2^k. What is known of it stands out of band, in storage that the
 * caller provides, so that whoever can write the managed memory cannot touch it:
 *
 *     storage   ├ heads: ORDERS × Link ┼ kept: ORDERS × Link ┼ links: units × Link ┼ counts: ORDERS × u8 ┼ states: units × u8 ┤
 *
 * A unit's state is 0 unless a block starts there; only the links of blocks that are free or kept have a meaning.
 *
 * Cost: at most one step (a split or a merge of two blocks) per order. A buddy that may keep blocks (`keep`) does not merge what is
 * freed at once: the next allocation of that order finds it again in a few instructions, with its cache lines warm. Kept blocks are
 * merged when an allocation finds nothing else, so that they never make one fail. Such an allocation merges up to KEPT_ORDERS × keep
 * blocks, each with one step per order at most: MERGE_STEPS × keep together. It then finds only merged blocks until as many have been freed
 * again, so that the mean stays below two steps per order.
 */
import { Link } from "../list";

/** Orders are 0 .. ORDERS - 1; most units there can be: 2^ORDERS - 1. */
export const ORDERS: u32 = 24;
/** No block. */
export const NO_UNIT: u32 = 0xffff_ffff;

const LINK_SIZE: usize = 8;
/** State of a unit at which a block starts: one of these | its order. */
const FREE: u32 = 0x20;
const ALLOCATED: u32 = 0x40;
const KEPT: u32 = 0x60;
/** Allocated, but for something that a copy does not get. */
const LENT: u32 = 0x80;
const KIND: u32 = 0xe0;
const ORDER: u32 = 0x1f;
/** Orders of which blocks are kept. */
const KEPT_ORDERS: u32 = 12;

/** Most steps of one `allocate` or `free`: of a buddy that keeps nothing; and what a block kept of each order adds for one `allocate`. */
export const OPERATION_STEPS: u32 = ORDERS;
export const MERGE_STEPS: u32 = KEPT_ORDERS * ORDERS;

/** Splits and merges since boot, of all buddies: what they have cost beyond a constant for each operation. */
export let buddySteps: u64 = 0;

/** Bytes of storage for so many units. */
export function buddyMetadataSize(units: u32): usize {
  return (<usize>ORDERS * 2 + units) * LINK_SIZE + ORDERS + units;
}


@unmanaged
export class Buddy {
  /** Units are numbered from `first` on; `units` of them. */
  first: u32;
  units: u32;
  /** Units that are free or kept. */
  freeUnits: u32;
  /** Units that addRange gave. */
  totalUnits: u32;
  /** Bit k: there are free blocks of order k. */
  private available: u32;
  /** Bit k: there are kept blocks of order k. */
  private keptOrders: u32;
  /** Most blocks kept of an order. */
  private keep: u32;
  private heads: usize;
  private kept: usize;
  private counts: usize;
  /** Where unit 0 has its link and its state, or would have them if `first` were 0. */
  private links: usize;
  private states: usize;

  /**
   * No unit is free yet: addRange gives them. `storage`: buddyMetadataSize(units) bytes, 8-aligned, whatever is in them; before anything else, clearSome
   * has to clear all of it.
   * `keep`: most freed blocks of an order that wait for an allocation unmerged; 0: all are merged at once.
   */
  initialize(storage: usize, first: u32, units: u32, keep: u32): void {
    this.first = first;
    this.units = units;
    this.freeUnits = 0;
    this.totalUnits = 0;
    this.available = 0;
    this.keptOrders = 0;
    this.keep = keep;
    this.heads = storage;
    this.kept = storage + LINK_SIZE * ORDERS;
    const links = storage + 2 * ORDERS * LINK_SIZE;
    this.counts = links + LINK_SIZE * units;
    const states = this.counts + ORDERS;
    this.links = links - LINK_SIZE * first;
    this.states = states - first;
    memory.fill(this.counts, 0, ORDERS);
    for (let head = storage; head < links; head += LINK_SIZE) changetype<Link>(head).initialize();
  }

  /** Makes the units [start, end) free. They lie within [first, first + units), and no two ranges overlap. */
  addRange(start: u32, end: u32): void {
    this.totalUnits += end - start;
    while (start < end) {
      const order = largestOrder(start, end);
      this.merge(start, order);
      this.freeUnits += 1 << order;
      start += 1 << order;
    }
  }

  /** Forgets whatever is in the storage of up to `budget` units from `unit` on; the unit to go on with. */
  clearSome(unit: u32, budget: u32): u32 {
    const count = min(budget, this.first + this.units - unit);
    memory.fill(this.states + unit, 0, count);
    return unit + count;
  }

  /**
   * Makes what is allocated, and not lent, in `other`, which is as large, allocated here, and the rest free: up to `budget` blocks from `unit` on; the
   * unit to go on with. In `other` nothing may change between the steps but blocks that are lent: here, whatever they were is free. This one
   * is new, without ranges, and cleared.
   */
  copySome(other: Buddy, unit: u32, budget: u32): u32 {
    const end = this.first + this.units;
    let free = unit;
    for (; unit < end && budget != 0; budget--) {
      const state = other.stateOf(unit);
      const kind = state & KIND;
      // Inside of a block that has come to be since the last step.
      if (kind == 0) {
        unit++;
        continue;
      }
      const next = unit + (1 << (state & ORDER));
      if (kind == ALLOCATED) {
        if (free < unit) this.addRange(free, unit);
        this.setState(unit, state);
        this.totalUnits += next - unit;
        free = next;
      }
      unit = next;
    }
    if (free < unit) this.addRange(free, unit);
    return unit;
  }

  /** First unit of a block of 2^order units, or NO_UNIT. */
  @inline allocate(order: u32): u32 {
    if (order >= ORDERS) return NO_UNIT;
    return ((this.keptOrders >>> order) & 1) != 0 ? this.takeKept(order) : this.allocateMerged(order);
  }

  /** Gives a block back. False, and nothing happens, when no allocated block of this order starts at the unit. */
  free(unit: u32, order: u32): bool {
    if (order >= ORDERS || this.stateOf(unit) != (ALLOCATED | order)) return false;
    this.freeUnits += 1 << order;
    if (this.keep != 0 && order < KEPT_ORDERS) {
      const count = this.counts + order;
      if (<u32>load<u8>(count) < this.keep) {
        store<u8>(count, load<u8>(count) + 1);
        this.setState(unit, KEPT | order);
        this.keptOrders |= 1 << order;
        // Last in, first out: the cache still has it.
        this.head(this.kept, order).prepend(this.link(unit));
        return true;
      }
    }
    this.merge(unit, order);
    return true;
  }

  /** An allocated block becomes one that copySome leaves out, and that nobody finds: until it is claimed it can neither be freed nor be asked for. Its order. */
  @inline lend(unit: u32): u32 {
    return this.setKind(unit, LENT);
  }

  /** A block that was lent is allocated like others. Its order. */
  @inline claim(unit: u32): u32 {
    return this.setKind(unit, ALLOCATED);
  }


  @inline private setKind(unit: u32, kind: u32): u32 {
    const order = (<u32>load<u8>(this.states + unit)) & ORDER;
    this.setState(unit, kind | order);
    return order;
  }

  /** Order of the allocated block that starts at the unit, or -1; any number may be asked for. */
  @inline orderOf(unit: u32): i32 {
    const state = this.stateOf(unit);
    return (state & KIND) == ALLOCATED ? <i32>(state & ORDER) : -1;
  }

  /** `count` > 0 units that stand together, from a multiple of the next power of two on; NO_UNIT when there is no room. */
  allocateUnits(count: u32): u32 {
    const order: u32 = count > 1 ? 32 - <u32>clz(count - 1) : 0;
    const start = this.allocate(order);
    if (start == NO_UNIT) return NO_UNIT;
    const end = start + (1 << order);
    const used = start + count;
    let unit = start;
    // What is used and what is not become blocks of their own, and the latter go back at once.
    while (unit < end) {
      const part = largestOrder(unit, unit < used ? used : end);
      this.setState(unit, ALLOCATED | part);
      if (unit >= used) {
        this.merge(unit, part);
        this.freeUnits += 1 << part;
      }
      unit += 1 << part;
    }
    return start;
  }

  /** Gives back what allocateUnits gave, with the same count. False when any part of it was not allocated so. */
  freeUnitsAt(start: u32, count: u32): bool {
    const end = start + count;
    while (start < end) {
      const order = largestOrder(start, end);
      if (!this.free(start, order)) return false;
      start += 1 << order;
    }
    return true;
  }

  /** Merges all kept blocks: at most KEPT_ORDERS × keep of them, in MERGE_STEPS × keep steps. */
  mergeKept(): void {
    while (this.keptOrders != 0) {
      const order: u32 = ctz(this.keptOrders);
      this.merge(this.takeKept(order), order);
      this.freeUnits += 1 << order;
    }
  }

  /** The largest order of which there is a free block now, -1 when there is none; kept blocks do not count. */
  largestFree(): i32 {
    return 31 - <i32>clz(this.available);
  }

  private allocateMerged(order: u32): u32 {
    let candidates = this.available >>> order;
    if (candidates == 0) {
      if (this.keptOrders == 0) return NO_UNIT;
      this.mergeKept();
      candidates = this.available >>> order;
      if (candidates == 0) return NO_UNIT;
    }
    let split = order + <u32>ctz(candidates);
    const unit = this.unitOf(this.head(this.heads, split).next);
    this.takeFree(unit, split);
    while (split > order) {
      split--;
      buddySteps++;
      this.putFree(unit + (1 << split), split);
    }
    this.setState(unit, ALLOCATED | order);
    this.freeUnits -= 1 << order;
    return unit;
  }

  private takeKept(order: u32): u32 {
    const head = this.head(this.kept, order);
    const link = head.next;
    link.remove();
    if (head.isEmpty) this.keptOrders &= ~(1 << order);
    const count = this.counts + order;
    store<u8>(count, load<u8>(count) - 1);
    const unit = this.unitOf(link);
    this.setState(unit, ALLOCATED | order);
    this.freeUnits -= 1 << order;
    return unit;
  }

  /** Makes a block free, together with its buddy as long as that is free too. */
  private merge(unit: u32, order: u32): void {
    this.setState(unit, 0);
    // A block that has a free buddy of order ORDERS - 1 cannot be: there are fewer than 2^ORDERS units.
    for (;;) {
      const buddy = unit ^ (1 << order);
      if (this.stateOf(buddy) != (FREE | order)) break;
      this.takeFree(buddy, order);
      this.setState(buddy, 0);
      unit &= buddy;
      order++;
      buddySteps++;
    }
    this.putFree(unit, order);
  }


  @inline private takeFree(unit: u32, order: u32): void {
    this.link(unit).remove();
    if (this.head(this.heads, order).isEmpty) this.available &= ~(1 << order);
  }


  @inline private putFree(unit: u32, order: u32): void {
    this.setState(unit, FREE | order);
    this.head(this.heads, order).prepend(this.link(unit));
    this.available |= 1 << order;
  }


  @inline private head(heads: usize, order: u32): Link {
    return changetype<Link>(heads + LINK_SIZE * order);
  }


  @inline private link(unit: u32): Link {
    return changetype<Link>(this.links + LINK_SIZE * unit);
  }


  @inline private unitOf(link: Link): u32 {
    return <u32>((changetype<usize>(link) - this.links) / LINK_SIZE);
  }


  @inline private stateOf(unit: u32): u32 {
    return unit - this.first < this.units ? load<u8>(this.states + unit) : 0;
  }


  @inline private setState(unit: u32, state: u32): void {
    store<u8>(this.states + unit, <u8>state);
  }
}

/** Order of the largest block that starts at `start` and does not reach beyond `end`. */
// @ts-ignore: decorator
@inline
function largestOrder(start: u32, end: u32): u32 {
  const fits: u32 = 31 - clz(end - start);
  const aligned: u32 = ctz(start); // 32 at unit 0
  const order = fits < aligned ? fits : aligned;
  return order < ORDERS ? order : ORDERS - 1;
}
