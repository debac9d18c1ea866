/** A device that says of its used ring what cannot be (drivers/virtio/virtqueue.ts): entries, lengths and indices. */
import { VIRTQ_DESC_F_WRITE } from "../../drivers/virtio/virtqueue";
import * as fake from "../fake";
import { device, make, queue, setUpRings } from "./rings";

describe("a virtqueue of a hostile device", () => {
  beforeAll(setUpRings);
  beforeEach(fake.reset);

  it("skips and counts entries that name no buffer of the device's", () => {
    make(4, true);
    for (let i: u32 = 0; i < 3; i++) queue.add(0, 8, VIRTQ_DESC_F_WRITE, 100 + i);
    queue.publish();
    device.next();
    const first = device.id;
    device.put(4, 1);
    device.put(0xffffffff, 1);
    device.put(first, 1);
    device.complete();
    expect<u32>(queue.take()).toBe(100);
    expect<u32>(queue.badEntries).toBe(2);
    device.put(first, 1);
    device.complete();
    expect<u32>(queue.take()).toBe(0, "twice the same");
    expect<u32>(queue.badEntries).toBe(3);
    device.put(3, 1);
    device.complete();
    expect<u32>(queue.take()).toBe(0, "never given");
    expect<u32>(queue.broken).toBe(1, "as many as the queue has entries");
    expect<bool>(queue.add(0, 1, 0, 8)).toBe(false);
  });

  it("takes the middle of a chain for no buffer", () => {
    make(4, true);
    queue.addPart(0, 8, 100);
    queue.addLast(0, 8, 101);
    queue.publish();
    device.next();
    const head = device.id;
    device.put(head ^ 1, 0);
    device.complete();
    expect<u32>(queue.takePart()).toBe(0);
    expect<u32>(queue.badEntries).toBe(1);
    device.put(head, 0);
    device.complete();
    expect<u32>(queue.takePart()).toBe(100);
    expect<u32>(queue.takePart()).toBe(101);
    expect<u32>(queue.takePart()).toBe(0);
  });

  it("takes no length for good that is longer than the buffer", () => {
    make(4, true);
    queue.add(0, 8, VIRTQ_DESC_F_WRITE, 100);
    queue.add(0, 8, 0, 101);
    queue.publish();
    device.next();
    device.put(device.id, 9);
    device.next();
    device.put(device.id, 77);
    device.complete();
    expect<u32>(queue.take()).toBe(100);
    expect<u32>(queue.length).toBe(0);
    expect<u32>(queue.badLengths).toBe(1);
    expect<u32>(queue.take()).toBe(101);
    expect<u32>(queue.length).toBe(0, "the device only reads this one: its length means nothing");
    expect<u32>(queue.badLengths).toBe(1);
  });

  it("breaks when the used index runs ahead of what was given, or backwards", () => {
    for (let i = 0; i < 2; i++) {
      make(4, true);
      queue.add(0, 8, 0, 100);
      queue.publish();
      store<u16>(queue.used, i ? 2 : 0xffff, 2);
      expect<u32>(queue.take()).toBe(0);
      expect<u32>(queue.broken).toBe(1);
      store<u16>(queue.used, 1, 2);
      expect<u32>(queue.take()).toBe(0, "for good");
      expect<u32>(queue.reclaim()).toBe(100);
      expect<u32>(queue.reclaim()).toBe(0);
      expect<u32>(queue.free).toBe(4);
    }
  });
});
