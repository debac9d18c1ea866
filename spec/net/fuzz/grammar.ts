/**
 * Frames for the fuzzer: right ones of every kind, by a grammar that knows the sockets and connections of the stack under test, and then, of some, a part that lies. Everything is
 * chosen by `chance` (spec/chance.ts), so that a seed is a run.
 */
import { checksumAdd, internetChecksum } from "../../../net/checksum";
import { Ipv4Header } from "../../../net/wire/ipv4";
import { chance } from "../../chance";
import { pseudoHeaderSum } from "../addresses";
import * as frames from "../frames";
import { FRAME, NETWORK, TRANSPORT } from "../frames";
import { GATEWAY, OWN, PEER, PEER4, receiveNow } from "../link";
import { flowCount, flowField, lastSent, lastSentLength } from "./sent";

/** Payload that is cut into fragments, and where. */
const long = new StaticArray<u8>(66000);
const LONG: usize = changetype<usize>(long);
/** Numbers that break things. */
const EDGES: u32[] = [0, 1, 2, 7, 8, 19, 20, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xfffe, 0xffff];

function edge(): u32 {
  return EDGES[chance(EDGES.length)];
}

function set16(at: usize, value: u32): void {
  store<u16>(at, bswap<u16>(<u16>value));
}

function set32(at: usize, value: u32): void {
  store<u32>(at, bswap<u32>(value));
}

/** Someone on the link, a stranger, or an address that nobody has. */
function source(): u32 {
  const which = chance(12);
  if (which < 8) return PEER + chance(4);
  if (which < 10) return 0xac10_0000 | chance(256);
  return which == 10 ? GATEWAY : [0, OWN, 0x7f00_0001, 0xe000_0001, 0xffff_ffff][chance(5)];
}

function destination(): u32 {
  return chance(16) != 0 ? OWN : [0xffff_ffff, 0x0a00_00ff, 0xe000_0001, PEER, 0][chance(5)];
}

/** A port of the sockets that the application has (application.ts), or any. */
function port(): u32 {
  return chance(8) == 0 ? chance(65536) : [7, 9, 68, 80, 4000][chance(5)];
}

function fillRandom(at: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) store<u8>(at + i, <u8>chance(256));
}

/** Options as TCP and IP have them: kind, length, bytes; of `kinds`, most with right lengths. Up to 40 bytes at `at`; how many, a multiple of 4. */
function options(at: usize, kinds: u32[], lengths: u32[]): u32 {
  let used: u32 = 0;
  const room = chance(11) * 4;
  while (used < room) {
    const which = chance(kinds.length);
    const kind = kinds[which];
    store<u8>(at + used++, <u8>kind);
    if (kind < 2 || used >= room) continue;
    const length = chance(10) == 0 ? edge() & 0xff : lengths[which];
    store<u8>(at + used++, <u8>length);
    for (let i: u32 = 2; i < length && used < room; i++) store<u8>(at + used++, <u8>chance(256));
  }
  return room;
}

// ---- Layers ----

/** The IPv4 header in front of `length` bytes that stand at TRANSPORT; options push them back. */
function network(from: u32, to: u32, protocol: u32, length: u32): void {
  frames.ipv4(from, to, protocol, length);
  if (chance(24) == 0) {
    const bytes = options(LONG, [0, 1, 7, 68, 131, 137, 148, 255], [1, 1, 11, 8, 7, 7, 4, 4]);
    memory.copy(TRANSPORT + bytes, TRANSPORT, length);
    memory.copy(TRANSPORT, LONG, bytes);
    store<u8>(NETWORK, <u8>(0x45 + bytes / 4));
    set16(NETWORK + 2, 20 + bytes + length);
    frames.setFrameLength(34 + bytes + length);
  }
  frames.ipChecksum();
}

function checksum(at: usize, field: u32, from: u32, to: u32, protocol: u32, length: u32): void {
  store<u16>(at + field, 0);
  const sum = protocol == 1 ? 0 : pseudoHeaderSum(from, to, protocol, length);
  store<u16>(at + field, internetChecksum(checksumAdd(at, length, sum)));
}

function udp(): void {
  const from = source();
  const to = destination();
  const payload = chance(4) == 0 ? chance(1400) : chance(40);
  set16(TRANSPORT, port());
  set16(TRANSPORT + 2, port());
  set16(TRANSPORT + 4, chance(24) == 0 ? edge() : 8 + payload);
  fillRandom(TRANSPORT + 8, min<u32>(payload, 32));
  checksum(TRANSPORT, 6, from, to, 17, 8 + payload);
  if (chance(16) == 0) store<u16>(TRANSPORT + 6, 0);
  network(from, to, 17, 8 + payload);
}

