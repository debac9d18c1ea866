/** What RFC 9293 asks for and no other spec here is about: headers and options, numbers, opens, addresses, acknowledgements. */
import { networkInterface, setAddress } from "../../../net/interface";
import { Socket } from "../../../net/socket/socket";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { chance, seedChance } from "../../chance";
import {
  abort_,
  accept,
  bind,
  close,
  connect,
  create,
  listen,
  listener,
  peekLength,
  readText,
  setOption,
  shutdown,
  taken,
  watch,
  write,
  writeText,
} from "./ends";
import { endPair, openPair } from "./pair";
import {
  addNetworkOptions,
  addOptions,
  comeFrom,
  converse,
  damage,
  establish,
  goTo,
  heard,
  heardBriefly,
  meetPeer,
  permitSack,
  say,
  setOptions,
  setOwnIsn,
  setStamp,
} from "./script";
import { MILLISECOND, outbox, OWN, PEER, run, SECOND, setUpWorld, silence, time } from "./world";

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
let port: u32 = 15000;

function open(window: u32 = 60000, mss: u32 = 1000): TcpConnection {
  s = openPair(server, window, mss);
  return changetype<TcpConnection>(s);
}

/** The options of the SYN that was sent last, byte by byte. */
function optionsOf(packet: Uint8Array): string {
  let text = "";
  const end = 20 + (packet[32] >> 4) * 4;
  for (let at = 40; at < end; at++) text += (text == "" ? "" : " ") + packet[at].toString();
  return text;
}

/** Each option of a segment but NOP and END has its length, all end where the header does, and behind END there are only zeros. */
function isOrderly(packet: Uint8Array): bool {
  const end = 20 + (packet[32] >> 4) * 4;
  let at = 40;
  while (at < end && packet[at] != 0) {
    if (packet[at] == 1) at++;
    else if (at + 1 < end && packet[at + 1] >= 2) at += packet[at + 1];
    else return false;
  }
  if (at > end) return false;
  while (at < end) if (packet[at++] != 0) return false;
  return true;
}

/** The sequence number of the SYN with which a new connection from port `from` to PEER begins. */
function firstNumber(from: u32, to: u32): u32 {
  const one = create();
  assert(bind(one, OWN, from) == 0);
  outbox.length = 0;
  connect(one, PEER, to);
  const number = bswap<u32>(load<u32>(outbox[0].dataStart, 24));
  close(one);
  outbox.length = 0;
  return number;
}

