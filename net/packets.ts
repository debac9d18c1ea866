/**
 * Packets that have been found to be for a socket of a lower level than the highest: they wait until their level has its turn (Druschel and Banga
 * 1996: lazy receiver processing), so that a flood for one socket keeps only what ranks no higher waiting. Where all sockets are of the default level, nothing is ever
 * looked up here, and nothing waits.
 */
import { leavePoll, POLL_PACKETS, takeCost } from "../kernel/interrupts/polls";
import { noteWork } from "../kernel/scheduler/wake";
import { BufferQueue, PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { levelsMatter, receiveLevel } from "./levels";
import { Socket } from "./socket/socket";

/** Packets of one level that one round hands in at most. */
const BUDGET: i32 = 8;
const QUEUE_SIZE: usize = offsetof<BufferQueue>();

/** 64 × BufferQueue, and 64 × u32: packets that have joined each */
let queues: usize = 0;
let limit: u32 = 0;
let promisedLimit: u32 = 0;
/** Buffers that wait, at all levels (a packet is one, unless it is a chain); the levels at which some do, a bit each; and of those the ones at which some were for sockets of lower levels. */
let waiting: u32 = 0;
let filled: u64 = 0;
let mixed: u64 = 0;

/** Beside the socket of a packet: it is a connection, which has promised room for it. */
export const PACKET_PROMISED: usize = 1;
/** Addresses are not lower. */
const PRIORITY_LEVELS: usize = 64;

/** Bytes of storage for initializePackets. */
const NUMBERS: usize = QUEUE_SIZE * 64;
export const PACKETS_STORAGE: usize = NUMBERS + 64 * 4;

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
  taken = 0;
  filled = 0;
  mixed = 0;
}

/**
 * A packet for a transport, whose reference it takes. `input`: (buffer) => void, the transport's. `destination`: (buffer) => usize, the address of the
 * socket that it is for, with PACKET_PROMISED; below PRIORITY_LEVELS: for none, but of that level.
 */
// @ts-ignore: decorator
@inline
export function packetArrives(buffer: PacketBuffer, input: u32, destination: u32): void {
  if (!(levelsMatter || waiting != 0) || !waits(buffer, input, destination))
    call_indirect<void>(input, buffer);
}

/** Whether it has to wait; a packet that does not find room is dropped. */
function waits(buffer: PacketBuffer, input: u32, destination: u32): bool {
  const found = call_indirect<usize>(destination, buffer);
  const socket = changetype<Socket>(found & ~PACKET_PROMISED);
  const nobody = found < PRIORITY_LEVELS;
  const level = nobody ? <u32>found : <u32>socket.level;
  // Behind those that came before it, at this level or when the socket had a higher one.
  if (level >= receiveLevel && filled >> level == 0) return false;
  const queue = queueOf(level);
  const promised = !nobody && (found & PACKET_PROMISED) != 0;
  const pieces = buffer.pieces;
  if (waiting + pieces > promisedLimit || (queue.count + pieces > limit && !promised)) {
    networkCounters().packetsDropped++;
    releaseBuffer(buffer);
    return true;
  }
  buffer.input = input;
  queue.append(buffer);
  const number = count(level, 1);
  if (!nobody) {
    socket.queuedAt = <u8>level;
    socket.queuedNumber = number;
  }
  waiting += pieces;
  leave(level);
  return true;
}

/** The packet that was taken out of a queue and is being dealt with, the queue's level, and its bit if that was a mixed one. */
let taken: usize = 0;
let takenFrom: u32 = 0;
let takenMixed: u64 = 0;

/**
 * The packet that is being dealt with, of `socket`, is more than one piece of work: it comes in again, by `input`, before all that wait at its level. Takes a
 * reference.
 */
export function packetAgain(buffer: PacketBuffer, input: u32, socket: Socket): void {
  let level = <u32>socket.level;
  // One that was taken out of a queue is in its place again.
  if (changetype<usize>(buffer) == taken) {
    level = takenFrom;
    mixed |= takenMixed;
  } else {
    socket.queuedAt = <u8>level;
    socket.queuedNumber = count(level, 1);
  }
  buffer.input = input;
  queueOf(level).prepend(buffer);
  waiting += buffer.pieces;
  leave(level);
}

// @ts-ignore: decorator
@inline
function queueOf(level: u32): BufferQueue {
  return changetype<BufferQueue>(queues + <usize>level * QUEUE_SIZE);
}

/** So many more have joined the queue of a level; how many that are since boot, modulo 2^32. */
function count(level: u32, packets: u32): u32 {
  const word = queues + NUMBERS + ((<usize>level) << 2);
  const number = load<u32>(word) + packets;
  store<u32>(word, number);
  return number;
}

function leave(level: u32): void {
  filled |= (<u64>1) << level;
  leavePoll(POLL_PACKETS, level);
  noteWork(level);
}

/**
 * The socket will be of a higher level, `level`. Nothing that comes then overtakes what waits for it: that goes first, at the new level, and takes with it what
 * stands between. (Some of that may be for others; it is no more than one queue's limit, and only where the socket has packets in it.)
 */
export function raisePackets(socket: Socket, level: u32): void {
  if (waiting == 0) return;
  const below = ((<u64>1) << level) - 1;
  let from = filled & mixed & below;
  if (hasWaiting(socket)) from |= filled & below & (u64.MAX_VALUE << socket.queuedAt);
  if (from == 0) return;
  const queue = queueOf(level);
  // The higher ones first: a socket whose level has fallen has its older packets there.
  filled &= ~from;
  while (from != 0) {
    const highest = 63 - <u32>clz(from);
    const lower = queueOf(highest);
    count(level, lower.count);
    queue.join(lower);
    from &= ~((<u64>1) << highest);
  }
  mixed = (mixed & filled) | ((<u64>1) << level);
  leave(level);
}

/** Whether the last of its packets that had to wait still does. */
function hasWaiting(socket: Socket): bool {
  const level = <u32>socket.queuedAt;
  return <i32>(socket.queuedNumber - (count(level, 0) - queueOf(level).count)) > 0;
}

/** The poll of POLL_PACKETS: hands some of those of a level in, those of higher levels first. True when there are more. */
export function packetsPoll(level: u32): bool {
  for (let budget = BUDGET; budget > 0 && filled >> level != 0; budget -= 1 + <i32>takeCost()) {
    const top = 63 - <u32>clz(filled);
    const queue = queueOf(top);
    const buffer = queue.take()!;
    waiting -= buffer.pieces;
    taken = changetype<usize>(buffer);
    takenFrom = top;
    takenMixed = mixed & ((<u64>1) << top);
    if (queue.count == 0) {
      filled &= ~((<u64>1) << top);
      mixed &= filled;
    }
    call_indirect<void>(buffer.input, buffer);
    taken = 0;
  }
  return ((filled >> level) & 1) != 0;
}