/** A segment that belongs to a connection of the stack, near its numbers, or to none. */
function tcp(): void {
  let from = source();
  let sourcePort = port();
  let destinationPort = port();
  let sequence = chance(0xffff_ffff);
  let acknowledgement = chance(0xffff_ffff);
  let flags: u32 = chance(3) == 0 ? 2 : chance(64);
  if (flowCount() != 0 && chance(8) != 0) {
    const flow = chance(flowCount());
    from = flowField(flow, 0);
    sourcePort = flowField(flow, 1);
    destinationPort = flowField(flow, 2);
    acknowledgement = flowField(flow, 3) - (chance(3) == 0 ? chance(3000) : 0);
    sequence = flowField(flow, 4) + (chance(3) == 0 ? chance(6000) - 3000 : 0);
    flags = [0x10, 0x10, 0x18, 0x18, 0x11, 0x12, 0x14, 0x30, 2][chance(9)];
    if (chance(16) == 0) flags = chance(256);
  }
  set16(TRANSPORT, sourcePort);
  set16(TRANSPORT + 2, destinationPort);
  set32(TRANSPORT + 4, sequence);
  set32(TRANSPORT + 8, acknowledgement);
  const bytes =
    chance(2) == 0
      ? options(
          TRANSPORT + 20,
          [0, 1, 2, 3, 4, 5, 8, 29, 254],
          [1, 1, 4, 3, 2, 10 + 8 * chance(4), 10, 16, 4],
        )
      : 0;
  store<u8>(TRANSPORT + 12, <u8>((5 + bytes / 4) << 4));
  if (chance(32) == 0) store<u8>(TRANSPORT + 12, <u8>(chance(16) << 4));
  store<u8>(TRANSPORT + 13, <u8>flags);
  set16(TRANSPORT + 14, chance(4) == 0 ? edge() : chance(65536));
  set16(TRANSPORT + 18, flags & 32 ? edge() : 0);
  const payload = chance(2) == 0 ? 0 : chance(1400);
  fillRandom(TRANSPORT + 20 + bytes, min<u32>(payload, 16));
  const length = 20 + bytes + payload;
  const to = chance(64) == 0 ? destination() : OWN;
  checksum(TRANSPORT, 16, from, to, 6, length);
  network(from, to, 6, length);
}

/** Echo, errors about what the stack has sent last, and others. */
function icmp(): void {
  const from = source();
  let length: u32 = 8 + chance(100);
  fillRandom(TRANSPORT, min<u32>(length, 40));
  const type = [8, 3, 3, 3, 11, 12, 5, 0, chance(256)][chance(9)];
  store<u8>(TRANSPORT, <u8>type);
  store<u8>(TRANSPORT + 1, <u8>(chance(4) == 0 ? chance(256) : type == 3 ? chance(6) : 0));
  if (type == 3) set32(TRANSPORT + 4, chance(3) == 0 ? edge() : 500 + chance(1000));
  if (type != 8 && lastSentLength() != 0 && chance(4) != 0) {
    length = 8 + min<u32>(lastSentLength(), chance(8) == 0 ? chance(40) : 28 + chance(500));
    memory.copy(TRANSPORT + 8, lastSent(), length - 8);
    if (chance(8) == 0) store<u8>(TRANSPORT + 8 + chance(28), <u8>chance(256));
  }
  const to = destination();
  checksum(TRANSPORT, 2, from, to, 1, length);
  network(from, to, 1, length);
}

/** A DHCP message; the client may be asking. */
function dhcp(): void {
  memory.fill(TRANSPORT + 8, 0, 240);
  store<u8>(TRANSPORT + 8, 2);
  set16(TRANSPORT + 9, 0x0106);
  set32(TRANSPORT + 8 + 236, chance(16) == 0 ? 0 : 0x63825363);
  let length: u32 = 240;
  const at = TRANSPORT + 8;
  for (let count = chance(8); count != 0; count--) {
    store<u8>(at + length++, <u8>[53, 54, 51, 1, 3, 52, 58, 59, 12, 0, 255, 61][chance(12)]);
    const bytes = chance(8) == 0 ? edge() & 0xff : [1, 4][chance(2)];
    store<u8>(at + length++, <u8>bytes);
    for (let i: u32 = 0; i < bytes && length < 1000; i++)
      store<u8>(at + length++, <u8>(bytes == 1 ? 1 + chance(7) : chance(256)));
  }
  set16(TRANSPORT, 67);
  set16(TRANSPORT + 2, 68);
  set16(TRANSPORT + 4, 8 + length);
  const from = PEER;
  const to = chance(2) == 0 ? OWN : 0xffff_ffff;
  checksum(TRANSPORT, 6, from, to, 17, 8 + length);
  network(from, to, 17, 8 + length);
}

