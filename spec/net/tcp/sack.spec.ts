/** Selective acknowledgement of what is received: RFC 2018 (negotiation, blocks and their order), RFC 2883 (duplicates). */
import { Socket } from "../../../net/socket/socket";
import { sackPool } from "../../../net/socket/tcp/sack";
import { tcpStatistics, TcpConnection } from "../../../net/socket/tcp/tcp";
import { abort_, accept, listener, peekLength, shutdown, taken, write } from "./ends";
import { endPair } from "./pair";
import { converse, establish, heard, meetPeer, permitSack, say, setOptions } from "./script";
import { run, setUpWorld } from "./world";
import { chance, seedChance } from "../../chance";

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
let port: u32 = 6000;

/** A connection with SACK; `stamp`: with timestamps too, when not 0. */
function open(stamp: u32): void {
  setOptions(1000, 255, stamp);
  permitSack(true);
  s = establish(server, ++port, 60000);
  taken();
}

/** Segment [first, last) of the peer: the options of the acknowledgement that it gets. */
function blocksFor(first: u32, last: u32): string {
  heard();
  say(".", first, last - first, 1, 60000);
  const text = heard();
  return text.includes("<") ? text.substring(text.indexOf("<")) : text;
}

/** What waits out of order, as blocks. */
function runsOf(c: TcpConnection): u64[] {
  const runs: u64[] = [];
  let start = c.RCV_NXT;
  let end = c.RCV_NXT;
  let buffer = c.reassemblyHead;
  while (buffer !== null) {
    if (buffer.sequence != end) {
      if (start != end) runs.push(((<u64>end) << 32) | start);
      start = buffer.sequence;
    }
    end = buffer.endSequence;
    buffer = buffer.next;
  }
  if (start != end) runs.push(((<u64>end) << 32) | start);
  return runs;
}

/** Is the block one of the queue, or a part of one when the rest of it may have been forgotten? */
function covers(run: u64, block: u64, part: bool): bool {
  if (!part) return run == block;
  return <i32>(<u32>block - <u32>run) >= 0 && <i32>(<u32>(run >> 32) - <u32>(block >> 32)) >= 0;
}

