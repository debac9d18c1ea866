/**
 * From a transport to a frame: what stands at BODY gets a network header, of the version that the ends have (words.ts), with options or extension headers now and then, and some frames
 * a part that lies. Handed in whole, or in fragments.
 */
import { checksumAdd, internetChecksum, pseudoHeaderSum } from "../../../net/checksum";
import { Flow } from "../../../net/flow";
import { Ipv4Header } from "../../../net/wire/ipv4";
import { IPV6_HEADER } from "../../../net/wire/ipv6";
import { chance } from "../../chance";
import * as frames from "../frames";
import { FRAME, NETWORK } from "../frames";
import * as frames6 from "../frames6";
import { receiveNow } from "../link";
import { edge, fromHigh, fromLow, isVersion4, options, set16, toHigh, toLow } from "./words";

/** Bytes of a transport's header and payload, at most; room for what is copied behind it. */
const LONGEST: u32 = 65536;
const body = new StaticArray<u8>(LONGEST + 4096);
export const BODY: usize = changetype<usize>(body);

/** Where frames end: FRAME has 4096 bytes. */
const FRAME_LIMIT: u32 = 1600;
const ICMP: u32 = 1;
const ICMPV6: u32 = 58;
const FRAGMENT: u32 = 44;

/** 802.1Q tag of the frames of this run; negative: they have none. */
let vlan: i32 = -1;

export function setFrameVlan(tag: i32): void {
  vlan = tag;
}

const flow = new StaticArray<u64>(6);

/** Makes the checksum at `field` of the `length` bytes at BODY. */
export function checksum(field: u32, protocol: u32, length: u32): void {
  store<u16>(BODY + field, 0);
  const it = changetype<Flow>(changetype<usize>(flow));
  it.remote.high = fromHigh;
  it.remote.low = fromLow;
  it.local.high = toHigh;
  it.local.low = toLow;
  const sum = protocol == ICMP ? 0 : pseudoHeaderSum(it, protocol, length);
  const made = internetChecksum(checksumAdd(BODY, length, sum));
  store<u16>(BODY + field, made == 0 && protocol == 17 ? 0xffff : made);
}

/** A frame with the first `length` bytes at BODY. `hops`: of IPv6. */
export function packet(protocol: u32, length: u32, hops: u32 = 64): void {
  length = min<u32>(length, 1480);
  if (isVersion4()) packet4(protocol, length);
  else packet6(protocol, length, hops);
}

function packet4(protocol: u32, length: u32): void {
  frames.ipv4(<u32>fromLow, <u32>toLow, protocol, length);
  let at = NETWORK + 20;
  if (chance(24) == 0) {
    const bytes = options(at, 40, [0, 1, 7, 68, 131, 137, 148, 255], [1, 1, 11, 8, 7, 7, 4, 4], 2);
    at += bytes;
    store<u8>(NETWORK, <u8>(0x45 + bytes / 4));
    set16(NETWORK + 2, 20 + bytes + length);
  }
  memory.copy(at, BODY, length);
  frames.ipChecksum();
  frames.setFrameLength(<u32>(at - FRAME) + length);
}

function packet6(protocol: u32, length: u32, hops: u32): void {
  frames6.ipv6(protocol, length).hopLimit = hops;
  frames6.from(fromHigh, fromLow);
  frames6.to(toHigh, toLow);
  let at = NETWORK + IPV6_HEADER;
  if (chance(12) == 0) {
    const bytes = extensions(at, protocol);
    at += bytes;
    set16(NETWORK + 4, bytes + length);
  }
  memory.copy(at, BODY, length);
  frames.setFrameLength(<u32>(at - FRAME) + length);
}

/** Extension headers (RFC 8200, 4), in any order, a fragment header that is the whole packet (RFC 6946) among them. How many bytes. */
function extensions(at: usize, protocol: u32): u32 {
  const start = at;
  let named = NETWORK + 6;
  for (let count = 1 + chance(chance(8) == 0 ? 12 : 3); count != 0; count--) {
    const kind = [0, 60, 60, 43, FRAGMENT, 59, 51][chance(chance(8) == 0 ? 7 : 5)];
    store<u8>(named, <u8>kind);
    named = at;
    store<u8>(at, <u8>protocol);
    store<u64>(at, 0, 1);
    let bytes: u32 = 8;
    if (kind == FRAGMENT) store<u32>(at, chance(65536), 4);
    else if (kind == 43) store<u32>(at, [0, 0x0100, 0x0002][chance(3)], 2);
    else {
      const used = options(at + 2, 38, [0, 1, 5, 0x3e, 0x7e, 0x8f, 0xc2], [1, 4, 4, 6, 4, 4, 6], 1);
      bytes = (used + 2 + 7) & ~7;
      // PadN for what is left.
      if (bytes - used - 2 >= 2) store<u16>(at + 2 + used, <u16>(1 | ((bytes - used - 4) << 8)));
      store<u8>(at, <u8>(chance(24) == 0 ? edge() : bytes / 8 - 1), 1);
    }
    at += bytes;
  }
  return <u32>(at - start);
}

