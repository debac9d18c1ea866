/**
 * Priority levels of reception (AEM 3.2.1). What is received for a socket is worked off at the level of the socket: the highest of those who wait for it,
 * events and blocked threads, or that of the main code of its process where nobody does. The waiters stand by level (WaitQueue.join), so that is the first one's.
 *
 * A frame must be looked at before anybody knows for whom it is. That is done at the level of the highest socket there is (`receiveLevel`).
 */
import { movePoll, POLL_LEVEL_DEFAULT, POLL_RECEIVE, pollLevel } from "../kernel/interrupts/polls";
import { noteWork } from "../kernel/scheduler/scheduler";
import { Waiter } from "../kernel/scheduler/wait";
import { Socket } from "./socket/socket";

/** Highest level of a socket, the default one at least: ARP, ICMP and what nobody wants come in at it. */
export let receiveLevel: u32 = POLL_LEVEL_DEFAULT;
/** There is a socket of another level than the default one. */
export let levelsMatter: bool = false;

/** 64 counts: sockets of each level. And bit l: there is one of level l. */
let counts: usize = 0;
let present: u64 = 0;

/** Bytes of storage for initializeLevels. */
export const LEVELS_STORAGE: usize = 64 * 4;

/** Once at boot. */
export function initializeLevels(storage: usize): void {
  counts = storage;
  memory.fill(storage, 0, LEVELS_STORAGE);
  present = 0;
  update();
}

function count(level: u32, change: i32): void {
  const word = counts + ((<usize>level) << 2);
  const bit = (<u64>1) << level;
  const sockets = load<u32>(word) + change;
  store<u32>(word, sockets);
  if (sockets != 0 && (present & bit) != 0) return;
  present = sockets == 0 ? present & ~bit : present | bit;
  update();
}

function update(): void {
  const level = max(POLL_LEVEL_DEFAULT, 63 - <u32>clz(present | 1));
  if (level != receiveLevel) {
    receiveLevel = level;
    // Among the frames that nobody has looked at may be some for the new socket.
    movePoll(POLL_RECEIVE, level);
    if (pollLevel >= <i32>level) noteWork(level);
  }
  levelsMatter = (present & ~((<u64>1) << POLL_LEVEL_DEFAULT)) != 0;
}

/** A new socket, of `level` as long as nobody waits for it. */
export function addSocketLevel(socket: Socket, level: u32): void {
  socket.ownLevel = <u8>level;
  socket.level = <u8>level;
  count(level, 1);
}

/** It is of a process of that level now. */
export function ownSocket(socket: Socket, level: u32): void {
  socket.ownLevel = <u8>level;
  rankSocket(socket);
}

/** Somebody waits for it, or does no more, or has another level. */
export function rankSocket(socket: Socket): void {
  setSocketLevel(socket, socket.isEmpty ? socket.ownLevel : changetype<Waiter>(socket.next).level);
}

/** The socket goes. */
export function removeSocketLevel(socket: Socket): void {
  count(socket.level, -1);
}

/** From now on it is of `level`, until it is ranked. */
export function setSocketLevel(socket: Socket, level: u32): void {
  if (<u32>socket.level == level) return;
  count(socket.level, -1);
  socket.level = <u8>level;
  count(level, 1);
}
