/** ICMPv6 and UDP over IPv6: echoes, errors out and in, checksums, the ports of the kernel. */
import { ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH, ENOPROTOOPT, EPROTO } from "../../kernel/errno";
import { allocateBuffer, BUFFER_HEADROOM, bufferPool, PacketBuffer, releaseBuffer } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import { Endpoint } from "../../net/flow";
import { linkMtu, networkHeaderLength } from "../../net/ip";
import { believableMtu } from "../../net/pmtu";
import { Socket, SOCKET_DONT_FRAGMENT } from "../../net/socket/socket";
import { udpClaimPort, udpCreate, udpSend } from "../../net/socket/udp";
import { mssOf, peerMss } from "../../net/socket/tcp/mss";
import { Segment } from "../../net/socket/tcp/segment";
import { ICMP_HEADER } from "../../net/wire/icmp";
import { IPV6_HEADER, Ipv6Header } from "../../net/wire/ipv6";
import { UDP_HEADER, UdpHeader } from "../../net/wire/udp";
import { growMemory } from "../arena";
import { endpoint, flowOf } from "./addresses";
import { deliver, NETWORK } from "./frames";
import * as six from "./frames6";
import {
  address6,
  boot6,
  checksum6,
  countOf,
  deliver6,
  from,
  GROUP,
  icmpv6,
  ipv6,
  knowPeer,
  lastOf,
  LINK_LOCAL,
  OWN_GROUP_LOW,
  OWN_ID,
  PEER_ID,
  sent,
  to,
  TRANSPORT6,
} from "./frames6";
import * as link from "./link";
import { OWN, PEER } from "./link";

const AGAIN: i32 = -11;
let claimed: u32 = 0;

function claim(buffer: PacketBuffer): void {
  claimed++;
  releaseBuffer(buffer);
}

function boot(): void {
  boot6();
  knowPeer();
}

/** A datagram from the peer's port 9 with `payload` bytes, with a right checksum. */
function udp(port: u32, payload: u32): UdpHeader {
  ipv6(17, UDP_HEADER + payload);
  const header = changetype<UdpHeader>(TRANSPORT6);
  header.sourcePort = 9;
  header.destinationPort = port;
  header.length = UDP_HEADER + payload;
  for (let i: u32 = 0; i < payload; i++) store<u8>(TRANSPORT6 + UDP_HEADER + i, <u8>i);
  checksum6(17, 6);
  return header;
}

function create(): Socket {
  const socket = udpCreate()!;
  socket.setFamily6();
  return socket;
}
function bind(s: Socket, name: Endpoint): i32 {
  return call_indirect<i32>(s.protocol.bind, s, name);
}
function connect(s: Socket, name: Endpoint): i32 {
  return call_indirect<i32>(s.protocol.connect, s, name);
}
function peekLength(s: Socket): i32 {
  const head = s.received.head;
  return head !== null ? <i32>head.wholeLength : call_indirect<i32>(s.protocol.end, s);
}
function consume(s: Socket): void {
  call_indirect<void>(s.protocol.consume, s, <u32>0);
}
function sendTo(s: Socket, name: Endpoint, payload: u32): i32 {
  const buffer = allocateBuffer(BUFFER_HEADROOM)!;
  buffer.length = payload;
  memory.fill(buffer.data, 0x5a, payload);
  const result = udpSend(s, name, buffer);
  releaseBuffer(buffer);
  return result;
}

describe("echo", () => {
  beforeEach(boot);

  it("answers with the same bytes, from the address that was asked", () => {
    for (let length: u32 = 8; length < 200; length += 7) {
      icmpv6(128, length);
      for (let i: u32 = 4; i < length; i++) store<u8>(TRANSPORT6 + i, <u8>(i * 3));
      deliver6();
      const reply = lastOf(129);
      assert(reply.isSound, "checksum");
      assert(reply.transportLength == length, "length");
      assert(reply.source.same(address6(LINK_LOCAL, OWN_ID)), "source");
      for (let i: u32 = 4; i < length; i++) assert(load<u8>(reply.transport + i) == <u8>(i * 3), "bytes");
      expect<u32>(reply.network.hopLimit).toBe(64);
    }
  });

  it("does not answer groups, nobody, and what is damaged", () => {
    icmpv6(128, 20);
    to(GROUP, 1);
    deliver6();
    icmpv6(128, 20);
    from(0, 0);
    deliver6();
    for (let bit: u32 = 0; bit < 160; bit++) {
      icmpv6(128, 20);
      checksum6(58, 2);
      const at = TRANSPORT6 + (bit >> 3);
      store<u8>(at, load<u8>(at) ^ (<u8>((<u32>1) << (bit & 7))));
      deliver();
    }
    for (let length: u32 = 0; length < 8; length++) {
      icmpv6(128, length);
      if (length >= 4) deliver6();
      else deliver();
    }
    expect<i32>(sent.length).toBe(0);
    expect<u64>(networkCounters().icmpBadChecksum).toBe(160);
    expect<u64>(networkCounters().icmpMalformed).toBe(8);
  });
});

