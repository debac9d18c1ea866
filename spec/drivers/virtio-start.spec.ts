/** virtio devices: how the driver starts one (virtio 1.2, 3.1.1), and which it refuses. */
import * as fake from "../fake";
import { now } from "../../kernel/time/clock";
import { initializeBuffers } from "../../net/buffer";
import { DEVICE_CHECKSUM_TX } from "../../net/device";
import { pciScan } from "../../drivers/pci";
import { virtioNetProbe } from "../../drivers/virtio/net";
import { virtioRngProbe } from "../../drivers/virtio/rng";
import { F_MTU, F_CTRL_VQ } from "./features";
import { F_VERSION_1, model, PCI_DEVICE } from "./machine";
import {
  ALL,
  configure,
  deliver,
  interruptReceive,
  MODERN_NET,
  net,
  plugIn,
  pool,
  received,
  setUpVirtio,
  start,
  startConfigured,
} from "./virtio-net";

const WANTED: u64 = ALL & ~F_CTRL_VQ;

/** Refused with `text` in the log, and the device left alone. */
function expectRefusal(text: string, id: u32 = MODERN_NET): void {
  expect<bool>(start(id)).toBe(false, text);
  expect<bool>(fake.consoleHas(text)).toBe(true, text);
  expect<u32>(fake.getPci(PCI_DEVICE | 4) & 4).toBe(0, "no DMA");
  expect<u32>(model.status & 4).toBe(0, "not live");
}

describe("virtio", () => {
  beforeAll(setUpVirtio);
  beforeEach(plugIn);

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
});
