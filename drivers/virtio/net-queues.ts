/**
 * The two queues of a virtio network device (virtio 1.2, 5.1.6), one descriptor for each packet.
 *
 * Each packet is preceded in its own buffer by a header:
 *
 *     0 flags u8 │ 1 gso_type u8 │ 2 hdr_len u16 │ 4 gso_size u16 │ 6 csum_start u16 │ 8 csum_offset u16 │ 10 num_buffers u16
 *
 * Receiving: a round takes in up to BUDGET frames (fewer, where their checksums are to be checked), and only when the queue is empty is the next interrupt asked for. Buffers that
 * were used up are replaced in batches. When the pool is empty the ring shrinks; each round and a timer try again, so that it
 * fills up as buffers come back.
 *
 * Transmitting: no interrupts. A frame's reference is given back when the queue is half full, before each round of receiving and, at
 * the latest, HOUSEKEEPING_TIME after the device has read it.
 */
import { read16, read32 } from "../../kernel/hal";
import { EINVAL, ENETDOWN, ENOBUFS } from "../../kernel/errno";
import { now } from "../../kernel/time/clock";
import { Timer, timerPending, timerStart } from "../../kernel/time/timers";
import {
  allocateBuffer,
  BUFFER_HEADER,
  BUFFER_ROOM,
  CHECKSUM_PARTIAL,
  CHECKSUM_VALID,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import { DEVICE_CHECKSUM_TX, deviceReceive, NetworkDevice } from "../../net/device";
import { VirtioDevice } from "./transport";
import { VIRTQ_DESC_F_WRITE, Virtqueue } from "./virtqueue";

export const HEADER: u32 = 12;
const HEADER_NUM_BUFFERS: u32 = 10;
export const HEADER_F_NEEDS_CSUM: u32 = 1;
export const HEADER_F_DATA_VALID: u32 = 2;

export const ETHERNET_HEADER: u32 = 14;

/** In front of the virtio header of a received frame: it makes the IPv4 header, 26 bytes further on, 4-aligned. */
const RECEIVE_HEADROOM: u32 = 2;
export const RECEIVE_ROOM: u32 = BUFFER_ROOM - RECEIVE_HEADROOM;

/**
 * Frames that one interrupt, or one call of virtioNetPoll(), takes in: with what they cause, less than 15,000 instructions with interrupts off. Each byte of one that
 * the device has not checked costs an instruction more: 512 of them count for a frame.
 */
const BUDGET: i32 = 8;
const CHECKED_SHIFT: u32 = 9;
/** After that many nanoseconds, what the device has sent is given back, and buffers for an incomplete receive queue are tried for. */
const HOUSEKEEPING_TIME: u64 = 20_000_000;

/** A device, and what the driver knows of it. Zeroed when it is made. */
@unmanaged
export class VirtioNet extends Timer {
  device: NetworkDevice;
  virtio: VirtioDevice;
  receiveQueue: Virtqueue;
  transmitQueue: Virtqueue;
  /** Header flags that say the checksum is good; 0 without VIRTIO_NET_F_GUEST_CSUM. */
  checksumFlags: u32;
  /** VIRTIO_NET_F_MRG_RXBUF. */
  mergeable: u32;
  /** Buffers to come that belong to a packet that has been dropped. */
  skip: u32;
  /** Frames were left over by the last round. */
  more: u32;
  /** The device was given up. */
  stopped: u32;
  /** Free descriptors of the receive queue from which on it is filled up. */
  batch: u32;
  /** Times that the pool had no buffer for the receive queue. */
  starved: u32;
}

// @ts-ignore: decorator
@inline
export function startTimer(it: VirtioNet): void {
  if (!timerPending(it)) timerStart(it, now() + HOUSEKEEPING_TIME);
}

// ---- Receiving ----

export function receiveFrames(it: VirtioNet): void {
  const queue = it.receiveQueue;
  let budget = BUDGET;
  it.more = 0;
  do {
    for (;;) {
      const token = queue.take();
      if (token == 0) break;
      budget -= receiveFrame(it, changetype<PacketBuffer>(token), queue.length);
      if (budget <= 0) {
        it.more = 1;
        break;
      }
    }
    if (queue.free >= it.batch) fill(it);
  } while (it.more == 0 && queue.enableInterrupts());
}

/** What it counts for in the budget. */
// @ts-ignore: decorator
@inline
function receiveFrame(it: VirtioNet, frame: PacketBuffer, written: u32): i32 {
  const header = frame.data;
  if (it.skip == 0 && written >= HEADER + ETHERNET_HEADER) {
    // Each word of the header is read once, so that the device cannot change it after the check.
    const word = read32(header);
    const buffers = it.mergeable ? read16(header + HEADER_NUM_BUFFERS) : 1;
    // Segmentation offload (gso_type) was not accepted, and a packet over several buffers is larger than any that is due.
    if (buffers == 1 && (word & 0xff00) == 0) {
      frame.data = header + HEADER;
      frame.length = written - HEADER;
      frame.flags = word & it.checksumFlags ? CHECKSUM_VALID : 0;
      const device = it.device;
      device.receivedFrames++;
      device.receivedBytes += frame.length;
      const weight = frame.flags != 0 ? 1 : 1 + <i32>(written >>> CHECKED_SHIFT);
      deviceReceive(device, frame);
      return weight;
    }
    if (buffers > 1) it.skip = buffers;
  }
  if (it.skip != 0) it.skip--;
  it.device.receiveDropped++;
  releaseBuffer(frame);
  return 1;
}

/** Makes the receive queue whole again, as far as there are buffers. */
function fill(it: VirtioNet): void {
  addReceiveBuffers(it);
  it.receiveQueue.publish();
  if (it.receiveQueue.free >= it.batch) startTimer(it);
}

export function addReceiveBuffers(it: VirtioNet): void {
  const queue = it.receiveQueue;
  while (queue.free != 0 && queue.broken == 0) {
    const buffer = allocateBuffer(RECEIVE_HEADROOM);
    if (buffer === null) {
      it.starved++;
      return;
    }
    queue.add(buffer.data, RECEIVE_ROOM, VIRTQ_DESC_F_WRITE, <u32>changetype<usize>(buffer));
  }
}

// ---- Transmitting ----

/** Takes back what the device has read. */
export function reclaim(it: VirtioNet): void {
  const queue = it.transmitQueue;
  let token = queue.take();
  if (token == 0) return;
  do {
    releaseBuffer(changetype<PacketBuffer>(token));
    token = queue.take();
  } while (token != 0);
  queue.disableInterrupts();
}

/** NetworkDevice.transmit. -ENETDOWN when the device was given up, -EINVAL for a frame that cannot be described to it. */
export function transmit(device: NetworkDevice, frame: PacketBuffer): i32 {
  const it = changetype<VirtioNet>(device.driver);
  const queue = it.transmitQueue;
  if (queue.free <= queue.size >> 1 && !makeRoom(it)) {
    device.transmitDropped++;
    return it.stopped ? -ENETDOWN : -ENOBUFS;
  }
  const header = frame.data - HEADER;
  let start: u32 = 0;
  let offset: u32 = 0;
  let flags: u32 = 0;
  if (frame.flags & CHECKSUM_PARTIAL) {
    flags = HEADER_F_NEEDS_CSUM;
    start = <u32>(frame.checksumStart - frame.data);
    offset = frame.checksumOffset;
  }
  const length = frame.length;
  if (
    header < changetype<usize>(frame) + BUFFER_HEADER ||
    frame.tailroom > BUFFER_ROOM ||
    length < ETHERNET_HEADER ||
    (flags != 0 &&
      (start > length ||
        offset > length ||
        start + offset + 2 > length ||
        !(device.features & DEVICE_CHECKSUM_TX)))
  ) {
    device.transmitDropped++;
    return -EINVAL;
  }
  store<u64>(header, flags | ((<u64>start) << 48));
  store<u32>(header, offset, 8);
  if (!queue.add(header, length + HEADER, 0, <u32>changetype<usize>(frame))) {
    device.transmitDropped++;
    return -ENETDOWN;
  }
  frame.references++;
  device.sentFrames++;
  device.sentBytes += length;
  return 0;
}

/** The queue is half full: takes back what it can. True when at least one descriptor is free. */
function makeRoom(it: VirtioNet): bool {
  if (it.stopped) return false;
  reclaim(it);
  if (it.transmitQueue.free == 0) {
    // What the device has not been told of it cannot send.
    flush(it.device);
    reclaim(it);
  }
  return it.transmitQueue.free != 0;
}

/** NetworkDevice.flush. */
export function flush(device: NetworkDevice): void {
  const it = changetype<VirtioNet>(device.driver);
  if (it.stopped || !it.transmitQueue.hasUnpublished) return;
  it.transmitQueue.publish();
  startTimer(it);
}
