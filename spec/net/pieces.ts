/** Datagrams in pieces, for specs: makes one, hands it in as fragments, and puts together what the stack has sent. */
import { setLogLevel } from "../../kernel/console";
import { setUserLimits } from "../../kernel/memory/user";
import { allocateBuffer, BUFFER_HEADROOM, BufferQueue, PacketBuffer, releaseBuffer } from "../../net/buffer";
import { checksumAdd, checksumFold, internetChecksum } from "../../net/checksum";
import { Socket } from "../../net/socket/socket";
import { udpCreate, udpSend } from "../../net/socket/udp";
import { ARP_REPLY } from "../../net/wire/arp";
import { IPV4_MF, IPV4_OFFSET, Ipv4Header } from "../../net/wire/ipv4";
import { UdpHeader } from "../../net/wire/udp";
import { endpoint, pseudoHeaderSum } from "./addresses";
import * as frames from "./frames";
import { deliver, TRANSPORT } from "./frames";
import * as link from "./link";
import { OWN, PEER, PEER4 } from "./link";

/** Longest payload of a UDP datagram. */
export const MOST: u32 = 65507;
export const SECOND: u64 = 1_000_000_000;

/** The datagram that is cut up: a UDP header and its payload. */
const datagram = new StaticArray<u8>(65536);
export const DATAGRAM: usize = changetype<usize>(datagram);

/** What the stack has sent: IPv4 packets other than ARP, put one behind the other; and the last ICMP error. */
const copied = new StaticArray<u8>(1 << 18);
const COPIED: usize = changetype<usize>(copied);
export let packets: usize[] = [];
let copiedLength: u32 = 0;

function record(frame: usize, length: u32): void {
  if (load<u16>(frame + 12) != 0x0008 || copiedLength + length > <u32>copied.length) return;
  memory.copy(COPIED + copiedLength, frame + 14, length - 14);
  packets.push(COPIED + copiedLength);
  copiedLength += length - 14;
}

/** A new stack with `buffers` packet buffers; the peer's link address is known. */
export function boot(buffers: u32): void {
  link.bootStack(buffers, 11);
  setLogLevel(0);
  link.setHook(record.index);
  setUserLimits(0xffff_0000, 0);
  resolvePeer();
  forget();
}

export function forget(): void {
  packets = [];
  copiedLength = 0;
}

/** The peer's link address is known: packets to it leave at once. */
function resolvePeer(): void {
  const socket = bound(1);
  const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
  udpSend(socket, endpoint(PEER, 9), buffer);
  releaseBuffer(buffer);
  frames.arp(ARP_REPLY, PEER, PEER4, OWN);
  deliver();
  close(socket);
}

export function bound(port: u32): Socket {
  const socket = changetype<Socket>(changetype<usize>(udpCreate()));
  assert(call_indirect<i32>(socket.protocol.bind, socket, endpoint(0, port)) == 0, "bind");
  return socket;
}
export function close(s: Socket): void {
  call_indirect<void>(s.protocol.close, s);
}
export function peekLength(s: Socket): i32 {
  return call_indirect<i32>(s.protocol.peekLength, s);
}
export function consume(s: Socket): void {
  call_indirect<void>(s.protocol.consume, s, <u32>0);
}
export function headOf(s: Socket): PacketBuffer | null {
  return call_indirect<BufferQueue>(s.protocol.queue, s).head;
}

export function octet(stream: u32, position: u32): u8 {
  return <u8>(((position * 2654435761) >> 13) + position + stream * 97);
}

/** Makes a datagram of the stream `stream` to port 7. Its bytes, with its header. */
export function make(stream: u32, payload: u32): u32 {
  const header = changetype<UdpHeader>(DATAGRAM);
  header.sourcePort = 4000 + stream;
  header.destinationPort = 7;
  header.length = 8 + payload;
  header.checksum = 0;
  for (let i: u32 = 0; i < payload; i++) store<u8>(DATAGRAM + 8 + i, octet(stream, i));
  const sum = internetChecksum(
    checksumAdd(DATAGRAM, 8 + payload, pseudoHeaderSum(PEER, OWN, 17, 8 + payload)),
  );
  header.checksum = sum == 0 ? 0xffff : sum;
  return 8 + payload;
}

/** Hands in `length` bytes of the datagram from `offset` on, as a fragment. */
export function piece(identification: u32, offset: u32, length: u32, more: bool, protocol: u32 = 17): void {
  const header = frames.ipv4(PEER, OWN, protocol, length);
  memory.copy(TRANSPORT, DATAGRAM + offset, length);
  header.identification = identification;
  header.fragment = (offset >> 3) | (more ? IPV4_MF : 0);
  frames.ipChecksum();
  deliver();
}

/** All of a datagram of `length` bytes with its header, in order, in fragments of `size`. */
export function pieces(identification: u32, length: u32, size: u32): void {
  for (let offset: u32 = 0; offset < length; offset += size)
    piece(identification, offset, min(size, length - offset), offset + size < length);
}

/** Whether the socket's next datagram has this payload of this stream; takes it out. */
export function holds(s: Socket, stream: u32, payload: u32): bool {
  let buffer = headOf(s);
  if (buffer === null || peekLength(s) != payload) return false;
  let position: u32 = 0;
  let right = true;
  while (buffer !== null) {
    for (let i: u32 = 0; i < buffer.length; i++)
      if (load<u8>(buffer.data + i) != octet(stream, position++)) right = false;
    buffer = buffer.more;
  }
  consume(s);
  return right && position == payload;
}

export function shuffle(list: u32[]): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = link.random() % (i + 1);
    const one = list[i];
    list[i] = list[j];
    list[j] = one;
  }
}

const assembled = new StaticArray<u8>(65536);
export const WHOLE: usize = changetype<usize>(assembled);

/** Puts the packets that were sent together, which have to be the fragments of one datagram, in order; its length, 0 if they are not. */
export function assemble(): u32 {
  let offset: u32 = 0;
  for (let i = 0; i < packets.length; i++) {
    const header = changetype<Ipv4Header>(packets[i]);
    const last = i == packets.length - 1;
    const length = header.totalLength - 20;
    if (checksumFold(checksumAdd(packets[i], 20, 0)) != 0xffff) return 0;
    if (header.identification != changetype<Ipv4Header>(packets[0]).identification) return 0;
    if ((header.fragment & IPV4_OFFSET) << 3 != offset || header.totalLength > 1500) return 0;
    if ((header.fragment & ~IPV4_OFFSET) != (last ? 0 : IPV4_MF)) return 0;
    memory.copy(WHOLE + offset, packets[i] + 20, length);
    offset += length;
  }
  return offset;
}
