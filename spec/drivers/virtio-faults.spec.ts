/** virtio network device: changes of the link, and devices that break, ask for a reset or write what they like. */
import * as fake from "../fake";
import { handleVector } from "../../kernel/interrupts/vectors";
import { now } from "../../kernel/time/clock";
import { runTimers } from "../../kernel/time/timers";
import { ENETDOWN } from "../../kernel/errno";
import { allocateBuffer, BUFFER_HEADROOM, initializeBuffers, releaseBuffer } from "../../net/buffer";
import { deviceFlush, deviceTransmit } from "../../net/device";
import { virtioNetPoll } from "../../drivers/virtio/net";
import { F_EVENT_IDX, model, PCI_DEVICE } from "./machine";
import {
  ALL,
  linkChanges,
  MODERN_NET,
  net,
  newFrame,
  plugIn,
  pool,
  received,
  setUpVirtio,
  start,
} from "./virtio-net";

function interruptConfiguration(): void {
  handleVector(model.vectorOf(model.configVector));
}

describe("virtio", () => {
  beforeAll(setUpVirtio);
  beforeEach(plugIn);

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
