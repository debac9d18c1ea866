/**
 * What sending in fragments needs (RFC 791, 2.3; RFC 6864): pieces of the right size, and identifications.
 *
 * An identification has to differ from those of other datagrams with the same source, destination and protocol that may still be under way, and shall tell nobody
 * else how much we send (RFC 7739, 5.1). So there is a counter for each class of such triples, chosen by a keyed hash, and each begins at a random number.
 */
import { random32, sipHash } from "../kernel/random";
import { CHECKSUM_PARTIAL, cutPiece, PacketBuffer } from "./buffer";
import { finishChecksum } from "./checksum";
import { IPV4_HEADER } from "./wire/ipv4";

/** Fragments of a step. */
export const FRAGMENT_STRETCH: u32 = 8;

/** Counters, a power of two. */
const COUNTERS: u32 = 256;

/** Bytes of storage for initializeFragments. */
export const FRAGMENT_STORAGE: usize = COUNTERS * 2;

let counters: usize = 0;

/** Once at boot, after random numbers. */
export function initializeFragments(storage: usize): void {
  counters = storage;
  for (let i: u32 = 0; i < COUNTERS; i++) store<u16>(storage + ((<usize>i) << 1), <u16>random32());
}

/** For the next datagram from `source` to `destination` that may be fragmented. */
export function nextIdentification(source: u32, destination: u32, protocol: u32): u32 {
  const hash = sipHash(((<u64>source) << 32) | destination, ((<u64>IDENTIFICATION) << 32) | protocol);
  const counter = counters + ((<usize>(hash & (COUNTERS - 1))) << 1);
  const value = load<u16>(counter) + 1;
  store<u16>(counter, value);
  // Those that share a counter see different numbers.
  return (<u32>value + <u32>(hash >> 32)) & 0xffff;
}

/** Sets the use of the hash apart from those of TCP (net/socket/tcp/demux.ts). */
const IDENTIFICATION: u32 = 0x4950;

/** Payload of a fragment that is not the last. */
export function fragmentPayload(mtu: u32): u32 {
  return (mtu - IPV4_HEADER) & ~7;
}

/** Cuts the pieces of a packet so that each can go in a fragment. False: no buffer; then some are cut and others are not. */
export function cutIntoFragments(buffer: PacketBuffer, mtu: u32): bool {
  // A device cannot sum what goes in several packets.
  if (buffer.flags & CHECKSUM_PARTIAL) finishChecksum(buffer);
  const most = fragmentPayload(mtu);
  for (let piece: PacketBuffer | null = buffer; piece !== null; piece = piece.more) {
    // Only the last may have a length that is no multiple of 8, and be as long as the MTU.
    if (piece.length > most && (piece.more !== null || piece.length + IPV4_HEADER > mtu)) {
      if (!cutPiece(piece, most)) return false;
    }
  }
  return true;
}
