/** virtio network device: receiving. */
import * as fake from "../fake";
import { deferPolls, pollLevel } from "../../kernel/interrupts/polls";
import { handleVector } from "../../kernel/interrupts/vectors";
import { now } from "../../kernel/time/clock";
import { runTimers } from "../../kernel/time/timers";
import { allocateBuffer, CHECKSUM_VALID, initializeBuffers, releaseBuffer } from "../../net/buffer";
import { virtioNetPoll, virtioNetStarved } from "../../drivers/virtio/net";
import { model } from "./machine";
import {
  deliver,
  interruptReceive,
  keepFrames,
  MODERN_NET,
  net,
  plugIn,
  pool,
  received,
  setUpVirtio,
  start,
  taken,
} from "./virtio-net";

/** Empties the buffer pool, and gives what was taken back. */
function drain(): void {
  let buffer = allocateBuffer(0);
  while (buffer !== null) {
    taken.push(buffer);
    buffer = allocateBuffer(0);
  }
}
function giveBack(): void {
  while (taken.length) releaseBuffer(taken.pop());
}

/** Frames that a round takes in. */
const ROUND: i32 = 7;

describe("virtio", () => {
  beforeAll(setUpVirtio);
  beforeEach(plugIn);

  it("hands received frames up, aligned and without the header", () => {
    start(MODERN_NET);
    keepFrames();
    deliver(60, 0, 1);
    deliver(1514, 1, 1);
    deliver(100, 2, 1);
    interruptReceive();
    expect<i32>(received.length).toBe(3);
    expect<u32>(received[0].length).toBe(60);
    expect<u32>(received[0].flags).toBe(0);
    expect<u32>(received[1].length).toBe(1514);
    expect<u32>(received[1].flags).toBe(CHECKSUM_VALID);
    expect<u32>(received[2].flags).toBe(CHECKSUM_VALID);
    for (let i = 0; i < 3; i++) {
      expect<usize>((received[i].data + 14) & 3).toBe(0, "the IPv4 header is 4-aligned");
      expect<u32>(received[i].references).toBe(1);
      expect<u32>(load<u32>(received[i].data)).toBe(0x03020100);
      expect<u8>(load<u8>(received[i].data + received[i].length - 1)).toBe(<u8>(received[i].length - 1));
    }
    expect<u64>(net.receivedFrames).toBe(3);
    expect<u64>(net.receivedBytes).toBe(1674);
  });

  it("drops and counts what is malformed, and gives its buffer back", () => {
    start(MODERN_NET);
    const inUse = pool.inUse;
    deliver(13, 0, 1); // shorter than an Ethernet header
    deliver(60, 0x101, 1); // segments of TCP, of no size
    deliver(60, 0, 0); // no buffers at all
    deliver(60, 0, 1);
    interruptReceive();
    const ring = model.rings[0];
    ring.next();
    ring.put(ring.id, 11); // not even its header
    ring.next();
    ring.put(ring.id, 100000); // longer than the buffer
    interruptReceive();
    expect<i32>(received.length).toBe(1);
    expect<u64>(net.receiveDropped).toBe(5);
    expect<u32>(pool.inUse).toBe(inUse);
    expect<u32>(net.linkUp).toBe(1);
  });

  it("drops a packet over several buffers with all of them, also across interrupts", () => {
    start(MODERN_NET);
    const inUse = pool.inUse;
    deliver(1900, 0, 3);
    deliver(1900, 0, 1);
    interruptReceive();
    expect<i32>(received.length).toBe(0);
    keepFrames();
    deliver(500, 0x5555, 7);
    deliver(60, 0, 1);
    interruptReceive();
    expect<i32>(received.length).toBe(1);
    expect<u32>(received[0].length).toBe(60);
    releaseBuffer(received[0]);
    expect<u64>(net.receiveDropped).toBe(1);
    expect<u32>(pool.inUse).toBe(inUse);
  });

  it("takes in a bounded number of frames at a time, and goes on when polled", () => {
    initializeBuffers(pool, 600);
    model.size = 256;
    start(MODERN_NET);
    for (let i = 0; i < 25 * ROUND + 3; i++) deliver(60, 0, 1);
    interruptReceive();
    expect<i32>(received.length).toBe(ROUND);
    for (let rounds = 2; rounds <= 25; rounds++) {
      expect<bool>(virtioNetPoll()).toBe(true);
      expect<i32>(received.length).toBe(rounds * ROUND);
    }
    expect<bool>(virtioNetPoll()).toBe(false);
    expect<i32>(received.length).toBe(25 * ROUND + 3);
    expect<bool>(virtioNetPoll()).toBe(false);
    deliver(60, 0, 1);
    expect<bool>(model.rings[0].complete()).toBe(true, "the next interrupt was asked for");
  });

  it("leaves the work to its poll while something more urgent runs", () => {
    start(MODERN_NET);
    deferPolls(33);
    deliver(60, 0, 1);
    interruptReceive();
    expect<i32>(received.length).toBe(0);
    expect<i32>(pollLevel).toBe(32);
    // More of it interrupts nobody.
    deliver(60, 0, 1);
    expect<bool>(model.rings[0].complete()).toBe(false, "no interrupt is asked for");
    deferPolls(0);
    expect<bool>(virtioNetPoll()).toBe(false);
    expect<i32>(received.length).toBe(2);
    deliver(60, 0, 1);
    interruptReceive();
    expect<i32>(received.length).toBe(3, "as before");
  });

  it("serves more frames than the indices count, one interrupt each", () => {
    start(MODERN_NET);
    let missing = 0;
    for (let i = 0; i < 70000; i++) {
      deliver(14, 0, 1);
      if (!model.rings[0].complete()) missing++;
      handleVector(model.vectorOf(model.queueVectors[0]));
      received.length = 0;
    }
    expect<i32>(missing).toBe(0);
    expect<u64>(net.receivedFrames).toBe(70000);
    expect<u32>(model.rings[0].waiting).toBe(16);
  });

  it("shrinks its ring when there are no buffers, and fills it when they come back", () => {
    start(MODERN_NET);
    drain();
    keepFrames();
    for (let i = 0; i < 16; i++) deliver(60, 0, 1);
    interruptReceive();
    while (virtioNetPoll()) {}
    expect<i32>(received.length).toBe(16);
    expect<u32>(model.rings[0].waiting).toBe(0);
    expect<bool>(virtioNetStarved() > 0).toBe(true);
    fake.advance(30_000_000);
    runTimers(now());
    expect<u32>(model.rings[0].waiting).toBe(0);
    giveBack();
    fake.advance(30_000_000);
    runTimers(now());
    expect<u32>(model.rings[0].waiting).toBe(16, "the timer never gives up");
    deliver(60, 0, 1);
    interruptReceive();
    expect<i32>(received.length).toBe(17);
  });

  it("starts with fewer buffers than it wants", () => {
    initializeBuffers(pool, 5);
    expect<bool>(start(MODERN_NET)).toBe(true);
    expect<u32>(model.rings[0].waiting).toBe(5);
    initializeBuffers(pool, 30);
    fake.advance(30_000_000);
    runTimers(now());
    expect<u32>(model.rings[0].waiting).toBe(16);
  });
});
