/** One virtqueue, the driver's side (drivers/virtio/virtqueue.ts) and the device's. */
import { Virtqueue } from "../../drivers/virtio/virtqueue";
import { DeviceQueue, zeroed } from "./device";

export let queue: Virtqueue = changetype<Virtqueue>(0);
export const device: DeviceQueue = new DeviceQueue();
export let storage: usize = 0;
export let doorbell: usize = 0;

/** A fresh queue of `size` entries at both sides. */
export function make(size: u32, eventIndex: bool): void {
  memory.fill(storage, 0, 16384);
  memory.fill(changetype<usize>(queue), 0xff, offsetof<Virtqueue>());
  queue.initialize(3, size, storage, eventIndex);
  queue.notifyAddress = doorbell;
  device.connect(size, queue.descriptors, queue.available, queue.used, eventIndex);
}

/** Before all tests. */
export function setUpRings(): void {
  queue = changetype<Virtqueue>(zeroed(4096));
  storage = zeroed(16384);
  doorbell = zeroed(4096);
}
