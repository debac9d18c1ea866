/**
 * The priority level of a socket (AEM 3.2.1), at which what is received for it is worked off, and its timers run: that of the highest of those who wait for it,
 * events and blocked threads, or that of the main code of its process where nobody does. The waiters stand by level (WaitQueue.join), so it is the first one's.
 */
import { Waiter } from "../../kernel/scheduler/wait";
import { countLevel } from "../levels";
import { raisePackets } from "../packets";
import { Socket } from "./socket";

/** A new socket, of `level` as long as nobody waits for it. */
export function addSocketLevel(socket: Socket, level: u32): void {
  socket.ownLevel = <u8>level;
  socket.level = <u8>level;
  countLevel(level, 1);
}

/** It is of a process of that level now. */
export function ownSocket(socket: Socket, level: u32): void {
  socket.ownLevel = <u8>level;
  rankSocket(socket);
}

/** Somebody waits for it, or does no more, or has another level. */
export function rankSocket(socket: Socket): void {
  const level = socket.isEmpty ? <u32>socket.ownLevel : changetype<Waiter>(socket.next).level;
  if (<u32>socket.level != level) setSocketLevel(socket, level);
}

/** The socket goes. */
export function removeSocketLevel(socket: Socket): void {
  countLevel(socket.level, -1);
}

/** From now on it is of `level`, until it is ranked. What waits for it, packets and timers, is so as well. */
export function setSocketLevel(socket: Socket, level: u32): void {
  if (<u32>socket.level == level) return;
  if (level > <u32>socket.level) raisePackets(socket, level);
  countLevel(socket.level, -1);
  socket.level = <u8>level;
  countLevel(level, 1);
  if (socket.protocol.ranked != 0) call_indirect<void>(socket.protocol.ranked, socket);
}
