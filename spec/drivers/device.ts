/**
 * The device's side of a split virtqueue (virtio 1.2, 2.7), written from the specification for the specs: it reads what the driver
 * offers, uses buffers, and decides on interrupts. All loads and stores are plain ones: the hooks of the fake hal see the driver only.
 */
import { growMemory } from "../arena";

/** 2.7.10.1, as the specification has it in C. */
function vringNeedEvent(event: u16, index: u16, old: u16): bool {
  return u16(index - event - 1) < u16(index - old);
}

export class DeviceQueue {
  descriptors: usize = 0;
  available: usize = 0;
  used: usize = 0;
  size: u32 = 0;
  eventIndex: bool = false;
  /** Available entries taken; used entries written. */
  seen: u16 = 0;
  written: u16 = 0;
  /** Buffer that next() found. */
  id: u32 = 0;
  address: usize = 0;
  length: u32 = 0;
  flags: u32 = 0;
  /** Descriptor that is looked at: `id`, or one further on in its chain. */
  private at: u32 = 0;

  connect(size: u32, descriptors: usize, available: usize, used: usize, eventIndex: bool): void {
    this.size = size;
    this.descriptors = descriptors;
    this.available = available;
    this.used = used;
    this.eventIndex = eventIndex;
    this.seen = 0;
    this.written = 0;
  }

  /** Buffers offered and not yet taken. */
  get waiting(): u32 {
    return u16(load<u16>(this.available, 2) - this.seen);
  }

  /** Takes the next buffer; false when there is none. */
  next(): bool {
    if (this.waiting == 0) return false;
    assert(this.waiting <= this.size, "the driver offered more than fits");
    this.id = load<u16>(this.available + (this.seen % this.size) * 2, 4);
    this.look(this.id);
    this.seen++;
    return true;
  }

  private look(index: u32): void {
    assert(index < this.size, "descriptor out of the table");
    const descriptor = this.descriptors + index * 16;
    this.at = index;
    this.address = <usize>load<u64>(descriptor);
    this.length = load<u32>(descriptor, 8);
    this.flags = load<u16>(descriptor, 12);
  }

  /** Goes on in the buffer to the next descriptor of its chain; false: that was the last one. */
  follow(): bool {
    if ((this.flags & 1) == 0) return false;
    this.look(load<u16>(this.descriptors + this.at * 16, 14));
    return true;
  }

  /** Writes one used entry; it counts from complete() on. */
  put(id: u32, length: u32): void {
    const entry = this.used + (this.written % this.size) * 8;
    store<u32>(entry, id, 4);
    store<u32>(entry, length, 8);
    this.written++;
  }

  /** Publishes what was put; true when the driver is to be interrupted. */
  complete(): bool {
    const old = load<u16>(this.used, 2);
    store<u16>(this.used, this.written, 2);
    if (this.eventIndex)
      return vringNeedEvent(load<u16>(this.available + this.size * 2, 4), this.written, old);
    return old != this.written && !(load<u16>(this.available) & 1);
  }

  /** Asks for a notification at the next buffer, or for none. */
  wantNotify(on: bool): void {
    if (this.eventIndex) {
      if (on) store<u16>(this.used + this.size * 8, this.seen, 4);
    } else store<u16>(this.used, on ? 0 : 1);
  }
}

/** Zeroed and aligned memory, as frames would be. */
export function zeroed(bytes: u32): usize {
  return growMemory(bytes, 4096);
}
