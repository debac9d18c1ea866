/** Datagrams in pieces, for specs of both versions of IP: makes one, hands it in as fragments, and puts together what the stack has sent. */
import { setLogLevel } from "../../kernel/console";
import { ENOBUFS } from "../../kernel/errno";
import { setUserLimits } from "../../kernel/memory/user";
import { SECOND } from "../../kernel/time/clock";
import { allocateBuffer, BUFFER_HEADROOM, bufferPool, PacketBuffer, releaseBuffer } from "../../net/buffer";
import { checksumAdd, checksumFold, internetChecksum, pseudoHeaderSum as sumOf } from "../../net/checksum";
import { Endpoint, Flow, FLOW_SIZE } from "../../net/flow";
import { REASSEMBLY_TIME, reassemblyHeld } from "../../net/reassembly";
import { startIpv6 } from "../../net/slaac";
import { readDatagram } from "../../net/socket/datagram";
import { gatherOne } from "../../net/socket/gather";
import { Socket } from "../../net/socket/socket";
import { udpCreate, udpSend } from "../../net/socket/udp";
import { ARP_REPLY } from "../../net/wire/arp";
import { IPV4_MF, IPV4_OFFSET, Ipv4Header } from "../../net/wire/ipv4";
import { FRAGMENT_MORE, FragmentHeader, Ipv6Header } from "../../net/wire/ipv6";
import { UdpHeader } from "../../net/wire/udp";
import { growMemory } from "../arena";
import { endpoint, pseudoHeaderSum } from "./addresses";
import * as frames from "./frames";
import { deliver, TRANSPORT } from "./frames";
import * as six from "./frames6";
import { address6, LINK_LOCAL, OWN_ID, PEER_ID, TRANSPORT6 } from "./frames6";
import * as link from "./link";
import { OWN, PEER, PEER4 } from "./link";
import { close, consume, peekLength } from "./socket-operations";

export { close, peekLength } from "./socket-operations";

/** Of IP. */
export let version: u32 = 4;
/** Bytes of headers of a fragment, longest payload of a UDP datagram, the one that fits into a frame, and that of a fragment. */
export let headers: u32 = 20;
export let most: u32 = 65507;
export let whole: u32 = 1472;
export let step: u32 = 1480;
/** Protocol number of ICMP. */
export let icmp: u32 = 1;

/** The datagram that is cut up: a UDP header and its payload. */
const datagram = new StaticArray<u8>(65536);
export const DATAGRAM: usize = changetype<usize>(datagram);

/** What the stack has sent: IP packets other than what asks for neighbours, put one behind the other. */
const copied = new StaticArray<u8>(1 << 18);
const COPIED: usize = changetype<usize>(copied);
export let packets: usize[] = [];
let copiedLength: u32 = 0;
/** Questions for neighbours. */
export let questions: u32 = 0;

function record(frame: usize, length: u32): void {
  if (isQuestion(frame)) {
    questions++;
    return;
  }
  if (copiedLength + length > <u32>copied.length) return;
  memory.copy(COPIED + copiedLength, frame + 14, length - 14);
  packets.push(COPIED + copiedLength);
  copiedLength += length - 14;
}

/** ARP, neighbour discovery or MLD. */
function isQuestion(frame: usize): bool {
  if (load<u16>(frame + 12) != 0xdd86) return load<u16>(frame + 12) == 0x0608;
  return load<u8>(frame, 20) == 0 || (load<u8>(frame, 20) == 58 && load<u8>(frame, 54) >= 130);
}

/** A new stack of version 4 or 6 with `buffers` packet buffers, which does not know the peer. */
export function begin(ip: u32, buffers: u32): void {
  version = ip;
  headers = ip == 4 ? 20 : 48;
  most = ip == 4 ? 65507 : 65527;
  whole = ip == 4 ? 1472 : 1452;
  step = ip == 4 ? 1480 : 1448;
  icmp = ip == 4 ? 1 : 58;
  link.bootStack(buffers, 11);
  setLogLevel(0);
  setUserLimits(0xffff_0000, 0);
  if (ip == 6) {
    startIpv6();
    link.run(20 * SECOND);
  }
  link.setHook(record.index);
  forget();
}

/** The same, and the peer's link address is known. */
export function boot(ip: u32, buffers: u32): void {
  begin(ip, buffers);
  const socket = bound(1);
  const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
  udpSend(socket, peer(9), buffer);
  releaseBuffer(buffer);
  peerAnswers();
  close(socket);
  forget();
}

/** The peer says its link address, as if it had been asked for. */
export function peerAnswers(): void {
  if (version == 4) {
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    deliver();
  } else {
    six.neighbour(136, LINK_LOCAL, PEER_ID, 0x6000_0000, 2, PEER4);
    six.deliver6();
  }
}

export function forget(): void {
  packets = [];
  copiedLength = 0;
  questions = 0;
}

/** A port of the peer, and of this stack. */
export function peer(port: u32): Endpoint {
  return version == 4 ? endpoint(PEER, port) : address6(LINK_LOCAL, PEER_ID, port);
}
export function own(port: u32): Endpoint {
  return version == 4 ? endpoint(OWN, port) : address6(LINK_LOCAL, OWN_ID, port);
}

