/**
 * Split virtqueues (virtio 1.2, 2.7), the driver's side, for buffers of one descriptor each, or of several that the device reads.
 *
 *     descriptor table   size × { address u64, length u32, flags u16, next u16 }     driver writes, device reads
 *     available ring     flags u16, idx u16, ring[size] u16, used_event u16          driver writes, device reads
 *     used ring          flags u16, idx u16, ring[size] { id u32, len u32 },         device writes, driver reads
 *                        avail_event u16
 *     tokens             size × u32: what the driver knows the buffer by             the driver's own
 *     parts              size × u32: the same of descriptors in the middle of a chain
 *
 * A token stands for a buffer while the device has it; 0 is a free descriptor. Free descriptors are linked through `next`, so that those of a chain, taken one after
 * the other, are linked already. All indices run freely modulo 2^16.
 * What the device writes is read through the hal, once, and checked before it is used: an entry that names no buffer that the
 * device has is counted and skipped, an index that runs ahead of what was given breaks the queue for good.
 */
import { fullBarrier, read16, read32, readBarrier, write16, writeBarrier } from "../../kernel/hal";

/** Descriptor flag: goes on in the descriptor `next`. */
const VIRTQ_DESC_F_NEXT: u32 = 1;
/** Descriptor flag: the device writes the buffer. Without it, the device reads it. */
export const VIRTQ_DESC_F_WRITE: u32 = 2;
/** Available ring flag: the device need not interrupt (only without event index). */
const VIRTQ_AVAIL_F_NO_INTERRUPT: u32 = 1;
/** Used ring flag: the driver need not notify (only without event index). */
const VIRTQ_USED_F_NO_NOTIFY: u32 = 1;

/** Largest queue that is set up, a power of two: a device that offers more is told to use this. */
export const VIRTQUEUE_MAX_SIZE: u32 = 256;
/** A used_event that is out of reach for a long time: half way round from the entry that is taken next. */
const EVENT_NEVER: u32 = 0x8000;
/** No descriptor. */
const NOTHING: u32 = 0xffff;

/** A queue, as the driver sees it. */
@unmanaged
export class Virtqueue {
  descriptors: usize;
  available: usize;
  used: usize;
  tokens: usize;
  parts: usize;
  /** Entries, a power of two, and that minus one. */
  size: u32;
  private mask: u32;
  /** First free descriptor (they are linked through `next`), and how many are free. */
  private freeHead: u32;
  free: u32;
  /** First descriptor of the chain that is being added, and the one that takePart() goes on with; NOTHING: none. */
  private chain: u32;
  private rest: u32;
  /** Available index with what has been added, and as the device was told last. */
  private added: u32;
  private published: u32;
  /** Used entries taken, and used index as it was read last. */
  private taken: u32;
  private seen: u32;
  /** VIRTIO_F_EVENT_IDX was negotiated. */
  private eventIndex: u32;
  /** Number of the queue, and the register that notifies the device of it. */
  index: u32;
  notifyAddress: usize;
  /** Bytes that the device wrote to the buffer that take() returned: at most its length; 0 for a buffer that it reads. */
  length: u32;
  /** 1: the device broke the rules for the indices. Nothing more is taken or added. */
  broken: u32;
  /** Notifications made. */
  notifications: u32;
  /** Used entries that name no buffer of the device's (each costs a place for good: `size` of them break the queue), and lengths too long. */
  badEntries: u32;
  badLengths: u32;

  /** Bytes of zeroed memory, 16-aligned and contiguous, that a queue of `size` entries needs. */
  static storageSize(size: u32): u32 {
    return size * 16 + ((6 + size * 2 + 3) & ~3) + ((6 + size * 8 + 3) & ~3) + size * 8;
  }

