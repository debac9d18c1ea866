/**
 * Packets that have been found to be for a socket of a lower level than the highest: they wait until their level has its turn (Druschel and Banga
 * 1996: lazy receiver processing), so that a flood for one socket keeps only what ranks no higher waiting. Where all sockets are of the default level, nothing is ever
 * looked up here, and nothing waits.
 */
import { leavePoll, POLL_PACKETS } from "../kernel/interrupts/polls";
import { noteWork } from "../kernel/scheduler/scheduler";
import { BufferQueue, PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { levelsMatter, receiveLevel } from "./levels";

/** Packets of one level that one round hands in at most. */
const BUDGET: u32 = 8;
const QUEUE_SIZE: usize = offsetof<BufferQueue>();

/** 64 × BufferQueue */
let queues: usize = 0;
let limit: u32 = 0;
let promisedLimit: u32 = 0;
/** Buffers that wait, at all levels: a packet is one, unless it is a chain. */
let waiting: u32 = 0;

/** Beside the level of a packet: there is a connection that it belongs to, which has promised room for it. */
export const PACKET_PROMISED: u32 = 64;

/** Bytes of storage for initializePackets. */
export const PACKETS_STORAGE: usize = QUEUE_SIZE * 64;

/**
 * Once at boot. `most`: packets that wait at each level; more are dropped and counted (packetsDropped), but for those of connections. At all levels
 * together `promised` may wait.
 */
export function initializePackets(storage: usize, most: u32, promised: u32): void {
  memory.fill(storage, 0, PACKETS_STORAGE);
  queues = storage;
  limit = most;
  promisedLimit = promised;
  waiting = 0;
}

/**
 * A packet for a transport, whose reference it takes. `input`: (buffer) => void, the transport's; `levelOf`: (buffer) => u32, the level of the
 * socket that it is for, with PACKET_PROMISED.
 */
// @ts-ignore: decorator
@inline
export function packetArrives(buffer: PacketBuffer, input: u32, levelOf: u32): void {
  if (!levelsMatter || !waits(buffer, input, levelOf)) call_indirect<void>(input, buffer);
}

/** Whether it has to wait; a packet that does not find room is dropped. */
function waits(buffer: PacketBuffer, input: u32, levelOf: u32): bool {
  const found = call_indirect<u32>(levelOf, buffer);
  const level = found & 63;
  const queue = queueOf(level);
  // Behind those that came before it.
  if (level >= receiveLevel && queue.count == 0) return false;
  const pieces = buffer.pieces;
  if (waiting + pieces > promisedLimit || (queue.count + pieces > limit && !(found & PACKET_PROMISED))) {
    networkCounters().packetsDropped++;
    releaseBuffer(buffer);
    return true;
  }
  buffer.input = input;
  queue.append(buffer);
  waiting += pieces;
  leavePoll(POLL_PACKETS, level);
  noteWork(level);
  return true;
}

// @ts-ignore: decorator
@inline
function queueOf(level: u32): BufferQueue {
  return changetype<BufferQueue>(queues + <usize>level * QUEUE_SIZE);
}

/** The poll of POLL_PACKETS: hands some of those of a level in. True when there are more. */
export function packetsPoll(level: u32): bool {
  const queue = queueOf(level);
  for (let budget = BUDGET; budget != 0; budget--) {
    const buffer = queue.take();
    if (buffer === null) return false;
    waiting -= buffer.pieces;
    call_indirect<void>(buffer.input, buffer);
  }
  return queue.count != 0;
}