/** Sum of the pseudo header between the two. */
export function pseudo(protocol: u32, length: u32): u32 {
  if (version == 4) return pseudoHeaderSum(OWN, PEER, protocol, length);
  const flow = changetype<Flow>(pair);
  flow.local.copy(own(0));
  flow.remote.copy(peer(0));
  return sumOf(flow, protocol, length);
}
const pair = growMemory(FLOW_SIZE, 8);

export function bound(port: u32): Socket {
  const socket = changetype<Socket>(changetype<usize>(udpCreate()));
  if (version == 6) socket.setFamily6();
  const name = version == 4 ? endpoint(0, port) : address6(0, 0, port);
  assert(call_indirect<i32>(socket.protocol.bind, socket, name) == 0, "bind");
  return socket;
}
/** Sends the first `length` bytes of the datagram's payload; 0 or a negative errno. */
export function send(socket: Socket, to: Endpoint, length: u32): i32 {
  expect<i32>(gatherOne(DATAGRAM + 8, length)).toBe(length);
  const buffer = readDatagram(length, to);
  if (buffer === null) return -ENOBUFS;
  const result = udpSend(socket, to, buffer);
  releaseBuffer(buffer);
  return result;
}

export function headOf(s: Socket): PacketBuffer | null {
  return s.received.head;
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
  const sum = internetChecksum(checksumAdd(DATAGRAM, 8 + payload, pseudo(17, 8 + payload)));
  header.checksum = sum == 0 ? 0xffff : sum;
  return 8 + payload;
}

/** Hands in `length` bytes of the datagram from `offset` on, as a fragment. */
export function piece(identification: u32, offset: u32, length: u32, more: bool, protocol: u32 = 17): void {
  if (version == 4) {
    const header = frames.ipv4(PEER, OWN, protocol, length);
    memory.copy(TRANSPORT, DATAGRAM + offset, length);
    header.identification = identification;
    header.fragment = (offset >> 3) | (more ? IPV4_MF : 0);
    frames.ipChecksum();
  } else {
    six.ipv6(44, 8 + length);
    fragmentHeader(TRANSPORT6, protocol, identification, offset, more);
    memory.copy(TRANSPORT6 + 8, DATAGRAM + offset, length);
  }
  deliver();
}

/** Writes a fragment header of IPv6. */
export function fragmentHeader(at: usize, next: u32, identification: u32, offset: u32, more: bool): void {
  const fragment = changetype<FragmentHeader>(at);
  fragment.nextHeader = next;
  fragment.place = offset | (more ? FRAGMENT_MORE : 0);
  fragment.identification = identification;
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

/** Time passes, and of all that was put together or kept for it nothing is left. */
export function expectNothingHeld(): void {
  link.run(3 * REASSEMBLY_TIME);
  expect<u32>(reassemblyHeld()).toBe(0);
  expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
}

const assembled = new StaticArray<u8>(65536);
export const WHOLE: usize = changetype<usize>(assembled);

/** Puts the packets that were sent together, which have to be the fragments of one datagram, in order; its length, 0 if they are not. */
export function assemble(): u32 {
  let offset: u32 = 0;
  for (let i = 0; i < packets.length; i++) {
    const last = i == packets.length - 1;
    // A packet that is no fragment has no header of one (RFC 8021).
    const bytes: u32 = version == 6 && packets.length == 1 ? 40 : headers;
    const length = version == 4 ? checkFragment4(i, offset, last) : checkFragment6(i, offset, last);
    if (length == 0) return 0;
    memory.copy(WHOLE + offset, packets[i] + bytes, length);
    offset += length;
  }
  return offset;
}

function checkFragment4(index: i32, offset: u32, last: bool): u32 {
  const header = changetype<Ipv4Header>(packets[index]);
  if (checksumFold(checksumAdd(packets[index], 20, 0)) != 0xffff) return 0;
  if (header.identification != changetype<Ipv4Header>(packets[0]).identification) return 0;
  if ((header.fragment & IPV4_OFFSET) << 3 != offset || header.totalLength > 1500) return 0;
  if ((header.fragment & ~IPV4_OFFSET) != (last ? 0 : IPV4_MF)) return 0;
  return header.totalLength - 20;
}

function checkFragment6(index: i32, offset: u32, last: bool): u32 {
  const header = changetype<Ipv6Header>(packets[index]);
  const length = header.payloadLength;
  if (packets.length == 1) return header.nextHeader == 44 ? 0 : length;
  const fragment = changetype<FragmentHeader>(packets[index] + 40);
  if (header.nextHeader != 44 || header.hopLimit != 64 || length > 1460) return 0;
  if (fragment.identification != changetype<FragmentHeader>(packets[0] + 40).identification) return 0;
  if (fragment.nextHeader != changetype<FragmentHeader>(packets[0] + 40).nextHeader) return 0;
  return fragment.place == (offset | (last ? 0 : FRAGMENT_MORE)) ? length - 8 : 0;
}
