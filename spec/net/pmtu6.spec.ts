/** RFC 8201: the MTU of a path of IPv6, as datagrams meet it: they go in fragments, whose identifications follow RFC 7739. */
import { SECOND } from "../../kernel/time/clock";
import { bufferPool, releaseBuffer } from "../../net/buffer";
import { pathMtu } from "../../net/pmtu";
import { readDatagram } from "../../net/socket/datagram";
import { gatherOne } from "../../net/socket/gather";
import { udpSend } from "../../net/socket/udp";
import { FragmentHeader, Ipv6Header } from "../../net/wire/ipv6";
import { UdpHeader } from "../../net/wire/udp";
import * as six from "./frames6";
import { address6, GROUP, TRANSPORT6 } from "./frames6";
import * as link from "./link";
import {
  assemble,
  boot,
  bound,
  close,
  DATAGRAM,
  expectNothingHeld,
  forget,
  make,
  packets,
  peer,
  send,
} from "./pieces";

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
  afterEach(expectNothingHeld);

  it("is what a router says of a datagram of ours: then there are fragments, for ten minutes", () => {
    const socket = bound(5);
    send(socket, peer(9), 1452);
    expect<i32>(packets.length).toBe(1);
    tooBig(packets[0], 1400);
    expect<u32>(pathMtu(peer(0))).toBe(1400);
    forget();
    send(socket, peer(9), 1352);
    expect<i32>(packets.length).toBe(1);
    send(socket, peer(9), 1353);
    expect<i32>(packets.length).toBe(3);
    expect<u32>(changetype<Ipv6Header>(packets[1]).payloadLength).toBe(1360);
    // Of a fragment, the first is quoted; it has all that has to be known.
    tooBig(packets[1], 1300);
    expect<u32>(pathMtu(peer(0))).toBe(1300);
    forget();
    send(socket, peer(9), 5000);
    expect<u32>(assemble()).toBe(5008);
    expect<u32>(changetype<Ipv6Header>(packets[0]).payloadLength).toBe(1256);
    link.run(600 * SECOND);
    expect<u32>(pathMtu(peer(0))).toBe(1500);
    close(socket);
  });

  it("is not what is said of other packets, less than every path takes, or more", () => {
    const socket = bound(5);
    send(socket, peer(9), 1452);
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
    send(socket, peer(9), 1000);
    expect<u32>(changetype<Ipv6Header>(packets[0]).nextHeader).toBe(17);
    close(socket);
  });

  it("does not matter to the answer of an echo request that came whole: there is no room for a longer header", () => {
    const socket = bound(5);
    send(socket, peer(9), 1452);
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
    send(socket, peer(9), 5000);
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
      send(socket, peer(9), 2000);
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
