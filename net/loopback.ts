/**
 * Packets to ourselves: 127.0.0.0/8, ::1 and the interface's own addresses.
 *
 * They are copied, because the sender may use its buffer again at once, and queued, because the sender stands in the middle
 * of its own work: they come in when the queue is drained (networkFlush), never from within the call that sent them.
 */
import { ENOBUFS } from "../kernel/errno";
import { leavePoll, POLL_RECEIVE, takeCost } from "../kernel/interrupts/polls";
import { now } from "../kernel/time/clock";
import { Timer, timerPrepare, timerStartAt } from "../kernel/time/timers";
import {
  allocateBuffer,
  BUFFER_HEADER,
  BUFFER_ROOM,
  BufferQueue,
  CHECKSUM_VALID,
  PacketBuffer,
} from "./buffer";
import { networkCounters } from "./counters";
import { receiveLevel } from "./levels";

/** Packets that one drain hands in at most; a poll drains the rest, or a timer, so that nothing else starves. */
const BUDGET: i32 = 8;


@unmanaged
class Loopback extends BufferQueue {
  limit: u32;
  draining: u32;
  /** (buffer) => void: the network layer's. */
  receive: u32;
}

let loopback: Loopback = changetype<Loopback>(0);
let timer: Timer = changetype<Timer>(0);

/** Bytes of `storage` for initializeLoopback. */
export const LOOPBACK_STORAGE: usize = ((offsetof<Loopback>() + 7) & ~7) + offsetof<Timer>();

/** Once at boot. `limit`: packets queued at most. `receive`: (buffer) => void, gets packets, at their IP header, with a reference. */
export function initializeLoopback(storage: usize, limit: u32, receive: u32): void {
  memory.fill(storage, 0, LOOPBACK_STORAGE);
  loopback = changetype<Loopback>(storage);
  loopback.limit = limit;
  loopback.receive = receive;
  timer = changetype<Timer>(storage + ((offsetof<Loopback>() + 7) & ~7));
  timerPrepare(timer, loopbackTimer.index);
}

/** Queues a copy of the IP packet in `buffer`, which it borrows. 0, or -ENOBUFS. */
export function loopbackOutput(buffer: PacketBuffer): i32 {
  const copy = loopback.count < loopback.limit ? allocateBuffer(0) : null;
  if (copy === null) {
    networkCounters().ipNoBuffer++;
    return -ENOBUFS;
  }
  // As deep in the buffer as the original: there is headroom for an answer in place.
  const headroom = <u32>(buffer.data - changetype<usize>(buffer)) - BUFFER_HEADER;
  assert(headroom + buffer.length <= BUFFER_ROOM);
  copy.data += headroom;
  copy.length = buffer.length;
  copy.flags = CHECKSUM_VALID;
  memory.copy(copy.data, buffer.data, buffer.length);
  loopback.append(copy);
  leavePoll(POLL_RECEIVE, receiveLevel);
  return 0;
}

/** Hands queued packets in, those too that they cause. Does nothing when called from within. */
export function loopbackPoll(): void {
  if (loopback.count == 0 || loopback.draining != 0) return;
  loopback.draining = 1;
  let budget = BUDGET;
  while (budget > 0) {
    const buffer = loopback.take();
    if (buffer === null) break;
    call_indirect<void>(loopback.receive, buffer);
    budget -= 1 + <i32>takeCost();
  }
  loopback.draining = 0;
  if (loopback.count == 0) return;
  leavePoll(POLL_RECEIVE, receiveLevel);
  timerStartAt(timer, now(), receiveLevel);
}

function loopbackTimer(timer: Timer): void {
  loopbackPoll();
}
