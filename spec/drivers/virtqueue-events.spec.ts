/** virtio 1.2, 2.7.7 and 2.7.10: when a driver notifies the device, and asks to be interrupted, with event index and by flags. In every interleaving: virtqueue-interleavings.spec.ts. */
import { needsEvent, VIRTQ_DESC_F_WRITE } from "../../drivers/virtio/virtqueue";
import * as fake from "../fake";
import { device, make, queue, setUpRings } from "./rings";

let waitingAtRead: u32 = 0;

function noteWaiting(address: usize, width: u32): void {
  waitingAtRead = device.waiting;
}

describe("events of a virtqueue", () => {
  beforeAll(setUpRings);
  beforeEach(fake.reset);

  it("notifies by event index exactly when the event lies in the batch", () => {
    for (let event: u32 = 0; event < 8; event++) {
      make(8, true);
      store<u16>(queue.used + 4 + 8 * 8, <u16>event);
      for (let i: u32 = 0; i < 3; i++) queue.add(0, 1, 0, 8);
      queue.publish();
      expect<u32>(queue.notifications).toBe(event < 3 ? 1 : 0);
      for (let i: u32 = 0; i < 2; i++) queue.add(0, 1, 0, 8);
      queue.publish();
      expect<u32>(queue.notifications).toBe(event < 5 ? 1 : 0);
      queue.publish();
      expect<u32>(queue.notifications).toBe(event < 5 ? 1 : 0, "nothing new");
    }
  });

  it("decides events across the wrap of the index", () => {
    let errors = 0;
    for (let old: u32 = 0xfff0; old < 0x10010; old++) {
      for (let count: u32 = 0; count < 20; count++) {
        for (let event: u32 = 0xffe0; event < 0x10030; event++) {
          // Counted out: one of the entries old .. old + count - 1 is the one asked for.
          const expected = event >= old && event < old + count;
          if (needsEvent(event & 0xffff, (old + count) & 0xffff, old & 0xffff) != expected) errors++;
        }
      }
    }
    expect<i32>(errors).toBe(0);
  });

  it("keeps to the flags without event index", () => {
    make(4, false);
    store<u16>(queue.used, 1);
    queue.add(0, 1, 0, 8);
    queue.publish();
    expect<u32>(queue.notifications).toBe(0);
    store<u16>(queue.used, 0);
    queue.add(0, 1, 0, 8);
    queue.publish();
    expect<u32>(queue.notifications).toBe(1);
    queue.disableInterrupts();
    expect<u16>(load<u16>(queue.available)).toBe(1);
    queue.enableInterrupts();
    expect<u16>(load<u16>(queue.available)).toBe(0);
  });

  it("puts the index after the entries and a full barrier before the device's wish is read", () => {
    make(4, true);
    queue.add(0, 1, 0, 8);
    const before = fake.barriers();
    waitingAtRead = 0;
    fake.onRead(noteWaiting.index);
    queue.publish();
    fake.onRead(0);
    expect<u32>(fake.barriers() - before).toBe(2);
    expect<u32>(waitingAtRead).toBe(1, "the device could see the buffer before its wish was read");
  });

  it("tells of buffers that came while interrupts were turned on", () => {
    make(4, true);
    queue.add(0, 4, VIRTQ_DESC_F_WRITE, 8);
    queue.publish();
    expect<bool>(queue.enableInterrupts()).toBe(false);
    device.next();
    device.put(device.id, 1);
    expect<bool>(device.complete()).toBe(true, "the one asked for");
    expect<bool>(queue.enableInterrupts()).toBe(true);
    expect<u32>(queue.take()).toBe(8);
    expect<bool>(queue.enableInterrupts()).toBe(false);
    queue.disableInterrupts();
    for (let i = 0; i < 20; i++) {
      queue.add(0, 4, VIRTQ_DESC_F_WRITE, 8);
      queue.publish();
      device.next();
      device.put(device.id, 1);
      expect<bool>(device.complete()).toBe(false, "none asked for");
      queue.take();
    }
  });
});
