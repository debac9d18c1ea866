/** What an unfriendly network does: SYN floods (RFC 4987), forged cookies, ICMP errors (RFC 5927), more connections than there is room for. */
import { Socket } from "../../../net/socket/socket";
import { CONNECTION_SIZE, HAS_ECN, HAS_SACK, TcpConnection } from "../../../net/socket/tcp/connection";
import { tcpError } from "../../../net/socket/tcp/input";
import { requestPool, TcpRequest } from "../../../net/socket/tcp/request";
import { REQUEST_LIMIT, tcpCreate, tcpStatistics } from "../../../net/socket/tcp/tcp";
import { TimeWait } from "../../../net/socket/tcp/timewait";
import { TcpHeader } from "../../../net/wire/tcp";
import { chance, chance64, seedChance } from "../../chance";
import {
  abort_,
  accept,
  close,
  connect,
  create,
  listener,
  peekLength,
  readText,
  taken,
  write,
  writeText,
} from "./ends";
import {
  comeFrom,
  converse,
  establish,
  fillRequests,
  heard,
  heardBriefly,
  meetPeer,
  ownIsn,
  permitSack,
  say,
  setOptions,
  setOwnIsn,
  setStamp,
} from "./script";
import { find, leave } from "./remains";
import { leftOver, MAX_CONNECTIONS, MIRROR, PEER, run, SECOND, settleWorld, setUpWorld } from "./world";

let server: Socket = changetype<Socket>(0);
const quoted = new Uint8Array(64);

/** An ICMP error about a segment of `c` with the sequence number `sequence`. */
function icmp(c: TcpConnection, type: u32, code: u32, rest: u32, sequence: u32): void {
  const tcp = changetype<TcpHeader>(quoted.dataStart + 20);
  tcp.sourcePort = c.flow.local.port;
  tcp.destinationPort = c.flow.remote.port;
  tcp.sequence = sequence;
  tcpError(type, code, rest, c.flow, quoted.dataStart + 20, 8);
}