describe("udp over ipv6", () => {
  beforeEach(boot);

  it("goes both ways between sockets of IPv6 and the peer", () => {
    const held = bufferPool().inUse;
    const socket = create();
    expect<i32>(bind(socket, address6(0, 0, 5000))).toBe(0);
    udp(5000, 33);
    deliver();
    expect<i32>(peekLength(socket)).toBe(33);
    const source = socket.received.head!.source;
    expect<bool>(source.same(address6(LINK_LOCAL, PEER_ID))).toBe(true);
    expect<u32>(source.port).toBe(9);
    expect<i32>(sendTo(socket, source, 44)).toBe(0);
    const last = sent[sent.length - 1];
    expect<u32>(last.network.nextHeader).toBe(17);
    expect<u32>(last.network.payloadLength).toBe(52);
    expect<u32>(changetype<UdpHeader>(last.transport).destinationPort).toBe(9);
    consume(socket);
    call_indirect<void>(socket.protocol.close, socket);
    expect<u32>(bufferPool().inUse).toBe(held);
  });

  it("must have a checksum (RFC 8200, 8.1), and a right one", () => {
    const socket = create();
    bind(socket, address6(0, 0, 5000));
    udp(5000, 20).checksum = 0;
    deliver();
    for (let bit: u32 = 0; bit < 28 * 8; bit++) {
      udp(5000, 20);
      const at = TRANSPORT6 + (bit >> 3);
      store<u8>(at, load<u8>(at) ^ (<u8>((<u32>1) << (bit & 7))));
      deliver();
    }
    expect<i32>(peekLength(socket)).toBe(AGAIN);
    expect<u64>(networkCounters().udpBadChecksum).toBeGreaterThan(180);
    // Another address, too: it is under the sum.
    udp(5000, 20);
    from(LINK_LOCAL, PEER_ID + 1);
    deliver();
    expect<i32>(peekLength(socket)).toBe(AGAIN);
  });

  it("has nothing to do with the kernel's ports of IPv4", () => {
    claimed = 0;
    udpClaimPort(68, claim.index);
    udp(68, 20);
    deliver();
    expect<u32>(claimed).toBe(0);
    expect<u32>(countOf(1)).toBe(1);
    udpClaimPort(0, 0);
  });

  it("says that nobody has the port, but not to groups", () => {
    udp(77, 20);
    deliver();
    const error = lastOf(1);
    expect<u32>(error.icmp.code).toBe(4);
    expect<bool>(error.isSound).toBe(true);
    expect<u32>(memory.compare(error.transport + ICMP_HEADER, NETWORK, 68)).toBe(0);
    udp(77, 20);
    to(GROUP, OWN_GROUP_LOW);
    checksum6(17, 6);
    deliver();
    expect<u32>(countOf(1)).toBe(1);
  });

  it("fits the link: 1,452 bytes, MSS 1,440, and no less than 1,280 is believed of a path", () => {
    const socket = create();
    socket.flags |= SOCKET_DONT_FRAGMENT;
    expect<i32>(sendTo(socket, address6(LINK_LOCAL, PEER_ID, 9), 1452)).toBe(0);
    expect<i32>(sendTo(socket, address6(LINK_LOCAL, PEER_ID, 9), 1453)).toBe(-EMSGSIZE);
    const flow = flowOf(OWN, 1, PEER, 2);
    expect<u32>(mssOf(flow, linkMtu(flow.remote))).toBe(1460);
    flow.remote.copy(address6(LINK_LOCAL, PEER_ID, 2));
    expect<u32>(mssOf(flow, linkMtu(flow.remote))).toBe(1440);
    expect<u32>(networkHeaderLength(flow.remote)).toBe(40);
    expect<u32>(linkMtu(flow.remote)).toBe(1500);
    expect<u32>(believableMtu(flow.remote, 68)).toBe(1280);
    expect<u32>(believableMtu(flow.remote, 1300)).toBe(1300);
    expect<u32>(believableMtu(endpoint(PEER, 0), 68)).toBe(576);
  });

  it("MUST-15: takes a peer's MSS for 1220 when its SYN says none, and for 536 over IPv4", () => {
    const syn = changetype<Segment>(growMemory(offsetof<Segment>(), 8));
    syn.mss = 0;
    syn.flow.remote.copy(address6(LINK_LOCAL, PEER_ID, 2));
    expect<u32>(peerMss(syn)).toBe(1220);
    syn.flow.remote.copy(endpoint(PEER, 2));
    expect<u32>(peerMss(syn)).toBe(536);
    syn.mss = 1000;
    expect<u32>(peerMss(syn)).toBe(1000);
  });
});

