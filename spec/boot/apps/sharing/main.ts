/**
 * Several handlers on one socket (AEM 3.6.5; spec/boot/aem/sharing.test.ts): on each connection to TCP port 2600 a fast function, a slow one
 * that keeps its blocks, and a capsule; on UDP port 2601 a fast function, a slow one, and a thread; UDP port 2602 is read by two processes.
 *
 * The slow ones keep some blocks, stop, and go on only when the fast one is well ahead, or has had all: if slow handlers held up others, they would
 * wait for ever. Byte n of the stream is pattern(n), byte i of datagram n is pattern(STEP * n + i), its length datagramLength(n).
 */
import {
  EVF_CAPSULE,
  EVF_THREAD,
  EVJOBSTART,
  EVJOBSTOP,
  FORK_EVENTS,
  MSG_DONTWAIT,
  SOCKADDR_SIZE,
  bindUdp,
  close,
  enter_keepalive,
  evctl,
  fork,
  getpid,
  listenTcp,
  onAccept,
  onClose,
  onRead,
  onTimer,
  sendto,
  vmtable_free,
  vmtable_keep,
} from "../../../../sdk";
import { row } from "../report";

const MILLISECOND: i64 = 1_000_000;
const STREAM_BYTES: i32 = 400_000;
const STREAM_AHEAD: i32 = 65_536;
const DATAGRAMS: i32 = 40;
const DATAGRAMS_AHEAD: i32 = 10;
const STEP: i32 = 251;
/** Blocks that a slow handler keeps before it stops. */
const KEPT: i32 = 4;

function pattern(position: i32): u8 {
  return <u8>(position * 7 + (position >> 8) * 13);
}

function datagramLength(n: i32): i32 {
  return 100 + 17 * n;
}

function wrongBytes(data: usize, position: i32, length: i32): i32 {
  let wrong = 0;
  for (let i = 0; i < length; i++) if (load<u8>(data + i) != pattern(position + i)) wrong++;
  return wrong;
}

/** What one handler has seen. */
@unmanaged
class Seen {
  /** Bytes, or datagrams, so far. */
  count: i32;
  wrong: i32;
  calls: i32;

  stream(data: usize, length: i32): void {
    this.wrong += wrongBytes(data, this.count, length);
    this.count += length;
    this.calls++;
  }

  datagram(data: usize, length: i32): void {
    if (length != datagramLength(this.count)) this.wrong++;
    this.wrong += wrongBytes(data, STEP * this.count, length);
    this.count++;
    this.calls++;
  }
}

/** A handler that keeps what it gets for a while. */
@unmanaged
class Slow extends Seen {
  jid: i32;
  kept: i32;
  /** KEPT times address, length, position. */
  blocks: usize;
  /** Furthest that the fast one was ahead when this one went on. */
  ahead: i32;

  keep(data: usize, position: i32, length: i32): void {
    if (vmtable_keep(data) < 0) this.wrong++;
    const place = this.blocks + 12 * this.kept++;
    store<u32>(place, <u32>data);
    store<i32>(place, length, 4);
    store<i32>(place, position, 8);
    if (this.kept == KEPT) evctl(this.jid, EVJOBSTOP, 0);
  }

  /** What it has kept must still be what it was. */
  free(): void {
    while (this.kept > 0) {
      const place = this.blocks + 12 * --this.kept;
      const data = <usize>load<u32>(place);
      this.wrong += wrongBytes(data, load<i32>(place, 8), load<i32>(place, 4));
      if (vmtable_free(data) < 0) this.wrong++;
    }
  }

  goOn(fast: Seen, distance: i32, all: i32): void {
    if (this.kept < KEPT || (fast.count < this.count + distance && fast.count < all)) return;
    this.ahead = max(this.ahead, fast.count - this.count);
    this.free();
    evctl(this.jid, EVJOBSTART, 0);
  }
}

