/**
 * The world that the TCP specs live in: the whole network stack, a clock that jumps from event to event, and a device
 * with two peers behind it.
 *
 *   MIRROR   sends every packet back with its IPv4 addresses exchanged (the checksums stay right), after a delay, and with the
 *            accidents that `accidents` asks for. A connection to it arrives at a listener of the same stack.
 *   PEER     does nothing by itself: what is sent to it is kept for the script of a spec (script.ts).
 *
 * The device may offer to cut packets into segments and to put segments together (`offer`); what is on its way, and what a spec sees, are segments then, too.
 */
import { setClockFrequency, setClockStart } from "../../../kernel/time/clock";
import { initializeRandom, keySipHash, RANDOM_SIZE, seedRandom } from "../../../kernel/random";
import {
  initializePolls,
  leavePoll,
  POLL_OUTPUT,
  POLL_PACKETS,
  POLL_RECEIVE,
  POLL_STORAGE,
  pollLevel,
  runPolls,
  setPoll,
} from "../../../kernel/interrupts/polls";
import { initializeTimers, nextTimer, runTimers } from "../../../kernel/time/timers";
import { allocateBuffer, BUFFER_ROOM, bufferPool, PacketBuffer, releaseBuffer } from "../../../net/buffer";
import { checksumAdd, internetChecksum } from "../../../net/checksum";
import { DEVICE_CHECKSUM_TX, NetworkDevice } from "../../../net/device";
import { attachDevice, networkFlush, networkInterface, setAddress } from "../../../net/interface";
import { receiveLevel } from "../../../net/levels";
import { loopbackPoll } from "../../../net/loopback";
import { packetsPoll } from "../../../net/packets";
import { initializeNetwork } from "../../../net/stack";
import { initializeOptionTable, OPTION_TABLE_STORAGE } from "../../../net/socket/options";
import { defineSocketOptions } from "../../../net/socket/options-socket";
import { defineTcpOptions } from "../../../net/socket/tcp/socket-options";
import { connectionPool } from "../../../net/socket/tcp/connection";
import { requestPool } from "../../../net/socket/tcp/request";
import { sackPool } from "../../../net/socket/tcp/sack";
import { timeWaitPool } from "../../../net/socket/tcp/timewait";
import { initializeTcp } from "../../../net/socket/tcp/tcp";
import { growMemory, setUpArena } from "../../arena";
import { chance } from "../../chance";
import * as fake from "../../fake";
import { delayOf, FATE_DUPLICATE, FATE_LOSE, fateOf } from "./fates";
import { cut, fits, merge } from "./segments";

export const OWN: u32 = 0x0a000001;
export const MIRROR: u32 = 0x0a000002;
export const PEER: u32 = 0x0a000003;
export const MILLISECOND: u64 = 1_000_000;
export const SECOND: u64 = 1_000_000_000;

const BUFFERS: u32 = 2048;
export const MAX_CONNECTIONS: u32 = 600;
export const MAX_TIME_WAITS: u32 = 4096;

// ---- The clock ----

export let time: u64 = SECOND;

function setTime(to: u64): void {
  time = to;
  fake.setTsc(to);
}

// ---- Packets on their way ----

class Packet {
  bytes: Uint8Array = new Uint8Array(0);
  due: u64 = 0;
}

/** Not yet arrived, in the order of arrival. */
let flying: Packet[] = [];
/** IPv4 packets that were sent to PEER, oldest first. */
export let outbox: Uint8Array[] = [];

/** What goes wrong on the way to MIRROR and back, in thousandths; times in ns. */
export class Accidents {
  loss: u32 = 0;
  duplicate: u32 = 0;
  corrupt: u32 = 0;
  delay: u64 = 1_000_000;
  /** In how many cases a thousand packets that wait for the turn of their socket's level wait on. */
  lazy: u32 = 0;
  jitter: u32 = 0;
  /** The device refuses, as with a full transmit queue. */
  refuse: u32 = 0;
  /** Longer packets are dropped on the way; with `tells`, the router says so. */
  mtu: u32 = 65535;
  tells: bool = false;
  /** The device keeps its reference to a buffer for this long. */
  hold: bool = false;
}

export let accidents: Accidents = new Accidents();
/** A frame that the device still reads: nobody may write to its bytes. */
class Held {
  frame: PacketBuffer;
  data: usize;
  length: u32;
  sum: u32;

