/** IPv4 and loopback: what is dropped, and what is sent. */
import {
  allocateBuffer,
  BUFFER_HEADROOM,
  BUFFER_RETAINED,
  bufferPool,
  CHECKSUM_PARTIAL,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import { checksumAdd, checksumFold } from "../../net/checksum";
import { networkCounters } from "../../net/counters";
import { DEVICE_CHECKSUM_TX } from "../../net/device";
import { setAddress, networkFlush } from "../../net/interface";
import { ipv4Output, sourceAddressFor } from "../../net/ipv4-output";
import { registerTransport } from "../../net/transports";
import { ArpPacket } from "../../net/wire/arp";
import { BROADCAST0, BROADCAST4, ETHERNET_HEADER, EthernetHeader } from "../../net/wire/ethernet";
import { IcmpHeader } from "../../net/wire/icmp";
import { IPV4_DF, Ipv4Header } from "../../net/wire/ipv4";
import * as frames from "./frames";
import { deliver, FRAME, NETWORK } from "./frames";
import * as link from "./link";
import { GATEWAY, NETMASK, OWN, OWN4, PEER, PEER0, PEER4 } from "./link";
import { boot, LAST, resolvePeer, seen, send } from "./recorder";
import { pseudoHeaderSum } from "./addresses";

/** Delivers the frame and tells whether it reached the transport; expects at most one more count than ipReceived. */
function accepted(): bool {
  const before = seen.delivered;
  deliver();
  return seen.delivered == before + 1;
}

describe("ipv4 input", () => {
  beforeEach(boot);
  afterEach(() => {
    expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
  });

  it("takes a right packet, without the frame's padding", () => {
    frames.ipv4(PEER, OWN, 6, 21);
    frames.setFrameLength(60);
    expect<bool>(accepted()).toBe(true);
    expect<u32>(seen.deliveredLength).toBe(21);
  });

  it("takes an empty packet and the longest that fits", () => {
    frames.ipv4(PEER, OWN, 6, 0);
    expect<bool>(accepted()).toBe(true);
    frames.ipv4(PEER, OWN, 6, 1480);
    expect<bool>(accepted()).toBe(true);
  });

  it("drops every wrong version", () => {
    for (let version: u32 = 0; version < 16; version++) {
      if (version == 4) continue;
      frames.ipv4(PEER, OWN, 6, 20);
      store<u8>(NETWORK, <u8>((version << 4) | 5));
      frames.ipChecksum();
      deliver();
    }
    expect<u64>(networkCounters().ipBadVersion).toBe(15);
    expect<u32>(seen.delivered).toBe(0);
  });

  it("drops header lengths below 20 or beyond the packet", () => {
    for (let words: u32 = 0; words < 5; words++) {
      frames.ipv4(PEER, OWN, 6, 20);
      store<u8>(NETWORK, <u8>(0x40 | words));
      deliver();
    }
    expect<u64>(networkCounters().ipBadHeaderLength).toBe(5);
    frames.ipv4(PEER, OWN, 6, 8);
    store<u8>(NETWORK, 0x4f);
    frames.ipChecksum();
    deliver();
    expect<u64>(networkCounters().ipBadLength).toBe(1);
    expect<u32>(seen.delivered).toBe(0);
  });

  it("drops total lengths that lie", () => {
    for (let length: u32 = 0; length < 200; length++) {
      frames.ipv4(PEER, OWN, 6, 80);
      store<u16>(NETWORK + 2, bswap<u16>(<u16>length));
      frames.ipChecksum();
      deliver();
    }
    // 20 .. 100 are possible: the rest is padding.
    expect<u32>(seen.delivered).toBe(81);
    expect<u64>(networkCounters().ipBadLength).toBe(119);
  });

  it("drops frames that end within the header", () => {
    for (let length: u32 = 0; length < 40; length++) {
      frames.ipv4(PEER, OWN, 6, 20);
      frames.setFrameLength(ETHERNET_HEADER + length);
      deliver();
    }
    expect<u64>(networkCounters().ipBadLength).toBe(40);
  });

  it("drops every single-bit error in the header", () => {
    for (let bit: u32 = 0; bit < 160; bit++) {
      frames.ipv4(PEER, OWN, 6, 20);
      const place = NETWORK + (bit >> 3);
      store<u8>(place, load<u8>(place) ^ (<u8>((<u32>1) << (bit & 7))));
      deliver();
    }
    expect<u32>(seen.delivered).toBe(0);
    expect<u64>(networkCounters().ipBadChecksum).toBeGreaterThan(130);
  });

  it("drops martian sources", () => {
    const sources: u32[] = [
      0,
      0x0000_0001,
      0x7f00_0001,
      0x7fff_ffff,
      0xe000_0001,
      0xefff_ffff,
      0xf000_0001,
      0xffff_ffff,
      OWN,
      0x0a00_00ff,
    ];
    for (let i = 0; i < sources.length; i++) {
      frames.ipv4(sources[i], OWN, 6, 20);
      deliver();
    }
    expect<u64>(networkCounters().ipBadSource).toBe(sources.length);
    expect<u32>(seen.delivered).toBe(0);
  });

  it("drops other destinations", () => {
    frames.ipv4(PEER, PEER, 6, 20);
    deliver();
    frames.ipv4(PEER, 0xe000_0001, 6, 20);
    deliver();
    expect<u64>(networkCounters().ipNotForUs).toBe(2);
    frames.ipv4(PEER, 0x7f00_0001, 6, 20);
    deliver();
    frames.ipv4(PEER, 0, 6, 20);
    deliver();
    // Unicast to us in a broadcast frame.
    frames.ipv4(PEER, OWN, 6, 20);
    changetype<EthernetHeader>(FRAME).setDestination(BROADCAST0, BROADCAST4);
    deliver();
    expect<u64>(networkCounters().ipBadDestination).toBe(3);
    expect<u32>(seen.delivered).toBe(0);
    // Broadcasts come in.
    frames.ipv4(PEER, 0xffff_ffff, 6, 20);
    expect<bool>(accepted()).toBe(true);
    frames.ipv4(PEER, 0x0a00_00ff, 6, 20);
    expect<bool>(accepted()).toBe(true);
  });

  it("tolerates right options, drops source routes and broken ones", () => {
    // [first, second, third, …] of 8 bytes of options; expected: 0 delivered, 1 broken, 2 source route.
    const cases: u8[][] = [
      [1, 1, 1, 1, 1, 1, 1, 1, 0],
      [0, 9, 9, 9, 9, 9, 9, 9, 0],
      [7, 7, 4, 0, 0, 0, 0, 0, 0],
      [148, 4, 0, 0, 68, 4, 5, 0, 0],
      [131, 7, 4, 1, 2, 3, 4, 0, 2],
      [1, 137, 7, 4, 1, 2, 3, 4, 2],
      [7, 0, 0, 0, 0, 0, 0, 0, 1],
      [7, 1, 0, 0, 0, 0, 0, 0, 1],
      [7, 9, 0, 0, 0, 0, 0, 0, 1],
      [7, 255, 0, 0, 0, 0, 0, 0, 1],
      [1, 1, 1, 1, 1, 1, 1, 7, 1],
      [131, 9, 0, 0, 0, 0, 0, 0, 1],
    ];
    let good: u32 = 0;
    let broken: u64 = 0;
    let routes: u64 = 0;
    for (let i = 0; i < cases.length; i++) {
      frames.ipv4(PEER, OWN, 6, 28);
      store<u8>(NETWORK, 0x47);
      for (let j = 0; j < 8; j++) store<u8>(NETWORK + 20 + j, cases[i][j]);
      frames.ipChecksum();
      deliver();
      if (cases[i][8] == 0) good++;
      else if (cases[i][8] == 1) broken++;
      else routes++;
    }
    expect<u32>(seen.delivered).toBe(good);
    expect<u32>(seen.deliveredLength).toBe(20, "options are not the transport's");
    expect<u64>(networkCounters().ipBadOption).toBe(broken);
    expect<u64>(networkCounters().ipSourceRoute).toBe(routes);
  });

  it("answers unknown protocols with protocol unreachable", () => {
    resolvePeer();
    frames.ipv4(PEER, OWN, 99, 20);
    deliver();
    expect<u64>(networkCounters().ipNoTransport).toBe(1);
    const icmp = changetype<IcmpHeader>(LAST + 34);
    expect<u32>(icmp.type).toBe(3);
    expect<u32>(icmp.code).toBe(2);
  });
});

let echoes: u32 = 0;
let depth: u32 = 0;
let nested: u32 = 0;

/** A transport that answers every packet with another one to ourselves, and flushes when it must not. */
function echoToSelf(buffer: PacketBuffer): void {
  releaseBuffer(buffer);
  if (++depth > 1) nested++;
  if (++echoes < 1000) send(OWN, 10, 0);
  networkFlush();
  depth--;
}

describe("ipv4 output", () => {
  beforeEach(boot);

  it("makes a right header", () => {
    resolvePeer();
    send(PEER, 100, 0);
    const header = changetype<Ipv4Header>(LAST + ETHERNET_HEADER);
    expect<u32>(Ipv4Header.check(LAST + ETHERNET_HEADER, seen.lastLength - ETHERNET_HEADER)).toBe(0);
    expect<u16>(checksumFold(checksumAdd(LAST + ETHERNET_HEADER, 20, 0))).toBe(0xffff);
    expect<u32>(header.totalLength).toBe(120);
    expect<u32>(header.source).toBe(OWN);
    expect<u32>(header.destination).toBe(PEER);
    expect<u32>(header.fragment).toBe(IPV4_DF);
    expect<u32>(header.ttl).toBe(64);
    expect<u32>(header.protocol).toBe(6);
    const ethernet = changetype<EthernetHeader>(LAST);
    expect<u32>(ethernet.destination0).toBe(PEER0);
    expect<u16>(ethernet.destination4).toBe(PEER4);
    expect<u16>(ethernet.source4).toBe(OWN4);
  });

  it("sends what is elsewhere to the gateway, and without one says so", () => {
    send(0x0808_0808, 10, 0);
    expect<u32>(changetype<ArpPacket>(LAST + ETHERNET_HEADER).targetAddress).toBe(GATEWAY);
    setAddress(OWN, NETMASK, 0);
    expect<i32>(send(0x0808_0808, 10, 0)).toBe(-101);
    expect<u32>(sourceAddressFor(0x0808_0808)).toBe(0);
    expect<u32>(sourceAddressFor(PEER)).toBe(OWN);
    expect<u32>(sourceAddressFor(0x7f01_0203)).toBe(0x7f01_0203);
    expect<u64>(networkCounters().ipNoRoute).toBe(1);
  });

  it("maps broadcast and multicast to link addresses", () => {
    send(0xffff_ffff, 10, 0);
    expect<u32>(changetype<EthernetHeader>(LAST).destination0).toBe(BROADCAST0);
    send(0x0a00_00ff, 10, 0);
    expect<u16>(changetype<EthernetHeader>(LAST).destination4).toBe(BROADCAST4);
    send(0xef81_0203, 10, 0); // 239.129.2.3 -> 01:00:5e:01:02:03
    expect<u32>(changetype<EthernetHeader>(LAST).destination0).toBe(0x015e_0001);
    expect<u16>(changetype<EthernetHeader>(LAST).destination4).toBe(0x0302);
    expect<u32>(seen.arpRequests).toBe(0);
  });

  it("refuses what is above the MTU, while the link is down, or with a loopback source", () => {
    resolvePeer();
    expect<i32>(send(PEER, 1480, 0)).toBe(0);
    expect<i32>(send(PEER, 1481, 0)).toBe(-90);
    link.linkDevice().linkUp = 0;
    expect<i32>(send(PEER, 10, 0)).toBe(-100);
    link.linkDevice().linkUp = 1;
    const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
    buffer.length = 10;
    expect<i32>(ipv4Output(buffer, 0x7f00_0001, PEER, 6, 64)).toBe(-22);
    releaseBuffer(buffer);
    link.setRefuse(1);
    expect<i32>(send(PEER, 10, 0)).toBe(-105);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("makes the checksum unless the device does", () => {
    resolvePeer();
    for (let offload: u32 = 0; offload < 2; offload++) {
      link.linkDevice().features = offload != 0 ? DEVICE_CHECKSUM_TX : 0;
      const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
      buffer.length = 30;
      memory.fill(buffer.data, 0x11, 30);
      const pseudo = pseudoHeaderSum(OWN, PEER, 6, 30);
      store<u16>(buffer.data + 16, checksumFold(pseudo));
      buffer.flags = CHECKSUM_PARTIAL;
      buffer.checksumStart = buffer.data;
      buffer.checksumOffset = 16;
      ipv4Output(buffer, 0, PEER, 6, 64);
      const right = checksumFold(checksumAdd(LAST + 34, 30, pseudo)) == 0xffff;
      expect<bool>(right).toBe(offload == 0);
      if (offload != 0) expect<u16>(load<u16>(LAST + 34 + 16)).toBe(checksumFold(pseudo));
      releaseBuffer(buffer);
    }
  });

  it("loops our own addresses back, when polled and not before", () => {
    expect<i32>(send(OWN, 33, 0)).toBe(0);
    expect<i32>(send(0x7f00_0001, 34, 0)).toBe(0);
    expect<u32>(seen.delivered).toBe(0);
    link.run(0);
    expect<u32>(seen.delivered).toBe(2);
    expect<u32>(seen.deliveredLength).toBe(34);
    expect<u32>(link.sent).toBe(0);
    // Bounded.
    let refused = 0;
    for (let i = 0; i < 100; i++) if (send(OWN, 10, 0) == -105) refused++;
    expect<i32>(refused).toBe(36);
    link.run(10_000_000);
    expect<u32>(seen.delivered).toBe(66);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("hands loopback packets in one after the other, however many follow", () => {
    registerTransport(6, echoToSelf.index, 0, 0);
    echoes = depth = nested = 0;
    send(OWN, 10, 0);
    networkFlush();
    expect<u32>(nested).toBe(0);
    // The rest is left to a timer, so that others have a turn.
    expect<u32>(echoes).toBe(8);
    link.run(10_000_000);
    expect<u32>(echoes).toBe(1000);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("copies what loops back", () => {
    send(OWN, 33, BUFFER_RETAINED);
    link.run(0);
    expect<u32>(seen.delivered).toBe(1);
    expect<u32>(seen.deliveredLength).toBe(33);
  });
});
