/**
 * Packet buffers (Linux: sk_buff, BSD: mbuf): one frame each, in a 2 KiB block that a device can reach by DMA.
 *
 *     0            64                 data            data+length        2048
 *     ├────────────┼──────────────────┼────────────────────┼──────────────┤
 *     │ this class │ headroom         │ the packet         │ tailroom     │
 *     └────────────┴──────────────────┴────────────────────┴──────────────┘
 *
 * Layers strip headers by `pull` on the way up and add them by `push` on the way down; bytes are never moved.
 * A buffer belongs to whoever holds a reference; the device holds one while it reads the bytes.
 *
 * A packet that is too long for one buffer is a chain of pieces, linked by `more`. Whoever holds the first has them all. `data` and `length` are those of the
 * first piece, `wholeLength` is that of all. There are two kinds: datagrams in fragments, which UDP and ICMP know, and segments of TCP that travel together
 * as far as the device (`segmentSize`). Of the latter only the first piece has headers.
 */
import { Pool } from "../kernel/memory/pool";
import { Endpoint } from "./flow";

export const BUFFER_SIZE: u32 = 2048;
/** Bytes of this class, ahead of the packet's own. */
export const BUFFER_HEADER: u32 = 64;
/** Bytes a packet can have when `data` stands at the start of the room. */
export const BUFFER_ROOM: u32 = BUFFER_SIZE - BUFFER_HEADER;
/**
 * Room that a transport leaves in front of its payload: virtio-net header 12, Ethernet 14, a tag of 4, IPv4 20 or IPv6 40, TCP 60, which are 130; a multiple of 16,
 * so that payload is aligned.
 */
export const BUFFER_HEADROOM: u32 = 144;

/** Received: the device has checked the transport checksum (VIRTIO_NET_HDR_F_DATA_VALID or NEEDS_CSUM). */
export const CHECKSUM_VALID: u32 = 1;
/** To send: the device shall put the one's complement sum of [checksumStart, end) at checksumStart + checksumOffset. */
export const CHECKSUM_PARTIAL: u32 = 2;
/** Came through a broadcast or multicast link address: never answered by an error or a reset. */
export const LINK_BROADCAST: u32 = 4;
/** To send: the sender will use the bytes again, so nobody may keep the buffer but a device that reads it. */
export const BUFFER_RETAINED: u32 = 8;
/** Received: `word1` and `sequence` are the two halves of the hash of its flow (TCP). */
export const TUPLE_HASHED: u32 = 16;
/** Received (TCP): a part of what it acknowledges was dealt with (tcp/acknowledge.ts): `word0` bytes, of which `checksumStart` were news; `checksumOffset` had been in flight. */
export const ACK_PART: u32 = 32;
/** In that part was something that was sent more than once; something that was sent once. */
export const ACK_REPEATED: u32 = 64;
export const ACK_ORIGINAL: u32 = 128;


@unmanaged
export class PacketBuffer {
  /** Link for the one queue the buffer is in. */
  next: PacketBuffer | null;
  /** Address of the first byte of the present layer. */
  data: usize;
  /** Bytes from `data` on. */
  length: u32;
  /** CHECKSUM_* and LINK_* flags. */
  flags: u32;
  /** Address of the IPv4 header of a received packet, once the IPv4 layer has checked it. */
  networkHeader: usize;
  /** Address at which the checksum of CHECKSUM_PARTIAL starts, and offset of its field from there. Of a chain: the sum of its bytes (net/checksum.ts). */
  checksumStart: usize;
  checksumOffset: u32;
  /** Holders: the queue it is in, and the device. */
  references: u32;
  /** For the protocol that holds the buffer (Linux: cb); TCP: sequence number and length in sequence space; reassembly: where the piece begins and ends. */
  sequence: u32;
  /** Before that, of a received packet that waits: its transport's input (net/packets.ts). */
  endSequence: u32;
  /** TCP: times sent; of a received segment see TUPLE_HASHED. */
  word0: u32;
  word1: u32;
  /** Nanoseconds at which it was last sent, or was received. */
  time: u64;
  /** The next piece of the same packet; null: this is the last one, as of nearly all packets. */
  more: PacketBuffer | null;
  /**
   * The packet stands for several segments of TCP, as if each had come or gone by itself: payload of each but the last, in bytes. The device has put them together, or is
   * to cut them (net/device.ts). 0: it is one segment, or none.
   */
  segmentSize: u16;
  /** Of such a packet that is to be sent: SEGMENTS_*. */
  segmentKind: u16;

