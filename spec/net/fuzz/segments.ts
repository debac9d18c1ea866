/** TCP for the grammar: segments of the connections that the stack is known to have (sent.ts), as their peers would send them or nearly so, and of none. */
import { chance } from "../../chance";
import { BODY, checksum, packet } from "./packets";
import { chosen, Known } from "./sent";
import { chooseEnds, edge, fillRandom, options, port, set16, set32, setFrom, setTo } from "./words";

const FIN: u32 = 1;
const SYN: u32 = 2;
const RST: u32 = 4;
const PSH: u32 = 8;
const ACK: u32 = 16;
const URG: u32 = 32;
const TCP: u32 = 6;

/** One segment in a frame. */
export function segment(): void {
  const known: Known | null = chance(10) == 0 ? null : chosen();
  if (known === null) stranger();
  else if (chance(3) == 0) nearly(known);
  else peer(known);
}

export function header(
  from: u32,
  to: u32,
  sequence: u32,
  acknowledgement: u32,
  flags: u32,
  window: u32,
): void {
  set16(BODY, from);
  set16(BODY + 2, to);
  set32(BODY + 4, sequence);
  set32(BODY + 8, acknowledgement);
  store<u8>(BODY + 13, <u8>flags);
  set16(BODY + 14, window);
  set16(BODY + 18, flags & URG ? (chance(2) == 0 ? chance(2000) : edge()) : 0);
}

/** `optional` bytes of options and `payload` of data behind the header, whose offset is right most of the time. */
export function finish(optional: u32, payload: u32): void {
  const offset = chance(64) == 0 ? chance(16) : 5 + optional / 4;
  store<u8>(BODY + 12, <u8>(offset << 4));
  fillRandom(BODY + 20 + optional, min<u32>(payload, 16));
  const length = 20 + optional + payload;
  checksum(16, TCP, length);
  packet(TCP, length);
}

/** Of no connection, or the first of one. */
function stranger(): void {
  chooseEnds();
  const flags = chance(2) == 0 ? SYN | (chance(8) == 0 ? 0xc0 : 0) : chance(256);
  header(
    chance(4) == 0 ? port() : 1024 + chance(500),
    port(),
    chance(0xffff_ffff),
    chance(0xffff_ffff),
    flags,
    8192 + chance(57344),
  );
  const optional = chance(4) == 0 ? anyOptions(BODY + 20) : flags & SYN ? synOptions(BODY + 20) : 0;
  finish(optional, flags & SYN ? (chance(16) == 0 ? chance(100) : 0) : chance(2) == 0 ? 0 : chance(1400));
}

/** What a peer in good faith says next: it has some or all of what was sent, and sends on. */
function peer(known: Known): void {
  setFrom(known.remoteHigh, known.remoteLow);
  setTo(known.localHigh, known.localLow);
  known.clock += chance(4);
  const opening = (known.flags & (SYN | ACK)) == SYN;
  let flags = ACK | (chance(2) == 0 ? PSH : 0);
  let payload: u32 = chance(2) == 0 ? 0 : chance(3) == 0 ? 1448 : chance(600);
  let sequence = known.expected;
  let acknowledgement = known.end;
  if (opening) {
    // SYN,ACK; or SYN, of a simultaneous open.
    flags = chance(8) == 0 ? SYN : SYN | ACK | (known.flags & 0xc0 ? 0x40 : 0);
    sequence = known.expected = chance(0xffff_ffff);
    payload = 0;
  } else {
    const which = chance(12);
    if (which == 0) flags |= FIN;
    else if (which == 1) flags |= URG;
    else if (which == 2) flags |= 0x40;
    // A hole, or what fills one, or what has come before.
    if (chance(4) == 0) sequence += 1448 * (chance(5) - 1);
    // Not all has arrived yet.
    if (chance(3) == 0) acknowledgement = known.start;
    if (chance(200) == 0) flags = RST | ACK;
  }
  header(
    known.remotePort,
    known.localPort,
    sequence,
    acknowledgement,
    flags,
    chance(24) == 0 ? edge() : 4096 + chance(61440),
  );
  finish(opening ? synOptions(BODY + 20) : peerOptions(known, acknowledgement), payload);
}

