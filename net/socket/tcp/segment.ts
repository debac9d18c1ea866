/**
 * The segment that is being dealt with: its header in host order, its options, and where its payload stands.
 *
 * There is one, filled in by `parseSegment` and read by everyone until the next arrives: input never nests, what the
 * loopback carries is queued by the IPv4 layer.
 *
 * Several segments that the device has put together are one here. Its payload goes on from `buffer` into the pieces behind it.
 */
import { checksumAdd, checksumFold, pseudoHeaderSum } from "../../checksum";
import { CHECKSUM_VALID, LINK_BROADCAST, PacketBuffer } from "../../buffer";
import { Flow } from "../../flow";
import { congestionSeen } from "../../ip";
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, TCP_URG, TcpHeader } from "../../wire/tcp";
import { IPPROTO_TCP } from "../socket";
import { parseOptions, SegmentOptions } from "./options";
import { statistics } from "./statistics";


@unmanaged
export class Segment extends SegmentOptions {
  buffer: PacketBuffer;
  /** Its receiver is the local end. That of its connection, when that had another segment of late. */
  flow: Flow;
  private flow0: u64;
  private flow1: u64;
  private flow2: u64;
  private flow3: u64;
  private flow4: u64;
  private flow5: u64;
  /** What it came in: `buffer` is a piece of that. */
  packet: PacketBuffer;
  /** SEG.SEQ, SEG.ACK, SEG.WND (not scaled), flags. */
  sequence: u32;
  acknowledgement: u32;
  window: u32;
  flags: u32;
  /** Where no connection had its flow of late: HASH_TABLE of the flow; of one for a request the lower half. */
  hash: u64;
  /** With URG: the sequence number behind the urgent data, as the peer says. */
  urgent: u32;
  /** Payload that is still to be looked at, from an address in `buffer` on, and its length in bytes. */
  payload: usize;
  payloadLength: u32;
  private sorted0: u64;
  private sorted1: u64;
  private sorted2: u64;
  private sorted3: u64;

  /** Room for SACK_BLOCKS blocks: start, then end, 4 bytes each (delivered.ts). */
  @inline get sortedBlocks(): usize {
    return changetype<usize>(this) + offsetof<Segment>("sorted0");
  }

  /** A router has seen congestion (ECN field: CE). */
  @inline get marked(): bool {
    return congestionSeen(this.packet);
  }

  /** Room for the flow of one for which no connection is known. */
  @inline get ownFlow(): Flow {
    return changetype<Flow>(changetype<usize>(this) + offsetof<Segment>("flow0"));
  }

  /** SEG.LEN: octets of sequence space, SYN and FIN counted. */
  @inline get length(): u32 {
    return this.payloadLength + ((this.flags >> 1) & 1) + (this.flags & 1);
  }

  /** Edges of SACK block `index`, below `sackCount`. */
  @inline blockStart(index: u32): u32 {
    return bswap(load<u32>(this.sackBlocks + ((<usize>index) << 3)));
  }


  @inline blockEnd(index: u32): u32 {
    return bswap(load<u32>(this.sackBlocks + ((<usize>index) << 3), 4));
  }

  /** The sequence number behind the last one of the segment. */
  @inline get end(): u32 {
    return this.sequence + this.length;
  }


  @inline has(bits: u32): bool {
    return (this.flags & bits) != 0;
  }

  /** A SYN with which a connection begins. */
  @inline get isFirst(): bool {
    return (this.flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) == TCP_SYN;
  }

  /** Takes `bytes` of sequence space off the front (never more than there are): SYN first, then payload. */
  trimFront(bytes: u32): void {
    this.sequence += bytes;
    if (bytes != 0 && this.has(TCP_SYN)) {
      this.flags &= ~TCP_SYN;
      bytes--;
    }
    if (bytes > this.payloadLength) {
      this.flags &= ~TCP_FIN;
      bytes = this.payloadLength;
    }
    this.payload += bytes;
    this.payloadLength -= bytes;
    if (this.buffer.more !== null) this.passPieces();
  }

  /** The payload is of `length` bytes, in further pieces, too. */
  goOn(length: u32): void {
    this.payloadLength = length;
    this.passPieces();
  }

  /** The payload may begin in a later piece. */
  private passPieces(): void {
    let more = this.buffer.more;
    while (more !== null && this.payload >= this.bufferEnd) {
      more.segmentSize = this.buffer.segmentSize;
      this.payload = more.data + (this.payload - this.bufferEnd);
      this.buffer = more;
      more = more.more;
    }
  }

  /** The address behind what is in `buffer`. */
  @inline get bufferEnd(): usize {
    return this.buffer.data + this.buffer.length;
  }

  /** Takes `bytes` of sequence space off the end: FIN first, then payload. */
  trimEnd(bytes: u32): void {
    if (bytes != 0 && this.has(TCP_FIN)) {
      this.flags &= ~TCP_FIN;
      bytes--;
    }
    this.payloadLength -= min(bytes, this.payloadLength);
  }
}

export let segment: Segment = changetype<Segment>(0);

/** `storage`: `offsetof<Segment>()` bytes. */
export function initializeSegment(storage: usize): void {
  segment = changetype<Segment>(storage);
}

/** Whether what the network layer handed up, to us alone, has a whole header. False: it is counted. */
// @ts-ignore: decorator
@inline
export function isSegment(buffer: PacketBuffer): bool {
  const good = TcpHeader.check(buffer.data, buffer.length) && (buffer.flags & LINK_BROADCAST) == 0;
  if (!good) statistics.malformed++;
  return good;
}

/** Fills in `segment` from what isSegment holds for, and what flow it is of. False: wrong, and counted. */
// @ts-ignore: decorator
@inline
export function parseSegment(buffer: PacketBuffer, flow: Flow): bool {
  const address = buffer.data;
  const length = buffer.length;
  if ((buffer.flags & CHECKSUM_VALID) == 0) {
    const sum = pseudoHeaderSum(flow, IPPROTO_TCP, length);
    // Pieces come only from a device that has checked them: others have no right sum over the first.
    if (checksumFold(checksumAdd(address, length, sum)) != 0xffff) {
      statistics.badChecksum++;
      return false;
    }
  }
  const header = changetype<TcpHeader>(address);
  const headerLength = header.headerLength;
  const s = segment;
  s.flow = flow;
  s.packet = buffer;
  s.buffer = buffer;
  s.sequence = header.sequence;
  s.acknowledgement = header.acknowledgement;
  s.window = header.window;
  s.flags = header.flags;
  if (s.has(TCP_URG)) s.urgent = s.sequence + header.urgent;
  s.payload = address + headerLength;
  s.payloadLength = length - headerLength;
  if (buffer.more !== null) s.goOn(buffer.wholeLength - headerLength);
  if (!parseOptions(s, address, headerLength, s.has(TCP_SYN))) {
    statistics.malformed++;
    return false;
  }
  return true;
}
