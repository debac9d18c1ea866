/** ARP: states, bounds, answers, floods. */
import { arpFind } from "../../net/arp";
import {
  CLASS_LEARNED,
  CLASS_PENDING,
  LEARNED_LIMIT,
  NEIGHBOUR_ENTRIES,
  neighbourCount,
} from "../../net/neighbour-cache";
import {
  NEIGHBOUR_INCOMPLETE,
  NEIGHBOUR_PROBE,
  NEIGHBOUR_REACHABLE,
  NEIGHBOUR_STALE,
} from "../../net/neighbours";
import { NEIGHBOUR_QUEUE, NEIGHBOUR_QUEUE_TOTAL, neighbourQueued } from "../../net/neighbour-queue";
import {
  allocateBuffer,
  BUFFER_HEADROOM,
  BUFFER_RETAINED,
  bufferPool,
  CHECKSUM_PARTIAL,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import { ENOBUFS } from "../../kernel/errno";
import { DEVICE_CHECKSUM_TX, SEGMENTS_TCP4 } from "../../net/device";
import { ipv4Output } from "../../net/ipv4-output";
import { networkCounters } from "../../net/counters";
import { setAddress } from "../../net/interface";
import { ARP_REPLY, ARP_REQUEST, ArpPacket } from "../../net/wire/arp";
import { BROADCAST0, BROADCAST4, ETHERNET_HEADER, EthernetHeader } from "../../net/wire/ethernet";
import { IPV4_HEADER, Ipv4Header } from "../../net/wire/ipv4";
import * as frames from "./frames";
import { deliver, NETWORK } from "./frames";
import * as link from "./link";
import { GATEWAY, NETMASK, OWN, OWN4, PEER, PEER4 } from "./link";
import { boot, LAST, resolvePeer, seen, send } from "./recorder";

describe("arp", () => {
  beforeEach(boot);

  it("asks, keeps the packets, and sends them in order with the answer", () => {
    for (let i: u32 = 0; i < 3; i++) send(PEER, 10 + i, 0);
    expect<u32>(seen.arpRequests).toBe(1);
    expect<u32>(seen.ipPackets).toBe(0);
    const request = changetype<ArpPacket>(LAST + ETHERNET_HEADER);
    expect<bool>(ArpPacket.check(LAST + ETHERNET_HEADER, seen.lastLength - ETHERNET_HEADER)).toBe(true);
    expect<u32>(request.senderAddress).toBe(OWN);
    expect<u32>(request.targetAddress).toBe(PEER);
    expect<u32>(changetype<EthernetHeader>(LAST).destination0).toBe(BROADCAST0);
    expect<u32>(neighbourQueued()).toBe(3);
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    deliver();
    expect<u32>(seen.ipPackets).toBe(3);
    expect<u32>(seen.lastLength).toBe(ETHERNET_HEADER + IPV4_HEADER + 12);
    expect<u32>(neighbourQueued()).toBe(0);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("bounds the queues, drops the oldest", () => {
    for (let i: u32 = 0; i < NEIGHBOUR_QUEUE + 3; i++) send(PEER, 10 + i, 0);
    expect<u32>(neighbourQueued()).toBe(NEIGHBOUR_QUEUE);
    expect<u64>(networkCounters().arpQueueDropped).toBe(3);
    for (let i: u32 = 0; i < 100; i++) send(0x0a00_0010 + i, 10, 0);
    expect<u32>(neighbourQueued()).toBe(NEIGHBOUR_QUEUE_TOTAL);
    expect<u32>(bufferPool().inUse).toBe(NEIGHBOUR_QUEUE_TOTAL);
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    deliver();
    expect<u32>(seen.ipPackets).toBe(NEIGHBOUR_QUEUE);
    expect<u32>(seen.lastLength).toBe(
      ETHERNET_HEADER + IPV4_HEADER + 10 + NEIGHBOUR_QUEUE + 2,
      "the newest are kept",
    );
    link.run(10_000_000_000);
    expect<u32>(neighbourQueued()).toBe(0);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("copies a retained packet", () => {
    send(PEER, 10, BUFFER_RETAINED);
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    deliver();
    expect<u32>(seen.ipPackets).toBe(1);
    expect<u8>(load<u8>(LAST + 34)).toBe(0x5a);
    expect<u8>(load<u8>(LAST + 43)).toBe(0x5a);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("keeps no packet that is for the device to cut, but asks", () => {
    const first = allocateBuffer(BUFFER_HEADROOM)!;
    first.length = 1000;
    first.segmentSize = 980;
    first.segmentKind = <u16>SEGMENTS_TCP4;
    link.linkDevice().segmented4 = 65535;
    first.more = allocateBuffer(BUFFER_HEADROOM);
    first.more!.length = 980;
    const data = first.data;
    expect<i32>(ipv4Output(first, 0, PEER, 6, 64)).toBe(-ENOBUFS);
    expect<u32>(seen.arpRequests).toBe(1);
    expect<u32>(neighbourQueued()).toBe(0);
    expect<u64>(networkCounters().arpQueueDropped).toBe(0, "its sender has it, and sends it in segments");
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    deliver();
    expect<u32>(seen.ipPackets).toBe(0);
    first.data = data;
    first.length = 1000;
    expect<i32>(ipv4Output(first, 0, PEER, 6, 64)).toBe(0);
    expect<u32>(seen.ipPackets).toBe(1);
    const header = changetype<Ipv4Header>(LAST + ETHERNET_HEADER);
    expect<u32>(header.totalLength).toBe(IPV4_HEADER + 1980, "more than the MTU");
    link.linkDevice().segmented4 = 0;
    releaseBuffer(first);
  });

  it("copies where the device finds the checksum, too", () => {
    link.linkDevice().features = DEVICE_CHECKSUM_TX;
    const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
    buffer.length = 30;
    buffer.flags = CHECKSUM_PARTIAL | BUFFER_RETAINED;
    buffer.checksumStart = buffer.data;
    buffer.checksumOffset = 16;
    ipv4Output(buffer, 0, PEER, 6, 64);
    releaseBuffer(buffer);
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    deliver();
    // The link itself looks where the checksum is to stand.
    expect<u32>(seen.ipPackets).toBe(1);
  });

  it("prefers new packets to old ones when all queues are full", () => {
    for (let i: u32 = 0; i < NEIGHBOUR_QUEUE_TOTAL; i++) send(0x0a00_0010 + i, 10, 0);
    expect<i32>(send(0x0a00_0010, 99, 0)).toBe(0);
    expect<i32>(send(0x0a00_00f0, 10, 0)).toBe(-105);
    expect<u32>(neighbourQueued()).toBe(NEIGHBOUR_QUEUE_TOTAL);
    frames.arp(ARP_REPLY, 0x0a00_0010, PEER4, OWN);
    deliver();
    expect<u32>(seen.lastLength).toBe(ETHERNET_HEADER + IPV4_HEADER + 99);
  });

  it("gives up after three requests, and tells the transport", () => {
    send(PEER, 20, 0);
    send(PEER, 20, 0);
    link.run(2_500_000_000);
    expect<u32>(seen.arpRequests).toBe(3);
    expect<u32>(seen.errorCount).toBe(0);
    link.run(1_000_000_000);
    expect<u32>(seen.arpRequests).toBe(3);
    expect<u32>(seen.errorCount).toBe(2);
    expect<u32>(seen.errorType).toBe(3);
    expect<u32>(seen.errorCode).toBe(1);
    expect<u64>(networkCounters().arpUnresolved).toBe(2);
    expect<bool>(arpFind(PEER) === null).toBe(true);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("goes stale, is verified by unicast while it is used, and forgotten when nobody answers", () => {
    resolvePeer();
    const entry = arpFind(PEER)!;
    expect<u8>(entry.state).toBe(NEIGHBOUR_REACHABLE);
    link.run(29_000_000_000);
    expect<u8>(entry.state).toBe(NEIGHBOUR_REACHABLE);
    link.run(2_000_000_000);
    expect<u8>(entry.state).toBe(NEIGHBOUR_STALE);
    const before = seen.ipPackets;
    seen.arpRequests = 0;
    send(PEER, 10, 0);
    expect<u8>(entry.state).toBe(NEIGHBOUR_PROBE);
    expect<u32>(seen.ipPackets).toBe(before + 1, "sent at once");
    expect<bool>(seen.requestedOfAll).toBe(false, "the first request asks only the neighbour");
    expect<u32>(seen.arpRequests).toBe(1);
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    deliver();
    expect<u8>(entry.state).toBe(NEIGHBOUR_REACHABLE);
    link.run(31_000_000_000);
    send(PEER, 10, 0);
    link.run(1_500_000_000);
    expect<u32>(changetype<EthernetHeader>(LAST).destination0).toBe(
      BROADCAST0,
      "the second request asks all",
    );
    link.run(3_000_000_000);
    expect<bool>(arpFind(PEER) === null).toBe(true);
  });

  it("answers requests for us, and learns who asked", () => {
    frames.arp(ARP_REQUEST, PEER, PEER4, OWN);
    deliver();
    expect<u32>(seen.arpReplies).toBe(1);
    const reply = changetype<ArpPacket>(LAST + ETHERNET_HEADER);
    expect<u32>(reply.senderAddress).toBe(OWN);
    expect<u16>(reply.sender4).toBe(OWN4);
    expect<u32>(reply.targetAddress).toBe(PEER);
    expect<u16>(changetype<EthernetHeader>(LAST).destination4).toBe(PEER4);
    expect<u8>(arpFind(PEER)!.state).toBe(NEIGHBOUR_STALE);
    send(PEER, 10, 0);
    expect<u32>(seen.ipPackets).toBe(1, "no wait for an answer");
    // A probe (sender 0) is answered, and nothing is learnt.
    frames.arp(ARP_REQUEST, 0, 0x0900, OWN);
    deliver();
    expect<u32>(seen.arpReplies).toBe(2);
    expect<bool>(arpFind(0) === null).toBe(true);
    // Requests for others are not answered, and nothing is learnt.
    frames.arp(ARP_REQUEST, PEER + 1, 0x0900, GATEWAY);
    deliver();
    expect<u32>(seen.arpReplies).toBe(2);
    expect<bool>(arpFind(PEER + 1) === null).toBe(true);
  });

  it("is not poisoned", () => {
    // A reply that nobody asked for makes no entry.
    frames.arp(ARP_REPLY, PEER, 0x6600, OWN);
    deliver();
    expect<bool>(arpFind(PEER) === null).toBe(true);
    // Neither replies nor requests nor announcements change the link address of an entry.
    resolvePeer();
    const entry = arpFind(PEER)!;
    const claims: u32[] = [ARP_REPLY, OWN, ARP_REQUEST, OWN, ARP_REQUEST, PEER, ARP_REPLY, PEER];
    for (let i = 0; i < claims.length; i += 2) {
      frames.arp(claims[i], PEER, 0x6600, claims[i + 1]);
      deliver();
      expect<u16>(entry.link4).toBe(PEER4);
      expect<u8>(entry.state).toBe(NEIGHBOUR_STALE);
    }
    expect<u64>(networkCounters().arpUnsolicited).toBe(3);
    // What is not for us does not answer a request of ours either.
    send(PEER + 1, 10, 0);
    frames.arp(ARP_REQUEST, PEER + 1, 0x6600, PEER);
    deliver();
    frames.arp(ARP_REPLY, PEER + 1, 0x6600, PEER + 1);
    deliver();
    expect<u8>(arpFind(PEER + 1)!.state).toBe(NEIGHBOUR_INCOMPLETE);
    // The next use asks all, and takes the answer.
    seen.arpRequests = 0;
    send(PEER, 10, 0);
    expect<u32>(seen.arpRequests).toBe(1);
    expect<bool>(seen.requestedOfAll).toBe(true);
    frames.arp(ARP_REPLY, PEER, 0x0300, OWN);
    deliver();
    expect<u16>(entry.link4).toBe(0x0300);
  });

  it("ignores senders that are not on this link", () => {
    const senders: u32[] = [0x0b00_0001, 0x0a00_00ff, 0xe000_0001, 0x7f00_0001, 0xffff_ffff];
    for (let i = 0; i < senders.length; i++) {
      frames.arp(ARP_REQUEST, senders[i], PEER4, OWN);
      deliver();
      expect<bool>(arpFind(senders[i]) === null).toBe(true);
    }
    expect<u32>(seen.arpReplies).toBe(0);
    expect<u64>(networkCounters().arpUnsolicited).toBe(senders.length);
  });

  it("counts and drops malformed packets", () => {
    const counters = networkCounters();
    // Each of the first 8 bytes wrong in each bit; the operation has values that are right.
    let expected: u64 = 0;
    for (let bit: u32 = 0; bit < 64; bit++) {
      frames.arp(ARP_REQUEST, PEER, PEER4, OWN);
      const place = NETWORK + (bit >> 3);
      store<u8>(place, load<u8>(place) ^ (<u8>((<u32>1) << (bit & 7))));
      const operation = changetype<ArpPacket>(NETWORK).operation;
      if (bit < 48 || operation < 1 || operation > 2) expected++;
      deliver();
    }
    for (let length: u32 = 0; length < 28; length++) {
      frames.arp(ARP_REQUEST, PEER, PEER4, OWN);
      frames.setFrameLength(ETHERNET_HEADER + length);
      deliver();
      expected++;
    }
    frames.arp(ARP_REQUEST, PEER, PEER4, OWN).setSender(BROADCAST0, BROADCAST4);
    deliver();
    frames.arp(ARP_REQUEST, PEER, PEER4, OWN).setSender(0, 0);
    deliver();
    expect<u64>(counters.arpMalformed).toBe(expected + 2);
    expect<u32>(seen.arpReplies).toBe(0);
    expect<bool>(arpFind(PEER) === null).toBe(true);
  });

  it("announces a new address, and defends it now and then", () => {
    seen.announcements = 0;
    setAddress(OWN + 1, NETMASK, GATEWAY);
    expect<u32>(seen.announcements).toBe(1);
    setAddress(OWN, NETMASK, GATEWAY);
    seen.announcements = 0;
    for (let i = 0; i < 50; i++) {
      frames.arp(ARP_REQUEST, OWN, 0x6600, OWN);
      deliver();
      link.run(1_000_000_000);
    }
    expect<u64>(networkCounters().arpConflicts).toBe(50);
    expect<u32>(seen.announcements).toBe(5);
  });

  it("survives 100,000 senders, and keeps the neighbours we talk to", () => {
    setAddress(OWN, 0xff00_0000, GATEWAY);
    send(PEER, 10, 0);
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    deliver();
    for (let i: u32 = 0; i < 100_000; i++) {
      frames.arp(ARP_REQUEST, 0x0a10_0000 + i, <u16>i, OWN);
      deliver();
    }
    expect<u32>(seen.arpReplies).toBe(100_000);
    expect<u32>(neighbourCount(CLASS_LEARNED)).toBe(LEARNED_LIMIT);
    expect<u8>(arpFind(PEER)!.state).toBe(NEIGHBOUR_REACHABLE);
    // Packets to 100,000 invented neighbours do not drive it out either.
    for (let i: u32 = 0; i < 100_000; i++) {
      send(0x0a20_0000 + i, 10, 0);
    }
    expect<u32>(neighbourCount(CLASS_PENDING)).toBeLessThan(NEIGHBOUR_ENTRIES);
    expect<u8>(arpFind(PEER)!.state).toBe(NEIGHBOUR_REACHABLE);
    link.run(20_000_000_000);
    expect<u32>(neighbourQueued()).toBe(0);
    expect<u32>(bufferPool().inUse).toBe(0);
    expect<u32>(neighbourCount(CLASS_PENDING)).toBe(0);
  });
});
