/**
 * The packets that wait for a neighbour's link address (RFC 4861, 7.2.2; RFC 1122, 2.3.2.2): a few for each, and a limit for all. A datagram that is to go in fragments waits as
 * one packet, a chain with the headers of its first fragment (net/fragment-output.ts): with a part of its fragments nobody could do anything.
 */
import { ENOBUFS } from "../kernel/errno";
import { allocateBuffer, BUFFER_RETAINED, CHECKSUM_PARTIAL, PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { Neighbour } from "./neighbour-cache";

/** Packets that wait for one link address, which go in one step when it is known (some 200 instructions each), and for all together. */
export const NEIGHBOUR_QUEUE: u32 = 32;
export const NEIGHBOUR_QUEUE_TOTAL: u32 = 64;

/** Buffers behind the first ones, of all chains together: two datagrams of 64 KiB fit. */
export const NEIGHBOUR_QUEUE_CHAINED: u32 = 128;

let queued: u32 = 0;
let chained: u32 = 0;

/** Once at boot. */
export function initializeNeighbourQueues(): void {
  queued = 0;
  chained = 0;
}

/** Packets that wait for a link address now. */
export function neighbourQueued(): u32 {
  return queued;
}

/**
 * Keeps the packet, which it borrows, until the link address is known; the oldest ones go when there are too many. 0 or -ENOBUFS; not the whole of
 * what is for the device to cut: its sender can send that in segments.
 */
export function enqueue(entry: Neighbour, buffer: PacketBuffer): i32 {
  if (buffer.segmentSize != 0) return -ENOBUFS;
  const queue = entry.queue;
  const behind = buffer.pieces - 1;
  while (queue.count >= NEIGHBOUR_QUEUE || (queue.count != 0 && !fits(behind))) {
    const first = takeQueued(entry);
    if (first !== null) releaseBuffer(first);
    networkCounters().arpQueueDropped++;
  }
  const kept = fits(behind) ? keep(buffer) : null;
  if (kept === null) {
    networkCounters().arpQueueDropped++;
    return -ENOBUFS;
  }
  queue.append(kept);
  queued++;
  chained += behind;
  return 0;
}

/** Whether one more packet may wait, with so many buffers behind its first. */
// @ts-ignore: decorator
@inline
function fits(behind: u32): bool {
  return queued < NEIGHBOUR_QUEUE_TOTAL && (behind == 0 || chained + behind <= NEIGHBOUR_QUEUE_CHAINED);
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
  if (buffer !== null) {
    queued--;
    chained -= buffer.pieces - 1;
  }
  return buffer;
}

/** All that wait, linked by `next`, with their references. */
export function detachQueued(entry: Neighbour): PacketBuffer | null {
  const queue = entry.queue;
  const head = queue.head;
  queued -= queue.count;
  let buffer = head;
  while (buffer !== null) {
    chained -= buffer.pieces - 1;
    buffer = buffer.next;
  }
  queue.head = null;
  queue.tail = null;
  queue.count = 0;
  return head;
}

/** Lets go of all that wait. */
export function dropQueued(entry: Neighbour): void {
  let buffer = takeQueued(entry);
  while (buffer !== null) {
    releaseBuffer(buffer);
    buffer = takeQueued(entry);
  }
}
