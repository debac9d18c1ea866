/** The path from the device of the world (world.ts) to its two peers and back: what leaves goes to MIRROR, with accidents, or to the script of PEER; ARP is answered. */
import { allocateBuffer, BUFFER_ROOM, PacketBuffer, releaseBuffer } from "../../../net/buffer";
import { checksumAdd, internetChecksum } from "../../../net/checksum";
import { NetworkDevice } from "../../../net/device";
import { chance } from "../../chance";
import { accidents } from "./accidents";
import { time } from "./clock";
import { arrive, device, handIn, together } from "./device";
import { delayOf, FATE_DUPLICATE, FATE_LOSE, fateOf } from "./fates";
import { cut, fits, merge } from "./segments";

export const OWN: u32 = 0x0a000001;
export const MIRROR: u32 = 0x0a000002;
export const PEER: u32 = 0x0a000003;

class Packet {
  bytes: Uint8Array = new Uint8Array(0);
  due: u64 = 0;
}

/** Not yet arrived, in the order of arrival. */
export let flying: Packet[] = [];
/** IPv4 packets that were sent to PEER, oldest first. */
export let outbox: Uint8Array[] = [];

// ---- What leaves ----

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

/** The device has read all that it kept. */
export function releaseHeld(): void {
  for (let i = 0; i < held.length; i++) {
    const h = held[i];
    assert(fingerprint(h.data, h.length) == h.sum, "bytes that a device reads were written to");
    releaseBuffer(h.frame);
  }
  held = [];
}

/** The device's operation. */
export function transmit(device: NetworkDevice, frame: PacketBuffer): i32 {
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

// ---- On the way ----

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

/** The next packet arrives, and those that come at the same time with it if the device puts them together. */
export function arriveNext(): void {
  const first = flying.shift();
  const list = [first.bytes];
  while (together && flying.length != 0 && flying[0].due == first.due && fits(list, flying[0].bytes))
    list.push(flying.shift().bytes);
  if (list.length == 1) arrive(first.bytes);
  else handIn(merge(list, 200 + chance(BUFFER_ROOM - 214)));
}

// ---- ARP ----

/** Answers that wait for `flush`. */
let arps: usize[] = [];

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

/** The device's operation. */
export function flush(_: NetworkDevice): void {
  while (arps.length != 0) call_indirect<void>(device.receive, device, changetype<PacketBuffer>(arps.pop()));
}