// ---- Fragments ----

/** `length` bytes at BODY of `protocol` in fragments, all handed in but the last if they are `cut`: in order or not, some twice, some missing, some that overlap. */
export function inFragments(protocol: u32, length: u32, cut: bool): void {
  const largest: u32 = isVersion4() ? 1480 : 1448;
  const size: u32 = chance(4) == 0 ? 8 + (chance(largest - 7) & ~7) : largest & ~7;
  const identification = chance(65536);
  const count = (length + size - 1) / size;
  const honest = chance(3) != 0;
  const first = chance(2) == 0 ? 0 : chance(count);
  for (let i: u32 = 0; i < min<u32>(count, 140); i++) {
    let at: u32 = ((first + i) % count) * size;
    let bytes: u32 = min(size, length - at);
    let more = cut || at + size < length;
    if (!honest && chance(6) == 0) {
      const trick = chance(5);
      if (trick == 0) continue;
      if (trick == 1) at = min<u32>(65528, at + 8 * chance(4));
      else if (trick == 2) bytes = chance(bytes + 1);
      else if (trick == 3) more = !more;
      else at = chance(8192) * 8;
    }
    fragment(protocol, at, bytes, more, identification);
    hand();
    if (chance(20) == 0) hand();
  }
}

function fragment(protocol: u32, at: u32, bytes: u32, more: bool, identification: u32): void {
  const piece = BODY + min<u32>(at, LONGEST);
  if (isVersion4()) {
    frames.ipv4(<u32>fromLow, <u32>toLow, protocol, bytes);
    memory.copy(NETWORK + 20, piece, bytes);
    set16(NETWORK + 4, identification);
    set16(NETWORK + 6, (at >> 3) | (more ? 0x2000 : 0));
    frames.ipChecksum();
    return;
  }
  frames6.ipv6(FRAGMENT, 8 + bytes).hopLimit = 64;
  frames6.from(fromHigh, fromLow);
  frames6.to(toHigh, toLow);
  const header = NETWORK + IPV6_HEADER;
  store<u16>(header, <u16>protocol);
  set16(header + 2, at | (more ? 1 : 0));
  store<u32>(header, identification, 4);
  memory.copy(header + 8, piece, bytes);
}

// ---- The frame ----

/** A VLAN tag or two. */
export function tag(): void {
  const right = vlan >= 0 && chance(24) != 0;
  insertTag(
    right || chance(8) != 0 ? 0x8100 : 0x88a8,
    right ? (<u32>vlan) | (chance(8) << 13) : chance(3) == 0 ? chance(65536) : chance(8) << 13,
  );
  if (chance(24) == 0) insertTag(0x8100, chance(65536));
}

function insertTag(type: u32, control: u32): void {
  const length = frames.frameLength;
  if (length < 12) return;
  memory.copy(FRAME + 16, FRAME + 12, length - 12);
  set16(FRAME + 12, type);
  set16(FRAME + 14, control);
  frames.setFrameLength(length + 4);
}

/** Changes a few bytes of the headers, or the length; of half of them the IPv4 checksum is right again. */
export function lie(): void {
  const length = frames.frameLength;
  for (let changes = 1 + chance(3); changes != 0; changes--) {
    const at = FRAME + chance(max<u32>(1, min<u32>(length, 100)));
    if (chance(2) == 0) store<u8>(at, load<u8>(at) ^ ((<u8>1) << (<u8>chance(8))));
    else set16(at, edge());
  }
  if (chance(6) == 0) frames.setFrameLength(chance(length + 1));
  if (chance(2) == 0 && frames.frameLength >= 94 && load<u16>(FRAME, 12) == 0x0008) {
    store<u8>(NETWORK, <u8>(0x40 | (load<u8>(NETWORK) & 15)));
    frames.ipChecksum();
  }
}

/** The fuzzer sees each frame before it is handed in. */
// @ts-ignore: decorator
@external("fuzz", "frame") declare function frame(address: usize, length: u32): void;

/** Hands the frame in; nothing comes of it when there is no buffer. Some devices have checked the checksum. */
export function hand(): void {
  const version = changetype<Ipv4Header>(NETWORK).version;
  if (vlan >= 0 ? chance(32) != 0 : chance(32) == 0) tag();
  if (frames.frameLength > FRAME_LIMIT) frames.setFrameLength(FRAME_LIMIT);
  frame(FRAME, frames.frameLength);
  receiveNow(FRAME, frames.frameLength, chance(16) == 0 && (version == 4 || version == 6) ? 1 : 0);
}
