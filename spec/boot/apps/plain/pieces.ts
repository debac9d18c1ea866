/**
 * sendmsg in main code: a head and a body that stands in many pieces go to a client as one stream; one datagram of pieces; and a writev that waits while a
 * handler calls writev as well.
 */
import {
  EAGAIN,
  INADDR_LOOPBACK,
  IOV_MAX,
  MSG_DONTWAIT,
  SHUT_WR,
  SOCKADDR_SIZE,
  bindUdp,
  close,
  connect,
  iovec,
  msghdr,
  nanosleep,
  onTimer,
  recv,
  send,
  sendmsg,
  setAddress,
  shutdown,
  writev,
} from "../../../../sdk";
import { row } from "../report";

const MILLISECOND: i64 = 1_000_000;
const PIECES: i32 = IOV_MAX - 1;
const PIECE: i32 = 4001;
/** Times that the body goes without blocking. */
const ROUNDS: i32 = 8;

const head = memory.data<u8>([0x68, 0x65, 0x61, 0x64, 13, 10, 13, 10]);
const vector = memory.data(65 * 8, 8);
const message = changetype<msghdr>(memory.data(28, 8));
const body = heap.alloc(<usize>(PIECES * PIECE));

function piece(index: i32, base: usize, length: i32): void {
  const entry = changetype<iovec>(vector + 8 * <usize>index);
  entry.base = base;
  entry.length = length;
}

/** The pieces of the body from entry `index` on: the last one stands first. */
function putBody(index: i32): void {
  for (let i = 0; i < PIECES; i++) piece(index + i, body + <usize>((PIECES - 1 - i) * PIECE), PIECE);
}

/** Takes `bytes` off the `count` entries: those that are left begin at the one that is returned. */
function advance(index: i32, bytes: i32): i32 {
  while (true) {
    const entry = changetype<iovec>(vector + 8 * <usize>index);
    if (bytes < entry.length) {
      entry.base += bytes;
      entry.length -= bytes;
      return index;
    }
    bytes -= entry.length;
    if (++index == PIECES) return index;
  }
}

/** All of the vector, without blocking; calls that took a part. Negative: an errno. */
function sendUnblocked(client: i32): i32 {
  let parts = 0;
  for (let at = 0; at < PIECES;) {
    const taken = writev(client, vector + 8 * <usize>at, PIECES - at, MSG_DONTWAIT);
    if (taken == -EAGAIN) nanosleep(10 * MILLISECOND);
    else if (taken < 0) return taken;
    else {
      at = advance(at, taken);
      if (at < PIECES) parts++;
    }
  }
  return parts;
}

export function sendPieces(client: i32): void {
  for (let i = 0; i < PIECES; i++)
    for (let j = 0; j < PIECE; j++)
      store<u8>(body + <usize>((PIECES - 1 - i) * PIECE + j), <u8>((i * PIECE + j) * 7 + i));
  for (let i = 0; i < 65; i++) piece(i, head, 1);
  const refused = writev(client, vector, 65);
  piece(1, 0xfff00000, 1);
  const outside = writev(client, vector, 2);
  piece(1, head, -1);
  const negative = writev(client, vector, 2);
  row(
    "plain-pieces-refused",
    refused,
    outside,
    negative,
    sendmsg(client, 0xfff00000, 0),
    writev(client, 0xfff00000, 1),
  );
  piece(0, head, 8);
  putBody(1);
  row("plain-pieces", writev(client, vector, IOV_MAX));
  let parts = 0;
  for (let i = 0; i < ROUNDS; i++) {
    putBody(0);
    const result = sendUnblocked(client);
    if (result < 0) row("plain-pieces-failed", result);
    parts += result;
  }
  row("plain-pieces-unblocked", <i32>(parts > 0));
}

/** The `length` bytes at `data` as one datagram of three pieces, one of them empty, to `name`. */
export function sendDatagram(fd: i32, data: usize, length: i32, name: usize): i32 {
  const half = length >> 1;
  piece(0, data, half);
  piece(1, 0, 0);
  piece(2, data + <usize>half, length - half);
  message.name = name;
  message.nameLength = SOCKADDR_SIZE;
  message.vector = vector;
  message.count = 3;
  return sendmsg(fd, changetype<usize>(message), 0);
}

// ---- A handler's writev while main's waits ----

const BESIDE_PORT: u32 = 2012;
const ours = memory.data<u8>([0x6f, 0x75, 0x72, 0x73]);
const theirs = memory.data<u8>([0x74, 0x68, 0x65, 0x69, 0x72, 0x73, 0x21]);
const theirVector = memory.data(8, 8);
const besideName = memory.data(16, 8);
const received = memory.data(16);
let beside: i32 = -1;
/** What the handler's call has returned; 0: it has not run. */
let besideSent: i32 = 0;

function sendBeside(jid: i32, overrun: i32): void {
  const entry = changetype<iovec>(theirVector);
  entry.base = theirs;
  entry.length = 7;
  besideSent = writev(beside, theirVector, 1);
  row("plain-beside", besideSent);
}

/** Sends zeros until nothing has been taken for a third of a second: what is sent now waits. */
function fillUp(client: i32): void {
  for (let refusals = 0; refusals < 32;) {
    const sent = send(client, body, PIECES * PIECE, MSG_DONTWAIT);
    refusals = sent < 0 ? refusals + 1 : 0;
    if (sent < 0) nanosleep(10 * MILLISECOND);
  }
}

/** "ours" in two pieces to a client that takes nothing, while a timer's handler sends "theirs!" to another socket. */
export function sendWaiting(client: i32): void {
  beside = bindUdp(BESIDE_PORT);
  setAddress(besideName, INADDR_LOOPBACK, BESIDE_PORT);
  connect(beside, besideName, SOCKADDR_SIZE);
  memory.fill(body, 0, <usize>(PIECES * PIECE));
  fillUp(client);
  piece(0, ours, 1);
  piece(1, ours + 1, 3);
  onTimer(100 * MILLISECOND, 0, sendBeside);
  const sent = writev(client, vector, 2);
  row("plain-waited", sent, besideSent, recv(beside, received, 16, MSG_DONTWAIT));
  shutdown(client, SHUT_WR);
  close(beside);
}
