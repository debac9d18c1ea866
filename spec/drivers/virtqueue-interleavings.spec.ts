/**
 * A virtqueue's two sides as they would run against each other, the device at every access of the driver to shared memory: nobody sleeps through an event
 * (virtio 1.2, 2.7.7 and 2.7.10).
 */
import { VIRTQ_DESC_F_WRITE } from "../../drivers/virtio/virtqueue";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";
import { device, doorbell, make, queue, setUpRings } from "./rings";

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
  switch (chance(4)) {
    case 0:
      if (device.next()) order.push(device.id);
      break;
    case 1:
      // In any order: the specification leaves it to the device.
      if (order.length == 0) break;
      const at = chance(order.length);
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
      if (chance(4) != 0) break;
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
  if (inModel) for (let n = chance(4); n != 0; n--) deviceStep();
}

function afterWrite(address: usize, width: u32, value: u64): void {
  if (!inModel) return;
  if (address == doorbell) {
    assert(width == 16 && value == 3, "the notification is the queue's number");
    deviceAwake = true;
    device.wantNotify(false);
  }
  for (let n = chance(3); n != 0; n--) deviceStep();
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
    for (let n = chance(size + 2); n != 0; n--) {
      if (!queue.add(0x5000, 4, VIRTQ_DESC_F_WRITE, token)) break;
      token += 8;
      given++;
    }
    if (chance(3) != 0) queue.publish();
    for (let n = chance(6); n != 0; n--) deviceStep();
    if (interrupt) {
      interrupt = false;
      do {
        while (queue.take() != 0) {
          assert(queue.length == 4, "length");
          back++;
        }
        // The moment in which a buffer causes no interrupt any more and is not seen yet.
        for (let n = chance(4); n != 0; n--) deviceStep();
      } while (queue.enableInterrupts());
    }
    if (chance(8) == 0) {
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

describe("a virtqueue", () => {
  beforeAll(setUpRings);
  beforeEach(() => {
    fake.reset();
    inModel = false;
  });

  it("loses no event in any interleaving, with event index", () => {
    for (let size: u32 = 1; size <= 16; size *= 2) {
      seedChance(0x1234567 + size);
      const total: u64 = size == 8 ? 140_000 : 5_000;
      expect<bool>(run(size, true, total) >= total).toBe(true);
    }
  });

  it("loses no event in any interleaving, without event index", () => {
    for (let size: u32 = 1; size <= 16; size *= 4) {
      seedChance(0x7654321 + size);
      expect<bool>(run(size, false, 5_000) >= 5_000).toBe(true);
    }
  });
});
