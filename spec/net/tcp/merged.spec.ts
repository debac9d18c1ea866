/** Receiving what the device has put together of several segments: the same stream, and the acknowledgements that its segments would have had. */
import { chance, seedChance } from "../../chance";
import { Socket } from "../../../net/socket/socket";
import { allocateBuffer, bufferPool, PacketBuffer, releaseBuffer } from "../../../net/buffer";
import { networkCounters } from "../../../net/counters";
import { TcpConnection, tcpStatistics } from "../../../net/socket/tcp/tcp";
import { abort_, listener, peekLength, taken, watch } from "./ends";
import { endPair, readStream } from "./pair";
import { establish, heard, heardBriefly, meetPeer, permitSack, say, setOptions } from "./script";
import { arriveTogether, collect, setUpWorld, silence } from "./world";

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
let port: u32 = 30000;

function open(sack: bool = false): void {
  permitSack(sack);
  s = establish(server, ++port, 10000);
  permitSack(false);
  taken();
}

/** `count` segments of `size` octets from `sequence` on, the last one with `flags` and `last` octets, as one packet over buffers of `room` bytes. */
function sayTogether(
  sequence: u32,
  count: u32,
  size: u32,
  flags: string = ".",
  last: u32 = size,
  room: u32 = 1982,
): u32 {
  collect();
  for (let i: u32 = 0; i + 1 < count; i++) say(".", sequence + i * size, size, 1, 10000);
  say(flags, sequence + (count - 1) * size, last, 1, 10000);
  arriveTogether(room);
  return (count - 1) * size + last;
}

describe("receiving segments that were put together", () => {
  beforeAll(() => {
    setUpWorld();
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
    setOptions(1460, 255, 0);
  });
  afterEach(() => {
    endPair(server, s);
  });

  it("is one step: one acknowledgement, one event, no octet copied", () => {
    open();
    watch(0, s, 1);
    const inUse = bufferPool().inUse;
    expect<u32>(sayTogether(1, 40, 1460)).toBe(58400);
    expect(heardBriefly()).toBe(". 1:1(0) ack 58401");
    expect(taken()).toBe("1");
    expect<u32>(bufferPool().inUse - inUse).toBe(30, "the buffers in which it came");
    expect<u32>(readStream(s, 1)).toBe(58400);
    heard();
    expect(silence(1000)).toBe(1000, "nothing is left to be acknowledged");
  });

  it("MUST-40: two full segments are acknowledged at once, whatever the size of the packet", () => {
    open();
    sayTogether(1, 2, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 2001");
    say(".", 2001, 1000, 1, 10000);
    expect(heardBriefly()).toBe("", "one is not");
    expect(silence(1000)).toBe(40);
    expect(heardBriefly()).toBe(". 1:1(0) ack 3001");
    // The size of segments is that of the parts: a large packet makes the peer's no larger.
    sayTogether(3001, 30, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 33001");
    say(".", 33001, 1000, 1, 10000);
    say(".", 34001, 1000, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 35001");
    readStream(s, 1);
  });

  it("has the FIN of the last one", () => {
    open();
    sayTogether(1, 5, 1000, "FP.", 17);
    expect(heardBriefly()).toBe(". 1:1(0) ack 4019");
    expect<u32>(readStream(s, 1)).toBe(4017);
    expect<i32>(peekLength(s)).toBe(0);
  });

  it("leaves out what is there already, and what the window does not take", () => {
    open();
    sayTogether(1, 3, 1000);
    heard();
    // Begins in the fourth kilobyte of what has come, and ends beyond it, whatever the sizes of the buffers are.
    for (let room: u32 = 300; room < 1982; room += 77) {
      sayTogether(1, 4, 1000, ".", 1000, room);
      if (room == 300) expect(heardBriefly()).toBe(". 1:1(0) ack 4001");
    }
    expect<u32>(readStream(s, 1)).toBe(4000);
    const c = changetype<TcpConnection>(s);
    let next: u32 = 4001;
    while (c.receiveWindow >= 40000) next += sayTogether(next, 20, 1460);
    const window = c.receiveWindow;
    sayTogether(next, 40, 1460);
    heard();
    expect<u32>(c.receiveWindow).toBe(0);
    expect<u32>(readStream(s, 4001)).toBe(next + window - 4001);
  });

  it("is dropped when buffers are scarce, all of it", () => {
    open();
    const c = changetype<TcpConnection>(s);
    const next = 1 + sayTogether(1, 10, 1000);
    const pool = bufferPool();
    const elsewhere: PacketBuffer[] = [];
    while (pool.limit - pool.inUse > 100) elsewhere.push(allocateBuffer(0)!);
    const before = tcpStatistics().memoryDrops;
    sayTogether(next, 20, 1000);
    expect<u64>(tcpStatistics().memoryDrops - before).toBe(1);
    expect<u32>(c.RCV_NXT - c.IRS).toBe(next);
    while (elsewhere.length != 0) releaseBuffer(elsewhere.pop());
    sayTogether(next, 20, 1000);
    heard();
    expect<u32>(readStream(s, 1)).toBe(30000);
  });

  it("waits for what is missing, and is reported as one block", () => {
    open(true);
    sayTogether(5001, 10, 1000, ".", 1000, 700);
    expect(heard()).toBe(". 1:1(0) ack 1 win 65535 <sack 5001:15001>");
    sayTogether(1, 4, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 4001");
    sayTogether(4001, 2, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 15001");
    expect<u32>(readStream(s, 1)).toBe(15000);
  });

  it("delivers the stream, in whatever order, size and overlap its parts come", () => {
    for (let seed: u32 = 1; seed <= 120; seed++) {
      seedChance(seed);
      open((seed & 1) != 0);
      const c = changetype<TcpConnection>(s);
      let read: u32 = 0;
      for (let step = 0; step < 60; step++) {
        const from = c.RCV_NXT - c.IRS;
        const size: u32 = 100 + chance(1361);
        const at = from + (chance(3) == 0 ? 0 : chance(30000)) - (from > 5000 ? chance(5000) : 0);
        const count = 1 + chance(30);
        if (count == 1) say(".", at, size, 1, 10000);
        else sayTogether(at, count, size, chance(2) ? "P." : ".", 1 + chance(size), 200 + chance(1783));
        if (chance(3) == 0) read += readStream(s, 1 + read);
        heard();
      }
      read += readStream(s, 1 + read);
      assert(read == c.RCV_NXT - c.IRS - 1, "all that was acknowledged was read");
      abort_(s);
      heard();
    }
    open();
  });

  it("is for TCP alone: a packet of another protocol, or a fragment, is dropped and counted", () => {
    open();
    const before = networkCounters().ipBadLength;
    for (let i = 0; i < 2; i++) {
      collect();
      say(".", 1, 1000, 1, 10000);
      say(".", 1001, 1000, 1, 10000);
      // UDP, more fragments.
      if (i == 0) arriveTogether(1000, 9, 17);
      else arriveTogether(1000, 6, 0x20);
    }
    expect<u64>(networkCounters().ipBadLength - before).toBe(2);
    expect(heard()).toBe("");
  });
});