  constructor(frame: PacketBuffer) {
    this.frame = frame;
    this.data = frame.data;
    this.length = frame.length;
    this.sum = fingerprint(this.data, this.length);
  }
}

let held: Held[] = [];

/** FNV-1a of the bytes. */
function fingerprint(data: usize, length: u32): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let i: u32 = 0; i < length; i++) hash = (hash ^ load<u8>(data + i)) * 0x01000193;
  return hash;
}

export function calm(): void {
  accidents = new Accidents();
}

function releaseHeld(): void {
  for (let i = 0; i < held.length; i++) {
    const h = held[i];
    assert(fingerprint(h.data, h.length) == h.sum, "bytes that a device reads were written to");
    releaseBuffer(h.frame);
  }
  held = [];
}

function transmit(device: NetworkDevice, frame: PacketBuffer): i32 {
  if (chance(1000) < accidents.refuse) return -105;
  const type = load<u16>(frame.data, 12);
  if (type == 0x0608) {
    answerArp(frame);
    return 0;
  }
  const packets = cut(frame);
  if (accidents.hold) {
    for (let piece: PacketBuffer | null = frame; piece !== null; piece = piece.more) {
      piece.references++;
      held.push(new Held(piece));
    }
    if (held.length > 64) releaseHeld();
  }
  for (let i = 0; i < packets.length; i++) {
    const bytes = packets[i];
    const destination = bswap<u32>(load<u32>(bytes.dataStart, 16));
    if (destination == PEER) outbox.push(bytes);
    else if (destination == MIRROR) reflect(bytes);
  }
  return 0;
}

/** The device puts together what comes at the same time. */
let together: bool = false;
/** `collect`: what has come, and is not handed in yet. */
let collecting: bool = false;
let collected: Uint8Array[] = [];

/** The device cuts packets into segments, and puts segments together; or it does not. */
export function offer(cutting: bool, merging: bool): void {
  device.features = cutting ? DEVICE_CHECKSUM_TX : 0;
  device.segmented4 = cutting ? 65535 : 0;
  device.pieces = 64;
  attachDevice(device);
  together = merging;
}

/** From now on, until `offer`, no segments go down together. */
export function sendSingly(): void {
  networkInterface().cuts = 0;
}

/** What arrives from now on is kept until `arriveTogether`. */
export function collect(): void {
  collecting = true;
}

/**
 * Hands in what was collected, of which each packet goes on where the one before ends: as one, over buffers of `room` bytes. `at`: of its IPv4 header that octet becomes `value`; 0: it
 * stays as it is.
 */
export function arriveTogether(room: u32, at: u32 = 0, value: u8 = 0): void {
  collecting = false;
  const list = collected;
  collected = [];
  for (let i = 1; i < list.length; i++)
    assert(fits(list.slice(0, i), list[i]), "they do not belong together");
  const frame = merge(list, room);
  if (frame !== null && at != 0) {
    const ip = frame.data + 14;
    store<u8>(ip + at, value);
    store<u16>(ip, 0, 10);
    store<u16>(ip, internetChecksum(checksumAdd(ip, 20, 0)), 10);
  }
  handIn(frame);
}

function handIn(frame: PacketBuffer | null): void {
  if (frame === null) return;
  store<u32>(frame.data, device.address0);
  store<u16>(frame.data, device.address4, 4);
  store<u32>(frame.data, 0x33221102, 6);
  store<u16>(frame.data, 0x5544, 10);
  store<u16>(frame.data, 0x0008, 12);
  if (waiting) {
    ring.push(changetype<usize>(frame));
    return;
  }
  call_indirect<void>(device.receive, device, frame);
  networkFlush();
  takeTurns();
}

/** Frames stay in `ring` until they are looked at, ROUND at a time. */
let waiting: bool = false;
let ring: usize[] = [];
const ROUND: i32 = 8;

/** What arrives from now on waits in the device's queue, until `lookAtFrames`. */
export function letFramesWait(): void {
  waiting = true;
}

export function lookAtFrames(): void {
  beginToLook();
  takeTurns();
}

/** One of them, and nothing else. */
export function lookAtOneFrame(): void {
  call_indirect<void>(device.receive, device, changetype<PacketBuffer>(ring.shift()));
}

/** The first turn of those that do is the caller's to run. */
export function beginToLook(): void {
  waiting = false;
  leavePoll(POLL_RECEIVE, receiveLevel);
}