describe("conformance", () => {
  beforeAll(() => {
    setUpWorld();
    seedChance(44);
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
    s = changetype<Socket>(0);
  });
  afterEach(() => {
    goTo(OWN);
    comeFrom(PEER);
    endPair(server, s);
  });

  // ---- Header and options ----

  it("MUST-1: a window field is an unsigned number", () => {
    const c = open(65535);
    expect(c.SND_WND).toBe(65535);
    c.congestionWindow = 100000;
    write(s, 0, 0, 70000);
    expect(c.flight).toBe(65000, "the rest is a silly window");
    heard();
    setOptions(1000, 14, 0);
    const big = changetype<TcpConnection>(establish(server, ++port, 65535));
    expect(big.SND_WND).toBe(65535 << 14);
    big.congestionWindow = 1 << 29;
    expect(write(big, 0, 0, 90000)).toBe(90000);
    expect(big.flight).toBe(90000);
    abort_(big);
  });

  it("MUST-2, MUST-3: every segment that leaves has its checksum, and one that comes damaged is dropped", () => {
    open();
    const before = tcpStatistics().badChecksum;
    const malformed = tcpStatistics().malformed;
    // Each bit of a segment with three octets, whichever: `heard` checks what leaves.
    for (let bit = 0; bit < 23 * 8; bit++) {
      damage(bit);
      say("P.", 1, 3, 1, 60000);
      expect(peekLength(s)).toBe(-11);
    }
    expect(tcpStatistics().badChecksum - before + tcpStatistics().malformed - malformed).toBe(23 * 8);
    expect(heard()).toBe("");
    say("P.", 1, 3, 1, 60000);
    expect(readText(s)).toBe("bcd");
    for (let length: u32 = 1; length < 1000; length++) {
      write(s, 0, 0, length);
      const lines = heard();
      expect(lines.indexOf("BAD")).toBe(-1);
      say(".", 4, 0, changetype<TcpConnection>(s).SND_NXT - changetype<TcpConnection>(s).ISS, 60000);
    }
  });

  it("MUST-4, MUST-64: end, no-operation and MSS are understood, wherever in the list they begin", () => {
    // The first word is what the MSS option was; then each list, and the payload that a segment has then.
    const lists: u8[][] = [
      [1, 1, 1, 2, 4, 2, 88, 0],
      [1, 2, 4, 2, 88, 0, 9, 9],
      [1, 1, 2, 4, 2, 88, 1, 0],
      [254, 5, 9, 9, 9, 2, 4, 2, 88, 0, 0, 0],
      [2, 4, 2, 88],
      [0, 2, 4, 2, 88, 0, 0, 0],
    ];
    const sizes: u32[] = [600, 600, 600, 600, 600, 536];
    for (let i = 0; i < lists.length; i++) {
      converse(++port, 80);
      setOptions(0, 255, 0);
      addOptions(lists[i]);
      say("S", 0, 0, 0, 60000);
      heard();
      say(".", 1, 0, 1, 60000);
      s = accept(server)!;
      expect(changetype<TcpConnection>(s).sendMss).toBe(sizes[i]);
      if (i != lists.length - 1) abort_(s);
    }
  });

  it("MUST-5, MUST-6: options are taken in any segment, and those unknown are stepped over", () => {
    const c = open();
    addOptions([254, 4, 1, 2]);
    say("P.", 1, 3, 1, 60000);
    expect(readText(s)).toBe("bcd", "in a segment with data");
    addOptions([2, 4, 0, 100, 253, 2, 1, 1]);
    say(".", 4, 0, 1, 60000);
    expect(c.sendMss).toBe(1000, "an MSS counts on a SYN only");
    writeText(s, "x");
    addOptions([77, 40 - 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
    say(".", 4, 0, 2, 60000);
    expect(c.SND_UNA - c.ISS).toBe(2, "in an acknowledgement");
    addOptions([200, 3, 0, 1]);
    say("F.", 4, 0, 2, 60000);
    expect(c.state).toBe(8, "with a FIN");
    shutdown(s, 1);
    addOptions([200, 3, 0, 1]);
    say("R", 5, 0, 0, 0);
    expect(c.state).toBe(7, "with a RST");
  });

  it("MUST-7: an option of an illegal length is survived: the segment is dropped and counted", () => {
    open();
    seedChance(3);
    const before = tcpStatistics().malformed;
    let bad: u64 = 0;
    const lengths: u8[] = [0, 1, 200, 5];
    for (let i = 0; i < lengths.length; i++) {
      addOptions([254, lengths[i], 0, 0]);
      say("P.", 1, 3, 1, 60000);
      bad++;
    }
    addOptions([1, 1, 1, 254]);
    say("P.", 1, 3, 1, 60000);
    bad++;
    expect(tcpStatistics().malformed - before).toBe(bad);
    expect(peekLength(s)).toBe(-11);
    // Any bytes: nothing is read behind the header, and the connection goes on.
    for (let i = 0; i < 5000; i++) {
      const list: u8[] = [];
      for (let at: u32 = 0; at < 4 * (1 + chance(10)); at++) list.push(<u8>chance(chance(2) == 0 ? 12 : 256));
      while (list.length % 4 != 0) list.push(0);
      addOptions(list);
      say(".", 1, 0, 1, 60000);
    }
    outbox.length = 0;
    say("P.", 1, 3, 1, 60000);
    expect(readText(s)).toBe("bcd");
  });

  it("MUST-14, MUST-65, MUST-68, MUST-69: the options of a SYN, each but NOP with its length, to a multiple of four", () => {
    converse(9, 0);
    s = create();
    connect(s, PEER, 9);
    const text = optionsOf(outbox[0]);
    // MSS 1460; NOP, window scale 3; NOP, NOP, SACK permitted; NOP, NOP, timestamps. No end of list, so there is nothing to be padded.
    expect(text.startsWith("2 4 5 180 1 3 3 3 1 1 4 2 1 1 8 10 ")).toBe(true, text);
    expect((outbox[0][32] >> 4) * 4).toBe(44);
    expect(heard()).toBe("SEW 0:0(0) win 65535 <mss 1460,ws 3,sackOK,ts>");
    setOptions(1460, 7, 500);
    say("S.", 0, 0, 1, 60000);
    writeText(s, "x");
    shutdown(s, 1);
    const after = heard();
    expect(after.indexOf("mss")).toBe(-1, after);
  });

  it("MUST-65, MUST-68, MUST-69: the options of every segment, whichever it has", () => {
    // SACK blocks of any number, a user time-out, timestamps or none, data, FIN; and a reset.
    let kinds: u64 = 0;
    for (let round: u32 = 0; round < 200; round++) {
      converse(++port, 80);
      setOptions(1460, 7, round & 1 ? 1000 : 0);
      permitSack(true);
      say("S", 0, 0, 0, 60000);
      expect(isOrderly(outbox[0])).toBe(true);
      heard();
      say(".", 1, 0, 1, 60000);
      const one = accept(server)!;
      if (round % 3 == 0) setOption(one, 6, 0x4003, 1);
      for (let i = 0; i < 12; i++) {
        if (chance(4) == 0) write(one, 0, 0, 1 + chance(2000));
        else say("P.", 1 + 100 * chance(20), 1 + chance(150), 1, 60000);
        if (chance(6) == 0) run(300 * MILLISECOND);
      }
      if (chance(2) == 0) close(one);
      else abort_(one);
      for (let i = 0; i < outbox.length; i++) {
        assert(isOrderly(outbox[i]), optionsOf(outbox[i]));
        for (
          let at = 40;
          at < 20 + (outbox[i][32] >> 4) * 4;
          at += outbox[i][at] == 1 ? 1 : outbox[i][at + 1]
        ) {
          kinds |= (<u64>1) << outbox[i][at];
          assert(outbox[i][at] != 2, "MSS without SYN");
        }
      }
      heard();
    }
    expect(kinds).toBe(((<u64>1) << 1) | ((<u64>1) << 5) | ((<u64>1) << 8) | ((<u64>1) << 28));
    permitSack(false);
    setStamp(0);
  });

  it("MUST-14, MUST-15, MUST-16: segments are the smaller of the peer's MSS, 536 if it says none, and what the link takes, less options", () => {
    const offers: u32[] = [0, 536, 88, 1000, 1460, 9000, 65535];
    for (let stamps: u32 = 0; stamps < 2; stamps++)
      for (let i = 0; i < offers.length; i++) {
        converse(++port, 80);
        setOptions(offers[i], 255, stamps * 1000);
        say("S", 0, 0, 0, 60000);
        heard();
        say(".", 1, 0, 1, 60000);
        const one = accept(server)!;
        const most = min<u32>(offers[i] == 0 ? 536 : offers[i], 1460) - stamps * 12;
        expect(changetype<TcpConnection>(one).sendMss).toBe(most);
        write(one, 0, 0, 1460);
        const segment = outbox[0];
        expect(segment.length).toBe(40 + <i32>(stamps * 12 + most));
        assert(segment.length <= 1500);
        abort_(one);
        heard();
      }
    setStamp(0);
  });

  it("MUST-67: the MSS that is offered is what the link takes, less the fixed headers", () => {
    const mtus: u32[] = [576, 1280, 1500];
    for (let i = 0; i < mtus.length; i++) {
      networkInterface().mtu = mtus[i];
      converse(9, 0);
      const one = create();
      connect(one, PEER, 9);
      expect(heard().startsWith("SEW 0:0(0) win 65535 <mss " + (mtus[i] - 40).toString() + ",")).toBe(true);
      close(one);
    }
    networkInterface().mtu = 1500;
  });

  // ---- Initial sequence numbers ----

  it("MUST-8: initial sequence numbers follow a clock of 4 microseconds", () => {
    for (let i = 0; i < 50; i++) {
      const first = firstNumber(7000, 9);
      const start = time;
      run(<u64>chance(2000000000));
      const second = firstNumber(7000, 9);
      expect(second - first).toBe(<u32>(time / 4000) - <u32>(start / 4000));
    }
  });

  it("MUST-9: what one four-tuple has tells nothing of another's", () => {
    // With the clock standing still, the differences between neighbours are spread over all of the space.
    let high: u32 = 0;
    const seen = new Set<u32>();
    let last = firstNumber(7000, 1);
    for (let i: u32 = 2; i < 1002; i++) {
      const number = firstNumber(7000, i);
      seen.add(number - last);
      if (number - last >= 0x80000000) high++;
      last = number;
    }
    expect(seen.size).toBe(1000);
    expect(high > 400 && high < 600).toBe(true, high.toString());
  });

  // ---- Opens ----

  it("MUST-11: SYN-RECEIVED by a passive open goes back to LISTEN in silence, by an active one it is refused", () => {
    watch(0, server, 0x2201d);
    converse(++port, 80);
    say("S", 0, 0, 0, 60000);
    heard();
    say("R", 1, 0, 0, 0);
    expect(taken()).toBe("");
    expect(changetype<TcpConnection>(server).state).toBe(10);
    say(".", 1, 0, 1, 60000);
    expect(heardBriefly()).toBe("R 1:1(0)", "it is forgotten");
    converse(9, 0);
    s = create();
    connect(s, PEER, 9);
    heard();
    say("S", 0, 0, 0, 60000);
    expect(changetype<TcpConnection>(s).state).toBe(3);
    heard();
    watch(1, s, 0x2201d);
    say("R", 1, 0, 0, 0);
    expect(taken()).toBe("3>7 201d");
    expect(peekLength(s)).toBe(-111);
  });

  it("MUST-41: a passive open touches nothing that is there already, or fails", () => {
    const c = open();
    const other = create();
    expect(bind(other, 0, 80)).toBe(-98);
    expect(bind(other, OWN, 80)).toBe(-98);
    expect(listen(server, 5)).toBe(0, "more of the same is no new one");
    expect(changetype<TcpConnection>(server).state).toBe(10);
    expect(c.state).toBe(1);
    close(other);
    say("P.", 1, 3, 1, 60000);
    expect(readText(s)).toBe("bcd");
  });

  it("MUST-42: a listener can be made on a port from which a connection is being opened", () => {
    converse(9, 0);
    s = create();
    setOption(s, 1, 2, 1);
    expect(bind(s, 0, 7777)).toBe(0);
    expect(connect(s, PEER, 9)).toBe(-115);
    heard();
    expect(changetype<TcpConnection>(s).state).toBe(2);
    const passive = create();
    setOption(passive, 1, 2, 1);
    expect(bind(passive, 0, 7777)).toBe(0);
    expect(listen(passive, 5)).toBe(0, "in SYN-SENT");
    say("S", 0, 0, 0, 60000);
    expect(changetype<TcpConnection>(s).state).toBe(3, "the connection's own peer: a simultaneous open");
    close(passive);
    const second = create();
    setOption(second, 1, 2, 1);
    expect(bind(second, 0, 7777)).toBe(0);
    expect(listen(second, 5)).toBe(0, "in SYN-RECEIVED");
    heard();
    converse(++port, 7777);
    say("S", 0, 0, 0, 60000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 1", "and it takes connections");
    close(second);
  });

  it("MUST-43, MUST-44: the local address is the one asked for, else the network layer's choice", () => {
    s = create();
    expect(bind(s, 0x7f000001, 0)).toBe(0);
    const other = create();
    expect(bind(other, PEER, 0)).toBe(-99, "no address of ours");
    close(other);
    outbox.length = 0;
    const free = create();
    connect(free, PEER, 9);
    expect(bswap<u32>(load<u32>(outbox[0].dataStart, 12))).toBe(OWN);
    expect(free.flow.local.ipv4).toBe(OWN);
    close(free);
    outbox.length = 0;
    // A listener for one address hears nothing of what is for another.
    const local = create();
    expect(bind(local, 0x7f000001, 81)).toBe(0);
    expect(listen(local, 5)).toBe(0);
    converse(++port, 81);
    setOwnIsn(0);
    say("S", 0, 0, 0, 60000);
    expect(heardBriefly()).toBe("R. 0:0(0) ack 1");
    close(local);
  });

  it("MUST-45: a connection keeps its local address, whatever address the machine has later", () => {
    open();
    expect(setAddress(OWN + 0x20, 0xffffff00, 0)).toBe(true);
    writeText(s, "x");
    for (let i = 0; i < 3; i++) {
      silence(100000);
      while (outbox.length != 0) {
        const packet = outbox.shift();
        expect(bswap<u32>(load<u32>(packet.dataStart, 12))).toBe(OWN);
      }
    }
    expect(setAddress(OWN, 0xffffff00, 0)).toBe(true);
    say(".", 1, 0, 2, 60000);
  });

  // ---- Addresses ----

  it("MUST-46: an open to an address that no host can have is refused", () => {
    const addresses: u32[] = [0xffffffff, 0x0a0000ff, 0xe0000001, 0xefffffff, 0xf0000001, 0];
    s = create();
    outbox.length = 0;
    for (let i = 0; i < addresses.length; i++) {
      expect(connect(s, addresses[i], 9)).toBe(-101);
      expect(changetype<TcpConnection>(s).state).toBe(7);
    }
    expect(outbox.length).toBe(0);
  });

  it("MUST-57: a SYN to a broadcast or multicast address is discarded in silence", () => {
    const addresses: u32[] = [0xffffffff, 0x0a0000ff, 0xe0000001, 0xef010203];
    const sent = tcpStatistics().segmentsOut;
    for (let i = 0; i < addresses.length; i++)
      for (let kind = 0; kind < 3; kind++) {
        converse(++port, kind == 2 ? 81 : 80);
        goTo(addresses[i]);
        say(kind == 1 ? "." : "S", 0, 0, 0, 60000);
        expect(heard()).toBe("");
      }
    run(SECOND);
    expect(tcpStatistics().segmentsOut).toBe(sent);
    expect(changetype<TcpConnection>(server).listener!.requestCount).toBe(0);
  });

  it("MUST-63: a SYN from an address that no host can have is ignored", () => {
    const addresses: u32[] = [0xffffffff, 0x0a0000ff, 0xe0000001, 0x7f000001, 0, 0xf0000000, OWN];
    const sent = tcpStatistics().segmentsOut;
    for (let i = 0; i < addresses.length; i++)
      for (let kind = 0; kind < 2; kind++) {
        converse(++port, kind == 1 ? 81 : 80);
        comeFrom(addresses[i]);
        say("S", 0, 0, 0, 60000);
      }
    run(SECOND);
    expect(tcpStatistics().segmentsOut).toBe(sent);
    expect(changetype<TcpConnection>(server).listener!.requestCount).toBe(0);
  });

  it("MUST-50: options of IP that TCP does not understand are ignored", () => {
    open();
    // Timestamp, record route, router alert, one that nobody knows.
    const lists: u8[][] = [
      [68, 8, 9, 0, 0, 0, 0, 0],
      [7, 7, 4, 0, 0, 0, 0, 0],
      [148, 4, 0, 0],
      [1, 1, 94, 6, 1, 2, 3, 4],
    ];
    for (let i = 0; i < lists.length; i++) {
      addNetworkOptions(lists[i]);
      say("P.", 1 + 3 * i, 3, 1, 60000);
      expect(readText(s).length).toBe(3);
    }
  });

  // ---- Acknowledgements, push ----

  it("MUST-58, MUST-59: what waited for a gap is dealt with as a whole, and one acknowledgement goes for all", () => {
    open();
    for (let i: u32 = 9; i > 0; i--) say(".", 1 + 500 * i, 500, 1, 60000);
    expect(heardBriefly().split(" | ").length).toBe(9, "one for each behind the gap (RFC 5681)");
    say(".", 1, 500, 1, 60000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 5001");
    run(SECOND);
    expect(heard()).toBe("");
    // Small segments share a delayed acknowledgement, and data that goes out carries it.
    for (let i: u32 = 0; i < 5; i++) say("P.", 5001 + 10 * i, 10, 1, 60000);
    expect(heard()).toBe("");
    writeText(s, "x");
    expect(heardBriefly()).toBe("P. 1:2(1) ack 5051");
    run(100 * MILLISECOND);
    expect(heard()).toBe("");
  });

  it("MUST-60, MUST-61: nothing is kept back for ever, and the last segment that there is has PSH", () => {
    open(60000);
    for (let i: u32 = 1; i < 200; i++) {
      const length = 1 + chance(5000);
      write(s, 0, 0, length);
      const c = changetype<TcpConnection>(s);
      let last = "";
      for (let turn = 0; turn < 20 && c.SND_UNA != c.writeSequence; turn++) {
        const lines = heardBriefly();
        if (lines != "") last = lines;
        say(".", 1, 0, c.SND_NXT - c.ISS, 60000);
      }
      expect(c.SND_UNA).toBe(c.writeSequence);
      const text = last.split(" | ");
      expect(text[text.length - 1].startsWith("P.")).toBe(true, last);
    }
    // A window that never has room for half of the largest there was: the override (RFC 9293, 3.8.6.2.1).
    heard();
    say(".", 1, 0, changetype<TcpConnection>(s).SND_NXT - changetype<TcpConnection>(s).ISS, 10);
    write(s, 0, 0, 100);
    expect(heard()).toBe("");
    expect(silence(100000)).toBeLessThan(1001);
    expect(heardBriefly().indexOf("(10)") > 0).toBe(true);
  });

  // ---- Windows that shrink ----

  it("MUST-34: a window that shrinks below what is in flight lets out nothing new, and loses nothing", () => {
    const c = open(10000);
    write(s, 0, 0, 9000);
    heard();
    say(".", 1, 0, 1001, 2000);
    write(s, 0, 9000, 5000);
    expect(heard()).toBe("", "the usable window is negative");
    expect(c.flight).toBe(8000);
    run(20 * MILLISECOND);
    say(".", 1, 0, 3001, 500);
    expect(heard()).toBe("");
    // The first again after a time-out, answered each time: the connection stays (SHLD-17).
    for (let i = 0; i < 30; i++) {
      silence(100000);
      expect(heardBriefly()).toBe(". 3001:4001(1000) ack 1");
      say(".", 1, 0, 3001, 500);
    }
    expect(c.state).toBe(1);
    let acked: u32 = 3001;
    for (let i = 0; i < 100 && acked != 14001; i++) {
      say(".", 1, 0, acked, 20000);
      heard();
      acked = c.SND_NXT - c.ISS;
    }
    say(".", 1, 0, 14001, 20000);
    expect(c.SND_UNA - c.ISS).toBe(14001);
    heard();
  });

  it("MUST-35: a window that shrinks to zero is probed as long as the peer answers", () => {
    const c = open(10000);
    write(s, 0, 0, 5000);
    heard();
    run(20 * MILLISECOND);
    say(".", 1, 0, 2001, 0);
    let least: u32 = 0;
    for (let i = 0; i < 40; i++) {
      const wait = silence(200000);
      expect(wait >= least || wait >= 60000).toBe(true, "backing off");
      least = wait;
      expect(heardBriefly()).toBe(". 2001:3001(1000) ack 1");
      say(".", 1, 0, 2001, 0);
    }
    expect(c.state).toBe(1);
    say(".", 1, 0, 5001, 10000);
    expect(c.SND_UNA).toBe(c.writeSequence);
    heard();
    // Not for ever when it is silent.
    say(".", 1, 0, 5001, 0);
    writeText(s, "x");
    run(1000 * SECOND);
    expect(peekLength(s)).toBe(-110);
    heard();
  });

  it("challenges of half-open connections are limited in rate, too (RFC 5961, 7)", () => {
    converse(++port, 80);
    say("S", 0, 0, 0, 60000);
    heard();
    const before = tcpStatistics().challengeAcks;
    for (let i: u32 = 0; i < 1000; i++) say("R", 2 + i, 0, 0, 0);
    for (let i: u32 = 0; i < 1000; i++) say("S", 70000 + i, 0, 0, 0);
    for (let i: u32 = 0; i < 1000; i++) say(".", 700000 + i, 0, 1, 0);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    expect(tcpStatistics().challengeAcks - before).toBe(1);
    say(".", 1, 0, 1, 60000);
    s = accept(server)!;
    // Of connections as well, in whatever millisecond they come.
    for (let round = 0; round < 2; round++) {
      run(1001 * MILLISECOND);
      const sent = tcpStatistics().challengeAcks;
      for (let i: u32 = 0; i < 1000; i++) say("R", 2 + i, 0, 0, 0);
      for (let i: u32 = 0; i < 1000; i++) say("S", i, 0, 0, 0);
      expect(heardBriefly()).toBe(". 1:1(0) ack 1");
      expect(tcpStatistics().challengeAcks - sent).toBe(1);
    }
  });
});
