/** virtio network device: sending, and who has the buffers. */
import * as fake from "../fake";
import { now } from "../../kernel/time/clock";
import { runTimers } from "../../kernel/time/timers";
import { EINVAL, ENOBUFS } from "../../kernel/errno";
import { BUFFER_HEADER, CHECKSUM_PARTIAL } from "../../net/buffer";
import { deviceFlush, deviceTransmit } from "../../net/device";
import { F_CSUM } from "./features";
import { model } from "./machine";
import {
  ALL,
  deliver,
  interruptReceive,
  MODERN_NET,
  net,
  newFrame,
  plugIn,
  setUpVirtio,
  start,
} from "./virtio-net";

/** The device sends all that it was told of; returns how many frames. */
function sendAll(): u32 {
  const ring = model.rings[1];
  let count: u32 = 0;
  while (ring.next()) {
    ring.put(ring.id, 0);
    count++;
  }
  assert(!ring.complete(), "transmit interrupts are not asked for");
  ring.wantNotify(true);
  return count;
}

describe("virtio", () => {
  beforeAll(setUpVirtio);
  beforeEach(plugIn);

  it("sends frames with their header in front, one notification for a batch", () => {
    start(MODERN_NET);
    model.notified = 0;
    const frame = newFrame(60);
    const data = frame.data;
    memory.fill(data - 12, 0xee, 12);
    expect<i32>(deviceTransmit(net, frame)).toBe(0);
    expect<i32>(deviceTransmit(net, frame)).toBe(0);
    expect<u32>(frame.references).toBe(3);
    expect<u32>(model.rings[1].waiting).toBe(0, "not before the flush");
    deviceFlush(net);
    expect<u32>(model.notified).toBe(2);
    const ring = model.rings[1];
    expect<u32>(ring.waiting).toBe(2);
    expect<bool>(ring.next()).toBe(true);
    expect<usize>(ring.address).toBe(data - 12);
    expect<u32>(ring.length).toBe(72);
    expect<u32>(ring.flags).toBe(0);
    expect<u64>(load<u64>(data - 12)).toBe(0);
    expect<u32>(load<u32>(data - 4)).toBe(0);
    expect<usize>(frame.data).toBe(data);
    expect<u32>(frame.length).toBe(60);
    expect<u64>(net.sentFrames).toBe(2);
    expect<u64>(net.sentBytes).toBe(120);
    model.notified = 0;
    deviceFlush(net);
    expect<u32>(model.notified).toBe(0, "nothing new");
  });

  it("lets the device fill in checksums", () => {
    start(MODERN_NET);
    const frame = newFrame(100);
    frame.flags = CHECKSUM_PARTIAL;
    frame.checksumStart = frame.data + 34;
    frame.checksumOffset = 16;
    expect<i32>(deviceTransmit(net, frame)).toBe(0);
    expect<u64>(load<u64>(frame.data - 12)).toBe(1 | (34 << 48));
    expect<u32>(load<u32>(frame.data - 4)).toBe(16);
    frame.checksumOffset = 65;
    expect<i32>(deviceTransmit(net, frame)).toBe(-EINVAL, "behind the end");
    frame.checksumOffset = 0xfffffff0;
    expect<i32>(deviceTransmit(net, frame)).toBe(-EINVAL);
    frame.checksumOffset = 16;
    frame.checksumStart = frame.data - 2;
    expect<i32>(deviceTransmit(net, frame)).toBe(-EINVAL, "before the start");
    frame.flags = 0;
    frame.data = changetype<usize>(frame) + BUFFER_HEADER + 11;
    expect<i32>(deviceTransmit(net, frame)).toBe(-EINVAL, "no room for the header");
    frame.data += 1;
    expect<i32>(deviceTransmit(net, frame)).toBe(0);
    frame.length = 5000;
    expect<i32>(deviceTransmit(net, frame)).toBe(-EINVAL, "longer than its buffer");
    frame.length = 13;
    expect<i32>(deviceTransmit(net, frame)).toBe(-EINVAL);
    expect<u64>(net.transmitDropped).toBe(6);
    expect<u32>(frame.references).toBe(3);
  });

  it("refuses partial checksums for a device that makes none", () => {
    model.features = ALL & ~F_CSUM;
    start(MODERN_NET);
    const frame = newFrame(100);
    frame.flags = CHECKSUM_PARTIAL;
    frame.checksumStart = frame.data + 34;
    frame.checksumOffset = 16;
    expect<i32>(deviceTransmit(net, frame)).toBe(-EINVAL);
  });

  it("gives references back: half full, on reception, or in time", () => {
    start(MODERN_NET);
    const frame = newFrame(60);
    for (let i = 0; i < 7; i++) deviceTransmit(net, frame);
    deviceFlush(net);
    expect<u32>(sendAll()).toBe(7);
    expect<u32>(frame.references).toBe(8, "lazily");
    deviceTransmit(net, frame);
    expect<u32>(frame.references).toBe(9);
    deviceTransmit(net, frame);
    expect<u32>(frame.references).toBe(3, "the queue is half full");
    deviceFlush(net);
    sendAll();
    deliver(60, 0, 1);
    interruptReceive();
    expect<u32>(frame.references).toBe(1, "on reception");
    deviceTransmit(net, frame);
    deviceFlush(net);
    fake.advance(30_000_000);
    runTimers(now());
    expect<u32>(frame.references).toBe(2, "the device still has it");
    sendAll();
    fake.advance(30_000_000);
    runTimers(now());
    expect<u32>(frame.references).toBe(1, "in time");
  });

  it("says when the transmit queue is full, tells the device, and goes on afterwards", () => {
    start(MODERN_NET);
    model.notified = 0;
    const frame = newFrame(60);
    for (let i = 0; i < 16; i++) expect<i32>(deviceTransmit(net, frame)).toBe(0);
    expect<u32>(model.rings[1].waiting).toBe(0);
    expect<i32>(deviceTransmit(net, frame)).toBe(-ENOBUFS);
    expect<u32>(frame.references).toBe(17);
    expect<u32>(model.rings[1].waiting).toBe(16, "what is full is flushed");
    expect<u32>(model.notified).toBe(2);
    expect<u64>(net.transmitDropped).toBe(1);
    sendAll();
    expect<i32>(deviceTransmit(net, frame)).toBe(0);
    expect<u32>(frame.references).toBe(2);
  });
});