/** The next packet arrives, and those that come at the same time with it if the device puts them together. */
function arriveNext(): void {
  const first = flying.shift();
  const list = [first.bytes];
  while (together && flying.length != 0 && flying[0].due == first.due && fits(list, flying[0].bytes))
    list.push(flying.shift().bytes);
  if (list.length == 1) arrive(first.bytes);
  else handIn(merge(list, 200 + chance(BUFFER_ROOM - 214)));
}

/** ICMP "fragmentation needed" about the packet, from a router; on its way. */
export function tellTooBig(bytes: Uint8Array, mtu: u32): void {
  const error = new Uint8Array(56);
  const at = error.dataStart;
  store<u16>(at, 0x0045);
  store<u16>(at + 2, bswap<u16>(56));
  store<u8>(at + 8, 64);
  store<u8>(at + 9, 1);
  store<u32>(at + 12, bswap<u32>(MIRROR));
  store<u32>(at + 16, bswap<u32>(OWN));
  store<u16>(at + 10, internetChecksum(checksumAdd(at, 20, 0)));
  store<u16>(at + 20, 0x0403);
  store<u16>(at + 26, bswap<u16>(<u16>mtu));
  memory.copy(at + 28, bytes.dataStart, 28);
  store<u16>(at + 22, internetChecksum(checksumAdd(at + 20, 36, 0)));
  fly(error);
}

function reflect(bytes: Uint8Array): void {
  if (<u32>bytes.length > accidents.mtu) {
    if (accidents.tells) tellTooBig(bytes, accidents.mtu);
    return;
  }
  const source = load<u32>(bytes.dataStart, 12);
  store<u32>(bytes.dataStart, load<u32>(bytes.dataStart, 16), 12);
  store<u32>(bytes.dataStart, source, 16);
  const fate = fateOf(bytes);
  if (fate == FATE_LOSE || chance(1000) < accidents.loss) return;
  if (fate == FATE_DUPLICATE) fly(bytes.slice(0));
  if (chance(1000) < accidents.duplicate) fly(bytes.slice(0));
  if (chance(1000) < accidents.corrupt) {
    const at = 20 + chance(bytes.length - 20);
    bytes[at] = bytes[at] ^ ((<u8>1) << (<u8>chance(8)));
  }
  fly(bytes, delayOf(fate));
}

function fly(bytes: Uint8Array, later: u64 = 0): void {
  const packet = new Packet();
  packet.bytes = bytes;
  packet.due = time + accidents.delay + later + (accidents.jitter != 0 ? <u64>chance(accidents.jitter) : 0);
  let at = flying.length;
  flying.push(packet);
  while (at > 0 && flying[at - 1].due > packet.due) {
    flying[at] = flying[at - 1];
    at--;
  }
  flying[at] = packet;
}

/** Hands an IPv4 packet to the stack, as if it came from the device. */
export function arrive(bytes: Uint8Array): void {
  if (collecting) {
    collected.push(bytes);
    return;
  }
  const frame = allocateBuffer(12);
  if (frame === null) return;
  frame.length = bytes.length + 14;
  memory.copy(frame.data + 14, bytes.dataStart, bytes.length);
  handIn(frame);
}

function answerArp(request: PacketBuffer): void {
  // A gratuitous one asks for the own address: nobody answers.
  if (load<u32>(request.data, 28) == load<u32>(request.data, 38)) return;
  const frame = allocateBuffer(12);
  if (frame === null) return;
  memory.copy(frame.data, request.data, 42);
  frame.length = 42;
  memory.copy(frame.data, request.data + 6, 6);
  store<u32>(frame.data, 0x33221102, 6);
  store<u16>(frame.data, 0x5544, 10);
  store<u16>(frame.data, 0x0200, 20);
  memory.copy(frame.data + 22, frame.data + 6, 6);
  store<u32>(frame.data, load<u32>(request.data, 38), 28);
  memory.copy(frame.data + 32, request.data + 22, 6);
  store<u32>(frame.data, load<u32>(request.data, 28), 38);
  arps.push(changetype<usize>(frame));
}

let arps: usize[] = [];

function flush(_: NetworkDevice): void {
  while (arps.length != 0) call_indirect<void>(device.receive, device, changetype<PacketBuffer>(arps.pop()));
}

let device: NetworkDevice = changetype<NetworkDevice>(0);

// ---- Events ----

function comeIn(level: u32): bool {
  loopbackPoll();
  for (let i = 0; i < ROUND && ring.length != 0; i++)
    call_indirect<void>(device.receive, device, changetype<PacketBuffer>(ring.shift()));
  return ring.length != 0;
}

