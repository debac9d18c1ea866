/**
 * The Internet checksum (RFC 1071), with 64-bit additions: of long pieces one instruction for each eight bytes (hal.sum256, hal.sum64), which
 * is 240 for a full segment; in wasm alone it is 730.
 *
 * Sums are kept in memory order: 16-bit words as a little-endian load sees them. The one's complement sum does not mind (RFC 1071, 2 B),
 * so nothing is swapped on the way, and a result is stored as it is.
 *
 *     to send:               field = 0; field = internetChecksum(checksumAdd(data, length, pseudoHeaderSum(…)))
 *     to send, by a device:  field = checksumFold(pseudoHeaderSum(…)), and CHECKSUM_PARTIAL
 *     received:              checksumFold(checksumAdd(data, length, pseudoHeaderSum(…))) == 0xFFFF
 */
import { sum256, sum64 } from "../kernel/hal";
import { CHECKSUM_PARTIAL, PacketBuffer } from "./buffer";
import { Flow } from "./flow";

/** Adds with the carry brought around. */
// @ts-ignore: decorator
@inline
function addAround(sum: u64, value: u64): u64 {
  sum += value;
  return sum + u64(sum < value);
}

/** 64 to 32 bits: both halves are added in the upper one, with the carry out of the lower one. */
// @ts-ignore: decorator
@inline
function halve(total: u64): u32 {
  return <u32>((total + rotl<u64>(total, 32)) >> 32);
}

/**
 * Adds `length` bytes to the partial sum `sum`. Pieces may be chained when all but the last have an even length.
 */
export function checksumAdd(address: usize, length: u32, sum: u32): u32 {
  let total = <u64>sum;
  if (length >= 64) {
    for (let end = address + (length & ~255); address != end; address += 256) total = sum256(address, total);
    for (let end = address + (length & 192); address != end; address += 64) total = sum64(address, total);
  }
  if (length & 32) {
    total = addAround(total, load<u64>(address));
    total = addAround(total, load<u64>(address, 8));
    total = addAround(total, load<u64>(address, 16));
    total = addAround(total, load<u64>(address, 24));
    address += 32;
  }
  if (length & 16) {
    total = addAround(total, load<u64>(address));
    total = addAround(total, load<u64>(address, 8));
    address += 16;
  }
  if (length & 8) {
    total = addAround(total, load<u64>(address));
    address += 8;
  }
  if (length & 7) {
    let tail: u64 = 0;
    if (length & 4) {
      tail = load<u32>(address);
      address += 4;
    }
    if (length & 2) {
      tail += load<u16>(address);
      address += 2;
    }
    if (length & 1) tail += load<u8>(address);
    total = addAround(total, tail);
  }
  return halve(total);
}

/** The sum of 20 bytes, which is what an IPv4 header without options has. */
// @ts-ignore: decorator
@inline
export function checksum20(address: usize): u32 {
  const first = <u64>load<u32>(address) + load<u32>(address, 4) + load<u32>(address, 8);
  return halve(first + load<u32>(address, 12) + load<u32>(address, 16));
}

/** The sum of what two partial sums are of. */
// @ts-ignore: decorator
@inline
export function checksumJoin(a: u32, b: u32): u32 {
  return halve(<u64>a + b);
}

/** 32 to 16 bits, not complemented. 0xFFFF when the sum ran over a packet with a right checksum in it. */
// @ts-ignore: decorator
@inline
export function checksumFold(sum: u32): u16 {
  return <u16>((sum + rotl<u32>(sum, 16)) >> 16);
}

/** The checksum: the complement of the folded sum. */
// @ts-ignore: decorator
@inline
export function internetChecksum(sum: u32): u16 {
  return <u16>((<u32>checksumFold(sum)) ^ 0xffff);
}

/**
 * Sum of the pseudo header of a transport (RFC 9293, 3.1; RFC 8200, 8.1). `length`: transport header and payload, in bytes. The same
 * for both versions of IP, but that 0xFFFF, by which IPv4 addresses are mapped, is zero in one's complement.
 */
// @ts-ignore: decorator
@inline
export function pseudoHeaderSum(flow: Flow, protocol: u32, length: u32): u32 {
  const local = flow.local;
  const remote = flow.remote;
  // In host order: only the result is turned round.
  let total = <u64>local.ipv4 + <u64>remote.ipv4 + <u64>(protocol + length);
  if (!remote.isMapped) {
    total += (local.low >> 32) + (remote.low >> 32);
    total += (local.high & 0xffff_ffff) + (local.high >> 32);
    total += (remote.high & 0xffff_ffff) + (remote.high >> 32);
  }
  return bswap<u32>(halve(total));
}

/** `checksum` after one 16-bit word under it changed from `before` to `after`, all in memory order (RFC 1624, equation 3). */
// @ts-ignore: decorator
@inline
export function checksumUpdate(checksum: u16, before: u16, after: u16): u16 {
  return internetChecksum(((<u32>checksum) ^ 0xffff) + ((<u32>before) ^ 0xffff) + <u32>after);
}

/**
 * Makes the checksum that CHECKSUM_PARTIAL asks for, where the device cannot. 0 is written as 0xFFFF, which is the same number and
 * which UDP does not take for "none".
 */
export function finishChecksum(buffer: PacketBuffer): void {
  const start = buffer.checksumStart;
  const length = <u32>(buffer.data + buffer.length - start);
  const checksum = internetChecksum(checksumAdd(start, length, 0));
  store<u16>(start + buffer.checksumOffset, checksum == 0 ? 0xffff : checksum);
  buffer.flags &= ~CHECKSUM_PARTIAL;
}