  /** `storage`: zeroed, as storageSize() says. `size`: a power of two up to VIRTQUEUE_MAX_SIZE. */
  initialize(index: u32, size: u32, storage: usize, eventIndex: bool): void {
    this.index = index;
    this.size = size;
    this.mask = size - 1;
    this.descriptors = storage;
    this.available = storage + size * 16;
    this.used = this.available + ((6 + size * 2 + 3) & ~3);
    this.tokens = this.used + ((6 + size * 8 + 3) & ~3);
    this.parts = this.tokens + size * 4;
    this.chain = NOTHING;
    this.rest = NOTHING;
    this.freeHead = 0;
    this.free = size;
    this.added = 0;
    this.published = 0;
    this.taken = 0;
    this.seen = 0;
    this.eventIndex = eventIndex ? 1 : 0;
    this.notifyAddress = 0;
    this.length = 0;
    this.broken = 0;
    this.notifications = 0;
    this.badEntries = 0;
    this.badLengths = 0;
    for (let i: u32 = 0; i < size; i++) store<u16>(this.descriptors + i * 16, <u16>(i + 1), 14);
  }

  /**
   * Gives the device a buffer; it learns of it at the next publish(). `flags`: 0 or VIRTQ_DESC_F_WRITE; `token`: not 0.
   * False when no descriptor is free or the queue is broken.
   */
  @inline add(address: usize, length: u32, flags: u32, token: u32): bool {
    if (this.free == 0 || this.broken != 0) return false;
    const id = this.describe(address, length, flags);
    store<u32>(this.tokens + (id << 2), token);
    this.offer(id);
    return true;
  }

  /**
   * Gives the device a part of a buffer to read, which is a chain of descriptors: the parts but the last one, in their order, before addLast(). The caller has seen that as many
   * descriptors are free, and that the queue is not broken.
   */
  addPart(address: usize, length: u32, token: u32): void {
    const id = this.describe(address, length, VIRTQ_DESC_F_NEXT);
    if (this.chain == NOTHING) {
      this.chain = id;
      store<u32>(this.tokens + (id << 2), token);
    } else store<u32>(this.parts + (id << 2), token);
  }

  /** The last part, behind one at least. */
  addLast(address: usize, length: u32, token: u32): void {
    const id = this.describe(address, length, 0);
    store<u32>(this.parts + (id << 2), token);
    this.offer(this.chain);
    this.chain = NOTHING;
  }

  /** Fills in the next free descriptor. */
  @inline private describe(address: usize, length: u32, flags: u32): u32 {
    const id = this.freeHead;
    const descriptor = this.descriptors + (id << 4);
    this.freeHead = load<u16>(descriptor, 14);
    this.free--;
    store<u64>(descriptor, address);
    store<u32>(descriptor, length, 8);
    store<u16>(descriptor, <u16>flags, 12);
    return id;
  }


  @inline private offer(id: u32): void {
    store<u16>(this.available + ((this.added & this.mask) << 1), <u16>id, 4);
    this.added = (this.added + 1) & 0xffff;
  }

  /** Buffers were added that the device has not been told of. */
  @inline get hasUnpublished(): bool {
    return this.added != this.published;
  }

  /** Hands over all that was added, and notifies the device if it asks for that (2.7.13). */
  publish(): void {
    const now = this.added;
    const before = this.published;
    if (now == before) return;
    // Descriptors and ring entries before the index that covers them (2.7.13.3), the index before the device's wish is read (2.7.13.4).
    writeBarrier();
    write16(this.available + 2, now);
    this.published = now;
    fullBarrier();
    if (this.eventIndex != 0) {
      const event = read16(this.used + 4 + (this.size << 3));
      if (!needsEvent(event, now, before)) return;
    } else if (read16(this.used) & VIRTQ_USED_F_NO_NOTIFY) return;
    this.notifications++;
    write16(this.notifyAddress, this.index);
  }

  /**
   * Token of the next buffer that the device is done with, its descriptor free again; 0 when there is none. `length` has
   * what was written to it.
   */
  @inline take(): u32 {
    do {
      const token = this.takeSeen();
      if (token != 0) return token;
    } while (this.look());
    return 0;
  }

