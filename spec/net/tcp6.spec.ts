/** What RFC 9293 asks for that is another thing with IPv6: addresses that no host can have, and the MSS of who says none. The rest is spec/net/tcp, and spec/wire over both versions. */
import { networkFlush } from "../../net/interface";
import { Socket } from "../../net/socket/socket";
import { TcpConnection } from "../../net/socket/tcp/connection";
import { tcpStatistics } from "../../net/socket/tcp/tcp";
import { TCP_ACK, TCP_SYN } from "../../net/wire/tcp";
import {
  address6,
  forgetSent,
  from,
  GROUP,
  LINK_LOCAL,
  OWN_GROUP_LOW,
  OWN_ID,
  PEER_ID,
  sent,
  to,
} from "./frames6";
import * as link from "./link";
import { bind, bootServer, create, go, open, segment, server } from "./server6";
import { fill } from "./tcp/ends";

const SECOND: u64 = 1_000_000_000;

function connect(s: Socket, high: u64, low: u64): i32 {
  const result = call_indirect<i32>(s.protocol.connect, s, address6(high, low, 9));
  networkFlush();
  return result;
}

describe("TCP over IPv6", () => {
  beforeEach(bootServer);
  afterEach(() => {
    call_indirect<void>(server.protocol.close, server);
  });

  it("MUST-57: a SYN to a group is discarded in silence", () => {
    const out = tcpStatistics().segmentsOut;
    const lows: u64[] = [1, OWN_GROUP_LOW, 0x16];
    for (let i = 0; i < lows.length; i++)
      for (let flags = TCP_SYN; flags <= TCP_ACK; flags += TCP_ACK - TCP_SYN) {
        segment(flags, 100, 0);
        to(GROUP, lows[i]);
        go();
      }
    link.run(SECOND);
    expect<u64>(tcpStatistics().segmentsOut).toBe(out);
    expect<u32>(changetype<TcpConnection>(server).listener!.requestCount).toBe(0);
  });

  it("MUST-63: a SYN from an address that no host can have is ignored", () => {
    const out = tcpStatistics().segmentsOut;
    // ::, ::1, ::ffff:10.0.2.2, ::10.0.2.2, groups, our own.
    const highs: u64[] = [0, 0, 0, 0, GROUP, 0xff0e_0000_0000_0000, LINK_LOCAL];
    const lows: u64[] = [0, 1, 0xffff_0a00_0202, 0x0a00_0202, 1, 7, OWN_ID];
    for (let i = 0; i < highs.length; i++) {
      segment(TCP_SYN, 100, 0);
      from(highs[i], lows[i]);
      go();
    }
    link.run(SECOND);
    expect<u64>(tcpStatistics().segmentsOut).toBe(out);
    expect<u32>(changetype<TcpConnection>(server).listener!.requestCount).toBe(0);
  });

  it("MUST-46: an open to an address that no host can have is refused", () => {
    const highs: u64[] = [0, GROUP, 0xff0e_0000_0000_0000];
    const lows: u64[] = [0, 1, 7];
    const s = create();
    for (let i = 0; i < highs.length; i++) {
      expect<i32>(connect(s, highs[i], lows[i])).toBe(-101);
      expect<u32>(changetype<TcpConnection>(s).state).toBe(7);
    }
    expect<i32>(sent.length).toBe(0);
    expect<i32>(connect(s, LINK_LOCAL, PEER_ID)).toBe(-115);
    call_indirect<void>(s.protocol.close, s);
  });

  it("of a socket whose open to an IPv4 address failed has a source of IPv6", () => {
    for (let port: u32 = 0; port <= 4000; port += 4000) {
      const s = create();
      if (port != 0) expect<i32>(bind(s, port)).toBe(0);
      // Refused: nobody has port 9 of 127.0.0.1.
      connect(s, 0, 0xffff_7f00_0001);
      link.run(SECOND);
      expect<i32>(call_indirect<i32>(s.protocol.end, s)).toBe(-111);
      expect<i32>(connect(s, LINK_LOCAL, PEER_ID)).toBe(-115);
      expect<bool>(s.flow.local.same(address6(LINK_LOCAL, OWN_ID))).toBe(true);
      expect<i32>(sent.length).toBe(1);
      forgetSent();
      call_indirect<void>(s.protocol.abort, s);
    }
  });

  it("MUST-15, MUST-16: who says no MSS gets segments of 1,220 bytes at most", () => {
    const s = open();
    expect<u32>(s.sendMss).toBe(1220);
    expect<bool>(s.flow.remote.same(address6(LINK_LOCAL, PEER_ID))).toBe(true);
    expect<u32>(fill(s, memory.data(3000), 3000)).toBe(3000);
    call_indirect<void>(s.protocol.push, s, 0);
    networkFlush();
    expect<u32>(sent[0].transportLength).toBe(20 + 1220);
    call_indirect<void>(s.protocol.abort, s);
  });
});
