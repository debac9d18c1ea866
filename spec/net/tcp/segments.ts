/**
 * A device that cuts packets into segments of TCP and puts segments together, for the specs: written from virtio 1.2 (5.1.6.2, 5.1.6.4) and RFC 9293, so that what the stack
 * hands over, or is handed, is held to what a device does with it. IPv4 only.
 */
import {
  allocateBuffer,
  CHECKSUM_PARTIAL,
  CHECKSUM_VALID,
  PacketBuffer,
  releaseBuffer,
} from "../../../net/buffer";
import { checksumAdd, checksumFold, internetChecksum } from "../../../net/checksum";
import { SEGMENTS_TCP4 } from "../../../net/device";
import { pseudoHeaderSum } from "../addresses";

const FIN: u32 = 1;
const PSH: u32 = 8;
const CWR: u32 = 0x80;
/** SYN, RST, URG, ECE, CWR: a segment with any of them goes alone. */
const ALONE: u32 = 0xe6;

/** Packets that were cut, and that were put together. */
export let cuts: u32 = 0;
export let merges: u32 = 0;

function word(at: usize): u32 {
  return bswap<u16>(load<u16>(at));
}

/** Puts right checksums on an IPv4 packet of TCP. */
function sign(packet: Uint8Array): void {
  const ip = packet.dataStart;
  const length = packet.length - 20;
  store<u16>(ip, 0, 10);
  store<u16>(ip, internetChecksum(checksumAdd(ip, 20, 0)), 10);
  store<u16>(ip, 0, 36);
  store<u16>(ip, internetChecksum(checksumAdd(ip + 20, length, sumOf(ip, length))), 36);
}

function sumOf(ip: usize, length: u32): u32 {
  return pseudoHeaderSum(bswap<u32>(load<u32>(ip, 12)), bswap<u32>(load<u32>(ip, 16)), 6, length);
}

/** The IPv4 packets that leave the device for an Ethernet frame of the stack's. */
export function cut(frame: PacketBuffer): Uint8Array[] {
  const ip = frame.data + 14;
  const total = word(ip + 2);
  if (frame.more === null) {
    assert(frame.segmentSize == 0, "one segment is nothing to be cut");
    const packet = new Uint8Array(total);
    memory.copy(packet.dataStart, ip, total);
    if (frame.flags & CHECKSUM_PARTIAL) sign(packet);
    return [packet];
  }
  cuts++;
  const size: u32 = frame.segmentSize;
  assert(frame.segmentKind == SEGMENTS_TCP4 && size != 0, "kind and size");
  assert((frame.flags & CHECKSUM_PARTIAL) != 0 && frame.checksumStart == ip + 20, "checksum");
  assert(frame.wholeLength == 14 + total && total <= 65535, "length");
  assert(checksumFold(checksumAdd(ip, 20, 0)) == 0xffff, "checksum of the IPv4 header");
  const whole = new Uint8Array(total);
  let at: u32 = 0;
  for (let piece: PacketBuffer | null = frame; piece !== null; piece = piece.more) {
    const skip: u32 = piece === frame ? 14 : 0;
    memory.copy(whole.dataStart + at, piece.data + skip, piece.length - skip);
    at += piece.length - skip;
  }
  const tcp = whole.dataStart + 20;
  const headers: u32 = 20 + (((<u32>load<u8>(tcp, 12)) >> 4) << 2);
  const flags: u32 = load<u8>(tcp, 13);
  assert((flags & ALONE) == 0, "a flag that must not be repeated");
  assert(load<u16>(tcp, 16) == checksumFold(sumOf(whole.dataStart, total - 20)), "sum of the pseudo header");
  const sequence = bswap<u32>(load<u32>(tcp, 4));
  const list: Uint8Array[] = [];
  for (let offset: u32 = 0; headers + offset < total; offset += size) {
    const length = min(size, total - headers - offset);
    const last = headers + offset + length == total;
    const packet = new Uint8Array(headers + length);
    memory.copy(packet.dataStart, whole.dataStart, headers);
    memory.copy(packet.dataStart + headers, whole.dataStart + headers + offset, length);
    const mask: u32 = (last ? 0xff : 0xff ^ (FIN | PSH)) & (offset == 0 ? 0xff : 0xff ^ CWR);
    store<u16>(packet.dataStart, bswap<u16>(<u16>packet.length), 2);
    store<u32>(packet.dataStart, bswap<u32>(sequence + offset), 24);
    store<u8>(packet.dataStart, <u8>(flags & mask), 33);
    sign(packet);
    list.push(packet);
  }
  assert(list.length > 1, "one segment is nothing to be cut");
  return list;
}

