/** 3.1.1 and 3.1.2: handlers of every kind, several of them on each connection to port 2101. Each says its own name. */
import { listenTcp, onAccept, onClose, onRead, onSock, onState } from "../../../../sdk";
import { row } from "../report";
import { statistics } from "./statistics";

const PORT: u32 = 2101;

function closed(jid: i32, fd: i32, error: i32): void {
  row("closed", jid, fd, error, statistics(jid).type);
}

function closedToo(jid: i32, fd: i32, error: i32): void {
  row("closed-too", jid, fd, error, statistics(jid).type);
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  row("received", jid, fd, length, length > 0 ? load<u8>(data) : -1, from, statistics(jid).type);
}

function receivedToo(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  row("received-too", jid, fd, length, length > 0 ? load<u8>(data) : -1, from, statistics(jid).type);
}

function changed(jid: i32, fd: i32, oldState: i32, newState: i32): void {
  row("changed", jid, fd, oldState, newState, statistics(jid).type);
}

function polled(jid: i32, fd: i32, events: i32, error: i32): void {
  row("polled", jid, fd, events, error, statistics(jid).type);
}

function accepted(jid: i32, fd: i32, newfd: i32): void {
  const read = onRead(newfd, received);
  const readToo = onRead(newfd, receivedToo);
  // The same handler twice, and another one.
  const first = onClose(newfd, closed);
  const again = onClose(newfd, closed);
  row("connection", newfd, read, readToo, first, again, onClose(newfd, closedToo));
  const priority = statistics(first).priority;
  row("connection-priorities", newfd, priority, statistics(again).priority);
  row("connection-states", newfd, onState(newfd, changed), onSock(newfd, polled));
  row("accepted", jid, fd, newfd, statistics(jid).type);
}

/** The jid of the event that accepts. */
export function handlers(): i32 {
  const listener = listenTcp(PORT);
  const jid = onAccept(listener, accepted);
  row("listening", listener, jid);
  return jid;
}
