/** ICMP errors: at what rate they are sent, about what they never are, and who hears of those that come. */
import { bufferPool } from "../../net/buffer";
import { checksumAdd, checksumFold, internetChecksum } from "../../net/checksum";
import { networkCounters } from "../../net/counters";
import { ICMP_BURST, ICMP_CLASS_BURST } from "../../net/icmp-error";
import { isBroadcast, setAddress } from "../../net/interface";
import { ETHERNET_HEADER } from "../../net/wire/ethernet";
import { IcmpHeader } from "../../net/wire/icmp";
import { IPV4_MF, Ipv4Header } from "../../net/wire/ipv4";
import * as frames from "./frames";
import { deliver, NETWORK, TRANSPORT } from "./frames";
import * as link from "./link";
import { OWN, PEER } from "./link";
import { boot, LAST, resolvePeer, seen, send } from "./recorder";

/** Hands a datagram to a port that nobody has in, `times`; the errors that were sent about it. */
function provoke(times: u32): u32 {
  const before = seen.ipPackets;
  frames.udp(PEER, 1000, OWN, 2000, 16);
  for (let i: u32 = 0; i < times; i++) deliver();
  return seen.ipPackets - before;
}

/** As many first fragments, whose time is over then; the errors that were sent about them. */
function abandon(times: u32): u32 {
  const before = networkCounters().icmpErrorsSent;
  beginDatagrams(times, PEER);
  link.run(61_000_000_000);
  return <u32>(networkCounters().icmpErrorsSent - before);
}

/** First fragments of `times` datagrams of `source`'s. */
function beginDatagrams(times: u32, source: u32): void {
  for (let i: u32 = 0; i < times; i++) {
    const header = frames.udp(source, 1000, OWN, 2000, 16);
    assert(changetype<usize>(header) == TRANSPORT);
    const network = changetype<Ipv4Header>(NETWORK);
    network.identification = i;
    network.fragment = IPV4_MF;
    frames.ipChecksum();
    deliver();
  }
}

/** An error that quotes what the stack sent last, `mutate`d by the caller between this and `deliverError`. */
function quoteLast(type: u32, code: u32): usize {
  const quoted = seen.lastLength - ETHERNET_HEADER;
  memory.copy(TRANSPORT + 8, LAST + ETHERNET_HEADER, quoted);
  frames.ipv4(PEER, OWN, 1, 8 + quoted);
  const icmp = changetype<IcmpHeader>(TRANSPORT);
  icmp.type = type;
  icmp.code = code;
  icmp.rest = 0;
  return TRANSPORT + 8;
}

function deliverError(): void {
  const icmp = changetype<IcmpHeader>(TRANSPORT);
  const length = changetype<Ipv4Header>(NETWORK).totalLength - 20;
  icmp.checksum = 0;
  icmp.checksum = internetChecksum(checksumAdd(TRANSPORT, length, 0));
  deliver();
}

