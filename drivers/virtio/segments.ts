/**
 * Packets of a virtio network device that stand for several segments of TCP (virtio 1.2, 5.1.6.2 and 5.1.6.4): the device cuts what is sent
 * (VIRTIO_NET_F_HOST_TSO4, HOST_TSO6), and puts together what is received (GUEST_TSO4, GUEST_TSO6), of which no byte is moved.
 *
 * A packet to be sent is a chain of descriptors, one for each piece; the virtio header and the others stand in front of the first piece. A received one is spread over buffers of the
 * receive queue (VIRTIO_NET_F_MRG_RXBUF), one used entry for each, and the first has the headers. The buffers of a packet need not all have been used in the same round.
 *
 * Packets with CWR or ECE are neither sent nor taken in this way: VIRTIO_NET_F_HOST_ECN and GUEST_ECN are not accepted.
 */
import { EINVAL, ENETDOWN, ENOBUFS } from "../../kernel/errno";
import { read16 } from "../../kernel/hal";
import {
  BUFFER_HEADER,
  BUFFER_ROOM,
  CHECKSUM_PARTIAL,
  CHECKSUM_VALID,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import { deviceReceive, NetworkDevice, SEGMENTS_TCP4 } from "../../net/device";
import {
  ETHERNET_HEADER,
  HEADER,
  HEADER_F_NEEDS_CSUM,
  HEADER_GSO_SIZE,
  RECEIVE_ROOM,
  VirtioNet,
} from "./net-state";

/** gso_type (5.1.6). */
export const GSO_TCPV4: u32 = 1;
export const GSO_TCPV6: u32 = 4;

/** Longest packet, its IP header included: the length field of IPv4. */
export const SEGMENTED_LIMIT: u32 = 65535;
/** Buffers that a packet of that length may be spread over, with its headers. */
const BUFFERS_LIMIT: u32 = (HEADER + ETHERNET_HEADER + SEGMENTED_LIMIT + RECEIVE_ROOM - 1) / RECEIVE_ROOM;
/** Buffers of a received packet that count for a frame in the budget of a round. */
const PARTS_SHIFT: u32 = 2;
/** Where the length of a TCP header stands in it (RFC 9293, 3.1: data offset). */
const TCP_DATA_OFFSET: usize = 12;

// ---- Receiving ----

/**
 * A used buffer that is not a whole frame by itself: the first one of a packet, whose virtio header has `word` (flags and gso_type) and `buffers`, or a further one; else it is
 * dropped. Takes the reference. What it counts for in the budget of the round.
 */
export function receiveSegments(
  it: VirtioNet,
  buffer: PacketBuffer,
  written: u32,
  word: u32,
  buffers: u32,
): i32 {
  if (it.missing != 0) {
    it.missing--;
    addPiece(it, buffer, written);
  } else {
    if (buffers > 1) it.missing = buffers - 1;
    beginPacket(it, buffer, written, word, buffers);
  }
  const first = it.first;
  if (it.missing != 0 || first === null) return (it.missing & ((1 << PARTS_SHIFT) - 1)) == 0 ? 1 : 0;
  it.first = null;
  const device = it.device;
  device.receivedFrames++;
  device.receivedMerged++;
  device.receivedBytes += first.wholeLength;
  deviceReceive(device, first);
  return 1;
}

/** The first buffer, which has the headers. One whose checksum the device does not answer for would cost too long a look. */
function beginPacket(it: VirtioNet, buffer: PacketBuffer, written: u32, word: u32, buffers: u32): void {
  const kind = (word >> 8) & 0xff;
  const size = read16(buffer.data + HEADER_GSO_SIZE);
  if (
    buffers == 0 ||
    buffers > BUFFERS_LIMIT ||
    kind > GSO_TCPV6 ||
    ((it.mergedKinds >> kind) & 1) == 0 ||
    (word & it.checksumFlags) == 0 ||
    size == 0 ||
    size > <u32>it.device.mtu
  ) {
    it.device.receiveDropped++;
    releaseBuffer(buffer);
    return;
  }
  buffer.data += HEADER;
  buffer.length = written - HEADER;
  buffer.flags = CHECKSUM_VALID;
  buffer.segmentSize = <u16>size;
  it.first = buffer;
  it.last = buffer;
}

/** One that follows, of a packet that is dropped (and counted) or not. */
function addPiece(it: VirtioNet, buffer: PacketBuffer, written: u32): void {
  const last = it.last;
  if (it.first === null || last === null) {
    releaseBuffer(buffer);
    return;
  }
  if (written == 0) {
    it.device.receiveDropped++;
    releaseBuffer(buffer);
    dropPart(it);
    return;
  }
  buffer.length = written;
  last.more = buffer;
  it.last = buffer;
}

/** Lets go of what has come of a packet that will not be whole. */
export function dropPart(it: VirtioNet): void {
  const first = it.first;
  it.first = null;
  if (first !== null) releaseBuffer(first);
}

// ---- Transmitting ----

/** The rest of transmit(), for a chain: segments that the device is to cut. A reference of each piece is taken. */
export function transmitSegments(it: VirtioNet, frame: PacketBuffer): i32 {
  const device = it.device;
  const queue = it.transmitQueue;
  const pieces = frame.pieces;
  if (queue.broken != 0) return refuse(device, -ENETDOWN);
  if (queue.free < pieces) return refuse(device, -ENOBUFS);
  const header = frame.data - HEADER;
  const start = <u32>(frame.checksumStart - frame.data);
  const offset = frame.checksumOffset;
  const kind = <u32>frame.segmentKind;
  const limit = kind == SEGMENTS_TCP4 ? device.segmented4 : device.segmented6;
  const length = frame.wholeLength;
  if (
    header < changetype<usize>(frame) + BUFFER_HEADER ||
    frame.tailroom > BUFFER_ROOM ||
    (frame.flags & CHECKSUM_PARTIAL) == 0 ||
    start > frame.length ||
    offset > frame.length ||
    start + offset + 2 > frame.length ||
    frame.segmentSize == 0 ||
    kind == 0 ||
    length > limit + start ||
    pieces > device.pieces
  )
    return refuse(device, -EINVAL);
  const headers = start + (((<u32>load<u8>(frame.checksumStart, TCP_DATA_OFFSET)) >> 4) << 2);
  const type = kind == SEGMENTS_TCP4 ? GSO_TCPV4 : GSO_TCPV6;
  store<u64>(
    header,
    HEADER_F_NEEDS_CSUM |
      (type << 8) |
      (headers << 16) |
      ((<u64>frame.segmentSize) << 32) |
      ((<u64>start) << 48),
  );
  store<u32>(header, offset, 8);
  frame.references++;
  queue.addPart(header, frame.length + HEADER, <u32>changetype<usize>(frame));
  let piece = frame.more!;
  for (let more = piece.more; more !== null; more = piece.more) {
    piece.references++;
    queue.addPart(piece.data, piece.length, <u32>changetype<usize>(piece));
    piece = more;
  }
  piece.references++;
  queue.addLast(piece.data, piece.length, <u32>changetype<usize>(piece));
  device.sentFrames++;
  device.sentSegmented++;
  device.sentBytes += length;
  return 0;
}

function refuse(device: NetworkDevice, reason: i32): i32 {
  device.transmitDropped++;
  return reason;
}
