/**
 * What sending in fragments needs (RFC 791, 2.3; RFC 6864; RFC 8200, 4.5): pieces of the right size, and identifications. How they are sent is in
 * net/fragment-output.ts.
 *
 * An identification has to differ from those of other datagrams with the same source, destination and, of IPv4, protocol that may still be under way, and shall tell nobody
 * else how much we send, nor which one is next (RFC 7739, 5.3). So there is a counter for each class of such triples, chosen by a keyed hash, and each begins at a random number.
 */
import { EMSGSIZE, ENOBUFS } from "../kernel/errno";
import { random32, sipHash } from "../kernel/random";
import { CHECKSUM_PARTIAL, cutPiece, PacketBuffer } from "./buffer";
import { finishChecksum } from "./checksum";
import { networkCounters } from "./counters";
import { IpAddress } from "./flow";
import { MAY_FRAGMENT } from "./service";
import { IPV4_HEADER } from "./wire/ipv4";
import { EXTENSION_HEADER, IPV6_HEADER } from "./wire/ipv6";

/** Fragments of a step. */
export const FRAGMENT_STRETCH: u32 = 8;
/** Bytes of headers of a fragment. */
export const FRAGMENT_HEADERS4: u32 = IPV4_HEADER;
export const FRAGMENT_HEADERS6: u32 = IPV6_HEADER + EXTENSION_HEADER;

/** Counters, a power of two. */
const COUNTERS: u32 = 256;

/** Triples whose hash is remembered, a power of two: 20 instructions for each datagram of IPv4 instead of 220. */
const REMEMBERED: u32 = 32;


@unmanaged
class Remembered {
  addresses: u64;
  hash: u64;
  /** 0: none. 64 bits, so that the next one is aligned. */
  protocol: u64;
}

const REMEMBERED_SIZE: usize = offsetof<Remembered>();
/** Bytes of storage for initializeFragments, 8-aligned. */
export const FRAGMENT_STORAGE: usize = <usize>COUNTERS * 4 + <usize>REMEMBERED * REMEMBERED_SIZE;

/** Sets the use of the hash apart from those of TCP (net/socket/tcp/demux.ts). */
const IDENTIFICATION: u32 = 0x4950;

let counters: usize = 0;

/** Once at boot, after random numbers. */
export function initializeFragments(storage: usize): void {
  counters = storage;
  memory.fill(storage, 0, FRAGMENT_STORAGE);
  for (let i: u32 = 0; i < COUNTERS; i++) store<u32>(storage + ((<usize>i) << 2), random32());
}

/** For the next datagram of IPv4 from `source` to `destination` that may be fragmented; 16 bits. */
export function nextIdentification(source: u32, destination: u32, protocol: u32): u32 {
  const addresses = ((<u64>source) << 32) | destination;
  const place = counters + COUNTERS * 4 + <usize>(destination & (REMEMBERED - 1)) * REMEMBERED_SIZE;
  const last = changetype<Remembered>(place);
  if (last.addresses != addresses || last.protocol != protocol) {
    last.addresses = addresses;
    last.protocol = protocol;
    last.hash = sipHash(addresses, ((<u64>IDENTIFICATION) << 32) | protocol);
  }
  return nextOf(last.hash) & 0xffff;
}

/** For the next datagram of IPv6 that is sent in fragments; 32 bits. */
export function nextIdentification6(source: IpAddress, destination: IpAddress): u32 {
  const hash = sipHash(source.high, source.low);
  return nextOf(sipHash(hash ^ destination.high, destination.low));
}

/** Those that share a counter see different numbers. */
// @ts-ignore: decorator
@inline
function nextOf(hash: u64): u32 {
  const counter = counters + ((<usize>(hash & (COUNTERS - 1))) << 2);
  const value = load<u32>(counter) + 1;
  store<u32>(counter, value);
  return value + <u32>(hash >> 32);
}

/** Payload of a fragment that is not the last, in packets of `mtu` bytes with `headers` bytes of headers. */
// @ts-ignore: decorator
@inline
export function fragmentPayload(mtu: u32, headers: u32): u32 {
  return (mtu - headers) & ~7;
}

/**
 * Cuts the packet in `buffer`, which is too long for one, into pieces of which each can go in a fragment: one of `mtu` bytes, with `headers` bytes of headers. `service`: see
 * net/service.ts; `most`: bytes that a datagram may have behind its IP header. 0; -EMSGSIZE: it is not to be fragmented, or longer than `most`; -ENOBUFS: some are cut and others are not.
 */
export function cutDatagram(buffer: PacketBuffer, service: u32, most: u32, mtu: u32, headers: u32): i32 {
  if ((service & MAY_FRAGMENT) == 0 || buffer.wholeLength > most) {
    networkCounters().ipTooBig++;
    return -EMSGSIZE;
  }
  if (cutPieces(buffer, mtu, headers)) return 0;
  networkCounters().ipNoBuffer++;
  return -ENOBUFS;
}

function cutPieces(buffer: PacketBuffer, mtu: u32, headers: u32): bool {
  // A device cannot sum what goes in several packets.
  if (buffer.flags & CHECKSUM_PARTIAL) finishChecksum(buffer);
  const most = fragmentPayload(mtu, headers);
  for (let piece: PacketBuffer | null = buffer; piece !== null; piece = piece.more) {
    // Only the last may have a length that is no multiple of 8, and be as long as the MTU.
    if (piece.length > most && (piece.more !== null || piece.length + headers > mtu)) {
      if (!cutPiece(piece, most)) return false;
    }
  }
  return true;
}
