/** Segmentation in software (net/cut.ts): each segment is what a sender of that one alone would have made, over both versions of IP, with a tag or without. */
import {
  allocateBuffer,
  BUFFER_HEADROOM,
  bufferPool,
  CHECKSUM_PARTIAL,
  initializeBuffers,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import { Pool } from "../../kernel/memory/pool";
import { checksumAdd, checksumFold, internetChecksum } from "../../net/checksum";
import { transmitChain } from "../../net/cut";
import { DEVICE_CHECKSUM_TX, NetworkDevice, SEGMENTS_TCP4, SEGMENTS_TCP6 } from "../../net/device";
import { TCP_ACK, TCP_CHECKSUM_OFFSET, TCP_FIN, TCP_HEADER, TCP_PSH, TcpHeader } from "../../net/wire/tcp";
import { growMemory, setUpArena } from "../arena";
import { chance, seedChance } from "../chance";

const ETHERNET: u32 = 14;
const TAG: u32 = 4;
const TCP: u32 = 6;

const device = changetype<NetworkDevice>(growMemory(offsetof<NetworkDevice>(), 8));
const pool = changetype<Pool>(growMemory(offsetof<Pool>(), 8));

/** What the device has got, and how many frames it takes. */
let frames: Uint8Array[] = [];
let room = 0;

function take(to: NetworkDevice, frame: PacketBuffer): i32 {
  if (frames.length == room) return -105;
  assert(frame.more === null, "a chain");
  const bytes = new Uint8Array(frame.length);
  memory.copy(bytes.dataStart, frame.data, frame.length);
  if (frame.flags & CHECKSUM_PARTIAL) {
    assert((to.features & DEVICE_CHECKSUM_TX) != 0, "the device makes no checksums");
    const at = bytes.dataStart + (frame.checksumStart - frame.data);
    const sum = checksumAdd(at, <u32>(frame.data + frame.length - frame.checksumStart), 0);
    store<u16>(at + frame.checksumOffset, internetChecksum(sum));
  }
  frames.push(bytes);
  return 0;
}

/** The sum of the pseudo header, octet by octet from the IP header (RFC 9293, 3.1; RFC 8200, 8.1). */
function pseudoSum(ip: usize, six: bool, length: u32): u32 {
  const addresses = six ? checksumAdd(ip + 8, 32, 0) : checksumAdd(ip + 12, 8, 0);
  return checksumFold(addresses) + <u32>bswap<u16>(<u16>length) + <u32>bswap<u16>(<u16>TCP);
}

let sizes: u32[] = [];
let pieces: PacketBuffer[] = [];

/** A packet of segments of `size` octets, the last one shorter, as TCP, IP and Ethernet leave it. */
function packet(six: bool, tag: bool, options: u32, count: i32, size: u32, flags: u32): PacketBuffer {
  pieces = [];
  sizes = [];
  let whole: u32 = 0;
  for (let i = 0; i < count; i++) {
    const piece = allocateBuffer(BUFFER_HEADROOM)!;
    piece.length = i < count - 1 ? size : 1 + chance(size);
    for (let at: u32 = 0; at < piece.length; at++) store<u8>(piece.data + at, <u8>chance(256));
    if (i != 0) pieces[i - 1].more = piece;
    pieces.push(piece);
    sizes.push(piece.length);
    whole += piece.length;
  }
  const first = pieces[0];
  const header = TCP_HEADER + options;
  const tcp = changetype<TcpHeader>(first.push(header));
  for (let at: u32 = 0; at < header; at++) store<u8>(first.data + at, <u8>chance(256));
  tcp.sequence = 0xffff_f000;
  tcp.setLengthAndFlags(header, flags);
  const length = header + whole;
  const network: u32 = six ? 40 : 20;
  const ip = first.push(network);
  for (let at: u32 = 0; at != network; at++) store<u8>(ip + at, <u8>chance(256));
  store<u16>(ip + (six ? 4 : 2), bswap<u16>(<u16>(six ? length : 20 + length)));
  if (!six) {
    store<u16>(ip, 0, 10);
    store<u16>(ip, internetChecksum(checksumAdd(ip, 20, 0)), 10);
  }
  tcp.checksum = checksumFold(pseudoSum(ip, six, length));
  first.push(ETHERNET + (tag ? TAG : 0));
  first.flags = CHECKSUM_PARTIAL;
  first.checksumStart = changetype<usize>(tcp);
  first.checksumOffset = TCP_CHECKSUM_OFFSET;
  first.segmentKind = <u16>(six ? SEGMENTS_TCP6 : SEGMENTS_TCP4);
  first.segmentSize = <u16>size;
  return first;
}

/** Frame `i` is segment `i`, with the headers of `before`, the first segment's as they were. */
function expectSegment(i: i32, before: Uint8Array, six: bool, tag: bool, header: u32, flags: u32): void {
  const at = frames[i].dataStart;
  const ip = at + <usize>(ETHERNET + (tag ? TAG : 0));
  const tcp = ip + (six ? 40 : 20);
  const length = header + sizes[i];
  expect<i32>(frames[i].length).toBe(<i32>(tcp - at + length));
  expect<u32>(bswap<u16>(load<u16>(ip + (six ? 4 : 2)))).toBe(six ? length : 20 + length);
  if (!six) expect<u16>(checksumFold(checksumAdd(ip, 20, 0))).toBe(0xffff);
  expect<u16>(checksumFold(checksumAdd(tcp, length, pseudoSum(ip, six, length)))).toBe(0xffff);
  let sequence: u32 = 0xffff_f000;
  for (let j = 0; j < i; j++) sequence += sizes[j];
  expect<u32>(changetype<TcpHeader>(tcp).sequence).toBe(sequence);
  expect<u32>(changetype<TcpHeader>(tcp).flags).toBe(
    i == sizes.length - 1 ? flags : flags & ~(TCP_PSH | TCP_FIN),
  );
  expect<i32>(memory.compare(tcp + header, pieces[i].data + (i == 0 ? tcp - at + header : 0), sizes[i])).toBe(
    0,
  );
  // All else is as in the packet: link addresses, the rest of IP's header, ports, acknowledgement, window, options.
  for (let offset: usize = 0; offset < tcp - at + header; offset++) {
    const place = at + offset;
    const changed =
      place == ip + (six ? 4 : 2) ||
      place == ip + (six ? 5 : 3) ||
      (!six && (place == ip + 10 || place == ip + 11)) ||
      (place >= tcp + 4 && place < tcp + 8) ||
      place == tcp + 13 ||
      place == tcp + 16 ||
      place == tcp + 17;
    if (!changed) assert(load<u8>(place) == before[<i32>offset], "a header is another one");
  }
}

describe("segmentation in software", () => {
  beforeAll(() => {
    setUpArena(256);
    initializeBuffers(pool, 64);
    device.transmit = take.index;
  });
  afterEach(() => {
    expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
  });

  it("makes the segments that each by itself would have been", () => {
    seedChance(90);
    for (let round = 0; round < 400; round++) {
      const six = chance(2) == 0;
      const tag = chance(4) == 0;
      const options = chance(3) == 0 ? 12 : 4 * chance(11);
      const flags = TCP_ACK | (chance(2) == 0 ? TCP_PSH : 0) | (chance(4) == 0 ? TCP_FIN : 0);
      const first = packet(six, tag, options, 2 + chance(7), 8 + chance(1400), flags);
      const before = new Uint8Array(ETHERNET + 4 + 40 + 60);
      memory.copy(before.dataStart, first.data, before.length);
      const datas = pieces.map<usize>((piece) => piece.data);
      const lengths = pieces.map<u32>((piece) => piece.length);
      device.features = chance(2) == 0 ? DEVICE_CHECKSUM_TX : 0;
      frames = [];
      room = chance(3) == 0 ? 1 + chance(pieces.length) : pieces.length;
      expect<i32>(transmitChain(device, first)).toBe(room);
      expect<i32>(frames.length).toBe(room);
      for (let i = 0; i < room; i++) expectSegment(i, before, six, tag, TCP_HEADER + options, flags);
      for (let i = 0; i < pieces.length; i++) {
        expect<usize>(pieces[i].data).toBe(datas[i]);
        expect<u32>(pieces[i].length).toBe(lengths[i]);
        expect<bool>(pieces[i].more === (i < pieces.length - 1 ? pieces[i + 1] : null)).toBe(true);
      }
      releaseBuffer(first);
    }
  });

  it("says when the device takes none", () => {
    const first = packet(false, false, 0, 3, 500, TCP_ACK);
    frames = [];
    room = 0;
    expect<i32>(transmitChain(device, first)).toBe(-105);
    releaseBuffer(first);
  });
});
