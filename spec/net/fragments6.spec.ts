/** Fragments, as far as only IPv6 has it: headers in front of and behind the fragment header, who is told what, the MTU of a path, identifications, and what attackers do. */
import { SECOND } from "../../kernel/time/clock";
import { bufferPool, releaseBuffer } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import { pathMtu } from "../../net/pmtu";
import { DATAGRAM_LIMIT, REASSEMBLY_TIME, reassemblyHeld } from "../../net/reassembly";
import { readDatagram } from "../../net/socket/datagram";
import { gatherOne } from "../../net/socket/gather";
import { Socket } from "../../net/socket/socket";
import { udpSend } from "../../net/socket/udp";
import { FragmentHeader, Ipv6Header } from "../../net/wire/ipv6";
import { UdpHeader } from "../../net/wire/udp";
import { deliver } from "./frames";
import * as six from "./frames6";
import { address6, GROUP, LINK_LOCAL, PEER_ID, TRANSPORT6 } from "./frames6";
import * as link from "./link";
import {
  assemble,
  boot,
  bound,
  close,
  DATAGRAM,
  forget,
  fragmentHeader,
  holds,
  make,
  packets,
  peekLength,
  peer,
  peerAnswers,
  piece,
  pieces,
} from "./pieces";

const NOTHING: i32 = -11;

/** What the last packet that was sent says as an error: type << 16 | code << 8, and its pointer; 0: none was sent. */
function error(): u32 {
  if (packets.length == 0) return 0;
  const message = packets[packets.length - 1] + 40;
  return ((<u32>load<u8>(message)) << 16) | ((<u32>load<u8>(message, 1)) << 8) | load<u8>(message, 7);
}
const PARAMETER_PROBLEM: u32 = 4 << 16;
const TIME_EXCEEDED: u32 = (3 << 16) | (1 << 8);

function check(): void {
  link.run(3 * REASSEMBLY_TIME);
  expect<u32>(reassemblyHeld()).toBe(0);
  expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
}

/** `count` headers with destination options, 8 bytes of padding each, at `at`; the last one is followed by `next`. */
function options(at: usize, count: u32, next: u32): void {
  for (let i: u32 = 0; i < count; i++)
    store<u64>(at + 8 * i, 0x0000_0000_0401_0000 | (i == count - 1 ? next : 60));
}

/** A fragment of `length` bytes of the datagram with `before` headers of options ahead of the fragment header, and, in the first, `behind` of them behind it. */
function wrapped(id: u32, offset: u32, length: u32, more: bool, before: u32, behind: u32): void {
  const extra = offset == 0 ? behind : 0;
  six.ipv6(before == 0 ? 44 : 60, 8 * before + 8 + 8 * extra + length);
  options(TRANSPORT6, before, 44);
  const at = TRANSPORT6 + 8 * before;
  fragmentHeader(at, behind == 0 ? 17 : 60, id, offset == 0 ? 0 : offset + 8 * behind, more);
  options(at + 8, extra, 17);
  memory.copy(at + 8 + 8 * extra, DATAGRAM + offset, length);
  deliver();
}

