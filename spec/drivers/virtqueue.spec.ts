/** virtio 1.2, 2.7: split virtqueues: where their parts stand, buffers that go to the device and come back, and chains of them. */
import { VIRTQ_DESC_F_WRITE, Virtqueue } from "../../drivers/virtio/virtqueue";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";
import { device, make, queue, setUpRings, storage } from "./rings";

describe("virtqueue", () => {
  beforeAll(setUpRings);
  beforeEach(fake.reset);

  it("lays the rings out as 2.7 wants them", () => {
    for (let size: u32 = 1; size <= 256; size *= 2) {
      make(size, true);
      expect<usize>(queue.descriptors % 16).toBe(0);
      expect<usize>(queue.available % 2).toBe(0);
      expect<usize>(queue.used % 4).toBe(0);
      expect<bool>(queue.available >= queue.descriptors + 16 * size).toBe(true);
      expect<bool>(queue.used >= queue.available + 6 + 2 * size).toBe(true);
      expect<bool>(queue.tokens >= queue.used + 6 + 8 * size).toBe(true);
      expect<usize>(queue.parts).toBe(queue.tokens + 4 * size);
      expect<usize>(queue.parts + 4 * size).toBe(storage + Virtqueue.storageSize(size));
    }
  });

  it("gives buffers and takes them back in the device's order", () => {
    make(4, true);
    for (let i: u32 = 0; i < 4; i++)
      expect<bool>(queue.add(0x1000 * i, 10 + i, i & 1 ? VIRTQ_DESC_F_WRITE : 0, 100 + i)).toBe(true);
    expect<bool>(queue.add(1, 1, 0, 9)).toBe(false, "full");
    expect<u32>(device.waiting).toBe(0, "not told yet");
    queue.publish();
    expect<u32>(device.waiting).toBe(4);
    const ids: u32[] = [];
    for (let i: u32 = 0; i < 4; i++) {
      device.next();
      expect<usize>(device.address).toBe(0x1000 * i);
      expect<u32>(device.length).toBe(10 + i);
      expect<u32>(device.flags).toBe(i & 1 ? VIRTQ_DESC_F_WRITE : 0);
      ids.push(device.id);
    }
    expect<u32>(queue.take()).toBe(0);
    device.put(ids[3], 13);
    device.put(ids[0], 0);
    expect<u32>(queue.take()).toBe(0, "the index has not moved");
    device.complete();
    expect<u32>(queue.take()).toBe(103);
    expect<u32>(queue.length).toBe(13);
    expect<u32>(queue.take()).toBe(100);
    expect<u32>(queue.take()).toBe(0);
    expect<u32>(queue.inFlight).toBe(2);
    expect<u32>(queue.free).toBe(2);
  });

  it("gives and takes back chains, in whatever order the device is done with them", () => {
    for (let round: u32 = 1; round <= 200; round++) {
      make(16, (round & 1) != 0);
      seedChance(round);
      // What is in flight: the id and the number of its parts, and the token of its first, one more each for the others.
      let ids: u32[] = [];
      let counts: u32[] = [];
      let tokens: u32[] = [];
      let token: u32 = 1;
      for (let step = 0; step < 100; step++) {
        const parts: u32 = 1 + chance(5);
        if (chance(2) == 0 && queue.free >= parts) {
          if (parts == 1) queue.add(token * 16, token, 0, token);
          else {
            for (let i: u32 = 0; i + 1 < parts; i++) queue.addPart((token + i) * 16, token + i, token + i);
            queue.addLast((token + parts - 1) * 16, token + parts - 1, token + parts - 1);
          }
          queue.publish();
          assert(device.next(), "offered");
          for (let i: u32 = 0; i < parts; i++) {
            assert(device.address == (token + i) * 16 && device.length == token + i, "the part");
            assert(device.follow() == i + 1 < parts, "the end of the chain");
          }
          assert(device.waiting == 0, "one entry for all parts");
          ids.push(device.id);
          counts.push(parts);
          tokens.push(token);
          token += parts;
        } else if (ids.length != 0) {
          const at = chance(ids.length);
          device.put(ids[at], 0);
          device.complete();
          for (let i: u32 = 0; i < counts[at]; i++) assert(queue.takePart() == tokens[at] + i, "the token");
          assert(queue.takePart() == 0, "no more");
          ids.splice(at, 1);
          counts.splice(at, 1);
          tokens.splice(at, 1);
        }
        let inFlight: u32 = 0;
        for (let i = 0; i < counts.length; i++) inFlight += counts[i];
        assert(queue.inFlight == inFlight, "descriptors in flight");
      }
      // After a reset each part comes back once.
      let left: u32 = 0;
      while (queue.reclaim() != 0) left++;
      let inFlight: u32 = 0;
      for (let i = 0; i < counts.length; i++) inFlight += counts[i];
      assert(left == inFlight && queue.free == 16 && queue.takePart() == 0, "all are back");
    }
  });
});
