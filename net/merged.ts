/**
 * Received packets that the device has put together out of several segments of TCP (net/device.ts; Linux: LRO), on their way through both versions of IP.
 *
 * Such a packet is a chain of pieces, and all of its headers are in the first. The length that its IP header has is that of the chain, so for the first piece by itself it is
 * wrong. Nothing but TCP comes like this, and no fragment of it.
 */
import { PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { IPPROTO_TCP } from "./socket/socket";
import { transportInput } from "./transports";

/** Bytes that the IP header of a packet may speak of, where they are more than those of its first piece, in which `headers` bytes have to be; 0: it has no others. */
export function mergedLength(buffer: PacketBuffer, headers: u32): u32 {
  return buffer.more !== null && buffer.length >= headers ? buffer.wholeLength : 0;
}

/**
 * A packet in pieces, at its IP header, with a length that is exact and networkHeader set. `headers`: bytes in front of its TCP header, 0: it is no whole packet of TCP, and
 * dropped. Takes the reference.
 */
export function deliverMerged(buffer: PacketBuffer, headers: u32): void {
  if (headers != 0) {
    buffer.pull(headers);
    if (transportInput(buffer, IPPROTO_TCP)) return;
  }
  networkCounters().ipBadLength++;
  releaseBuffer(buffer);
}