describe("icmp errors", () => {
  beforeEach(() => {
    boot();
    resolvePeer();
    link.run(1_000_000_000);
  });
  afterEach(() => {
    link.run(120_000_000_000);
    expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
  });

  it("are sent in a burst, and then at a rate; a long silence saves up no more than a burst", () => {
    for (let round = 0; round < 20; round++) {
      resolvePeer();
      const burst = provoke(1000);
      expect<u32>(burst).toBeGreaterThan(ICMP_CLASS_BURST - 10);
      expect<u32>(burst).toBeLessThan(ICMP_CLASS_BURST + 15);
      let after: u32 = 0;
      for (let i = 0; i < 100; i++) {
        link.run(10_000_000);
        after += provoke(20);
      }
      expect<u32>(after).toBeGreaterThan(70);
      expect<u32>(after).toBeLessThan(90);
      link.run(10_000_000_000);
    }
    expect<u64>(networkCounters().icmpRateLimited).toBeGreaterThan(20000);
  });

  it("how many went to others cannot be counted: a burst is not always the same", () => {
    const seenBursts = new Set<u32>();
    for (let round = 0; round < 20; round++) {
      resolvePeer();
      seenBursts.add(provoke(1000));
      link.run(10_000_000_000);
    }
    expect<i32>(seenBursts.size).toBeGreaterThan(2);
    expect<bool>(seenBursts.has(0)).toBe(false);
  });

  it("of one kind leave the others some", () => {
    expect<u32>(ICMP_CLASS_BURST).toBeLessThan(ICMP_BURST);
    provoke(1000);
    // At the same moment, and with the flood going on, the first fragments of some datagrams come to their end.
    const before = networkCounters().icmpErrorsSent;
    for (let i: u32 = 0; i < 5; i++) {
      frames.udp(PEER, 1000, OWN, 2000, 16);
      const network = changetype<Ipv4Header>(NETWORK);
      network.identification = 100 + i;
      network.fragment = IPV4_MF;
      frames.ipChecksum();
      deliver();
    }
    link.run(59_900_000_000);
    const unreachables = provoke(1000);
    link.run(150_000_000);
    provoke(1000);
    const sent = <u32>(networkCounters().icmpErrorsSent - before);
    expect<u64>(networkCounters().ipFragmentTimeouts).toBe(5);
    expect<u32>(sent).toBeGreaterThan(unreachables + 4);
  });

  it("are never sent about fragments but the first, about ICMP, or to broadcasts and groups", () => {
    expect<u32>(abandon(3)).toBe(3);
    const before = networkCounters().icmpErrorsSent;
    // Not the first.
    frames.ipv4(PEER, OWN, 17, 24).fragment = IPV4_MF | 2;
    frames.ipChecksum();
    deliver();
    // An echo request of which the rest does not come.
    frames.ipv4(PEER, OWN, 1, 24).fragment = IPV4_MF;
    store<u8>(TRANSPORT, 8);
    frames.ipChecksum();
    deliver();
    link.run(61_000_000_000);
    expect<u64>(networkCounters().ipFragmentTimeouts).toBe(5);
    expect<u64>(networkCounters().icmpErrorsSent).toBe(before);
  });

  it("are not sent to whose address has become a broadcast one since the fragment came", () => {
    const source = OWN | 0x7f;
    const before = networkCounters().icmpErrorsSent;
    beginDatagrams(1, source);
    expect<bool>(setAddress(OWN, 0xffffff80, 0)).toBe(true);
    expect<bool>(isBroadcast(source)).toBe(true);
    link.run(61_000_000_000);
    expect<u64>(networkCounters().ipFragmentTimeouts).toBe(1);
    expect<u64>(networkCounters().icmpErrorsSent).toBe(before);
  });

  it("that come reach the transport only if they quote the beginning of what we sent", () => {
    send(PEER, 100, 0);
    quoteLast(3, 3);
    deliverError();
    expect<u32>(seen.errorCount).toBe(1);
    send(PEER, 100, 0);
    // Of a fragment in the middle: what stands there are no ports.
    store<u16>(quoteLast(3, 3) + 6, bswap<u16>(0x2005));
    deliverError();
    expect<u32>(seen.errorCount).toBe(1);
    expect<u64>(networkCounters().icmpBadEmbedded).toBe(1);
    // To a broadcast address.
    send(PEER, 100, 0);
    quoteLast(3, 3);
    changetype<Ipv4Header>(NETWORK).destination = 0x0a00_00ff;
    frames.ipChecksum();
    deliverError();
    expect<u32>(seen.errorCount).toBe(1);
  });

  it("an echo request of zeroes only is answered with a right checksum", () => {
    for (let length: u32 = 8; length < 80; length += 9) {
      frames.ipv4(PEER, OWN, 1, length);
      memory.fill(TRANSPORT, 0, length);
      changetype<IcmpHeader>(TRANSPORT).type = 8;
      deliverError();
      const reply = LAST + ETHERNET_HEADER + 20;
      expect<u32>(changetype<IcmpHeader>(reply).type).toBe(0);
      expect<u16>(checksumFold(checksumAdd(reply, length, 0))).toBe(0xffff);
    }
  });

  it("an echo request with a code is ignored", () => {
    frames.ipv4(PEER, OWN, 1, 40);
    const icmp = changetype<IcmpHeader>(TRANSPORT);
    icmp.type = 8;
    icmp.code = 1;
    const before = seen.ipPackets;
    deliverError();
    expect<u32>(seen.ipPackets).toBe(before);
    icmp.code = 0;
    deliverError();
    expect<u32>(seen.ipPackets).toBe(before + 1);
  });
});