describe("fragments of IPv6", () => {
  beforeEach(() => boot(6, 700));
  afterEach(check);

  it("may have extension headers in front of the fragment header, and behind it", () => {
    const socket = bound(7);
    const sizes: u32[] = [1000, 5000];
    for (let i = 0; i < sizes.length; i++) {
      const length = make(i, sizes[i]);
      for (let before: u32 = 0; before < 3; before++) {
        for (let behind: u32 = 0; behind < 3; behind++) {
          for (let offset: u32 = 0; offset < length; offset += 1024)
            wrapped(
              i * 9 + before * 3 + behind,
              offset,
              min<u32>(1024, length - offset),
              offset + 1024 < length,
              before,
              behind,
            );
          expect<bool>(holds(socket, i, sizes[i])).toBe(true, `${sizes[i]} ${before} ${behind}`);
        }
      }
    }
    // Options are looked at once all is there, too: this one nobody knows, and the sender is told where it stands.
    six.ipv6(44, 8 + 8 + 16);
    fragmentHeader(TRANSPORT6, 60, 99, 0, true);
    store<u64>(TRANSPORT6 + 8, 0x0000_0000_0480_0011);
    forget();
    deliver();
    expect<i32>(packets.length).toBe(0);
    six.ipv6(44, 8 + 8);
    fragmentHeader(TRANSPORT6, 17, 99, 24, false);
    deliver();
    expect<u32>(error()).toBe(PARAMETER_PROBLEM | (2 << 8) | 50);
    close(socket);
  });

  it("that are the whole packet have nothing to do with others of the same identification (RFC 6946)", () => {
    const socket = bound(7);
    const length = make(1, 2000);
    piece(5, 0, 1480, true);
    const small = make(2, 100);
    piece(5, 0, small, false);
    expect<bool>(holds(socket, 2, 100)).toBe(true);
    make(1, 2000);
    piece(5, 1480, length - 1480, false);
    expect<bool>(holds(socket, 1, 2000)).toBe(true);
    expect<u64>(networkCounters().ipFragments).toBe(2);
    close(socket);
  });

  it("time out after 60 seconds: whoever has sent the first is told", () => {
    make(1, 3000);
    piece(1, 0, 1480, true);
    piece(2, 1480, 1480, true);
    link.run(REASSEMBLY_TIME + SECOND);
    expect<u64>(networkCounters().ipFragmentTimeouts).toBe(2);
    peerAnswers();
    expect<i32>(packets.length).toBe(1);
    expect<u32>(error()).toBe(TIME_EXCEEDED);
    expect<u32>(changetype<Ipv6Header>(packets[0]).payloadLength).toBe(1240);
    expect<u32>(changetype<FragmentHeader>(packets[0] + 88).identification).toBe(1);
    expect<i32>(memory.compare(packets[0] + 96, DATAGRAM, 1280 - 96)).toBe(0);
  });

  it("of an error make no error", () => {
    make(1, 3000);
    const types: u32[] = [1, 2, 3, 4, 137, 100];
    for (let i = 0; i < types.length; i++) {
      store<u8>(DATAGRAM, <u8>types[i]);
      piece(i, 0, 1480, true, 58);
      piece(50 + i, 0, 1479, true, 58);
    }
    link.run(REASSEMBLY_TIME + SECOND);
    peerAnswers();
    expect<u64>(networkCounters().ipFragmentTimeouts).toBe(types.length);
    expect<i32>(packets.length).toBe(0);
  });

  it("do not come back as an error when they were for a group", () => {
    make(1, 3000);
    piece(1, 0, 1480, true);
    six.to(GROUP, 1);
    changetype<FragmentHeader>(TRANSPORT6).identification = 2;
    deliver();
    link.run(REASSEMBLY_TIME + SECOND);
    peerAnswers();
    expect<u64>(networkCounters().ipFragmentTimeouts).toBe(2);
    expect<i32>(packets.length).toBe(1);
  });
});

