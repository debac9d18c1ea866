/**
 * The virtio entropy device (virtio 1.2, 5.4): one queue, each buffer comes back filled with random bytes. Polled: it is read
 * at boot to seed the kernel's generator, and whenever somebody wants to seed it anew.
 */
import { pause } from "../../kernel/hal";
import { now } from "../../kernel/time/clock";
import { LOG_INFO, LOG_WARNING, log, logEnd, logStart, logText } from "../../kernel/console";
import { pciLogAddress } from "../pci";
import { allocateZeroed, findVirtio, VirtioDevice } from "./transport";
import { VIRTQ_DESC_F_WRITE, Virtqueue } from "./virtqueue";

const TYPE: u32 = 4;
const TRANSITIONAL_ID: u32 = 0x1005;
const FACILITY: string = "virtio-rng";

/** Most bytes that one read gives. */
export const VIRTIO_RNG_READ: u32 = 64;
/** How long a read waits, in nanoseconds, and a bound for when the clock stands still. */
const WAIT_TIME: u64 = 100_000_000;
const WAIT_STEPS: u32 = 10_000_000;

let device: VirtioDevice = changetype<VirtioDevice>(0);
let queue: Virtqueue = changetype<Virtqueue>(0);
/** The bytes as the device writes them. */
let bytes: usize = 0;

/** Finds the first entropy device and starts it, after pciScan(). False when there is none that can be used. */
export function virtioRngProbe(): bool {
  const found = findVirtio(TYPE, TRANSITIONAL_ID);
  if (found === null) return false;
  const storage = allocateZeroed(VirtioDevice.storageSize + <u32>offsetof<Virtqueue>() + VIRTIO_RNG_READ);
  if (storage == 0) return false;
  const virtio = changetype<VirtioDevice>(storage);
  const requests = changetype<Virtqueue>(storage + VirtioDevice.storageSize);
  if (!virtio.open(found, FACILITY)) return false;
  if (!virtio.negotiate(0, FACILITY)) return false;
  if (!virtio.setUpQueue(requests, 0, 0, 0, FACILITY)) return false;
  requests.disableInterrupts();
  virtio.start();
  device = virtio;
  queue = requests;
  bytes = storage + VirtioDevice.storageSize + offsetof<Virtqueue>();
  if (logStart(LOG_INFO, FACILITY)) {
    logText("device ");
    pciLogAddress(virtio.pci);
    logEnd();
  }
  return true;
}

/**
 * Reads up to `length` random bytes to `address`, at most VIRTIO_RNG_READ. Returns how many there are; 0 when there is no device or
 * it does not answer within a tenth of a second. An answer that comes later serves the next read.
 */
export function virtioRngRead(address: usize, length: u32): u32 {
  if (changetype<usize>(device) == 0 || queue.broken != 0) return 0;
  if (queue.inFlight == 0) {
    queue.add(bytes, VIRTIO_RNG_READ, VIRTQ_DESC_F_WRITE, 1);
    queue.publish();
  }
  const deadline = now() + WAIT_TIME;
  for (let steps: u32 = 0; queue.take() == 0; steps++) {
    if (now() >= deadline || steps == WAIT_STEPS || queue.broken != 0) {
      log(LOG_WARNING, FACILITY, "no answer");
      return 0;
    }
    pause();
  }
  const got = queue.length < length ? queue.length : length;
  memory.copy(address, bytes, got);
  // What was handed out once is not left lying about.
  memory.fill(bytes, 0, VIRTIO_RNG_READ);
  return got;
}