describe("under attack", () => {
  beforeAll(() => {
    setUpWorld();
    seedChance(9);
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 16);
    setOptions(1460, 255, 0);
  });
  afterEach(() => {
    close(server);
    comeFrom(PEER);
    settleWorld();
    taken();
    expect(leftOver()).toBe("");
  });

  it("serves a real client in every second of a flood of 10,000 SYN/s for 10 s", () => {
    converse(1, 80);
    let client: Socket = changetype<Socket>(0);
    let served = 0;
    for (let i: u32 = 0; i < 100000; i++) {
      converse(1024 + chance(60000), 80);
      comeFrom(chance(2) == 0 ? PEER : 0x0b000000 + chance(0x1000000));
      setOptions(1460, <u32>chance(2) == 0 ? 7 : 255, chance(2) == 0 ? 1 + chance(1000000) : 0);
      say("S", chance(1 << 30), 0, 0, 1000);
      run(100000);
      const at = i % 10000;
      if (at == 5000) {
        client = create();
        assert(connect(client, MIRROR, 80) == -115);
      } else if (at > 5000 && changetype<usize>(client) != 0 && at % 10 == 0) {
        const child = accept(server);
        if (child !== null) {
          writeText(child, "served");
          close(child);
        }
        if (peekLength(client) > 0) {
          assert(readText(client) == "served");
          close(client);
          client = changetype<Socket>(0);
          served++;
          assert(at < 5200, "within 20 ms");
        }
      }
    }
    expect(served).toBe(10);
    expect(requestPool().inUse).toBe(256);
    expect(tcpStatistics().cookiesAccepted).toBe(10);
    heard();
  });

  it("gives up half of a full table early, and the rest after three minutes", () => {
    fillRequests(80);
    run(8 * SECOND);
    expect(requestPool().inUse).toBe(128);
    run(170 * SECOND);
    expect(requestPool().inUse).toBe(128);
    run(10 * SECOND);
    expect(requestPool().inUse).toBe(0);
    heard();
  });

  it("opens by a cookie with the options of the SYN", () => {
    fillRequests(80);
    converse(30000, 80);
    setOptions(1400, 7, 1000);
    permitSack(true);
    say("SEW", 5, 0, 0, 1000);
    expect(heard()).toBe("S.E 0:0(0) ack 6 win 65535 <mss 1460,ws 3,sackOK,ts>");
    expect(requestPool().inUse).toBe(256);
    setStamp(1001);
    say("P.", 6, 3, 1, 1000);
    const c = changetype<TcpConnection>(accept(server)!);
    expect<u32>(c.sendScale).toBe(7);
    expect(c.SND_WND).toBe(128000);
    expect<bool>(c.has(HAS_SACK)).toBe(true);
    expect<bool>(c.has(HAS_ECN)).toBe(true);
    expect(c.sendMss).toBe(1360 - 12, "the next smaller one of eight");
    expect(readText(c)).toBe("ghi");
    writeText(c, "works");
    heard();
    abort_(c);
    // Without timestamps there is nowhere to put the scale.
    converse(30001, 80);
    setOptions(536, 7, 0);
    permitSack(true);
    say("SEW", 5, 0, 0, 1000);
    expect(heard()).toBe("S. 0:0(0) ack 6 win 65535 <mss 1460>");
    say(".", 6, 0, 1, 1000);
    const d = changetype<TcpConnection>(accept(server)!);
    expect<u32>(d.sendScale).toBe(0);
    expect<bool>(d.has(HAS_SACK)).toBe(false);
    expect<bool>(d.has(HAS_ECN)).toBe(false);
    expect<u32>(d.receiveScale).toBe(0);
    expect(d.sendMss).toBe(536);
    abort_(d);
  });

  it("over TIME-WAIT no cookie, whose number cannot be chosen, but one beyond all that the old connection has sent (RFC 9293, 3.6.1)", () => {
    fillRequests(80);
    seedChance(12);
    const sent = tcpStatistics().cookiesSent;
    for (let i: u32 = 0; i < 200; i++) {
      leave(80, 30000 + i, 0);
      const least = <u32>chance64();
      find(80, 30000 + i)!.SND_NXT = least;
      converse(30000 + i, 80);
      say("S", 100, 0, 0, 1000);
      expect(heardBriefly()).toBe("S. 0:0(0) ack 101");
      expect(<i32>(ownIsn - least)).toBeGreaterThan(0);
      if (i % 10 != 0) continue;
      say(".", 101, 0, 1, 1000);
      expect(find(80, 30000 + i) === null).toBe(true, "the new one has taken its place");
      abort_(accept(server)!);
      heard();
    }
    expect(tcpStatistics().cookiesSent).toBe(sent);
  });

  it("a SYN over TIME-WAIT for which there is no memory is dropped and counted, and may come again", () => {
    for (let i: u32 = 0; i < REQUEST_LIMIT; i++) {
      leave(80, 30000 + i, 0);
      converse(30000 + i, 80);
      say("S", 100, 0, 0, 1000);
      expect(heardBriefly()).toBe("S. 0:0(0) ack 101");
    }
    const overflows = tcpStatistics().listenOverflows;
    leave(80, 20000, 0);
    converse(20000, 80);
    say("S", 100, 0, 0, 1000);
    expect(heardBriefly()).toBe("");
    expect(tcpStatistics().listenOverflows - overflows).toBe(1);
    expect(find(80, 20000) === null).toBe(false, "it stays");
    run(8 * SECOND);
    heard();
    say("S", 100, 0, 0, 1000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 101");
  });

  it("takes no forged cookie, none of another peer, and none that is too old", () => {
    // None was ever made: an ACK is just wrong.
    converse(30002, 80);
    setOwnIsn(0);
    say(".", 6, 0, 1, 1000);
    expect(heardBriefly()).toBe("R 1:1(0)");
    fillRequests(80);
    converse(30002, 80);
    say("S", 5, 0, 0, 1000);
    heard();
    const isn = ownIsn;
    say(".", 7, 0, 1, 1000);
    say(".", 6, 0, 2, 1000);
    converse(30003, 80);
    say(".", 6, 0, 1, 1000);
    converse(30002, 80);
    for (let bit: u32 = 0; bit < 32; bit++) {
      setOwnIsn(isn ^ (1 << bit));
      say(".", 6, 0, 1, 1000);
    }
    seedChance(11);
    for (let i = 0; i < 100000; i++) {
      setOwnIsn(<u32>chance64());
      say(".", 6, 0, 1, 1000);
      heard();
    }
    expect(accept(server) === null).toBe(true);
    setOwnIsn(isn);
    run(200 * SECOND);
    // Another cookie, so that the listener looks at all.
    fillRequests(80);
    converse(30004, 80);
    say("S", 5, 0, 0, 1000);
    heard();
    converse(30002, 80);
    setOwnIsn(isn);
    say(".", 6, 0, 1, 1000);
    expect(accept(server) === null).toBe(true, "too old");
  });

  it("refuses connections above the limit and takes them when there is room", () => {
    close(server);
    server = listener(80, 4096);
    const all: Socket[] = [];
    for (;;) {
      const s = tcpCreate();
      if (s === null) break;
      all.push(s);
    }
    expect(all.length + 1).toBe(MAX_CONNECTIONS);
    converse(30005, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    say(".", 1, 0, 1, 1000);
    expect(heard()).toBe("", "dropped: the client sends again");
    expect(accept(server) === null).toBe(true);
    close(all.pop());
    say("P.", 1, 3, 1, 1000);
    const s = accept(server)!;
    expect(readText(s)).toBe("bcd");
    abort_(s);
    while (all.length != 0) close(all.pop());
  });

  it("keeps its objects small", () => {
    expect(CONNECTION_SIZE).toBeLessThan(681, "a connection without data: six of them in a frame");
    expect<u32>(offsetof<TcpRequest>()).toBeLessThan(113);
    expect<u32>(offsetof<TimeWait>()).toBeLessThan(97);
  });

  it("believes an ICMP error only about what is in flight, and ends only an open by it", () => {
    const s = create();
    converse(9, 0);
    connect(s, PEER, 9);
    heard();
    const c = changetype<TcpConnection>(s);
    icmp(c, 3, 3, 0, c.ISS + 1);
    icmp(c, 3, 3, 0, c.ISS - 1);
    expect(c.state).toBe(2, "not our SYN");
    icmp(c, 3, 1, 0, c.ISS);
    expect(c.state).toBe(2, "host unreachable may pass");
    icmp(c, 3, 3, 0, c.ISS);
    expect(c.state).toBe(7);
    expect(peekLength(s)).toBe(-111);
    close(s);

    const e = changetype<TcpConnection>(establish(server, 30006, 60000));
    writeText(e, "x");
    icmp(e, 3, 3, 0, e.SND_UNA);
    expect(e.state).toBe(1, "an established connection lives");
    run(600 * SECOND);
    expect(peekLength(e)).toBe(-111, "but when it times out, that is the reason");
    close(e);
    heard();
  });

  it("gives a silent host as the reason of an open that timed out", () => {
    const s = create();
    converse(9, 0);
    connect(s, PEER, 9);
    const c = changetype<TcpConnection>(s);
    icmp(c, 3, 1, 0, c.ISS);
    run(300 * SECOND);
    expect(peekLength(s)).toBe(-113);
    close(s);
    heard();
  });

  it("sends smaller segments when the path needs it (RFC 1191), but not below 576", () => {
    const c = changetype<TcpConnection>(establish(server, 30007, 60000));
    write(c, 0, 0, 1460);
    expect(heardBriefly()).toBe("P. 1:1461(1460) ack 1");
    icmp(c, 3, 4, 1200, c.SND_UNA + 5000);
    expect(c.sendMss).toBe(1460, "not in flight");
    icmp(c, 3, 4, 1200, c.SND_UNA);
    expect(c.sendMss).toBe(1160);
    expect(heardBriefly()).toBe(". 1:1161(1160) ack 1 | P. 1161:1461(300) ack 1");
    icmp(c, 3, 4, 68, c.SND_UNA);
    expect(c.sendMss).toBe(536);
    expect(heardBriefly()).toBe(". 1:537(536) ack 1 | . 537:1073(536) ack 1 | . 1073:1161(88) ack 1");
    icmp(c, 3, 4, 9000, c.SND_UNA);
    expect(c.sendMss).toBe(536);
    abort_(c);
    heard();
  });
});