describe("hostile fragments of IPv6", () => {
  beforeEach(() => boot(6, 700));
  afterEach(check);

  it("overlapping: all of it is gone, silently, and does not come back (RFC 5722)", () => {
    const socket = bound(7);
    const length = make(1, 3000);
    piece(1, 0, 1480, true);
    piece(1, 1472, 16, true);
    pieces(1, length, 1480);
    expect<i32>(peekLength(socket)).toBe(NOTHING);
    expect<i32>(packets.length).toBe(0);
    // Into what comes behind it; and beyond the end.
    piece(2, 2280, 728, false);
    piece(2, 1480, 1480, true);
    pieces(2, length, 1480);
    piece(3, 1480, 800, false);
    piece(3, 2280, 728, false);
    pieces(3, length, 1480);
    expect<i32>(peekLength(socket)).toBe(NOTHING);
    expect<i32>(packets.length).toBe(0);
    expect<u32>(reassemblyHeld()).toBe(0);
    expect<u64>(networkCounters().ipReassembled).toBe(0);
    close(socket);
  });

  it("tiny first fragment: without all headers it is dropped, and its sender is told (RFC 7112)", () => {
    make(1, 3000);
    // Eight bytes of TCP; sixteen; and a chain of options that ends with the fragment.
    piece(1, 0, 8, true, 6);
    expect<u32>(error()).toBe(PARAMETER_PROBLEM | (3 << 8));
    piece(2, 0, 16, true, 6);
    piece(3, 0, 24, true, 6);
    expect<i32>(packets.length).toBe(2);
    six.ipv6(44, 8 + 16);
    fragmentHeader(TRANSPORT6, 60, 4, 0, true);
    options(TRANSPORT6 + 8, 2, 17);
    deliver();
    expect<i32>(packets.length).toBe(3);
    expect<u32>(error()).toBe(PARAMETER_PROBLEM | (3 << 8));
    // Options that say they are longer than what is there.
    six.ipv6(44, 8 + 16);
    fragmentHeader(TRANSPORT6, 60, 5, 0, true);
    options(TRANSPORT6 + 8, 2, 17);
    store<u8>(TRANSPORT6 + 8, 30, 1);
    deliver();
    expect<i32>(packets.length).toBe(4);
    expect<u64>(networkCounters().ipBadFragments).toBe(4);
    expect<u32>(reassemblyHeld()).toBe(1);
  });

  it("a length that leaves the next without an offset: a parameter problem at the payload length", () => {
    make(1, 3000);
    for (let length: u32 = 1001; length < 1008; length++) {
      piece(1, 0, length, true);
      expect<u32>(error()).toBe(PARAMETER_PROBLEM | 4);
    }
    expect<i32>(packets.length).toBe(7);
    expect<u32>(reassemblyHeld()).toBe(0);
  });

  it("zero length: no fragment", () => {
    piece(1, 0, 0, true);
    piece(1, 8, 0, true);
    piece(1, 8, 0, false);
    expect<u64>(networkCounters().ipBadFragments).toBe(3);
    expect<i32>(packets.length).toBe(0);
  });

  it("jumbo past 65,535 bytes: a parameter problem at the offset", () => {
    make(1, 3000);
    piece(1, 65528, 8, false);
    expect<u32>(error()).toBe(PARAMETER_PROBLEM | 42);
    piece(1, 65528, 7, false);
    piece(2, 65520, 8, true);
    expect<i32>(packets.length).toBe(1);
    // With headers in front that are a part of the packet, less is too much.
    forget();
    wrapped(3, 65520, 8, false, 1, 0);
    expect<u32>(error()).toBe(PARAMETER_PROBLEM | 50);
    wrapped(4, 65520, 7, false, 1, 0);
    expect<i32>(packets.length).toBe(1);
    // Only the first one shows it: the others have no headers in front.
    for (let offset: u32 = 1024; offset < 65535; offset += 1024)
      piece(9, offset, min<u32>(1024, 65535 - offset), offset + 1024 < 65535);
    wrapped(9, 0, 1024, true, 1, 0);
    expect<u64>(networkCounters().ipReassembled).toBe(0);
    expect<u64>(networkCounters().ipBadFragments).toBe(3);
  });

  it("nested fragment headers: one is enough", () => {
    const socket = bound(7);
    const length = make(1, 100);
    // A fragment that is the whole packet, with another one in it.
    six.ipv6(44, 16 + length);
    fragmentHeader(TRANSPORT6, 44, 1, 0, false);
    fragmentHeader(TRANSPORT6 + 8, 17, 2, 0, false);
    memory.copy(TRANSPORT6 + 16, DATAGRAM, length);
    deliver();
    expect<u64>(networkCounters().ip6BadExtension).toBe(1);
    // A packet that is put together, and is a fragment then; of itself, too.
    for (let inner: u32 = 10; inner < 12; inner++) {
      six.ipv6(44, 16 + 64);
      fragmentHeader(TRANSPORT6, 44, 10, 0, true);
      fragmentHeader(TRANSPORT6 + 8, 17, inner, 0, true);
      memory.copy(TRANSPORT6 + 16, DATAGRAM, 64);
      deliver();
      six.ipv6(44, 8 + 44);
      fragmentHeader(TRANSPORT6, 44, 10, 72, false);
      memory.copy(TRANSPORT6 + 8, DATAGRAM + 64, 44);
      deliver();
      expect<u64>(networkCounters().ip6BadExtension).toBe(inner - 8);
    }
    expect<i32>(peekLength(socket)).toBe(NOTHING);
    expect<u32>(reassemblyHeld()).toBe(0);
    expect<i32>(packets.length).toBe(0);
    close(socket);
  });

  it("exhaustion: a flood from everywhere holds no more than its share, and what comes whole is served", () => {
    const socket = bound(7);
    make(1, 3000);
    for (let i: u32 = 0; i < 5000; i++) {
      piece(i, 8 * (link.random() % 8000), 8, true);
      six.from(LINK_LOCAL, 0x1000 + (i % 700));
      deliver();
      expect<u32>(reassemblyHeld()).toBeLessThan(DATAGRAM_LIMIT + 1);
      if (i % 100 != 0) continue;
      const length = make(2, 2000);
      pieces(0x8000_0000 | i, length, 1480);
      expect<bool>(holds(socket, 2, 2000)).toBe(true);
      make(1, 3000);
    }
    expect<u64>(networkCounters().ipFragmentOverflows).toBeGreaterThan(9000);
    close(socket);
  });

  it("neighbour discovery in fragments: never believed (RFC 6980)", () => {
    const counters = networkCounters();
    for (let parts = 1; parts <= 2; parts++) {
      six.neighbour(136, LINK_LOCAL, PEER_ID, 0x6000_0000, 2, 0x9900);
      six.checksum6(58, 2);
      memory.copy(DATAGRAM, TRANSPORT6, 32);
      if (parts == 2) piece(5, 0, 24, true, 58);
      piece(5, parts == 2 ? 24 : 0, parts == 2 ? 8 : 32, false, 58);
      expect<u64>(counters.ndMalformed).toBe(parts);
    }
  });
});