function headersOf(packet: Uint8Array): u32 {
  return 20 + (((<u32>packet[32]) >> 4) << 2);
}

/** Whether `next` goes on where `list`, in order and of one flow, ends, and says nothing else than that. */
export function fits(list: Uint8Array[], next: Uint8Array): bool {
  const first = list[0];
  const last = list[list.length - 1];
  if (first.length < 40 || next.length < 40 || first[9] != 6 || next[9] != 6) return false;
  if (first[0] != 0x45 || next[0] != 0x45) return false;
  const headers = headersOf(first);
  const size = <u32>first.length - headers;
  if (headersOf(next) != headers || <u32>next.length <= headers || <u32>next.length - headers > size)
    return false;
  if (size == 0 || <u32>last.length - headers != size || <u32>list.length * size > 60000) return false;
  if (((<u32>last[33]) & (FIN | PSH)) != 0 || ((<u32>(last[33] | next[33])) & ALONE) != 0) return false;
  // Type of service, addresses, ports, acknowledgement, window, urgent pointer, options.
  const a = last.dataStart;
  const b = next.dataStart;
  if (a == b || last[1] != next[1] || memory.compare(a + 12, b + 12, 12) != 0) return false;
  if (load<u32>(a, 28) != load<u32>(b, 28) || load<u16>(a, 34) != load<u16>(b, 34)) return false;
  if (memory.compare(a + 38, b + 38, headers - 38) != 0) return false;
  return (
    bswap<u32>(load<u32>(b, 24)) == bswap<u32>(load<u32>(a, 24)) + size && isRight(last) && isRight(next)
  );
}

function isRight(packet: Uint8Array): bool {
  const length = packet.length - 20;
  return checksumFold(checksumAdd(packet.dataStart + 20, length, sumOf(packet.dataStart, length))) == 0xffff;
}

/** Packets of which each fits behind the one before, as one Ethernet frame without its header, over buffers of `room` bytes; null: no buffers. */
export function merge(list: Uint8Array[], room: u32): PacketBuffer | null {
  const headers = headersOf(list[0]);
  let total = headers;
  let flags: u8 = 0;
  for (let i = 0; i < list.length; i++) {
    total += list[i].length - headers;
    flags |= list[i][33];
  }
  const whole = new Uint8Array(total + 14);
  memory.copy(whole.dataStart + 14, list[0].dataStart, headers);
  let at = headers + 14;
  for (let i = 0; i < list.length; i++) {
    const length = list[i].length - headers;
    memory.copy(whole.dataStart + at, list[i].dataStart + headers, length);
    at += length;
  }
  const ip = whole.dataStart + 14;
  store<u16>(ip, bswap<u16>(<u16>total), 2);
  store<u16>(ip, 0, 10);
  store<u16>(ip, internetChecksum(checksumAdd(ip, 20, 0)), 10);
  store<u8>(ip, flags, 33);
  // What the device has not written: the sum of the pseudo header.
  store<u16>(ip, checksumFold(sumOf(ip, total - 20)), 36);
  merges++;
  return spread(whole, headers + 14, <u32>list[0].length - headers, room);
}

/** A frame as it comes from the device: the first buffer has the headers at least, and sometimes nothing else. */
function spread(whole: Uint8Array, headers: u32, size: u32, room: u32): PacketBuffer | null {
  let first: PacketBuffer | null = null;
  let last: PacketBuffer | null = null;
  let at: u32 = 0;
  while (at < <u32>whole.length) {
    const buffer = allocateBuffer(2);
    if (buffer === null) {
      if (first !== null) releaseBuffer(first);
      return null;
    }
    const alone = at == 0 && whole.length % 3 == 0;
    const part = min(alone ? headers : max(room, headers), <u32>whole.length - at);
    memory.copy(buffer.data, whole.dataStart + at, part);
    buffer.length = part;
    at += part;
    if (last === null) first = buffer;
    else last.more = buffer;
    last = buffer;
  }
  if (first === null) return null;
  first.flags = CHECKSUM_VALID;
  first.segmentSize = <u16>size;
  return first;
}
