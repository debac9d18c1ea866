import * as fake from "../fake";
import { setUpArena, growMemory } from "../arena";
import { Pool } from "../../kernel/memory/pool";
import { initializeApic } from "../../kernel/interrupts/apic";
import { deferPolls, initializePolls, POLL_STORAGE, pollLevel } from "../../kernel/interrupts/polls";
import { handleVector, initializeVectors } from "../../kernel/interrupts/vectors";
import { initializeRandom, RANDOM_SIZE } from "../../kernel/random";
import { now } from "../../kernel/time/clock";
import { initializeTimers, runTimers } from "../../kernel/time/timers";
import { setConsoleSink } from "../../kernel/console";
import { EINVAL, ENETDOWN, ENOBUFS } from "../../kernel/errno";
import {
  allocateBuffer,
  BUFFER_HEADER,
  BUFFER_HEADROOM,
  bufferPool,
  CHECKSUM_PARTIAL,
  CHECKSUM_VALID,
  initializeBuffers,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import { DEVICE_CHECKSUM_TX, deviceFlush, deviceTransmit, NetworkDevice } from "../../net/device";
import { pciScan } from "../../drivers/pci";
import { initializeSerial, serialPut } from "../../drivers/serial";
import { virtioNetPoll, virtioNetProbe, virtioNetStarved } from "../../drivers/virtio/net";
import { virtioRngProbe, virtioRngRead } from "../../drivers/virtio/rng";
import {
  F_CSUM,
  F_GUEST_CSUM,
  F_MTU,
  F_MAC,
  F_GUEST_TSO4,
  F_HOST_TSO6,
  F_MRG_RXBUF,
  F_STATUS,
  F_CTRL_VQ,
} from "./features";
import { F_EVENT_IDX, F_VERSION_1, model, PCI_DEVICE } from "./machine";

const ALL: u64 =
  F_VERSION_1 |
  F_EVENT_IDX |
  F_CSUM |
  F_GUEST_CSUM |
  F_MTU |
  F_MAC |
  F_GUEST_TSO4 |
  F_HOST_TSO6 |
  F_MRG_RXBUF |
  F_STATUS |
  F_CTRL_VQ;
const WANTED: u64 = ALL & ~F_CTRL_VQ;

const MODERN_NET: u32 = 0x1041;
const MODERN_RNG: u32 = 0x1044;

let net: NetworkDevice = changetype<NetworkDevice>(0);
let received: PacketBuffer[] = [];
let keep: bool = false;
let linkChanges: u32 = 0;
let pool: Pool = changetype<Pool>(0);
let wheel: usize = 0;
let randomState: usize = 0;
let taken: PacketBuffer[] = [];
let answerRng: u32 = 0;

function onFrame(device: NetworkDevice, frame: PacketBuffer): void {
  received.push(frame);
  if (!keep) releaseBuffer(frame);
}

function onLink(device: NetworkDevice): void {
  linkChanges++;
}

/** Configuration of a network device: 52:54:00:12:34:56, link up, MTU 1500. */
function configure(): void {
  store<u32>(model.config, 0x12005452);
  store<u16>(model.config, 0x5634, 4);
  store<u16>(model.config, 1, 6);
  store<u16>(model.config, 1500, 10);
}

/** Plugs the model in and starts the driver; false when it refuses. */
function start(id: u32): bool {
  configure();
  return startConfigured(id);
}

function startConfigured(id: u32): bool {
  model.forget();
  model.plug(id);
  initializeApic();
  pciScan();
  const device = virtioNetProbe();
  if (device === null) return false;
  net = device;
  net.receive = onFrame.index;
  net.linkChanged = onLink.index;
  return true;
}

/** The device receives a frame whose bytes count up. `word`: flags | gso_type << 8. */
function deliver(length: u32, word: u32, buffers: u32): void {
  const ring = model.rings[0];
  assert(ring.next(), "no receive buffer");
  store<u64>(ring.address, word);
  store<u32>(ring.address, buffers << 16, 8);
  for (let i: u32 = 0; i < length; i++) store<u8>(ring.address + 12 + i, <u8>i);
  ring.put(ring.id, length + 12);
}

function interruptReceive(): void {
  if (model.rings[0].complete()) handleVector(model.vectorOf(model.queueVectors[0]));
}

function interruptConfiguration(): void {
  handleVector(model.vectorOf(model.configVector));
}

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

function newFrame(length: u32): PacketBuffer {
  const frame = allocateBuffer(BUFFER_HEADROOM)!;
  frame.length = length;
  return frame;
}

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

/** Refused with `text` in the log, and the device left alone. */
function expectRefusal(text: string, id: u32 = MODERN_NET): void {
  expect<bool>(start(id)).toBe(false, text);
  expect<bool>(fake.consoleHas(text)).toBe(true, text);
  expect<u32>(fake.getPci(PCI_DEVICE | 4) & 4).toBe(0, "no DMA");
  expect<u32>(model.status & 4).toBe(0, "not live");
}

/** An entropy device: answers a notification with as many bytes as answerRng says, when it is looked at. */
function rngWrite(address: usize, width: u32, value: u64): void {
  if (address < model.bar || address >= model.bar + 0x4000) return;
  if (address < model.bar + 64) return model.write(address - model.bar, width, <u32>value);
  if (address < model.bar + 0x3000) return;
  const ring = model.rings[0];
  if (answerRng == 0) return;
  answer();
}
function answer(): void {
  const ring = model.rings[0];
  assert(ring.next(), "no request");
  for (let i: u32 = 0; i < answerRng && i < ring.length; i++) store<u8>(ring.address + i, <u8>(0x80 + i));
  ring.put(ring.id, answerRng);
  assert(!ring.complete() || model.queueVectors[0] == 0xffff, "no interrupt");
}

describe("virtio", () => {
  beforeAll(() => {
    setUpArena(4096);
    pool = changetype<Pool>(growMemory(64, 8));
    wheel = growMemory(4096, 4096);
    randomState = growMemory(RANDOM_SIZE, 16);
    initializeRandom(randomState);
    initializeVectors();
  });
  beforeEach(() => {
    fake.reset();
    initializeTimers(wheel);
    initializePolls(growMemory(POLL_STORAGE, 8));
    initializeBuffers(pool, 60);
    model.setUp();
    model.features = ALL;
    received = [];
    taken = [];
    keep = false;
    linkChanges = 0;
    fake.setPort(0x3ff, 0xae);
    initializeSerial();
    setConsoleSink(serialPut.index);
  });

  it("follows the order of 3.1.1 and accepts what it can do, no more", () => {
    expect<bool>(start(MODERN_NET)).toBe(true);
    expect<u32[]>(model.log).toStrictEqual([0, 1, 3, 11, 15]);
    expect<u64>(model.accepted).toBe(WANTED);
    expect<u32>(model.early).toBe(0, "no notification before DRIVER_OK");
    expect<u32>(fake.getPci(PCI_DEVICE | 4) & 0xffff).toBe(0x0406, "memory, master, no line interrupt");
    expect<u32>(fake.getPci(PCI_DEVICE | 0x40) >> 30).toBe(2, "MSI-X on, function not masked");
    expect<bool>(model.vectorOf(model.configVector) >= 0x30).toBe(true);
    expect<bool>(model.vectorOf(model.queueVectors[0]) > model.vectorOf(model.configVector)).toBe(true);
    expect<u32>(model.queueVectors[1]).toBe(0xffff, "transmitting needs no interrupt");
    expect<u32>(net.address0).toBe(0x12005452);
    expect<u16>(net.address4).toBe(0x5634);
    expect<u16>(net.mtu).toBe(1500);
    expect<u32>(net.features).toBe(DEVICE_CHECKSUM_TX);
    expect<u32>(net.segmented4).toBe(0, "not offered");
    expect<u32>(net.segmented6).toBe(65535);
    expect<u32>(net.linkUp).toBe(1);
    expect<u32>(model.rings[0].waiting).toBe(16);
    expect<u32>(model.notified).toBe(1, "the device is told of its receive buffers");
    expect<bool>(fake.consoleHas("52:54:00:12:34:56")).toBe(true);
  });

  it("drives a transitional device by its modern interface", () => {
    expect<bool>(start(0x1000)).toBe(true);
    expect<u64>(model.accepted).toBe(WANTED);
  });

  it("does with a device that offers nothing but VERSION_1", () => {
    model.features = F_VERSION_1;
    expect<bool>(start(MODERN_NET)).toBe(true);
    expect<u64>(model.accepted).toBe(F_VERSION_1);
    expect<u32>(net.features).toBe(0);
    expect<u32>(net.linkUp).toBe(1);
    expect<u32>(net.address0 & 3).toBe(2, "an address of our own: local, not multicast");
    deliver(60, 1, 0);
    interruptReceive();
    expect<i32>(received.length).toBe(1, "num_buffers means nothing here");
    expect<u32>(received[0].flags).toBe(0, "nor do the checksum flags");
  });

  it("uses the largest power of two of a queue size, and 256 at most", () => {
    initializeBuffers(pool, 600);
    model.size = 1024;
    expect<bool>(start(MODERN_NET)).toBe(true);
    expect<u32>(model.rings[0].size).toBe(256);
    model.size = 24;
    expect<bool>(start(MODERN_NET)).toBe(true);
    expect<u32>(model.rings[1].size).toBe(16);
  });

  it("keeps to the device's MTU, and does not accept one that its buffers cannot hold", () => {
    configure();
    store<u16>(model.config, 1400, 10);
    startConfigured(MODERN_NET);
    expect<u16>(net.mtu).toBe(1400);
    store<u16>(model.config, 9000, 10);
    startConfigured(MODERN_NET);
    expect<u16>(net.mtu).toBe(1500);
    expect<u64>(model.accepted & F_MTU).toBe(0);
    store<u16>(model.config, 40, 10);
    startConfigured(MODERN_NET);
    expect<u16>(net.mtu).toBe(1500);
    expect<u64>(model.accepted & F_MTU).toBe(0);
  });

  it("refuses a legacy-only device", () => {
    model.legacyOnly = true;
    expectRefusal("legacy interface only", 0x1000);
  });
  it("refuses a device without VERSION_1", () => {
    model.features = ALL & ~F_VERSION_1;
    expectRefusal("does not offer VIRTIO_F_VERSION_1");
  });
  it("refuses a device that rejects the features", () => {
    model.rejectsFeatures = true;
    expectRefusal("rejects the features");
  });
  it("gives up on a device that does not finish its reset", () => {
    model.neverResets = true;
    expect<bool>(start(MODERN_NET)).toBe(false);
    expect<bool>(fake.consoleHas("does not finish its reset")).toBe(true);
    expect<bool>(now() < 3_000_000_000).toBe(true, "in bounded time");
  });
  it("refuses a device without MSI-X", () => {
    model.vectors = 0;
    expectRefusal("no MSI-X table");
  });
  it("refuses a device with too few MSI-X entries", () => {
    model.vectors = 1;
    expectRefusal("too few MSI-X entries");
  });
  it("refuses a device that has no room for a vector", () => {
    model.rejectsVectors = true;
    expectRefusal("no room for the configuration vector");
  });
  it("refuses register blocks in an I/O BAR", () => {
    model.barType = 1;
    expectRefusal("do not fit its memory BARs");
  });
  it("refuses a device with one queue", () => {
    model.queues = 1;
    expectRefusal("a queue is missing");
  });
  it("refuses a queue without entries", () => {
    model.size = 0;
    expectRefusal("a queue has no entries");
  });
  it("refuses notification registers out of their block", () => {
    model.multiplier = 4;
    model.notifyLength = 5;
    expectRefusal("notification register is out of its block");
  });
  it("finds no device where there is none, without a word", () => {
    pciScan();
    expect<bool>(virtioNetProbe() === null).toBe(true);
    expect<bool>(virtioRngProbe()).toBe(false);
    expect<bool>(fake.consoleHas("virtio")).toBe(false);
  });

  it("hands received frames up, aligned and without the header", () => {
    start(MODERN_NET);
    keep = true;
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
    keep = true;
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
    for (let i = 0; i < 203; i++) deliver(60, 0, 1);
    interruptReceive();
    expect<i32>(received.length).toBe(8);
    for (let rounds = 2; rounds <= 25; rounds++) {
      expect<bool>(virtioNetPoll()).toBe(true);
      expect<i32>(received.length).toBe(rounds * 8);
    }
    expect<bool>(virtioNetPoll()).toBe(false);
    expect<i32>(received.length).toBe(203);
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
    keep = true;
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

  it("follows the link", () => {
    start(MODERN_NET);
    interruptConfiguration();
    expect<u32>(linkChanges).toBe(0, "another field");
    store<u16>(model.config, 0, 6);
    interruptConfiguration();
    expect<u32>(net.linkUp).toBe(0);
    expect<u32>(linkChanges).toBe(1);
    store<u16>(model.config, 3, 6);
    interruptConfiguration();
    expect<u32>(net.linkUp).toBe(1);
    expect<u32>(linkChanges).toBe(2);
  });

  it("stops a device that asks for a reset, and takes all buffers back", () => {
    start(MODERN_NET);
    const frame = newFrame(60);
    deviceTransmit(net, frame);
    model.status |= 64;
    interruptConfiguration();
    expect<bool>(fake.consoleHas("DEVICE_NEEDS_RESET")).toBe(true);
    expect<u32>(net.linkUp).toBe(0);
    expect<u32>(linkChanges).toBe(1);
    expect<u32>(model.status).toBe(0, "it was reset");
    expect<u32>(fake.getPci(PCI_DEVICE | 4) & 4).toBe(0, "no DMA");
    expect<u32>(frame.references).toBe(1);
    expect<u32>(pool.inUse).toBe(1);
    expect<i32>(deviceTransmit(net, frame)).toBe(-ENETDOWN);
    expect<bool>(virtioNetPoll()).toBe(false);
    deviceFlush(net);
    handleVector(model.vectorOf(model.queueVectors[0] & 1));
    fake.advance(100_000_000);
    runTimers(now());
    expect<u32>(linkChanges).toBe(1);
  });

  it("stops a device that breaks the rules of its queues", () => {
    for (let queue = 0; queue < 2; queue++) {
      start(MODERN_NET);
      const vector = model.vectorOf(model.queueVectors[0]);
      const frame = newFrame(60);
      deviceTransmit(net, frame);
      deviceFlush(net);
      store<u16>(model.rings[queue].used, 17, 2);
      handleVector(vector);
      expect<u32>(net.linkUp).toBe(0);
      expect<bool>(fake.consoleHas("broke the rules")).toBe(true);
      expect<u32>(frame.references).toBe(1);
      releaseBuffer(frame);
      expect<u32>(pool.inUse).toBe(0);
      fake.consoleClear();
    }
  });

  it("outlives a device that writes anything it likes into its rings", () => {
    let stopped = 0;
    for (let round: u32 = 0; round < 30; round++) {
      initializeBuffers(pool, 60);
      model.setUp();
      model.features = round & 1 ? ALL : ALL & ~F_EVENT_IDX;
      start(MODERN_NET);
      const vector = model.vectorOf(model.queueVectors[0]);
      let seed = round;
      for (let step = 0; step < 3000 && net.linkUp; step++) {
        seed = seed * 1664525 + 1013904223;
        const ring = model.rings[(seed >> 8) & 1];
        if (ring.waiting > ring.size) ring.seen = load<u16>(ring.available, 2);
        if ((seed >> 24) & 3) ring.next();
        // Mostly a buffer that was given; now and then one long gone, never given, or beyond the table.
        ring.put((seed >> 16) & 31 ? ring.id : (seed >> 10) & 31, (seed >> 12) & 0xfff);
        if (((seed >> 20) & 1023) == 0) ring.written += 3;
        ring.complete();
        handleVector(vector);
        if (!net.linkUp) break;
        const frame = allocateBuffer(BUFFER_HEADROOM);
        if (frame !== null) {
          frame.length = 60;
          deviceTransmit(net, frame);
          deviceFlush(net);
          releaseBuffer(frame);
        }
        received.length = 0;
        assert(pool.inUse <= 32, "a buffer was lost");
      }
      if (net.linkUp) continue;
      stopped++;
      assert(pool.inUse == 0, "all buffers come back when the device is stopped");
    }
    expect<bool>(stopped > 10).toBe(true);
  });
});

describe("virtio-rng", () => {
  beforeEach(() => {
    fake.reset();
    model.setUp();
    model.queues = 1;
    fake.setPort(0x3ff, 0xae);
    initializeSerial();
    model.plug(MODERN_RNG);
    fake.onWrite(rngWrite.index);
    initializeApic();
    pciScan();
    answerRng = 64;
  });

  it("reads what the device gives", () => {
    const room = growMemory(128, 8);
    expect<bool>(virtioRngProbe()).toBe(true);
    expect<u64>(model.accepted).toBe(F_VERSION_1);
    expect<u32>(model.queueVectors[0]).toBe(0xffff);
    expect<u32>(virtioRngRead(room, 64)).toBe(64);
    expect<u8>(load<u8>(room)).toBe(0x80);
    expect<u8>(load<u8>(room + 63)).toBe(0xbf);
    memory.fill(room, 0, 128);
    expect<u32>(virtioRngRead(room, 10)).toBe(10);
    expect<u8>(load<u8>(room + 9)).toBe(0x89);
    expect<u8>(load<u8>(room + 10)).toBe(0);
    expect<u32>(virtioRngRead(room, 100)).toBe(64);
    answerRng = 7;
    expect<u32>(virtioRngRead(room, 64)).toBe(7);
    answerRng = 65;
    expect<u32>(virtioRngRead(room, 64)).toBe(0, "a length that is a lie");
  });

  it("does not wait for ever, and takes a late answer", () => {
    const room = growMemory(128, 8);
    virtioRngProbe();
    answerRng = 0;
    expect<u32>(virtioRngRead(room, 64)).toBe(0);
    expect<bool>(now() < 1_000_000_000).toBe(true);
    answerRng = 32;
    answer();
    expect<u32>(virtioRngRead(room, 64)).toBe(32);
  });
});