function arp(): void {
  frames.arp(
    chance(8) == 0 ? chance(65536) : 1 + chance(2),
    source(),
    <u16>(PEER4 + (chance(4) << 8)),
    chance(4) == 0 ? source() : OWN,
  );
  if (chance(8) == 0) store<u8>(NETWORK + chance(8), <u8>chance(256));
}

/** A datagram, or what could be one, in fragments: in order or not, some twice, some missing, some that overlap. */
export function fragments(): void {
  const length: u32 = chance(16) == 0 ? 8 + chance(65508) : 8 + chance(8000);
  const protocol: u32 = [17, 17, 17, 1, 6, 4][chance(6)];
  const from = PEER + chance(4);
  memory.fill(LONG, 0, length);
  set16(LONG, port());
  set16(LONG + 2, port());
  if (protocol == 17) {
    set16(LONG + 4, length);
    checksum(LONG, 6, from, OWN, 17, length);
  } else if (protocol == 1) {
    set16(LONG, 0x0800);
    checksum(LONG, 2, from, OWN, 1, length);
  }
  const size: u32 = chance(4) == 0 ? 8 + (chance(1473) & ~7) : 1480;
  const identification = chance(65536);
  const count = (length + size - 1) / size;
  const honest = chance(3) != 0;
  const first = chance(2) == 0 ? 0 : chance(count);
  for (let i: u32 = 0; i < min<u32>(count, 140); i++) {
    let at: u32 = ((first + i) % count) * size;
    let bytes: u32 = min(size, length - at);
    let more = at + size < length;
    if (!honest && chance(6) == 0) {
      const trick = chance(5);
      if (trick == 0) continue;
      if (trick == 1) at = min<u32>(65528, at + 8 * chance(4));
      else if (trick == 2) bytes = chance(bytes + 1);
      else if (trick == 3) more = !more;
      else at = chance(8192) * 8;
    }
    frames.ipv4(from, OWN, protocol, bytes);
    memory.copy(TRANSPORT, LONG + min<u32>(at, 65528), min<u32>(bytes, 66000 - min<u32>(at, 65528)));
    set16(NETWORK + 4, identification);
    set16(NETWORK + 6, (at >> 3) | (more ? 0x2000 : 0));
    frames.ipChecksum();
    hand();
    if (chance(20) == 0) hand();
  }
}

// ---- Frames ----

/** Makes one frame in FRAME. */
export function makeFrame(): void {
  const which = chance(20);
  if (which < 10) tcp();
  else if (which < 14) udp();
  else if (which < 16) icmp();
  else if (which < 17) dhcp();
  else if (which < 18) arp();
  else if (which < 19) {
    fillRandom(TRANSPORT, 64);
    network(source(), destination(), chance(256), chance(200));
  } else {
    const length = chance(200);
    fillRandom(FRAME, length);
    if (chance(2) == 0) frames.ethernet([0x0800, 0x0806, 0x8100, 0x88a8, 0x86dd][chance(5)]);
    frames.setFrameLength(length);
  }
  if (chance(32) == 0) tag();
  if (chance(5) == 0) lie();
}

/** A VLAN tag or two. */
function tag(): void {
  const length = frames.frameLength;
  memory.copy(FRAME + 16, FRAME + 12, max<u32>(length, 12) - 12);
  set16(FRAME + 12, chance(8) == 0 ? 0x88a8 : 0x8100);
  set16(FRAME + 14, chance(3) == 0 ? chance(65536) : chance(8) << 13);
  frames.setFrameLength(length + 4);
}

/** Changes a few bytes of the headers, or the length; of half of them the IPv4 checksum is right again. */
function lie(): void {
  const length = frames.frameLength;
  for (let changes = 1 + chance(3); changes != 0; changes--) {
    const at = FRAME + chance(max<u32>(1, min<u32>(length, 80)));
    if (chance(2) == 0) store<u8>(at, load<u8>(at) ^ ((<u8>1) << (<u8>chance(8))));
    else set16(at, edge());
  }
  if (chance(6) == 0) frames.setFrameLength(chance(length + 1));
  if (chance(2) == 0 && frames.frameLength >= 94) {
    store<u8>(NETWORK, <u8>(0x40 | (load<u8>(NETWORK) & 15)));
    frames.ipChecksum();
  }
}

/** The fuzzer sees each frame before it is handed in. */
// @ts-ignore: decorator
@external("fuzz", "frame") declare function frame(address: usize, length: u32): void;

/** Hands the frame in; nothing comes of it when there is no buffer. */
export function hand(): void {
  const version = changetype<Ipv4Header>(NETWORK).version;
  frame(FRAME, frames.frameLength);
  receiveNow(FRAME, frames.frameLength, chance(16) == 0 && version == 4 ? 1 : 0);
}
