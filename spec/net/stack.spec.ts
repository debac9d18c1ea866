/** Checksum, Ethernet, ARP, IPv4, ICMP and loopback: what is dropped, and what is answered. */
import { LOG_ERROR, setLogLevel } from "../../kernel/console";
import { now } from "../../kernel/time/clock";
import {
  ARP_INCOMPLETE,
  ARP_PROBE,
  ARP_QUEUE,
  ARP_QUEUE_TOTAL,
  ARP_REACHABLE,
  ARP_STALE,
  arpQueued,
} from "../../net/arp";
import { ARP_ENTRIES, arpCount, arpFind, CLASS_LEARNED, CLASS_PENDING, LEARNED_LIMIT } from "../../net/arp-cache";
import {
  allocateBuffer,
  BUFFER_HEADROOM,
  BUFFER_RETAINED,
  bufferPool,
  CHECKSUM_PARTIAL,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import {
  checksumAdd,
  checksumFold,
  checksumUpdate,
  finishChecksum,
  internetChecksum,
  pseudoHeaderSum,
} from "../../net/checksum";
import { networkCounters } from "../../net/counters";
import { DEVICE_CHECKSUM_TX } from "../../net/device";
import { registerTransportError } from "../../net/errors";
import { ICMP_BURST } from "../../net/icmp";
import { isBroadcast, isLocalAddress, networkInterface, setAddress } from "../../net/interface";
import { ipv4Output, ipv4Register, sourceAddressFor } from "../../net/ipv4";
import { ARP_REPLY, ARP_REQUEST, ArpPacket } from "../../net/wire/arp";
import {
  BROADCAST0,
  BROADCAST4,
  ETHERNET_HEADER,
  EthernetHeader,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
} from "../../net/wire/ethernet";
import { ICMP_HEADER, IcmpHeader } from "../../net/wire/icmp";
import { IPV4_DF, IPV4_HEADER, IPV4_MF, Ipv4Header } from "../../net/wire/ipv4";
import { configureFromCommandLine, IP_DHCP, IP_NONE, IP_STATIC, parseIpOption } from "../../net/config";
import { UdpHeader } from "../../net/wire/udp";
import * as frames from "./frames";
import { deliver, FRAME, NETWORK, TRANSPORT } from "./frames";
import * as link from "./link";
import { GATEWAY, NETMASK, OWN, OWN0, OWN4, PEER, PEER0, PEER4 } from "./link";

// ---- What the hook saw ----

const last = new StaticArray<u8>(4096);
const LAST: usize = changetype<usize>(last);
let lastLength: u32 = 0;
let arpRequests: u32 = 0;
let arpReplies: u32 = 0;
let announcements: u32 = 0;
let ipPackets: u32 = 0;
let firstTarget: u32 = 0;

function record(frame: usize, length: u32): void {
  memory.copy(LAST, frame, length);
  lastLength = length;
  if (changetype<EthernetHeader>(frame).type == ETHERTYPE_ARP) {
    const packet = changetype<ArpPacket>(frame + ETHERNET_HEADER);
    if (packet.operation == ARP_REPLY) arpReplies++;
    else if (packet.senderAddress == packet.targetAddress) announcements++;
    else arpRequests++;
  } else {
    ipPackets++;
  }
}

let delivered: u32 = 0;
let deliveredLength: u32 = 0;
let errorCount: u32 = 0;
let errorType: u32 = 0;
let errorCode: u32 = 0;
let errorRest: u32 = 0;

/** A transport in the place of TCP. */
function transportInput(buffer: PacketBuffer): void {
  delivered++;
  deliveredLength = buffer.length;
  releaseBuffer(buffer);
}

function transportError(
  type: u32,
  code: u32,
  rest: u32,
  header: Ipv4Header,
  transport: usize,
  length: u32,
): void {
  errorCount++;
  errorType = type;
  errorCode = code;
  errorRest = rest;
}

/** Sends `payload` bytes of TCP to `destination`; the result of ipv4Output. */
function send(destination: u32, payload: u32, flags: u32): i32 {
  const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
  buffer.length = payload;
  buffer.flags = flags;
  memory.fill(buffer.data, 0x5a, payload);
  const result = ipv4Output(buffer, 0, destination, 6, 64);
  // Whoever retains its bytes may write over them at once.
  if ((flags & BUFFER_RETAINED) != 0) memory.fill(buffer.data, 0xee, buffer.length);
  releaseBuffer(buffer);
  return result;
}

/** Makes PEER's link address known. */
function resolvePeer(): void {
  send(PEER, 10, 0);
  frames.arp(ARP_REPLY, PEER, PEER4, OWN);
  deliver();
}

function boot(): void {
  link.bootStack(400, 42);
  setLogLevel(0);
  arpRequests = arpReplies = announcements = ipPackets = delivered = errorCount = 0;
  link.setHook(record.index);
  ipv4Register(6, transportInput.index);
  registerTransportError(6, transportError.index);
}

describe("checksum", () => {
  it("is that of RFC 1071, 3", () => {
    const bytes: u8[] = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    const sum = checksumFold(checksumAdd(bytes.dataStart, 8, 0));
    expect<u16>(bswap<u16>(sum)).toBe(0xddf2);
    expect<u16>(bswap<u16>(internetChecksum(checksumAdd(bytes.dataStart, 8, 0)))).toBe(0x220d);
  });

  it("agrees with a naive model for all lengths and alignments", () => {
    const area = new StaticArray<u8>(4096);
    const base = changetype<usize>(area);
    let wrong = 0;
    for (let round = 0; round < 4000; round++) {
      const length: u32 = round < 2000 ? round : link.random() % 1600;
      const offset = link.random() & 15;
      const mode = link.random() & 3;
      for (let i: u32 = 0; i < length; i++) {
        store<u8>(base + offset + i, mode == 0 ? 0xff : mode == 1 ? 0 : <u8>link.random());
      }
      const start = link.random();
      let model: u64 = (start & 0xffff) + (start >> 16);
      for (let i: u32 = 0; i < length; i++) {
        model += <u64>load<u8>(base + offset + i) << ((i & 1) << 3);
      }
      while (model >> 16 != 0) model = (model & 0xffff) + (model >> 16);
      if (checksumFold(checksumAdd(base + offset, length, start)) != <u16>model) wrong++;
    }
    expect<i32>(wrong).toBe(0);
  });

  it("can be chained, and updated word by word", () => {
    const area = new StaticArray<u8>(256);
    const base = changetype<usize>(area);
    let wrong = 0;
    for (let round = 0; round < 1000; round++) {
      for (let i: u32 = 0; i < 256; i++) store<u8>(base + i, <u8>link.random());
      const cut = (link.random() & 127) << 1;
      const whole = internetChecksum(checksumAdd(base, 255, 0));
      if (internetChecksum(checksumAdd(base + cut, 255 - cut, checksumAdd(base, cut, 0))) != whole) wrong++;
      const place = base + ((link.random() & 63) << 1);
      const before = load<u16>(place);
      store<u16>(place, <u16>link.random());
      if (checksumUpdate(whole, before, load<u16>(place)) != internetChecksum(checksumAdd(base, 255, 0))) {
        wrong++;
      }
    }
    expect<i32>(wrong).toBe(0);
  });

  it("is finished in software as the receiver checks it", () => {
    boot();
    let wrong = 0;
    for (let round: u32 = 0; round < 500; round++) {
      const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
      buffer.length = 8 + (link.random() % 600);
      for (let i: u32 = 0; i < buffer.length; i++) store<u8>(buffer.data + i, <u8>link.random());
      const pseudo = pseudoHeaderSum(OWN, PEER, 17, buffer.length);
      store<u16>(buffer.data + 6, checksumFold(pseudo));
      buffer.flags = CHECKSUM_PARTIAL;
      buffer.checksumStart = buffer.data;
      buffer.checksumOffset = 6;
      finishChecksum(buffer);
      if (checksumFold(checksumAdd(buffer.data, buffer.length, pseudo)) != 0xffff) wrong++;
      if (load<u16>(buffer.data + 6) == 0 || buffer.flags != 0) wrong++;
      releaseBuffer(buffer);
    }
    expect<i32>(wrong).toBe(0);
  });
});

describe("ethernet", () => {
  beforeEach(boot);
  afterEach(() => {
    expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
  });

  it("drops what is too short, not for us, from a group address, or of no type", () => {
    const counters = networkCounters();
    for (let length: u32 = 0; length < ETHERNET_HEADER; length++) {
      frames.ipv4(PEER, OWN, 6, 20);
      frames.setFrameLength(length);
      deliver();
    }
    expect<u64>(counters.frameTooShort).toBe(ETHERNET_HEADER);
    frames.ipv4(PEER, OWN, 6, 20);
    changetype<EthernetHeader>(FRAME).setDestination(PEER0, PEER4);
    deliver();
    frames.ipv4(PEER, OWN, 6, 20);
    changetype<EthernetHeader>(FRAME).setDestination(0x005e_0001, 0x0100); // multicast
    deliver();
    expect<u64>(counters.frameNotForUs).toBe(2);
    frames.ipv4(PEER, OWN, 6, 20);
    changetype<EthernetHeader>(FRAME).setSource(BROADCAST0, BROADCAST4);
    deliver();
    expect<u64>(counters.frameBadSource).toBe(1);
    frames.ipv4(PEER, OWN, 6, 20);
    changetype<EthernetHeader>(FRAME).type = 0x86dd;
    deliver();
    expect<u64>(counters.frameUnknownType).toBe(1);
    expect<u32>(delivered).toBe(0);
    expect<u64>(counters.ipReceived).toBe(0);
  });

  it("rings one doorbell for what was queued", () => {
    resolvePeer();
    link.run(0);
    const before = link.doorbells;
    send(PEER, 10, 0);
    send(PEER, 10, 0);
    expect<u32>(link.doorbells).toBe(before);
    link.run(0);
    link.run(0);
    expect<u32>(link.doorbells).toBe(before + 1);
  });
});

/** Delivers the frame and tells whether it reached the transport; expects at most one more count than ipReceived. */
function accepted(): bool {
  const before = delivered;
  deliver();
  return delivered == before + 1;
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
    expect<u32>(deliveredLength).toBe(21);
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
    expect<u32>(delivered).toBe(0);
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
    expect<u32>(delivered).toBe(0);
  });

  it("drops total lengths that lie", () => {
    for (let length: u32 = 0; length < 200; length++) {
      frames.ipv4(PEER, OWN, 6, 80);
      store<u16>(NETWORK + 2, bswap<u16>(<u16>length));
      frames.ipChecksum();
      deliver();
    }
    // 20 .. 100 are possible: the rest is padding.
    expect<u32>(delivered).toBe(81);
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
      store<u8>(place, load<u8>(place) ^ <u8>((<u32>1) << (bit & 7)));
      deliver();
    }
    expect<u32>(delivered).toBe(0);
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
    expect<u32>(delivered).toBe(0);
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
    expect<u32>(delivered).toBe(0);
    // Broadcasts come in.
    frames.ipv4(PEER, 0xffff_ffff, 6, 20);
    expect<bool>(accepted()).toBe(true);
    frames.ipv4(PEER, 0x0a00_00ff, 6, 20);
    expect<bool>(accepted()).toBe(true);
  });

  it("refuses fragments", () => {
    frames.ipv4(PEER, OWN, 6, 24).fragment = IPV4_MF;
    frames.ipChecksum();
    deliver();
    frames.ipv4(PEER, OWN, 6, 24).fragment = 1;
    frames.ipChecksum();
    deliver();
    frames.ipv4(PEER, OWN, 6, 24).fragment = IPV4_DF;
    frames.ipChecksum();
    deliver();
    expect<u64>(networkCounters().ipFragments).toBe(2);
    expect<u32>(delivered).toBe(1);
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
    expect<u32>(delivered).toBe(good);
    expect<u32>(deliveredLength).toBe(20, "options are not the transport's");
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

describe("ipv4 output", () => {
  beforeEach(boot);

  it("makes a right header", () => {
    resolvePeer();
    send(PEER, 100, 0);
    const header = changetype<Ipv4Header>(LAST + ETHERNET_HEADER);
    expect<u32>(Ipv4Header.check(LAST + ETHERNET_HEADER, lastLength - ETHERNET_HEADER)).toBe(0);
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
    expect<u32>(arpRequests).toBe(0);
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
    expect<u32>(delivered).toBe(0);
    link.run(0);
    expect<u32>(delivered).toBe(2);
    expect<u32>(deliveredLength).toBe(34);
    expect<u32>(link.sent).toBe(0);
    // Bounded.
    let refused = 0;
    for (let i = 0; i < 100; i++) if (send(OWN, 10, 0) == -105) refused++;
    expect<i32>(refused).toBe(36);
    link.run(0);
    expect<u32>(delivered).toBe(66);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("copies what loops back", () => {
    send(OWN, 33, BUFFER_RETAINED);
    link.run(0);
    expect<u32>(delivered).toBe(1);
    expect<u32>(deliveredLength).toBe(33);
  });
});

describe("arp", () => {
  beforeEach(boot);

  it("asks, keeps the packets, and sends them in order with the answer", () => {
    for (let i: u32 = 0; i < 3; i++) send(PEER, 10 + i, 0);
    expect<u32>(arpRequests).toBe(1);
    expect<u32>(ipPackets).toBe(0);
    const request = changetype<ArpPacket>(LAST + ETHERNET_HEADER);
    expect<bool>(ArpPacket.check(LAST + ETHERNET_HEADER, lastLength - ETHERNET_HEADER)).toBe(true);
    expect<u32>(request.senderAddress).toBe(OWN);
    expect<u32>(request.targetAddress).toBe(PEER);
    expect<u32>(changetype<EthernetHeader>(LAST).destination0).toBe(BROADCAST0);
    expect<u32>(arpQueued()).toBe(3);
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    deliver();
    expect<u32>(ipPackets).toBe(3);
    expect<u32>(lastLength).toBe(ETHERNET_HEADER + IPV4_HEADER + 12);
    expect<u32>(arpQueued()).toBe(0);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("bounds the queues, drops the oldest", () => {
    for (let i: u32 = 0; i < ARP_QUEUE + 3; i++) send(PEER, 10 + i, 0);
    expect<u32>(arpQueued()).toBe(ARP_QUEUE);
    expect<u64>(networkCounters().arpQueueDropped).toBe(3);
    for (let i: u32 = 0; i < 100; i++) send(0x0a00_0010 + i, 10, 0);
    expect<u32>(arpQueued()).toBe(ARP_QUEUE_TOTAL);
    expect<u32>(bufferPool().inUse).toBe(ARP_QUEUE_TOTAL);
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    deliver();
    expect<u32>(ipPackets).toBe(ARP_QUEUE);
    expect<u32>(lastLength).toBe(ETHERNET_HEADER + IPV4_HEADER + 10 + ARP_QUEUE + 2, "the newest are kept");
    link.run(10_000_000_000);
    expect<u32>(arpQueued()).toBe(0);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("copies a retained packet", () => {
    send(PEER, 10, BUFFER_RETAINED);
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    deliver();
    expect<u32>(ipPackets).toBe(1);
    expect<u8>(load<u8>(LAST + 34)).toBe(0x5a);
    expect<u8>(load<u8>(LAST + 43)).toBe(0x5a);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("gives up after three requests, and tells the transport", () => {
    send(PEER, 20, 0);
    send(PEER, 20, 0);
    link.run(2_500_000_000);
    expect<u32>(arpRequests).toBe(3);
    expect<u32>(errorCount).toBe(0);
    link.run(1_000_000_000);
    expect<u32>(arpRequests).toBe(3);
    expect<u32>(errorCount).toBe(2);
    expect<u32>(errorType).toBe(3);
    expect<u32>(errorCode).toBe(1);
    expect<u64>(networkCounters().arpUnresolved).toBe(2);
    expect<bool>(arpFind(PEER) === null).toBe(true);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("goes stale, is verified by unicast while it is used, and forgotten when nobody answers", () => {
    resolvePeer();
    const entry = arpFind(PEER)!;
    expect<u8>(entry.state).toBe(ARP_REACHABLE);
    link.run(31_000_000_000);
    expect<u8>(entry.state).toBe(ARP_STALE);
    const before = ipPackets;
    arpRequests = 0;
    send(PEER, 10, 0);
    expect<u8>(entry.state).toBe(ARP_PROBE);
    expect<u32>(ipPackets).toBe(before + 1, "sent at once");
    expect<u32>(arpRequests).toBe(1);
    frames.arp(ARP_REPLY, PEER, PEER4, OWN);
    deliver();
    expect<u8>(entry.state).toBe(ARP_REACHABLE);
    link.run(31_000_000_000);
    send(PEER, 10, 0);
    link.run(1_500_000_000);
    expect<u32>(changetype<EthernetHeader>(LAST).destination0).toBe(BROADCAST0, "the second request asks all");
    link.run(3_000_000_000);
    expect<bool>(arpFind(PEER) === null).toBe(true);
  });

  it("answers requests for us, and learns who asked", () => {
    frames.arp(ARP_REQUEST, PEER, PEER4, OWN);
    deliver();
    expect<u32>(arpReplies).toBe(1);
    const reply = changetype<ArpPacket>(LAST + ETHERNET_HEADER);
    expect<u32>(reply.senderAddress).toBe(OWN);
    expect<u16>(reply.sender4).toBe(OWN4);
    expect<u32>(reply.targetAddress).toBe(PEER);
    expect<u16>(changetype<EthernetHeader>(LAST).destination4).toBe(PEER4);
    expect<u8>(arpFind(PEER)!.state).toBe(ARP_STALE);
    send(PEER, 10, 0);
    expect<u32>(ipPackets).toBe(1, "no wait for an answer");
    // A probe (sender 0) is answered, and nothing is learnt.
    frames.arp(ARP_REQUEST, 0, 0x0900, OWN);
    deliver();
    expect<u32>(arpReplies).toBe(2);
    expect<bool>(arpFind(0) === null).toBe(true);
    // Requests for others are not answered, and nothing is learnt.
    frames.arp(ARP_REQUEST, PEER + 1, 0x0900, GATEWAY);
    deliver();
    expect<u32>(arpReplies).toBe(2);
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
      expect<u8>(entry.state).toBe(ARP_STALE);
    }
    expect<u64>(networkCounters().arpUnsolicited).toBe(3);
    // The next use asks all, and takes the answer.
    arpRequests = 0;
    send(PEER, 10, 0);
    expect<u32>(arpRequests).toBe(1);
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
    expect<u32>(arpReplies).toBe(0);
    expect<u64>(networkCounters().arpUnsolicited).toBe(senders.length);
  });

  it("counts and drops malformed packets", () => {
    const counters = networkCounters();
    // Each of the first 8 bytes wrong in each bit; the operation has values that are right.
    let expected: u64 = 0;
    for (let bit: u32 = 0; bit < 64; bit++) {
      frames.arp(ARP_REQUEST, PEER, PEER4, OWN);
      const place = NETWORK + (bit >> 3);
      store<u8>(place, load<u8>(place) ^ <u8>((<u32>1) << (bit & 7)));
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
    expect<u32>(arpReplies).toBe(0);
    expect<bool>(arpFind(PEER) === null).toBe(true);
  });

  it("announces a new address, and defends it now and then", () => {
    announcements = 0;
    setAddress(OWN + 1, NETMASK, GATEWAY);
    expect<u32>(announcements).toBe(1);
    setAddress(OWN, NETMASK, GATEWAY);
    announcements = 0;
    for (let i = 0; i < 50; i++) {
      frames.arp(ARP_REQUEST, OWN, 0x6600, OWN);
      deliver();
      link.run(1_000_000_000);
    }
    expect<u64>(networkCounters().arpConflicts).toBe(50);
    expect<u32>(announcements).toBe(5);
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
    expect<u32>(arpReplies).toBe(100_000);
    expect<u32>(arpCount(CLASS_LEARNED)).toBe(LEARNED_LIMIT);
    expect<u8>(arpFind(PEER)!.state).toBe(ARP_REACHABLE);
    // Packets to 100,000 invented neighbours do not drive it out either.
    for (let i: u32 = 0; i < 100_000; i++) {
      send(0x0a20_0000 + i, 10, 0);
    }
    expect<u32>(arpCount(CLASS_PENDING)).toBeLessThan(ARP_ENTRIES);
    expect<u8>(arpFind(PEER)!.state).toBe(ARP_REACHABLE);
    link.run(20_000_000_000);
    expect<u32>(arpQueued()).toBe(0);
    expect<u32>(bufferPool().inUse).toBe(0);
    expect<u32>(arpCount(CLASS_PENDING)).toBe(0);
  });
});

/** An echo request with `payload` bytes, in the scratch frame. */
function echo(destination: u32, payload: u32): void {
  frames.ipv4(PEER, destination, 1, ICMP_HEADER + payload);
  const header = changetype<IcmpHeader>(TRANSPORT);
  header.type = 8;
  header.code = 0;
  header.rest = 0x1234_0001;
  for (let i: u32 = 0; i < payload; i++) store<u8>(TRANSPORT + ICMP_HEADER + i, <u8>i);
  icmpChecksum(ICMP_HEADER + payload);
}

function icmpChecksum(length: u32): void {
  const header = changetype<IcmpHeader>(TRANSPORT);
  header.checksum = 0;
  header.checksum = internetChecksum(checksumAdd(TRANSPORT, length, 0));
}

/** An ICMP error that quotes `quoted` bytes of a TCP packet of ours. */
function icmpError(type: u32, code: u32, rest: u32, quoted: u32): void {
  frames.ipv4(OWN, PEER, 6, 40);
  memory.copy(TRANSPORT + ICMP_HEADER, NETWORK, 60);
  frames.ipv4(PEER, OWN, 1, ICMP_HEADER + quoted);
  const header = changetype<IcmpHeader>(TRANSPORT);
  header.type = type;
  header.code = code;
  header.rest = rest;
  icmpChecksum(ICMP_HEADER + quoted);
}

const QUOTED: usize = TRANSPORT + ICMP_HEADER;

describe("icmp", () => {
  beforeEach(() => {
    boot();
    resolvePeer();
    ipPackets = 0;
  });
  afterEach(() => {
    expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
  });

  it("answers echo requests of all sizes with their own data", () => {
    let wrong = 0;
    for (let payload: u32 = 0; payload <= 1472; payload++) {
      echo(OWN, payload);
      deliver();
      const header = changetype<IcmpHeader>(LAST + 34);
      if (lastLength != 42 + payload || header.type != 0 || header.rest != 0x1234_0001) wrong++;
      if (checksumFold(checksumAdd(LAST + 34, 8 + payload, 0)) != 0xffff) wrong++;
      if (memory.compare(LAST + 42, TRANSPORT + 8, payload) != 0) wrong++;
      if (changetype<Ipv4Header>(LAST + 14).destination != PEER) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    expect<u32>(ipPackets).toBe(1473);
  });

  it("answers one with options in its IPv4 header", () => {
    echo(OWN, 16);
    memory.copy(TRANSPORT + 4, TRANSPORT, 24);
    store<u32>(TRANSPORT, 0x0101_0101);
    store<u8>(NETWORK, 0x46);
    store<u16>(NETWORK + 2, bswap<u16>(48));
    frames.ipChecksum();
    frames.setFrameLength(62);
    deliver();
    expect<u32>(ipPackets).toBe(1);
    expect<u32>(lastLength).toBe(58);
  });

  it("does not answer broadcasts, wrong checksums, short messages, other types", () => {
    const counters = networkCounters();
    echo(0xffff_ffff, 8);
    deliver();
    echo(0x0a00_00ff, 8);
    deliver();
    expect<u64>(counters.icmpIgnored).toBe(2);
    for (let bit: u32 = 0; bit < 128; bit++) {
      echo(OWN, 8);
      const place = TRANSPORT + (bit >> 3);
      store<u8>(place, load<u8>(place) ^ <u8>((<u32>1) << (bit & 7)));
      deliver();
    }
    expect<u64>(counters.icmpBadChecksum).toBe(128);
    for (let length: u32 = 0; length < 8; length++) {
      frames.ipv4(PEER, OWN, 1, length);
      deliver();
    }
    expect<u64>(counters.icmpMalformed).toBe(8);
    for (let type: u32 = 0; type < 256; type++) {
      if (type == 8 || type == 3 || type == 11 || type == 12) continue;
      echo(OWN, 8);
      changetype<IcmpHeader>(TRANSPORT).type = type;
      icmpChecksum(16);
      deliver();
    }
    expect<u64>(counters.icmpIgnored).toBe(2 + 252);
    expect<u32>(ipPackets).toBe(0);
  });

  it("says port unreachable, at a limited rate, never about broadcasts", () => {
    frames.udp(PEER, 1000, OWN, 2000, 600);
    deliver();
    expect<u32>(ipPackets).toBe(1);
    expect<u32>(changetype<IcmpHeader>(LAST + 34).code).toBe(3);
    expect<u32>(lastLength).toBe(ETHERNET_HEADER + 576);
    expect<u16>(checksumFold(checksumAdd(LAST + 34, 556, 0))).toBe(0xffff);
    expect<i32>(memory.compare(LAST + 42, NETWORK, 548)).toBe(0, "quotes the packet");
    for (let i = 0; i < 1000; i++) deliver();
    expect<u32>(ipPackets).toBe(ICMP_BURST);
    expect<u64>(networkCounters().icmpRateLimited).toBe(1001 - ICMP_BURST);
    link.run(100_000_000);
    for (let i = 0; i < 1000; i++) deliver();
    expect<u32>(ipPackets).toBeGreaterThan(ICMP_BURST + 9);
    expect<u32>(ipPackets).toBeLessThan(ICMP_BURST + 12);
    link.run(10_000_000_000);
    ipPackets = 0;
    frames.udp(PEER, 1000, 0xffff_ffff, 2000, 8);
    changetype<EthernetHeader>(FRAME).setDestination(BROADCAST0, BROADCAST4);
    deliver();
    expect<u32>(ipPackets).toBe(0);
  });

  it("hands errors about our packets to their transport", () => {
    icmpError(3, 4, 1400, 28);
    deliver();
    expect<u32>(errorCount).toBe(1);
    expect<u32>(errorCode).toBe(4);
    expect<u32>(errorRest & 0xffff).toBe(1400);
    icmpError(11, 0, 0, 60);
    deliver();
    expect<u32>(errorType).toBe(11);
    icmpError(5, 0, GATEWAY, 28); // redirect
    deliver();
    expect<u32>(errorCount).toBe(2);
  });

  it("checks what an error quotes", () => {
    const counters = networkCounters();
    for (let quoted: u32 = 0; quoted < 28; quoted++) {
      icmpError(3, 3, 0, quoted);
      deliver();
    }
    expect<u64>(counters.icmpBadEmbedded).toBe(28);
    // Not from us; wrong version; header length too small, or beyond what is quoted; total length too small.
    icmpError(3, 3, 0, 28);
    store<u32>(QUOTED + 12, bswap<u32>(PEER));
    icmpChecksum(36);
    deliver();
    const firsts: u8[] = [0x65, 0x44, 0x40, 0x46, 0x4f];
    for (let i = 0; i < firsts.length; i++) {
      icmpError(3, 3, 0, 28);
      store<u8>(QUOTED, firsts[i]);
      icmpChecksum(36);
      deliver();
    }
    icmpError(3, 3, 0, 28);
    store<u16>(QUOTED + 2, bswap<u16>(27));
    icmpChecksum(36);
    deliver();
    expect<u64>(counters.icmpBadEmbedded).toBe(28 + 7);
    // A transport that there is not.
    icmpError(3, 3, 0, 28);
    store<u8>(QUOTED + 9, 47);
    icmpChecksum(36);
    deliver();
    expect<u64>(counters.icmpIgnored).toBe(1);
    expect<u32>(errorCount).toBe(0);
  });
});

/** Acts on an option given as a string. */
function option(text: string): i32 {
  const bytes = String.UTF8.encode(text);
  return parseIpOption(changetype<usize>(bytes), bytes.byteLength);
}

function commandLine(text: string): i32 {
  const bytes = String.UTF8.encode(text);
  return configureFromCommandLine(changetype<usize>(bytes), bytes.byteLength);
}

describe("addresses and the command line", () => {
  beforeEach(boot);

  it("sets what makes sense, and nothing else", () => {
    expect<bool>(setAddress(0x0a00_000f, 0xffff_ff00, 0)).toBe(true);
    expect<bool>(isLocalAddress(0x0a00_000f)).toBe(true);
    expect<bool>(isBroadcast(0x0a00_00ff)).toBe(true);
    expect<bool>(setAddress(0x0a00_00ff, 0xffff_ff00, 0)).toBe(false);
    expect<bool>(setAddress(0x0a00_0000, 0xffff_ff00, 0)).toBe(false);
    expect<bool>(setAddress(0x0a00_000f, 0xff00_ff00, 0)).toBe(false);
    expect<bool>(setAddress(0x0a00_000f, 0, 0)).toBe(false);
    expect<bool>(setAddress(0x7f00_0001, 0xff00_0000, 0)).toBe(false);
    expect<bool>(setAddress(0xe000_0001, 0xff00_0000, 0)).toBe(false);
    expect<bool>(setAddress(0x0a00_000f, 0xffff_ff00, 0x0a00_0101)).toBe(false);
    expect<bool>(setAddress(0x0a00_000f, 0xffff_ff00, 0x0a00_000f)).toBe(false);
    expect<bool>(setAddress(0x0a00_000f, 0xffff_ff00, 0x0a00_00ff)).toBe(false);
    expect<u32>(networkInterface().address).toBe(0x0a00_000f);
    // Point to point (RFC 3021) has no broadcast.
    expect<bool>(setAddress(0x0a00_0000, 0xffff_fffe, 0x0a00_0001)).toBe(true);
    expect<bool>(isBroadcast(0x0a00_0001)).toBe(false);
    expect<bool>(setAddress(0, 0, 0)).toBe(true);
    expect<bool>(isLocalAddress(0)).toBe(false);
  });

  it("reads ip=", () => {
    expect<i32>(option("dhcp")).toBe(IP_DHCP);
    expect<i32>(option("ip=dhcp")).toBe(IP_DHCP);
    expect<i32>(option("ip=10.0.2.15/24,gw=10.0.2.2")).toBe(IP_STATIC);
    expect<u32>(networkInterface().address).toBe(0x0a00_020f);
    expect<u32>(networkInterface().netmask).toBe(0xffff_ff00);
    expect<u32>(networkInterface().gateway).toBe(0x0a00_0202);
    expect<i32>(option("192.168.1.7/16")).toBe(IP_STATIC);
    expect<u32>(networkInterface().gateway).toBe(0);
    expect<u32>(networkInterface().netmask).toBe(0xffff_0000);
  });

  it("refuses what is wrong, and changes nothing", () => {
    const wrong: string[] = [
      "",
      "ip=",
      "ip=dhcp6",
      "ip=dhc",
      "10.0.2.15",
      "10.0.2.15/",
      "10.0.2.15/0",
      "10.0.2.15/33",
      "10.0.2/24",
      "10.0.2.15.1/24",
      "10.0.2.256/24",
      "10.0.2.015/24",
      "10.0.2.15/24,",
      "10.0.2.15/24,gw",
      "10.0.2.15/24,gw=",
      "10.0.2.15/24,gw=10.0.3.1",
      "10.0.2.15/24,gw=10.0.2.2x",
      "10.0.2.15/24,gw=10.0.2.2,",
      "10.0.2.15/24;gw=10.0.2.2",
      "10.0.2.255/24",
      "0.0.0.0/24",
      "127.0.0.1/8",
      "99999999999.0.0.1/8",
      "-1.0.0.1/8",
    ];
    for (let i = 0; i < wrong.length; i++) expect<i32>(option(wrong[i])).toBe(-22, wrong[i]);
    expect<u32>(networkInterface().address).toBe(OWN);
  });

  it("finds it among other words", () => {
    expect<i32>(commandLine("")).toBe(IP_NONE);
    expect<i32>(commandLine("quiet log=7 zip=dhcp ipx=1 i")).toBe(IP_NONE);
    expect<i32>(commandLine("kernel ip=dhcp log=7")).toBe(IP_DHCP);
    expect<i32>(commandLine("  ip=dhcp   ip=10.9.8.7/8 ")).toBe(IP_STATIC);
    expect<u32>(networkInterface().address).toBe(0x0a09_0807);
    expect<i32>(commandLine("ip=10.9.8")).toBe(-22);
  });
});