/** The same connection, with numbers that are near, flags and options of any kind. */
function nearly(known: Known): void {
  setFrom(known.remoteHigh, known.remoteLow);
  setTo(known.localHigh, known.localLow);
  const acknowledgement =
    known.end - (chance(3) == 0 ? chance(3000) : 0) + (chance(16) == 0 ? chance(3000) : 0);
  const sequence = known.expected + (chance(2) == 0 ? chance(6000) - 3000 : 0);
  const flags =
    chance(4) == 0
      ? chance(256)
      : [ACK, ACK | PSH, ACK | FIN, SYN | ACK, RST | ACK, ACK | URG, SYN, RST][chance(8)];
  header(
    known.remotePort,
    known.localPort,
    sequence,
    acknowledgement,
    flags,
    chance(4) == 0 ? edge() : chance(65536),
  );
  const optional = chance(2) == 0 ? anyOptions(BODY + 20) : peerOptions(known, acknowledgement);
  finish(optional, chance(2) == 0 ? 0 : chance(1400));
}

/** All kinds, some with wrong lengths. */
function anyOptions(at: usize): u32 {
  return options(
    at,
    40,
    [0, 1, 2, 3, 4, 5, 8, 28, 29, 30, 34, 254],
    [1, 1, 4, 3, 2, 10 + 8 * chance(4), 10, 4, 16, 12, 10, 4],
    2,
  );
}

function synOptions(at: usize): u32 {
  let used: u32 = 0;
  if (chance(8) != 0) {
    set32(at, 0x0204_0000 | (chance(4) == 0 ? edge() : 536 + chance(925)));
    used += 4;
  }
  if (chance(2) == 0) {
    set32(at + used, 0x0103_0300 | chance(16));
    used += 4;
  }
  if (chance(2) == 0) {
    set32(at + used, 0x0101_0402);
    used += 4;
  }
  if (chance(2) == 0) {
    set32(at + used, 0x0101_080a);
    set32(at + used + 4, chance(0xffff_ffff));
    set32(at + used + 8, 0);
    used += 12;
  }
  if (chance(16) == 0) {
    set32(at + used, 0x1c04_0000 | chance(65536));
    used += 4;
  }
  return used;
}

/** Timestamps that go on, if the connection has them, and selective acknowledgements of what is in flight. */
function peerOptions(known: Known, acknowledgement: u32): u32 {
  const at = BODY + 20;
  let used: u32 = 0;
  if (known.hasStamps) {
    set32(at, 0x0101_080a);
    set32(at + 4, known.echoed + (chance(24) == 0 ? chance(2000) - 1000 : known.clock));
    set32(at + 8, known.stamp - (chance(8) == 0 ? chance(1000) : 0));
    used = 12;
  }
  if (chance(32) == 0) {
    set32(at + used, 0x1c04_0000 | chance(65536));
    used += 4;
  }
  const flight = known.end - acknowledgement;
  if (chance(3) != 0 && flight == 0) return used;
  // What is in flight ahead of the last that was sent; a duplicate now and then.
  const blocks = min<u32>(1 + chance(3), (36 - used) / 8);
  set32(at + used, 0x0101_0500 | (2 + 8 * blocks));
  used += 4;
  for (let i: u32 = 0; i < blocks; i++) {
    const first = acknowledgement + (chance(8) == 0 ? chance(4000) - 2000 : 1448 * (1 + chance(8)));
    set32(at + used, first);
    set32(at + used + 4, chance(12) == 0 ? first + chance(3000) - 1000 : first + 1448 * (1 + chance(3)));
    used += 8;
  }
  return used;
}