function newSeen(): Seen {
  const seen = changetype<Seen>(heap.alloc(offsetof<Seen>()));
  memory.fill(changetype<usize>(seen), 0, offsetof<Seen>());
  return seen;
}

function newSlow(): Slow {
  const slow = changetype<Slow>(heap.alloc(offsetof<Slow>()));
  memory.fill(changetype<usize>(slow), 0, offsetof<Slow>());
  slow.blocks = heap.alloc(12 * KEPT);
  return slow;
}

// ---- A stream ----

const streamFast: Seen = newSeen();
const streamSlow: Slow = newSlow();
const streamCapsule: Seen = newSeen();

function accepted(jid: i32, listener: i32, fd: i32): void {
  const fast = onRead(fd, fastStream);
  streamSlow.jid = onRead(fd, slowStream);
  row("stream", fast, streamSlow.jid, onRead(fd, capsuleStream, EVF_CAPSULE), onClose(fd, closed));
}

function fastStream(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length > 0) streamFast.stream(data, length);
  else row("stream-fast", streamFast.count, streamFast.wrong, length);
}

function slowStream(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length > 0) {
    const position = streamSlow.count;
    streamSlow.stream(data, length);
    streamSlow.keep(data, position, length);
    return;
  }
  streamSlow.free();
  row("stream-slow", streamSlow.count, streamSlow.wrong, length, streamSlow.ahead);
}

/** In a process of its own: what it counts is there, and not in the one that registered it. */
function capsuleStream(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length > 0) streamCapsule.stream(data, length);
  else row("stream-capsule", streamCapsule.count, streamCapsule.wrong, length, getpid());
}

function closed(jid: i32, fd: i32, error: i32): void {
  row("stream-closed", error, streamFast.count, streamSlow.count, streamCapsule.calls, getpid());
  close(fd);
}

// ---- Datagrams ----

const datagramFast: Seen = newSeen();
const datagramSlow: Slow = newSlow();
const datagramThread: Seen = newSeen();

/** Each is answered: the sender sends the next one then. */
function fastDatagram(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  datagramFast.datagram(data, length);
  if (datagramFast.count == DATAGRAMS) row("datagram-fast", DATAGRAMS, datagramFast.wrong);
  sendto(fd, data, 1, MSG_DONTWAIT, from, SOCKADDR_SIZE);
}

function slowDatagram(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  const position = STEP * datagramSlow.count;
  datagramSlow.datagram(data, length);
  datagramSlow.keep(data, position, length);
  if (datagramSlow.count == DATAGRAMS) {
    datagramSlow.free();
    row("datagram-slow", DATAGRAMS, datagramSlow.wrong, datagramSlow.ahead);
  }
}

function threadDatagram(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  datagramThread.datagram(data, length);
  if (datagramThread.count == DATAGRAMS) row("datagram-thread", DATAGRAMS, datagramThread.wrong);
}

function tick(jid: i32, overrun: i32): void {
  streamSlow.goOn(streamFast, STREAM_AHEAD, STREAM_BYTES);
  datagramSlow.goOn(datagramFast, DATAGRAMS_AHEAD, DATAGRAMS);
}

// ---- Two processes ----

const forked: Seen = newSeen();

function forkedDatagram(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  forked.datagram(data, length);
  row("forked", getpid(), forked.count, forked.wrong);
}

export function main(): i32 {
  onRead(bindUdp(2602), forkedDatagram);
  // Both have the event from here on.
  const child = fork(FORK_EVENTS);
  if (child != 0) {
    onAccept(listenTcp(2600), accepted);
    const socket = bindUdp(2601);
    onRead(socket, fastDatagram);
    datagramSlow.jid = onRead(socket, slowDatagram);
    onRead(socket, threadDatagram, EVF_THREAD);
    onTimer(MILLISECOND, 10 * MILLISECOND, tick);
    row("sharing", getpid(), child);
  }
  enter_keepalive();
  return 0;
}
