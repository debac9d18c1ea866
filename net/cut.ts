/**
 * Segmentation in software, for a device that cannot cut packets itself (Linux: GSO): the packet of several segments of TCP that net/socket/tcp/together.ts makes goes
 * through the layers as one, and is cut here, between Ethernet and the device. What a segment more costs is its own header, copied from the first with another length, sequence number
 * and checksum: 250 instructions and its sum, instead of the 670 of the whole way.
 *
 * Each piece of the chain is a segment, and has room for headers in front of it. They are left as they were found.
 */
import { CHECKSUM_PARTIAL, PacketBuffer } from "./buffer";
import { checksumFold, checksumUpdate, finishChecksum } from "./checksum";
import { DEVICE_CHECKSUM_TX, deviceTransmit, NetworkDevice, SEGMENTS_TCP4 } from "./device";
import { IPV4_HEADER, Ipv4Header } from "./wire/ipv4";
import { IPV6_HEADER, Ipv6Header } from "./wire/ipv6";
import { TCP_FIN, TCP_PSH, TcpHeader } from "./wire/tcp";

/** Bytes of a packet at most, its IP header included: what a length of IPv4 says. Its sender sees to it that cutting it is a short step. */
export const CUT_LIMIT: u32 = 65535;

/**
 * Sends a frame that is to be cut into segments, by the device if it does that. 0: it took all of them; else how many, the first ones; a negative errno: none, and why.
 */
export function transmitChain(device: NetworkDevice, first: PacketBuffer): i32 {
  return cutsItself(device, first.segmentKind) ? deviceTransmit(device, first) : transmitCut(device, first);
}

/** The device cuts packets of the kind. */
// @ts-ignore: decorator
@inline
export function cutsItself(device: NetworkDevice, kind: u32): bool {
  return (kind == SEGMENTS_TCP4 ? device.segmented4 : device.segmented6) != 0;
}

/**
 * Sends the segments of the frame `first`, a chain with `segmentKind`, whose checksum is CHECKSUM_PARTIAL still. How many the device took, the first ones; a negative errno: none,
 * and why.
 */
function transmitCut(device: NetworkDevice, first: PacketBuffer): i32 {
  const tcp = first.checksumStart;
  const header = changetype<TcpHeader>(tcp);
  const headerLength = header.headerLength;
  const headers = <u32>(tcp - first.data) + headerLength;
  const flags = header.flags;
  const sum = header.checksum;
  const whole = first.wholeLength - <u32>(tcp - first.data);
  const ip = tcp - (first.segmentKind == SEGMENTS_TCP4 ? IPV4_HEADER : IPV6_HEADER);
  // What leaves are segments, each by itself.
  first.segmentSize = 0;
  let sequence = header.sequence;
  let taken = 0;
  let piece: PacketBuffer | null = first;
  while (piece !== null) {
    const more: PacketBuffer | null = piece.more;
    const data = piece.data;
    const length = piece.length;
    if (piece !== first) memory.copy(piece.push(headers), first.data, headers);
    const distance = piece.data - first.data;
    const segment = changetype<TcpHeader>(tcp + distance);
    const payload = piece.length - headers;
    setLength(ip + distance, first.segmentKind, headerLength + payload);
    segment.sequence = sequence;
    segment.setLengthAndFlags(headerLength, more === null ? flags : flags & ~(TCP_PSH | TCP_FIN));
    segment.checksum = withLength(sum, whole, headerLength + payload);
    piece.more = null;
    piece.flags |= CHECKSUM_PARTIAL;
    piece.checksumStart = changetype<usize>(segment);
    piece.checksumOffset = first.checksumOffset;
    if (!(device.features & DEVICE_CHECKSUM_TX)) finishChecksum(piece);
    const result = deviceTransmit(device, piece);
    piece.more = more;
    if (piece !== first) {
      piece.data = data;
      piece.length = length;
    }
    if (result < 0) return taken == 0 ? result : taken;
    taken++;
    sequence += payload;
    piece = more;
  }
  return taken;
}

/** Sets the length of what is behind the network header at `ip`. */
// @ts-ignore: decorator
@inline
function setLength(ip: usize, kind: u32, length: u32): void {
  if (kind != SEGMENTS_TCP4) {
    changetype<Ipv6Header>(ip).payloadLength = length;
    return;
  }
  const header = changetype<Ipv4Header>(ip);
  const before = load<u16>(ip, 2);
  header.totalLength = IPV4_HEADER + length;
  header.checksum = checksumUpdate(header.checksum, before, load<u16>(ip, 2));
}

/** The folded sum of a pseudo header that had the length `before`, with `after`. */
// @ts-ignore: decorator
@inline
function withLength(sum: u16, before: u32, after: u32): u16 {
  return checksumFold(<u32>sum + ((<u32>bswap<u16>(<u16>before)) ^ 0xffff) + bswap<u16>(<u16>after));
}
