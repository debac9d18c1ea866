/** RFC 8200, 3 and 4, RFC 4443, 3: packets of IPv6 that arrive: the header, who they are for, and what their senders are told. Extension headers are in extension-headers.spec.ts. */
import { networkCounters } from "../../net/counters";
import { BROADCAST0, BROADCAST4, EthernetHeader } from "../../net/wire/ethernet";
import * as frames from "./frames";
import { deliver, FRAME, NETWORK } from "./frames";
import {
  countOf,
  from,
  GROUP,
  ipv6,
  lastOf,
  LINK_LOCAL,
  OWN_GROUP_LOW,
  OWN_ID,
  PEER_ID,
  to,
} from "./frames6";
import { bootTransport, delivered, deliveredLength, SCTP } from "./ipv6-transport";

describe("ipv6 input", () => {
  beforeEach(bootTransport);

  it("takes what is for one of our addresses or groups", () => {
    ipv6(SCTP, 20);
    deliver();
    expect<u32>(delivered).toBe(1);
    expect<u32>(deliveredLength).toBe(20);
    ipv6(SCTP, 21);
    to(GROUP, 1);
    deliver();
    ipv6(SCTP, 22);
    to(GROUP, OWN_GROUP_LOW);
    deliver();
    expect<u32>(delivered).toBe(3);
    expect<u32>(deliveredLength).toBe(22);
  });

  it("leaves padding of the frame out, and refuses what is cut off", () => {
    ipv6(SCTP, 20);
    frames.setFrameLength(14 + 60);
    deliver();
    expect<u32>(deliveredLength).toBe(20);
    for (let length: u32 = 14; length < 14 + 40 + 20; length++) {
      ipv6(SCTP, 20);
      frames.setFrameLength(length);
      deliver();
    }
    expect<u32>(delivered).toBe(1);
    expect<u64>(networkCounters().ipBadLength).toBe(60);
    for (let version: u32 = 0; version < 16; version++) {
      ipv6(SCTP, 20);
      store<u8>(NETWORK, <u8>(version << 4));
      deliver();
    }
    expect<u64>(networkCounters().ipBadVersion).toBe(15);
    expect<u32>(delivered).toBe(2);
  });

  it("refuses sources that nobody on the wire has", () => {
    const counters = networkCounters();
    const high: u64[] = [0, 0, GROUP, LINK_LOCAL];
    const low: u64[] = [1, 0xffff_0a00_0002, 1, OWN_ID];
    for (let i = 0; i < high.length; i++) {
      ipv6(SCTP, 20);
      from(high[i], low[i]);
      deliver();
    }
    expect<u64>(counters.ipBadSource).toBe(4);
    expect<u32>(delivered).toBe(0);
  });

  it("refuses destinations that are not ours", () => {
    const counters = networkCounters();
    ipv6(SCTP, 20);
    to(0, 1);
    deliver();
    ipv6(SCTP, 20);
    to(0, 0);
    deliver();
    // To one of us, in a frame for many.
    ipv6(SCTP, 20);
    changetype<EthernetHeader>(FRAME).setDestination(BROADCAST0, BROADCAST4);
    deliver();
    expect<u64>(counters.ipBadDestination).toBe(3);
    ipv6(SCTP, 20);
    to(LINK_LOCAL, PEER_ID);
    deliver();
    ipv6(SCTP, 20);
    to(GROUP, 2);
    deliver();
    ipv6(SCTP, 20);
    to(GROUP, OWN_GROUP_LOW + 1);
    deliver();
    expect<u64>(counters.ipNotForUs).toBe(3);
    expect<u32>(delivered).toBe(0);
  });

  it("tells the sender of a transport that there is not, where the field is", () => {
    ipv6(200, 20);
    deliver();
    const error = lastOf(4);
    expect<u32>(error.icmp.code).toBe(1);
    expect<u32>(error.icmp.rest).toBe(6);
    expect<bool>(error.isSound).toBe(true);
    expect<u32>(error.transportLength).toBe(8 + 60);
    expect<u32>(memory.compare(error.transport + 8, NETWORK, 60)).toBe(0);
    // ICMP of IPv4 is none of ours, and nobody is told about groups.
    ipv6(1, 20);
    deliver();
    expect<u32>(countOf(4)).toBe(2);
    ipv6(200, 20);
    to(GROUP, 1);
    deliver();
    ipv6(200, 20);
    from(0, 0);
    deliver();
    expect<u32>(countOf(4)).toBe(2);
  });

  it("quotes 1,280 bytes at most, and not without a limit", () => {
    ipv6(200, 1400);
    deliver();
    expect<i32>(lastOf(4).bytes.length).toBe(14 + 1280);
    for (let i = 0; i < 500; i++) deliver();
    expect<u32>(countOf(4)).toBeLessThan(110);
    expect<u64>(networkCounters().icmpRateLimited).toBeGreaterThan(390);
  });
});
