import * as fake from "../fake";
import { needsEvent, Virtqueue, VIRTQ_DESC_F_WRITE } from "../../drivers/virtio/virtqueue";
import { DeviceQueue, zeroed } from "./device";

let queue: Virtqueue = changetype<Virtqueue>(0);
let device: DeviceQueue = new DeviceQueue();
let storage: usize = 0;
let doorbell: usize = 0;

function make(size: u32, eventIndex: bool): void {
  memory.fill(storage, 0, 16384);
  memory.fill(changetype<usize>(queue), 0xff, offsetof<Virtqueue>());
  queue.initialize(3, size, storage, eventIndex);
  queue.notifyAddress = doorbell;
  device.connect(size, queue.descriptors, queue.available, queue.used, eventIndex);
}

let seed: u32 = 1;
function random(below: u32): u32 {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed % below;
}

// ---- Both sides as they would run against each other, the device at every access of the driver to shared memory ----

let deviceAwake: bool = false;
let deviceSteps: u32 = 0;
let interrupt: bool = false;
let inModel: bool = false;
let put: u64 = 0;
let order: u32[] = [];

/** The device does a little of its work, one access at a time, and now and then goes to sleep. */
function deviceStep(): void {
  if (!deviceAwake) return;
  deviceSteps++;
  switch (random(4)) {
    case 0:
      if (device.next()) order.push(device.id);
      break;
    case 1:
      // In any order: the specification leaves it to the device.
      if (order.length == 0) break;
      const at = random(order.length);
      const id = order[at];
      order[at] = order[order.length - 1];
      order.pop();
      device.put(id, 4);
      put++;
      break;
    case 2:
      if (device.complete()) interrupt = true;
      break;
    default:
      if (random(4) != 0) break;
      // Asks to be woken, looks again, sleeps.
      while (order.length != 0) {
        device.put(order.pop(), 4);
        put++;
      }
      if (device.complete()) interrupt = true;
      device.wantNotify(true);
      if (device.waiting == 0) deviceAwake = false;
      else device.wantNotify(false);
  }
}

function beforeRead(address: usize, width: u32): void {
  if (inModel) for (let n = random(4); n != 0; n--) deviceStep();
}

function afterWrite(address: usize, width: u32, value: u64): void {
  if (!inModel) return;
  if (address == doorbell) {
    assert(width == 16 && value == 3, "the notification is the queue's number");
    deviceAwake = true;
    device.wantNotify(false);
  }
  for (let n = random(3); n != 0; n--) deviceStep();
}

let waitingAtRead: u32 = 0;
function noteWaiting(address: usize, width: u32): void {
  waitingAtRead = device.waiting;
}

/** Runs `total` buffers through; returns how many came back. Traps when somebody sleeps through an event. */
function run(size: u32, eventIndex: bool, total: u64): u64 {
  make(size, eventIndex);
  order = [];
  put = 0;
  deviceAwake = false;
  interrupt = false;
  device.wantNotify(true);
  fake.onRead(beforeRead.index);
  fake.onWrite(afterWrite.index);
  inModel = true;
  let given: u64 = 0;
  let back: u64 = 0;
  let token: u32 = 0x1000;
  queue.enableInterrupts();
  while (back < total) {
    for (let n = random(size + 2); n != 0; n--) {
      if (!queue.add(0x5000, 4, VIRTQ_DESC_F_WRITE, token)) break;
      token += 8;
      given++;
    }
    if (random(3) != 0) queue.publish();
    for (let n = random(6); n != 0; n--) deviceStep();
    if (interrupt) {
      interrupt = false;
      do {
        while (queue.take() != 0) {
          assert(queue.length == 4, "length");
          back++;
        }
        // The moment in which a buffer causes no interrupt any more and is not seen yet.
        for (let n = random(4); n != 0; n--) deviceStep();
      } while (queue.enableInterrupts());
    }
    if (random(8) == 0) {
      // All come to rest: nothing may be left that nobody knows of.
      queue.publish();
      for (let n = 0; deviceAwake; n++) {
        deviceStep();
        assert(n < 100000, "the device never sleeps");
      }
      assert(device.waiting == 0, "a notification was lost");
      if (!interrupt) {
        inModel = false;
        assert(queue.take() == 0, "an interrupt was lost");
        inModel = true;
      }
    }
    assert(queue.badEntries == 0 && queue.broken == 0, "the queue saw an error");
    assert(given - back == queue.inFlight, "a buffer was lost");
  }
  inModel = false;
  fake.onRead(0);
  fake.onWrite(0);
  return back;
}

describe("virtqueue", () => {
  beforeAll(() => {
    queue = changetype<Virtqueue>(zeroed(4096));
    storage = zeroed(16384);
    doorbell = zeroed(4096);
  });
  beforeEach(() => {
    fake.reset();
    inModel = false;
  });

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

  it("loses no event in any interleaving, with event index", () => {
    for (let size: u32 = 1; size <= 16; size *= 2) {
      seed = 0x1234567 + size;
      const total: u64 = size == 8 ? 140_000 : 5_000;
      expect<bool>(run(size, true, total) >= total).toBe(true);
    }
  });

  it("loses no event in any interleaving, without event index", () => {
    for (let size: u32 = 1; size <= 16; size *= 4) {
      seed = 0x7654321 + size;
      expect<bool>(run(size, false, 5_000) >= 5_000).toBe(true);
    }
  });

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

  it("gives and takes back chains, in whatever order the device is done with them", () => {
    for (let round: u32 = 1; round <= 200; round++) {
      make(16, (round & 1) != 0);
      seed = round;
      // What is in flight: the id and the number of its parts, and the token of its first, one more each for the others.
      let ids: u32[] = [];
      let counts: u32[] = [];
      let tokens: u32[] = [];
      let token: u32 = 1;
      for (let step = 0; step < 100; step++) {
        const parts: u32 = 1 + random(5);
        if (random(2) == 0 && queue.free >= parts) {
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
          const at = random(ids.length);
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