describe("selective acknowledgement, sent", () => {
  beforeAll(() => {
    setUpWorld();
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
  });
  afterEach(() => {
    endPair(server, s);
  });

  it("is permitted to who permits it", () => {
    setOptions(1000, 255, 0);
    converse(++port, 80);
    permitSack(true);
    say("S", 0, 0, 0, 1000);
    expect(heard()).toBe("S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK>");
    say(".", 1, 0, 1, 1000);
    s = accept(server)!;
  });

  it("is not sent to who has not permitted it", () => {
    setOptions(1000, 255, 0);
    permitSack(false);
    s = establish(server, ++port, 60000);
    expect(blocksFor(1001, 2001)).toBe(". 1:1(0) ack 1 win 65535");
    expect(blocksFor(1001, 2001)).toBe(". 1:1(0) ack 1 win 65535", "nor are duplicates reported");
  });

  it("says the block that has grown last first, and three with timestamps (RFC 2018, 4)", () => {
    open(1000);
    expect(blocksFor(1001, 2001)).toBe("<ts,sack 1001:2001>");
    expect(blocksFor(3001, 4001)).toBe("<ts,sack 3001:4001 1001:2001>");
    expect(blocksFor(5001, 6001)).toBe("<ts,sack 5001:6001 3001:4001 1001:2001>");
    expect(blocksFor(7001, 8001)).toBe("<ts,sack 7001:8001 5001:6001 3001:4001>");
    expect(blocksFor(4001, 5001)).toBe("<ts,sack 3001:6001 7001:8001 1001:2001>", "two become one");
    expect(blocksFor(1, 1001)).toBe("<ts,sack 3001:6001 7001:8001>", "2001 is reached");
    expect(blocksFor(2001, 3001)).toBe("<ts,sack 7001:8001>");
    expect(blocksFor(6001, 7001)).toBe("<ts>");
  });

  it("says four blocks without timestamps", () => {
    open(0);
    for (let i: u32 = 0; i < 4; i++) blocksFor(1001 + 2000 * i, 2001 + 2000 * i);
    expect(blocksFor(9001, 10001)).toBe("<sack 9001:10001 7001:8001 5001:6001 3001:4001>");
  });

  it("reports what came twice first (RFC 2883, 4)", () => {
    open(0);
    const before = tcpStatistics().duplicatesReported;
    blocksFor(1, 1001);
    expect(blocksFor(1, 1001)).toBe("<sack 1:1001>", "below the acknowledgement number");
    expect(blocksFor(3001, 4001)).toBe("<sack 3001:4001>", "once");
    expect(blocksFor(3001, 4001)).toBe("<sack 3001:4001 3001:4001>", "within a block, which follows");
    expect(blocksFor(501, 2001)).toBe("<sack 501:1001 3001:4001>", "in part below");
    expect(blocksFor(3501, 5001)).toBe("<sack 3501:4001 3001:5001>", "in part within");
    expect(blocksFor(2501, 3501)).toBe("<sack 3001:3501 2501:5001>", "in part within, from the left");
    expect(tcpStatistics().duplicatesReported - before).toBe(5);
  });

  it("lets a pure acknowledgement follow a full segment, which has no room for blocks", () => {
    open(1000);
    say(".", 1001, 1000, 1, 60000);
    heard();
    write(s, 0, 0, 988);
    const full = heard();
    expect(full).toBe("P. 1:989(988) ack 1 win 65535 <ts>");
    write(s, 0, 988, 960);
    say(".", 1, 0, 989, 60000);
    expect(heard()).toBe("P. 989:1949(960) ack 1 win 65535 <ts,sack 1001:2001>");
    write(s, 0, 1948, 988);
    say(".", 3001, 1000, 1949, 60000);
    expect(heard()).toBe(
      "P. 1949:2937(988) ack 1 win 65535 <ts> | . 2937:2937(0) ack 1 win 65535 <ts,sack 3001:4001 1001:2001>",
    );
    say(".", 1, 0, 2937, 60000);
  });

  it("passes over what waits when the application reads no more (SHUT_RD), and takes back nothing that it has said", () => {
    open(0);
    say(".", 1001, 1000, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 1 win 65535 <sack 1001:2001>");
    say("F.", 3001, 1000, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 1 win 65535 <sack 3001:4001 1001:2001>");
    shutdown(s, 0);
    say(".", 5001, 1000, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 1 win 65535 <sack 3001:4001 1001:2001>", "what comes now is not kept");
    say(".", 1, 500, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 501 win 65035 <sack 3001:4001 1001:2001>");
    say(".", 501, 1000, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 2001 win 65535 <sack 3001:4001>", "in part what has come before");
    say(".", 2001, 1000, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 4002 win 65535", "and the FIN");
    const c = changetype<TcpConnection>(s);
    expect(c.reassemblyCount).toBe(0);
    expect(sackPool().inUse).toBe(0);
    expect(peekLength(s)).toBe(0);
  });

  it("says nothing where there is no memory for it, and takes what has come all the same", () => {
    open(0);
    const pool = sackPool();
    const limit = pool.limit;
    pool.limit = pool.capacity;
    const taken: usize[] = [];
    for (let address = pool.allocate(); address != 0; address = pool.allocate()) taken.push(address);
    say(".", 1001, 1000, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 1 win 65535");
    while (taken.length != 0) pool.release(taken.pop());
    pool.limit = limit;
    say(".", 3001, 1000, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 1 win 65535 <sack 3001:4001>");
    say(".", 1, 1000, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 2001 win 65535 <sack 3001:4001>");
    expect(pool.inUse).toBe(1);
    say(".", 2001, 1000, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 4001 win 65535");
    expect(pool.inUse).toBe(0, "nothing is left to say");
  });

  it("says nothing that does not wait, and all that waits in four blocks or fewer, in a thousand orders", () => {
    for (let seed: u32 = 0; seed < 1000; seed++) {
      seedChance(seed);
      open(seed & 1);
      const c = changetype<TcpConnection>(s);
      let evicted = false;
      for (let i = 0; i < 30; i++) {
        say(".", 1 + 100 * chance(40), 100 * (1 + chance(4)), 1, 60000);
        const runs = runsOf(c);
        const head = c.reassemblyHead;
        assert(head === null || <i32>(head.sequence - c.RCV_NXT) > 0, "what is in order waits");
        if (runs.length > 4) evicted = true;
        const sack = c.sack;
        const count: u32 = sack === null ? 0 : sack.count;
        for (let b: u32 = 0; b < count; b++) {
          const block = load<u64>(sack!.at(b));
          let found = false;
          for (let r = 0; r < runs.length; r++) found = found || covers(runs[r], block, evicted);
          assert(found, "seed " + seed.toString() + ": a block does not wait");
        }
        assert(evicted || <i32>count == runs.length, "seed " + seed.toString() + ": not all is said");
        if (chance(60) == 0) shutdown(s, 0);
      }
      abort_(s);
      heard();
    }
    open(0);
  });
});
