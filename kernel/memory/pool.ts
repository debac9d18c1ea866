/**
 * Typed pools: fixed-size kernel objects carved out of physical frames, O(1) to allocate and to free.
 *
 * A pool grows one block of frames at a time up to its limit and never shrinks: what it may take is known at boot. At the limit, or
 * when no frame is left, allocation returns 0 and `failures` counts it; the caller says what that means.
 */
import { allocateFrames, FRAME_SIZE } from "./frames";


@unmanaged
export class Pool {
  /** First free object; its first word links to the next. 0: none. */
  private free: usize;
  /** Bytes of an object, a multiple of 8. */
  objectSize: u32;
  /** 2^order frames are taken at a time. */
  private order: u32;
  /** Most objects there may be. */
  limit: u32;
  /** Objects carved so far, and of those in use. */
  capacity: u32;
  inUse: u32;
  /** Most that were in use at once. */
  peak: u32;
  /** Allocations refused. */
  failures: u32;

  initialize(objectSize: u32, limit: u32): void {
    this.free = 0;
    this.objectSize = (objectSize + 7) & ~7;
    this.limit = limit;
    this.capacity = 0;
    this.inUse = 0;
    this.peak = 0;
    this.failures = 0;
    let order: u32 = 0;
    while (FRAME_SIZE << order < <usize>this.objectSize) order++;
    this.order = order;
  }

  /** A zeroed object, or 0. */
  allocate(): usize {
    const object = this.allocateRaw();
    if (object != 0) memory.fill(object, 0, this.objectSize);
    return object;
  }

  /** An object with whatever was in it, or 0. */
  @inline allocateRaw(): usize {
    const object = this.takeFree();
    return object != 0 || !this.refill() ? object : this.takeFree();
  }

  /** The same while there are some for which no memory has to be taken; 0: there are none. */
  @inline takeFree(): usize {
    const object = this.free;
    if (object == 0) return 0;
    this.free = load<usize>(object);
    if (++this.inUse > this.peak) this.peak = this.inUse;
    return object;
  }

  /** Takes memory for more. False: there is none, or there are as many objects as there may be. */
  refill(): bool {
    const grown = this.grow();
    if (!grown) this.failures++;
    return grown;
  }


  @inline release(object: usize): void {
    store<usize>(object, this.free);
    this.free = object;
    this.inUse--;
  }

  private grow(): bool {
    if (this.capacity >= this.limit) return false;
    const block = allocateFrames(this.order);
    if (block == 0) return false;
    const end = block + (FRAME_SIZE << this.order);
    let object = block;
    let previous: usize = 0;
    while (object + this.objectSize <= end && this.capacity < this.limit) {
      // Linked in address order: objects that are used together stand together.
      if (previous == 0) this.free = object;
      else store<usize>(previous, object);
      previous = object;
      object += this.objectSize;
      this.capacity++;
    }
    store<usize>(previous, 0);
    return true;
  }
}
