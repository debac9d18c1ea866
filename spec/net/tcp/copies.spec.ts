/**
 * Received bytes are copied once, by whoever gives them to the application (spec/aem/copies.spec.ts): here, before that, not at all, but where a peer would hold
 * memory out of proportion to what it has sent (net/socket/tcp/reassembly.ts).
 */
import { bufferPool, allocateBuffer, PacketBuffer, releaseBuffer } from "../../../net/buffer";
import { networkCounters } from "../../../net/counters";
import { Socket } from "../../../net/socket/socket";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { BUFFER_COST } from "../../../net/socket/tcp/parameters";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { chance, seedChance } from "../../chance";
import { consume, listener, peek, peekLength, taken } from "./ends";
import { endPair } from "./pair";
import { establish, heard, meetPeer, peerOctet, say, setOptions } from "./script";
import { MILLISECOND, run, setUpWorld } from "./world";

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
let c: TcpConnection = changetype<TcpConnection>(0);
let port: u32 = 7000;
/** Of the peer's stream: what it has sent, and what was read. */
let sent: u32 = 0;
let done: u32 = 0;

function open(): void {
  s = establish(server, ++port, 10000);
  c = changetype<TcpConnection>(s);
  taken();
  sent = 0;
  done = 0;
  networkCounters().payloadCopied = 0;
}

function copied(): u32 {
  return <u32>networkCounters().payloadCopied;
}

/** What the window has left. */
function room(): u32 {
  return c.receiveEdge - c.RCV_NXT;
}

/** The peer's next `length` octets. */
function send(length: u32): void {
  say(".", 1 + sent, length, 1, 10000);
  sent += length;
}

/** The next three segments, the first of them last. */
function sendTurned(first: u32, second: u32, third: u32): void {
  const start = 1 + sent;
  say(".", start + first + second, third, 1, 10000);
  say(".", start + first, second, 1, 10000);
  say(".", start, first, 1, 10000);
  sent += first + second + third;
}

/** Reads up to `most` octets, and checks them. */
function read(most: u32): void {
  while (most != 0) {
    const data = peek(s);
    if (data == 0) return;
    const length = min<u32>(peekLength(s), most);
    for (let i: u32 = 0; i < length; i++)
      assert(load<u8>(data + i) == peerOctet(1 + done + i), "wrong octet");
    consume(s, length);
    done += length;
    most -= length;
  }
}

function readAll(): void {
  read(u32.MAX_VALUE);
  expect(done).toBe(sent);
}

describe("copies of received data", () => {
  beforeAll(() => {
    setUpWorld();
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
    setOptions(1460, 255, 0);
    open();
  });
  afterEach(() => {
    endPair(server, s);
  });

  it("are none, whatever the sizes of segments and their order, with an application that reads at its own pace", () => {
    seedChance(11);
    for (let round = 0; round < 60; round++) {
      // Up to so much in a segment, so often, and so much at a time.
      const most: u32 = round % 3 == 0 ? 1460 : 1 + chance(1460);
      const pace: u32 = 1 + chance(8);
      const bite: u32 = 1 + chance(round & 1 ? 3000 : 30000);
      for (let i = 0; i < 120; i++) {
        if (room() >= 3 * most) {
          if (chance(4) == 0) sendTurned(1 + chance(most), 1 + chance(most), 1 + chance(most));
          else send(1 + chance(most));
        }
        if (chance(pace) == 0) read(1 + chance(bite));
        if (chance(10) == 0) run(MILLISECOND);
      }
      readAll();
    }
    heard();
    expect(copied()).toBe(0);
    expect(sent).toBeGreaterThan(1000000);
  });

  it("are none of segments of 512 octets on average, while the application reads nothing at all", () => {
    seedChance(12);
    for (let round = 0; round < 10; round++) {
      while (room() >= 1460) {
        send(round & 1 ? 512 : 1 + chance(1460));
        heard();
      }
      readAll();
      run(50 * MILLISECOND);
      heard();
    }
    expect(copied()).toBe(0);
    expect(tcpStatistics().memoryDrops).toBe(0);
  });

  it("are counted, one of each octet, where small segments would take memory out of proportion", () => {
    const before = bufferPool().inUse;
    const free = c.receiveLimit / BUFFER_COST;
    for (let i: u32 = 0; i < free; i++) send(1);
    expect(copied()).toBe(0);
    expect(bufferPool().inUse - before).toBe(free);
    while (sent < 10000) send(1);
    expect(copied()).toBe(10000 - bufferPool().inUse + before);
    expect(bufferPool().inUse - before).toBeLessThan(free + 10);
    expect(tcpStatistics().memoryDrops).toBe(0);
    readAll();
    // Again with all of it in the application's hands.
    const counted = copied();
    for (let i: u32 = 0; i < free; i++) send(1);
    expect(copied()).toBe(counted);
    readAll();
    heard();
  });

  it("bound what a peer can hold: nothing that was promised room is dropped, and no size takes more than two buffers for 1,024 octets", () => {
    seedChance(13);
    const before = bufferPool().inUse;
    const free = c.receiveLimit / BUFFER_COST;
    for (let round = 0; round < 40; round++) {
      const kind = chance(4);
      const size: u32 = 1 + chance(1460);
      while (room() > 3 * 1460) {
        if (kind == 0) send(1 + chance(1460));
        else if (kind == 1) send(room() & 1 ? size : 1 + chance(20));
        else if (kind == 2) sendTurned(size, 1, 1);
        else send(size < 60 ? 60 : size);
        const held = bufferPool().inUse - before;
        assert(held <= free + (2 * c.receivedBytes) / BUFFER_COST + 4, "out of proportion");
        assert(copied() <= sent, "an octet was moved twice");
        heard();
      }
      readAll();
      run(50 * MILLISECOND);
      heard();
      expect(bufferPool().inUse).toBe(before);
    }
    expect(tcpStatistics().memoryDrops).toBe(0);
  });

  it("are made from the first small segment on while fewer than half of the buffers are free", () => {
    const kept: PacketBuffer[] = [];
    while (bufferPool().inUse <= bufferPool().limit / 2) kept.push(allocateBuffer(0)!);
    const before = bufferPool().inUse;
    for (let i = 0; i < 1000; i++) send(1);
    expect(copied()).toBe(999);
    expect(bufferPool().inUse - before).toBe(1);
    readAll();
    heard();
    for (let i = 0; i < kept.length; i++) releaseBuffer(kept[i]);
  });
});