  /** Reassembly: bytes of each fragment in the piece, of which the last may have fewer; 0: they differ, and which there were is not known. */
  @inline get fragmentSize(): u32 {
    return this.word0;
  }


  @inline set fragmentSize(bytes: u32) {
    this.word0 = bytes;
  }

  /** UDP: the sender of a received datagram. It stands where TCP has what is above, from `sequence` on. */
  @inline get source(): Endpoint {
    return changetype<Endpoint>(changetype<usize>(this) + offsetof<PacketBuffer>("sequence"));
  }

  /** TCP's send queue (tcp/scoreboard.ts): what has become of the segment, and its neighbours among those in flight, in the order of time. */
  @inline get state(): u32 {
    return this.word1;
  }


  @inline set state(value: u32) {
    this.word1 = value;
  }


  @inline get sentBefore(): PacketBuffer | null {
    return changetype<PacketBuffer | null>(<usize>this.endSequence);
  }


  @inline set sentBefore(buffer: PacketBuffer | null) {
    this.endSequence = <u32>changetype<usize>(buffer);
  }


  @inline get sentAfter(): PacketBuffer | null {
    return changetype<PacketBuffer | null>(this.networkHeader);
  }


  @inline set sentAfter(buffer: PacketBuffer | null) {
    this.networkHeader = changetype<usize>(buffer);
  }


  @inline get input(): u32 {
    return this.endSequence;
  }


  @inline set input(index: u32) {
    this.endSequence = index;
  }

  /** Removes `bytes` from the front. The caller has checked that they are there. */
  @inline pull(bytes: u32): void {
    this.data += bytes;
    this.length -= bytes;
  }

  /** Adds `bytes` at the front, to be written by the caller. The headroom is there by construction. */
  @inline push(bytes: u32): usize {
    this.data -= bytes;
    this.length += bytes;
    return this.data;
  }

  /** Bytes that can still be appended. */
  @inline get tailroom(): u32 {
    return <u32>(changetype<usize>(this) + BUFFER_SIZE - this.data) - this.length;
  }

  /** Bytes of this piece and of those behind it. */
  @inline get wholeLength(): u32 {
    return this.more === null ? this.length : chainLength(this);
  }

  /** Buffers that the packet takes up. */
  @inline get pieces(): u32 {
    return this.more === null ? 1 : chainPieces(this);
  }
}

function chainLength(first: PacketBuffer): u32 {
  let bytes: u32 = 0;
  for (let piece: PacketBuffer | null = first; piece !== null; piece = piece.more) bytes += piece.length;
  return bytes;
}

function chainPieces(first: PacketBuffer): u32 {
  let count: u32 = 0;
  for (let piece: PacketBuffer | null = first; piece !== null; piece = piece.more) count++;
  return count;
}

let pool: Pool = changetype<Pool>(0);

/** Once at boot. `storage`: room for a Pool; `limit`: most buffers there may be. */
export function initializeBuffers(storage: Pool, limit: u32): void {
  pool = storage;
  pool.initialize(BUFFER_SIZE, limit);
}