/** Sends the first `length` bytes of the datagram's payload to the peer. */
function send(socket: Socket, length: u32): i32 {
  gatherOne(DATAGRAM + 8, length);
  const buffer = readDatagram(length, peer(9));
  if (buffer === null) return -105;
  const result = udpSend(socket, peer(9), buffer);
  releaseBuffer(buffer);
  return result;
}

/** A router says that the packet at `packet`, which we have sent, was longer than `mtu`. */
function tooBig(packet: usize, mtu: u32): void {
  const quoted = min<u32>(40 + changetype<Ipv6Header>(packet).payloadLength, 1232);
  const message = six.icmpv6(2, 8 + quoted);
  message.rest = mtu;
  six.from(six.PREFIX, 1);
  memory.copy(TRANSPORT6 + 8, packet, quoted);
  six.deliver6();
}

describe("the MTU of a path of IPv6", () => {
  beforeEach(() => {
    boot(6, 700);
    make(1, 5000);
  });
  afterEach(check);

  it("is what a router says of a datagram of ours: then there are fragments, for ten minutes", () => {
    const socket = bound(5);
    send(socket, 1452);
    expect<i32>(packets.length).toBe(1);
    tooBig(packets[0], 1400);
    expect<u32>(pathMtu(peer(0))).toBe(1400);
    forget();
    send(socket, 1352);
    expect<i32>(packets.length).toBe(1);
    send(socket, 1353);
    expect<i32>(packets.length).toBe(3);
    expect<u32>(changetype<Ipv6Header>(packets[1]).payloadLength).toBe(1360);
    // Of a fragment, the first is quoted; it has all that has to be known.
    tooBig(packets[1], 1300);
    expect<u32>(pathMtu(peer(0))).toBe(1300);
    forget();
    send(socket, 5000);
    expect<u32>(assemble()).toBe(5008);
    expect<u32>(changetype<Ipv6Header>(packets[0]).payloadLength).toBe(1256);
    link.run(600 * SECOND);
    expect<u32>(pathMtu(peer(0))).toBe(1500);
    close(socket);
  });

  it("is not what is said of other packets, less than every path takes, or more", () => {
    const socket = bound(5);
    send(socket, 1452);
    const sent = packets[0];
    // Below 1,280 nothing changes, and no fragment that is the whole packet is made (RFC 8021).
    tooBig(sent, 1279);
    tooBig(sent, 0);
    tooBig(sent, 1500);
    tooBig(sent, 9000);
    // Nobody has the port; a short datagram cannot have been too long.
    changetype<UdpHeader>(sent + 40).sourcePort = 6;
    tooBig(sent, 1400);
    changetype<UdpHeader>(sent + 40).sourcePort = 5;
    changetype<UdpHeader>(sent + 40).length = 1300;
    tooBig(sent, 1400);
    expect<u32>(pathMtu(peer(0))).toBe(1500);
    forget();
    send(socket, 1000);
    expect<u32>(changetype<Ipv6Header>(packets[0]).nextHeader).toBe(17);
    close(socket);
  });

  it("does not matter to the answer of an echo request that came whole: there is no room for a longer header", () => {
    const socket = bound(5);
    send(socket, 1452);
    tooBig(packets[0], 1300);
    const before = bufferPool().inUse;
    for (let length: u32 = 1250; length <= 1460; length += 30) {
      six.icmpv6(128, length);
      for (let i: u32 = 4; i < length; i++) store<u8>(TRANSPORT6 + i, <u8>i);
      forget();
      six.deliver6();
      expect<i32>(packets.length).toBe(1);
      expect<u32>(changetype<Ipv6Header>(packets[0]).nextHeader).toBe(58);
      expect<u32>(changetype<Ipv6Header>(packets[0]).payloadLength).toBe(length);
      expect<u32>(load<u8>(packets[0], 40)).toBe(129);
    }
    expect<u32>(bufferPool().inUse).toBe(before);
    close(socket);
  });

  it("that a router advertises for the link holds for fragments", () => {
    const socket = bound(5);
    const option = six.routerAdvertisement(1800, 8);
    store<u64>(option, 0x0105);
    store<u32>(option + 4, bswap<u32>(1280));
    six.deliver6();
    forget();
    send(socket, 5000);
    expect<i32>(packets.length).toBe(5);
    expect<u32>(assemble()).toBe(5008);
    for (let i = 0; i < 4; i++) expect<u32>(changetype<Ipv6Header>(packets[i]).payloadLength).toBe(1240);
    close(socket);
  });

  it("identifications differ, and follow no common counter (RFC 7739)", () => {
    const socket = bound(5);
    const seen = new Set<u32>();
    let near = 0;
    let before: u32 = 0;
    for (let i = 0; i < 1000; i++) {
      forget();
      send(socket, 2000);
      const id = changetype<FragmentHeader>(packets[0] + 40).identification;
      seen.add(id);
      // Another destination's tell nothing of this one's.
      if (i != 0 && id == before + 1) near++;
      gatherOne(DATAGRAM + 8, 2000);
      const buffer = readDatagram(2000, address6(GROUP, 0x77, 9))!;
      forget();
      udpSend(socket, address6(GROUP, 0x77, 9), buffer);
      releaseBuffer(buffer);
      const other = changetype<FragmentHeader>(packets[0] + 40).identification;
      expect<bool>(other - id < 1000 || id - other < 1000).toBe(false);
      before = id;
    }
    expect<i32>(seen.size).toBe(1000);
    expect<i32>(near).toBe(999, "one after the other to one destination: none comes twice");
    close(socket);
  });
});