/** An error of the peer's about a datagram from our `port` to its port 9. */
function errorAbout(type: u32, code: u32, rest: u32, port: u32): void {
  const header = icmpv6(type, ICMP_HEADER + IPV6_HEADER + UDP_HEADER + 4);
  store<u8>(changetype<usize>(header), <u8>code, 1);
  header.rest = rest;
  const quoted = changetype<Ipv6Header>(TRANSPORT6 + ICMP_HEADER);
  quoted.setFirstWord(0);
  quoted.payloadLength = UDP_HEADER + 4;
  quoted.nextHeader = 17;
  quoted.hopLimit = 64;
  quoted.storeSource(address6(LINK_LOCAL, OWN_ID));
  quoted.storeDestination(address6(LINK_LOCAL, PEER_ID));
  const ports = changetype<UdpHeader>(changetype<usize>(quoted) + IPV6_HEADER);
  ports.sourcePort = port;
  ports.destinationPort = 9;
}

describe("errors of ICMPv6", () => {
  beforeEach(boot);

  it("come to the socket that they are about, as those of ICMP", () => {
    const socket = create();
    bind(socket, address6(0, 0, 5000));
    expect<i32>(connect(socket, address6(LINK_LOCAL, PEER_ID, 9))).toBe(0);
    const types: u32[] = [1, 1, 1, 1, 1, 2, 3, 4, 4, 4];
    const codes: u32[] = [0, 1, 3, 4, 6, 0, 0, 0, 1, 2];
    const errors: i32[] = [
      ENETUNREACH,
      EHOSTUNREACH,
      EHOSTUNREACH,
      ECONNREFUSED,
      EHOSTUNREACH,
      EMSGSIZE,
      EHOSTUNREACH,
      EPROTO,
      ENOPROTOOPT,
      EPROTO,
    ];
    for (let i = 0; i < types.length; i++) {
      errorAbout(types[i], codes[i], 1300, 5000);
      deliver6();
      expect<i32>(peekLength(socket)).toBe(-errors[i]);
      expect<i32>(peekLength(socket)).toBe(AGAIN);
    }
    expect<u64>(networkCounters().icmpErrorsReceived).toBe(types.length);
  });

  it("are not believed when they quote what we cannot have sent", () => {
    const socket = create();
    bind(socket, address6(0, 0, 5000));
    connect(socket, address6(LINK_LOCAL, PEER_ID, 9));
    const counters = networkCounters();
    errorAbout(1, 4, 0, 5001);
    deliver6();
    // Another sender's packet, another version, and what is cut off.
    errorAbout(1, 4, 0, 5000);
    changetype<Ipv6Header>(TRANSPORT6 + ICMP_HEADER).storeSource(address6(LINK_LOCAL, PEER_ID + 7));
    deliver6();
    errorAbout(1, 4, 0, 5000);
    store<u8>(TRANSPORT6 + ICMP_HEADER, 0x45);
    deliver6();
    for (let length: u32 = 8; length < ICMP_HEADER + IPV6_HEADER + UDP_HEADER; length++) {
      errorAbout(1, 4, 0, 5000);
      changetype<Ipv6Header>(NETWORK).payloadLength = length;
      deliver6();
    }
    expect<i32>(peekLength(socket)).toBe(AGAIN);
    expect<u64>(counters.icmpBadEmbedded).toBe(2 + 48);
  });

  it("come from the neighbour cache, too, when nobody answers", () => {
    const socket = create();
    expect<i32>(connect(socket, address6(LINK_LOCAL, 0x999, 9))).toBe(0);
    expect<i32>(sendTo(socket, socket.flow.remote, 5)).toBe(0);
    link.run(4_000_000_000);
    expect<i32>(peekLength(socket)).toBe(-EHOSTUNREACH);
    expect<i32>(six.sent.length).toBeGreaterThan(2);
  });
});