/** An empty buffer with `headroom` bytes in front and one reference; null when the pool is empty (counted there). */
export function allocateBuffer(headroom: u32): PacketBuffer | null {
  const address = pool.takeFree();
  // Not to be inlined: what is seldom done would cost each of them 12 instructions for the registers that it needs.
  if (address == 0) return call_indirect<PacketBuffer | null>(allocateMore.index, headroom);
  const buffer = changetype<PacketBuffer>(address);
  buffer.next = null;
  buffer.data = address + BUFFER_HEADER + headroom;
  buffer.length = 0;
  buffer.flags = 0;
  buffer.references = 1;
  buffer.more = null;
  store<u32>(address, 0, offsetof<PacketBuffer>("segmentSize"));
  return buffer;
}

/** The same when the pool has to grow first. */
function allocateMore(headroom: u32): PacketBuffer | null {
  return pool.refill() ? allocateBuffer(headroom) : null;
}

/** Gives one reference back; the last one frees the buffer, and all pieces behind it. */
export function releaseBuffer(buffer: PacketBuffer): void {
  if (--buffer.references != 0) return;
  const more = buffer.more;
  pool.release(changetype<usize>(buffer));
  if (more !== null) releasePieces(more);
}

function releasePieces(first: PacketBuffer): void {
  let piece: PacketBuffer | null = first;
  while (piece !== null) {
    const more: PacketBuffer | null = piece.more;
    piece.more = null;
    releaseBuffer(piece);
    piece = more;
  }
}

/** Gives back a reference of each piece of a packet: pieces of which somebody has another one stay, by themselves. */
export function releaseEach(first: PacketBuffer): void {
  const more = first.more;
  first.more = null;
  releaseBuffer(first);
  if (more !== null) releasePieces(more);
}

/** Cuts what is behind `length` bytes, of which there are as many at least, off the end of a packet. */
export function trimPieces(first: PacketBuffer, length: u32): void {
  let piece = first;
  let more = piece.more;
  while (length > piece.length && more !== null) {
    length -= piece.length;
    piece = more;
    more = piece.more;
  }
  piece.length = length;
  piece.more = null;
  if (more !== null) releasePieces(more);
}

/** The datagram is too long for `buffer`: what is behind `length` bytes goes to a piece of its own behind it. False: no buffer. */
export function cutPiece(buffer: PacketBuffer, length: u32): bool {
  const rest = allocateBuffer(BUFFER_HEADROOM);
  if (rest === null) return false;
  rest.length = buffer.length - length;
  memory.copy(rest.data, buffer.data + length, rest.length);
  rest.more = buffer.more;
  buffer.length = length;
  buffer.more = rest;
  return true;
}

/** The pool itself, for statistics and limits. */
export function bufferPool(): Pool {
  return pool;
}

/** A first-in first-out queue of buffers, linked through `next`. */
@unmanaged
export class BufferQueue {
  head: PacketBuffer | null;
  tail: PacketBuffer | null;
  count: u32;


  @inline append(buffer: PacketBuffer): void {
    buffer.next = null;
    const tail = this.tail;
    if (tail === null) this.head = buffer;
    else tail.next = buffer;
    this.tail = buffer;
    this.count++;
  }

  prepend(buffer: PacketBuffer): void {
    const head = this.head;
    buffer.next = head;
    if (head === null) this.tail = buffer;
    this.head = buffer;
    this.count++;
  }


  @inline take(): PacketBuffer | null {
    const buffer = this.head;
    if (buffer === null) return null;
    this.head = buffer.next;
    if (buffer.next === null) this.tail = null;
    this.count--;
    return buffer;
  }

  /** All of `other` join, in their order. */
  join(other: BufferQueue): void {
    if (other.count == 0) return;
    const tail = this.tail;
    if (tail === null) this.head = other.head;
    else tail.next = other.head;
    this.tail = other.tail;
    this.count += other.count;
    other.head = null;
    other.tail = null;
    other.count = 0;
  }

  /** Releases every buffer. */
  clear(): void {
    let buffer = this.take();
    while (buffer !== null) {
      releaseBuffer(buffer);
      buffer = this.take();
    }
  }
}