  /** As take(), among those that look() has seen. */
  @inline takeSeen(): u32 {
    while (this.taken != this.seen && this.broken == 0) {
      // 2.7.8: entries of the used ring.
      const entry = this.used + 4 + ((this.taken & this.mask) << 3);
      const id = read32(entry);
      const written = read32(entry + 4);
      this.taken = (this.taken + 1) & 0xffff;
      if (id < this.size) {
        const token = load<u32>(this.tokens + (id << 2));
        if (token != 0) {
          this.release(id, written);
          return token;
        }
      }
      if (++this.badEntries >= this.size) this.broken = 1;
    }
    return 0;
  }

  /** As take(), where there may be chains: the tokens of their parts come one after the other. */
  @inline takePart(): u32 {
    return this.rest == NOTHING ? this.take() : this.takeRest();
  }

  private takeRest(): u32 {
    const id = this.rest;
    const place = this.parts + (id << 2);
    const token = load<u32>(place);
    this.rest = NOTHING;
    store<u32>(place, 0);
    this.release(id, 0);
    return token;
  }

  /** Descriptors that the device has, those included that it has not been told of and those not taken back. */
  @inline get inFlight(): u32 {
    return this.size - this.free;
  }

  /**
   * Asks for an interrupt at the next used buffer; true when one has come in the meantime, which may cause none: take it. With event
   * index, the request is spent by the interrupt, so that nothing needs to be turned off while the queue is worked through.
   */
  enableInterrupts(): bool {
    this.setEvent(0, 0);
    fullBarrier();
    return this.look();
  }

  /** Asks for no interrupts. With event index that is a request for one 2^15 buffers from here: to be renewed before. */
  disableInterrupts(): void {
    this.setEvent(EVENT_NEVER, VIRTQ_AVAIL_F_NO_INTERRUPT);
  }

  /** Any buffer the device still has, its descriptor taken from it: only after a reset of the device. 0: none left. */
  reclaim(): u32 {
    for (let id: u32 = 0; id < this.size; id++) {
      const token = load<u32>(this.tokens + (id << 2)) | load<u32>(this.parts + (id << 2));
      if (token == 0) continue;
      store<u32>(this.parts + (id << 2), 0);
      this.release(id, 0);
      this.rest = NOTHING;
      return token;
    }
    return 0;
  }

  /** Takes a descriptor back from the device, which says that it has written that many bytes. */
  @inline private release(id: u32, written: u32): void {
    const descriptor = this.descriptors + (id << 4);
    if (load<u16>(descriptor, 12) & VIRTQ_DESC_F_WRITE) {
      // More than there was room for: the length is a lie, and so may be the bytes.
      if (written > load<u32>(descriptor, 8)) {
        this.badLengths++;
        written = 0;
      }
    } else {
      written = 0;
      if (load<u16>(descriptor, 12) & VIRTQ_DESC_F_NEXT) this.rest = load<u16>(descriptor, 14);
    }
    this.length = written;
    store<u32>(this.tokens + (id << 2), 0);
    store<u16>(descriptor, <u16>this.freeHead, 14);
    this.freeHead = id;
    this.free++;
  }

  /** Reads the used index: true when there are entries to take. */
  look(): bool {
    if (this.broken != 0) return false;
    const index = read16(this.used + 2);
    const ahead = (index - this.taken) & 0xffff;
    if (ahead == 0) return false;
    if (ahead > this.inFlight) {
      this.broken = 1;
      return false;
    }
    this.seen = index;
    // The index before the entries that it covers.
    readBarrier();
    return true;
  }

  /** Says at which used entry from the next one on an interrupt is wanted; without event index, sets the flags. */
  @inline private setEvent(distance: u32, flags: u32): void {
    if (this.eventIndex != 0)
      write16(this.available + 4 + (this.size << 1), (this.taken + distance) & 0xffff);
    else write16(this.available, flags);
  }
}

/**
 * 2.7.10.1: whether the other side, which asked for an event when its partner's index goes past `event`, is to be told of a
 * move of that index from `before` to `now`.
 */
// @ts-ignore: decorator
@inline
export function needsEvent(event: u32, now: u32, before: u32): bool {
  return ((now - event - 1) & 0xffff) < ((now - before) & 0xffff);
}
