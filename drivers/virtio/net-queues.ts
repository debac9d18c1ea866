/**
 * The two queues of a virtio network device (virtio 1.2, 5.1.6). A frame is one buffer, or, where the device cuts TCP into segments or puts segments
 * together, a chain of them (segments.ts).
 *
 * Receiving: a round takes in up to BUDGET frames (fewer, where their checksums are to be checked). The next interrupt is asked for when all that were there have been taken, and then
 * the queue is looked at once more: to look before that as well costs each interrupt 25 instructions. Buffers that
 * were used up are replaced in batches. When the pool is empty the ring shrinks; each round and a timer try again, so that it
 * fills up as buffers come back.
 *
 * Transmitting: no interrupts. A frame's reference is given back when the queue is half full, before a round of receiving when a sixteenth of it is in use and, at
 * the latest, HOUSEKEEPING_TIME after the device has read it.
 */
import { read16, read32 } from "../../kernel/hal";
import { addCost, takeCost } from "../../kernel/interrupts/polls";
import { EINVAL, ENETDOWN, ENOBUFS } from "../../kernel/errno";
import { now } from "../../kernel/time/clock";
import { timerPending, timerStart } from "../../kernel/time/timers";
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
import {
  ETHERNET_HEADER,
  HEADER,
  HEADER_F_NEEDS_CSUM,
  HEADER_NUM_BUFFERS,
  RECEIVE_HEADROOM,
  RECEIVE_ROOM,
  VirtioNet,
} from "./net-state";
import { receiveSegments, transmitSegments } from "./segments";
import { VIRTQ_DESC_F_WRITE } from "./virtqueue";

/**
 * Frames that one interrupt, or one call of virtioNetPoll(), takes in: with what they cause, less than 15,000 instructions with interrupts off. Each byte of one that
 * the device has not checked costs an instruction more: 512 of them count for a frame. What costs more than others says so (addCost): an acknowledgement of many
 * segments, and buffers that the device gives back.
 */
const BUDGET: i32 = 7;
const CHECKED_SHIFT: u32 = 9;
/** So many buffers that come back cost 1/COST_UNIT of a frame. */
const RECLAIM_SHIFT: u32 = 1;
/** After that many nanoseconds, what the device has sent is given back, and buffers for an incomplete receive queue are tried for. */
const HOUSEKEEPING_TIME: u64 = 20_000_000;

// @ts-ignore: decorator
@inline
export function startTimer(it: VirtioNet): void {
  if (!timerPending(it)) timerStart(it, now() + HOUSEKEEPING_TIME);
}

// ---- Receiving ----

export function receiveFrames(it: VirtioNet): void {
  const queue = it.receiveQueue;
  let budget = BUDGET - <i32>takeCost();
  it.more = 0;
  queue.look();
  do {
    for (;;) {
      const token = queue.takeSeen();
      if (token == 0) break;
      budget -= receiveFrame(it, changetype<PacketBuffer>(token), queue.length) + <i32>takeCost();
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
  let word: u32 = 0;
  let buffers: u32 = 0;
  if (it.missing == 0 && written >= HEADER + ETHERNET_HEADER) {
    // Each word of the header is read once, so that the device cannot change it after the check.
    word = read32(header);
    buffers = it.mergeable ? read16(header + HEADER_NUM_BUFFERS) : 1;
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
  }
  return receiveSegments(it, frame, written, word, buffers);
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
  const before = queue.free;
  let token = queue.takePart();
  if (token == 0) return;
  do {
    releaseBuffer(changetype<PacketBuffer>(token));
    token = queue.takePart();
  } while (token != 0);
  addCost((queue.free - before) >> RECLAIM_SHIFT);
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
  // Not to be inlined, as in net/socket/tcp/send.ts.
  if (frame.more !== null) return call_indirect<i32>(transmitSegments.index, it, frame);
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