function goOut(level: u32): bool {
  networkFlush();
  return false;
}

/** What interrupts and calls have left to be done has its turn, or some of it. */
export function takeTurns(): void {
  while (pollLevel >= 0 && (accidents.lazy == 0 || chance(1000) >= accidents.lazy)) {
    runPolls();
    networkFlush();
  }
}

/** Lets everything happen until `end`. */
export function runUntil(end: u64): void {
  networkFlush();
  takeTurns();
  for (;;) {
    const timer = nextTimer();
    const packet = flying.length != 0 ? flying[0].due : u64.MAX_VALUE;
    const next = min(timer, packet);
    if (next > end) break;
    if (next > time) setTime(next);
    if (packet <= timer) arriveNext();
    else runTimers(time);
    networkFlush();
    takeTurns();
  }
  setTime(max(time, end));
}

/** The machine stands still: time passes, and nothing is done. */
export function standStill(duration: u64): void {
  setTime(time + duration);
}

export function run(duration: u64): void {
  runUntil(time + duration);
}

/** The next thing happens. False: nothing ever will. */
export function step(): bool {
  networkFlush();
  const next = min(nextTimer(), flying.length != 0 ? flying[0].due : u64.MAX_VALUE);
  if (next == u64.MAX_VALUE) {
    takeTurns();
    return pollLevel >= 0;
  }
  runUntil(max(next, time));
  return true;
}

// ---- Set-up and clean-up ----

export function setUpWorld(): void {
  setUpWorldOf(4096, MAX_CONNECTIONS, MAX_TIME_WAITS);
}

/** The same with so many frames of memory, and at most so many connections, and in TIME-WAIT. */
export function setUpWorldOf(frames: u32, connections: u32, timeWaits: u32): void {
  if (changetype<usize>(device) != 0) return;
  setClockFrequency(SECOND);
  setClockStart(0);
  setTime(SECOND);
  setUpArena(frames);
  initializeTimers(growMemory(4096, 4096));
  initializePolls(growMemory(POLL_STORAGE, 8));
  setPoll(POLL_PACKETS, packetsPoll.index);
  setPoll(POLL_RECEIVE, comeIn.index);
  setPoll(POLL_OUTPUT, goOut.index);
  initializeRandom(growMemory(RANDOM_SIZE, 8));
  seedRandom(0x1234567890);
  keySipHash();
  assert(initializeNetwork(BUFFERS, 512, 16, 16));
  assert(initializeTcp(connections, timeWaits));
  initializeOptionTable(growMemory(OPTION_TABLE_STORAGE, 8));
  defineSocketOptions();
  defineTcpOptions();
  device = changetype<NetworkDevice>(growMemory(offsetof<NetworkDevice>(), 8));
  device.address0 = 0x33221100;
  device.address4 = 0x6644;
  device.mtu = 1500;
  device.linkUp = 1;
  device.transmit = transmit.index;
  device.flush = flush.index;
  attachDevice(device);
  setAddress(OWN, 0xffffff00, 0);
  networkFlush();
}

/** Lets five minutes pass without accidents: TIME-WAIT and everything else comes to its end. */
export function settleWorld(): void {
  calm();
  run(300 * SECOND);
  releaseHeld();
  outbox = [];
}

/** Everything that was taken has been given back; says what was not. */
export function leftOver(): string {
  if (connectionPool().inUse != 0) return "connections " + connectionPool().inUse.toString();
  if (requestPool().inUse != 0) return "requests " + requestPool().inUse.toString();
  if (timeWaitPool().inUse != 0) return "TIME-WAIT " + timeWaitPool().inUse.toString();
  if (sackPool().inUse != 0) return "blocks " + sackPool().inUse.toString();
  if (bufferPool().inUse != 0) return "buffers " + bufferPool().inUse.toString();
  return "";
}

/** Lets time pass until the stack sends something to PEER: after how many milliseconds, rounded; `limit` when it does not. */
export function silence(limit: u32): u32 {
  const start = time;
  const end = start + <u64>limit * MILLISECOND;
  networkFlush();
  while (outbox.length == 0) {
    const next = min(nextTimer(), flying.length != 0 ? flying[0].due : u64.MAX_VALUE);
    if (next > end) {
      runUntil(end);
      break;
    }
    runUntil(max(next, time));
  }
  return <u32>((time - start + MILLISECOND / 2) / MILLISECOND);
}
