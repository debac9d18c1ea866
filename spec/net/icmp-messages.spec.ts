/** ICMP: echo, port unreachable, and errors about packets of ours (RFC 792; RFC 1122, 3.2.2). */
import { bufferPool } from "../../net/buffer";
import { checksumAdd, checksumFold, internetChecksum } from "../../net/checksum";
import { networkCounters } from "../../net/counters";
import { BROADCAST0, BROADCAST4, ETHERNET_HEADER, EthernetHeader } from "../../net/wire/ethernet";
import { ICMP_HEADER, IcmpHeader } from "../../net/wire/icmp";
import { Ipv4Header } from "../../net/wire/ipv4";
import * as frames from "./frames";
import { deliver, FRAME, NETWORK, TRANSPORT } from "./frames";
import * as link from "./link";
import { GATEWAY, OWN, PEER } from "./link";
import { boot, LAST, resolvePeer, seen } from "./recorder";

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
    seen.ipPackets = 0;
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
      if (seen.lastLength != 42 + payload || header.type != 0 || header.rest != 0x1234_0001) wrong++;
      if (checksumFold(checksumAdd(LAST + 34, 8 + payload, 0)) != 0xffff) wrong++;
      if (memory.compare(LAST + 42, TRANSPORT + 8, payload) != 0) wrong++;
      if (changetype<Ipv4Header>(LAST + 14).destination != PEER) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    expect<u32>(seen.ipPackets).toBe(1473);
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
    expect<u32>(seen.ipPackets).toBe(1);
    expect<u32>(seen.lastLength).toBe(58);
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
      store<u8>(place, load<u8>(place) ^ (<u8>((<u32>1) << (bit & 7))));
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
    expect<u32>(seen.ipPackets).toBe(0);
  });

  it("says port unreachable, at a limited rate, never about broadcasts", () => {
    frames.udp(PEER, 1000, OWN, 2000, 600);
    deliver();
    expect<u32>(seen.ipPackets).toBe(1);
    expect<u32>(changetype<IcmpHeader>(LAST + 34).code).toBe(3);
    expect<u32>(seen.lastLength).toBe(ETHERNET_HEADER + 576);
    expect<u16>(checksumFold(checksumAdd(LAST + 34, 556, 0))).toBe(0xffff);
    expect<i32>(memory.compare(LAST + 42, NETWORK, 548)).toBe(0, "quotes the packet");
    for (let i = 0; i < 1000; i++) deliver();
    expect<u64>(networkCounters().icmpRateLimited).toBe(1001 - seen.ipPackets);
    link.run(10_000_000_000);
    seen.ipPackets = 0;
    frames.udp(PEER, 1000, 0xffff_ffff, 2000, 8);
    changetype<EthernetHeader>(FRAME).setDestination(BROADCAST0, BROADCAST4);
    deliver();
    expect<u32>(seen.ipPackets).toBe(0);
  });

  it("hands errors about our packets to their transport", () => {
    icmpError(3, 4, 1400, 28);
    deliver();
    expect<u32>(seen.errorCount).toBe(1);
    expect<u32>(seen.errorCode).toBe(4);
    expect<u32>(seen.errorRest & 0xffff).toBe(1400);
    icmpError(11, 0, 0, 60);
    deliver();
    expect<u32>(seen.errorType).toBe(11);
    icmpError(5, 0, GATEWAY, 28); // redirect
    deliver();
    expect<u32>(seen.errorCount).toBe(2);
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
    expect<u32>(seen.errorCount).toBe(0);
  });
});
