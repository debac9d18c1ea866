/** The packets that wait for a neighbour's link address (RFC 4861, 7.2.2; RFC 1122, 2.3.2.2): a few for each, and a limit for all. */
import { ENOBUFS } from "../kernel/errno";
import { allocateBuffer, BUFFER_RETAINED, CHECKSUM_PARTIAL, PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { Neighbour } from "./neighbour-cache";

/** Packets that wait for one link address, and for all together. */
export const NEIGHBOUR_QUEUE: u32 = 4;
export const NEIGHBOUR_QUEUE_TOTAL: u32 = 64;

let queued: u32 = 0;

/** Once at boot. */
export function initializeNeighbourQueues(): void {
  queued = 0;
}

/** Packets that wait for a link address now. */
export function neighbourQueued(): u32 {
  return queued;
}

/**
 * Keeps the packet, which it borrows, until the link address is known; the oldest one goes when there are too many. 0 or -ENOBUFS; not the whole of
 * what is for the device to cut: its sender can send that in segments.
 */
export function enqueue(entry: Neighbour, buffer: PacketBuffer): i32 {
  if (buffer.more !== null) return -ENOBUFS;
  const queue = entry.queue;
  if (queue.count >= NEIGHBOUR_QUEUE || (queued >= NEIGHBOUR_QUEUE_TOTAL && queue.count != 0)) {
    const first = queue.take();
    if (first !== null) releaseBuffer(first);
    queued--;
    networkCounters().arpQueueDropped++;
  }
  const kept = queued < NEIGHBOUR_QUEUE_TOTAL ? keep(buffer) : null;
  if (kept === null) {
    networkCounters().arpQueueDropped++;
    return -ENOBUFS;
  }
  queue.append(kept);
  queued++;
  return 0;
}

/** The buffer itself with a reference more, or a copy when the sender will use its bytes again; null: no buffer. */
function keep(buffer: PacketBuffer): PacketBuffer | null {
  if ((buffer.flags & BUFFER_RETAINED) == 0) {
    buffer.references++;
    return buffer;
  }
  const copy = allocateBuffer(0);
  if (copy === null) return null;
  const distance = changetype<usize>(copy) - changetype<usize>(buffer);
  copy.data = buffer.data + distance;
  copy.length = buffer.length;
  copy.flags = buffer.flags & CHECKSUM_PARTIAL;
  copy.checksumStart = buffer.checksumStart + distance;
  copy.checksumOffset = buffer.checksumOffset;
  memory.copy(copy.data, buffer.data, buffer.length);
  return copy;
}

/** The packet that waits longest, with its reference; null: none waits. */
export function takeQueued(entry: Neighbour): PacketBuffer | null {
  const buffer = entry.queue.take();
  if (buffer !== null) queued--;
  return buffer;
}

/** All that wait, linked by `next`, with their references. */
export function detachQueued(entry: Neighbour): PacketBuffer | null {
  const queue = entry.queue;
  const head = queue.head;
  queued -= queue.count;
  queue.head = null;
  queue.tail = null;
  queue.count = 0;
  return head;
}

/** Lets go of all that wait. */
export function dropQueued(entry: Neighbour): void {
  queued -= entry.queue.count;
  entry.queue.clear();
}
