/**
 * The PCI transport of virtio 1.2, modern interface (4.1), and the initialisation of a device (3.1.1).
 *
 * A transitional device is driven through the same capabilities. One that has only the legacy interface is refused.
 */
import { pause, read16, read32, read8, write16, write32, write8 } from "../../kernel/hal";
import { allocateFrames, FRAME_SIZE } from "../../kernel/memory/frames";
import { allocateVector } from "../../kernel/interrupts/vectors";
import { now } from "../../kernel/time/clock";
import { LOG_ERROR, logEnd, logStart, logText } from "../../kernel/console";
import { Msix } from "../msix";
import {
  PCI_CAPABILITY_LIMIT,
  PCI_CAPABILITY_VENDOR,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PciFunction,
  pciCommand,
  pciFunction,
  pciFunctionCount,
  pciLogAddress,
  pciMapBar,
  pciNextCapability,
  pciPlace,
  pciRead32,
  pciRead8,
} from "../pci";
import { VIRTQUEUE_MAX_SIZE, Virtqueue } from "./virtqueue";

const VIRTIO_VENDOR: u32 = 0x1af4;
/** PCI device identifier of a modern device: this plus the virtio device type (4.1.2.1). */
const MODERN_ID: u32 = 0x1040;

// Feature bits that are not of one device type (6).
export const VIRTIO_F_EVENT_IDX: u64 = 1 << 29;
const VIRTIO_F_VERSION_1: u64 = 1 << 32;
/** DMA addresses are the platform's: physical ones, as long as nobody programs an IOMMU; nobody does here. */
const VIRTIO_F_ACCESS_PLATFORM: u64 = 1 << 33;
/** Memory is ordered as the platform orders it: the barriers of the hal are enough on x86. */
const VIRTIO_F_ORDER_PLATFORM: u64 = 1 << 36;

// Device status (2.1).
const STATUS_ACKNOWLEDGE: u32 = 1;
const STATUS_DRIVER: u32 = 2;
const STATUS_DRIVER_OK: u32 = 4;
const STATUS_FEATURES_OK: u32 = 8;
const STATUS_NEEDS_RESET: u32 = 64;
const STATUS_FAILED: u32 = 128;

// Capability (4.1.4): offsets in configuration space from its start, and values of cfg_type.
const CAP_LENGTH: u32 = 2;
const CAP_TYPE: u32 = 3;
const CAP_BAR: u32 = 4;
const CAP_OFFSET: u32 = 8;
const CAP_SIZE: u32 = 12;
const CAP_NOTIFY_MULTIPLIER: u32 = 16;
const CAP_COMMON: u32 = 1;
const CAP_NOTIFY: u32 = 2;
const CAP_ISR: u32 = 3;
const CAP_DEVICE: u32 = 4;

// Common configuration (4.1.4.3).
const COMMON_DEVICE_FEATURE_SELECT: u32 = 0;
const COMMON_DEVICE_FEATURE: u32 = 4;
const COMMON_DRIVER_FEATURE_SELECT: u32 = 8;
const COMMON_DRIVER_FEATURE: u32 = 12;
const COMMON_CONFIG_VECTOR: u32 = 16;
const COMMON_QUEUES: u32 = 18;
const COMMON_STATUS: u32 = 20;
const COMMON_GENERATION: u32 = 21;
const COMMON_QUEUE_SELECT: u32 = 22;
const COMMON_QUEUE_SIZE: u32 = 24;
const COMMON_QUEUE_VECTOR: u32 = 26;
const COMMON_QUEUE_ENABLE: u32 = 28;
const COMMON_QUEUE_NOTIFY: u32 = 30;
const COMMON_QUEUE_DESCRIPTORS: u32 = 32;
const COMMON_QUEUE_DRIVER: u32 = 40;
const COMMON_QUEUE_DEVICE: u32 = 48;
const COMMON_LENGTH: u32 = 56;

const NO_VECTOR: u32 = 0xffff;

/** How long a device may take to reset itself, in nanoseconds, and a bound for when the clock stands still. */
const RESET_TIME: u64 = 1_000_000_000;
const RESET_STEPS: u32 = 100_000_000;

/** A virtio device and where its registers are. */
@unmanaged
export class VirtioDevice {
  /** The function, as in PciFunction.address. */
  pci: u32;
  private common: usize;
  private notify: usize;
  private notifyLength: u32;
  private notifyMultiplier: u32;
  /** Device-specific configuration, and its length; 0 where there is none. */
  private config: usize;
  configLength: u32;
  /** What was negotiated. */
  features: u64;
  /** Entries of the MSI-X table that are taken; the table. */
  private entries: u32;
  private msix: Msix;

  /** Bytes of zeroed memory for a VirtioDevice and what it points to. */
  @inline static get storageSize(): u32 {
    return <u32>offsetof<VirtioDevice>() + <u32>offsetof<Msix>();
  }

  /**
   * Finds the registers of the device behind `found` and resets it; then it waits for negotiate(). `facility` names the driver in
   * log lines. False, with a line that says why, when it cannot be driven.
   */
  open(found: PciFunction, facility: string): bool {
    this.pci = found.address;
    this.msix = changetype<Msix>(changetype<usize>(this) + offsetof<VirtioDevice>());
    this.entries = 0;
    this.features = 0;
    found.claimed = 1;
    pciPlace(this.pci);
    pciCommand(this.pci, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE, 0);
    const reason = this.findRegisters();
    if (reason !== null) return this.refuse(facility, reason);
    if (!this.reset()) return this.refuse(facility, "it does not finish its reset");
    pciCommand(this.pci, PCI_COMMAND_MASTER, 0);
    this.addStatus(STATUS_ACKNOWLEDGE);
    this.addStatus(STATUS_DRIVER);
    return true;
  }

  /** Logs why the device is not used, turns it off as far as it lets itself, and returns false. */
  refuse(facility: string, reason: string): bool {
    if (logStart(LOG_ERROR, facility)) {
      logText("device ");
      pciLogAddress(this.pci);
      logText(" is not used: ");
      logText(reason);
      logEnd();
    }
    if (this.common != 0) {
      this.addStatus(STATUS_FAILED);
      this.reset();
    }
    pciCommand(this.pci, 0, PCI_COMMAND_MASTER);
    return false;
  }

  /** Walks the vendor capabilities (4.1.4). Null when all is there, else what is wrong. */
  private findRegisters(): string | null {
    this.common = this.notify = this.config = 0;
    this.configLength = this.notifyLength = this.notifyMultiplier = 0;
    let isr: usize = 0;
    let modern = false;
    let at = pciNextCapability(this.pci, 0);
    for (
      let steps: u32 = 0;
      at != 0 && steps < PCI_CAPABILITY_LIMIT;
      steps++, at = pciNextCapability(this.pci, at)
    ) {
      if (pciRead8(this.pci, at) != PCI_CAPABILITY_VENDOR) continue;
      const type = pciRead8(this.pci, at + CAP_TYPE);
      const bar = pciRead8(this.pci, at + CAP_BAR);
      // Reserved BAR numbers are to be ignored; of several of one type, the first that can be reached is meant.
      if (bar > 5 || type < CAP_COMMON || type > CAP_DEVICE) continue;
      if (pciRead8(this.pci, at + CAP_LENGTH) < (type == CAP_NOTIFY ? 20 : 16)) continue;
      modern = true;
      const offset = pciRead32(this.pci, at + CAP_OFFSET);
      const length = pciRead32(this.pci, at + CAP_SIZE);
      if (type == CAP_COMMON && this.common == 0 && length >= COMMON_LENGTH) {
        this.common = pciMapBar(this.pci, bar, offset, length);
      } else if (type == CAP_NOTIFY && this.notify == 0 && length >= 2) {
        this.notify = pciMapBar(this.pci, bar, offset, length);
        this.notifyLength = length;
        this.notifyMultiplier = pciRead32(this.pci, at + CAP_NOTIFY_MULTIPLIER);
      } else if (type == CAP_ISR && isr == 0) {
        isr = pciMapBar(this.pci, bar, offset, length);
      } else if (type == CAP_DEVICE && this.config == 0) {
        this.config = pciMapBar(this.pci, bar, offset, length);
        this.configLength = this.config != 0 ? length : 0;
      }
    }
    // The ISR status is there for line interrupts only; a device without it is broken all the same.
    if (this.common != 0 && this.notify != 0 && isr != 0) return null;
    return modern
      ? "its register blocks do not fit its memory BARs"
      : "it has the legacy interface only; virtio 1.0 or later is needed (QEMU: not disable-modern=on)";
  }

  /** 2.4, 4.1.4.3.2: writes 0 to the status and waits until it reads 0. */
  private reset(): bool {
    write8(this.common + COMMON_STATUS, 0);
    const deadline = now() + RESET_TIME;
    for (let steps: u32 = 0; steps < RESET_STEPS; steps++) {
      if (read8(this.common + COMMON_STATUS) == 0) return true;
      if (now() >= deadline) return false;
      pause();
    }
    return false;
  }

  /** Status bits are only ever added, until a reset. */
  @inline private addStatus(bits: u32): void {
    write8(this.common + COMMON_STATUS, read8(this.common + COMMON_STATUS) | bits);
  }

  /** The features that the device offers. */
  offered(): u64 {
    write32(this.common + COMMON_DEVICE_FEATURE_SELECT, 0);
    const low = read32(this.common + COMMON_DEVICE_FEATURE);
    write32(this.common + COMMON_DEVICE_FEATURE_SELECT, 1);
    return ((<u64>read32(this.common + COMMON_DEVICE_FEATURE)) << 32) | low;
  }

  /** Accepts those of `wanted` that are offered, VERSION_1 and what the platform has anyway (3.1.1, steps 4 to 6). False: refused, logged. */
  negotiate(wanted: u64, facility: string): bool {
    const offered = this.offered();
    if (!(offered & VIRTIO_F_VERSION_1)) return this.refuse(facility, "it does not offer VIRTIO_F_VERSION_1");
    const accepted =
      offered & (wanted | VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM | VIRTIO_F_ORDER_PLATFORM);
    write32(this.common + COMMON_DRIVER_FEATURE_SELECT, 0);
    write32(this.common + COMMON_DRIVER_FEATURE, <u32>accepted);
    write32(this.common + COMMON_DRIVER_FEATURE_SELECT, 1);
    write32(this.common + COMMON_DRIVER_FEATURE, <u32>(accepted >> 32));
    this.addStatus(STATUS_FEATURES_OK);
    if (!(read8(this.common + COMMON_STATUS) & STATUS_FEATURES_OK)) {
      return this.refuse(facility, "it rejects the features that it offered");
    }
    this.features = accepted;
    return true;
  }

  /** That feature was negotiated. */
  @inline has(feature: u64): bool {
    return (this.features & feature) != 0;
  }

  /** Turns MSI-X on and gives configuration changes a vector. False: refused, logged. */
  enableInterrupts(callback: u32, argument: usize, facility: string): bool {
    if (!this.msix.open(this.pci)) return this.refuse(facility, "it has no MSI-X table (QEMU: vectors=0?)");
    this.msix.enable();
    const entry = this.takeEntry(callback, argument);
    if (entry == NO_VECTOR) return this.refuse(facility, "no interrupt vector is left");
    write16(this.common + COMMON_CONFIG_VECTOR, entry);
    if (read16(this.common + COMMON_CONFIG_VECTOR) != entry) {
      return this.refuse(facility, "it has no room for the configuration vector");
    }
    return true;
  }

  /** An entry of the MSI-X table that calls `callback(argument)`; NO_VECTOR when there is none. */
  private takeEntry(callback: u32, argument: usize): u32 {
    if (this.entries >= this.msix.size) return NO_VECTOR;
    const vector = allocateVector(callback, argument);
    if (vector == 0) return NO_VECTOR;
    this.msix.route(this.entries, vector);
    return this.entries++;
  }

  /**
   * Sets up a queue (4.1.5.1.3). `callback`: (argument: usize) => void, called on its interrupts; 0 for a queue that is polled.
   * False: refused, logged.
   */
  setUpQueue(queue: Virtqueue, index: u32, callback: u32, argument: usize, facility: string): bool {
    if (index >= read16(this.common + COMMON_QUEUES)) return this.refuse(facility, "a queue is missing");
    write16(this.common + COMMON_QUEUE_SELECT, index);
    const size = usableSize(read16(this.common + COMMON_QUEUE_SIZE));
    if (size == 0) return this.refuse(facility, "a queue has no entries");
    const storage = allocateZeroed(Virtqueue.storageSize(size));
    if (storage == 0) return this.refuse(facility, "no memory for a queue");
    queue.initialize(index, size, storage, this.has(VIRTIO_F_EVENT_IDX));

    const offset = <u64>read16(this.common + COMMON_QUEUE_NOTIFY) * this.notifyMultiplier;
    if (offset + 2 > this.notifyLength)
      return this.refuse(facility, "a notification register is out of its block");
    queue.notifyAddress = this.notify + <usize>offset;

    const entry = callback == 0 ? NO_VECTOR : this.takeEntry(callback, argument);
    if (callback != 0 && entry == NO_VECTOR) return this.refuse(facility, "too few MSI-X entries");
    write16(this.common + COMMON_QUEUE_VECTOR, entry);
    if (read16(this.common + COMMON_QUEUE_VECTOR) != entry) {
      return this.refuse(facility, "it has no room for a queue's vector");
    }
    write16(this.common + COMMON_QUEUE_SIZE, size);
    this.writeAddress(COMMON_QUEUE_DESCRIPTORS, queue.descriptors);
    this.writeAddress(COMMON_QUEUE_DRIVER, queue.available);
    this.writeAddress(COMMON_QUEUE_DEVICE, queue.used);
    write16(this.common + COMMON_QUEUE_ENABLE, 1);
    return true;
  }

  /** 64-bit registers are written by halves (4.1.3.1). */
  private writeAddress(register: u32, address: usize): void {
    write32(this.common + register, <u32>address);
    write32(this.common + register + 4, 0);
  }

  /** The device is live from here on (3.1.1, step 8). */
  start(): void {
    if (this.entries != 0) this.msix.unmask();
    this.addStatus(STATUS_DRIVER_OK);
  }

  /** The device has met an error that it cannot get over (2.1.2). */
  needsReset(): bool {
    return (read8(this.common + COMMON_STATUS) & STATUS_NEEDS_RESET) != 0;
  }

  /** Gives up on a device that runs: it is reset, so that it touches no memory any more. False: it does not finish that. */
  stop(facility: string, reason: string): bool {
    this.addStatus(STATUS_FAILED);
    const stopped = this.reset();
    pciCommand(this.pci, 0, PCI_COMMAND_MASTER);
    if (logStart(LOG_ERROR, facility)) {
      logText("device ");
      pciLogAddress(this.pci);
      logText(" is stopped: ");
      logText(reason);
      logEnd();
    }
    return stopped;
  }

  // ---- Device-specific configuration; beyond its end, it reads as 0. Several fields that belong together: see generation ----

  config8(offset: u32): u32 {
    return offset + 1 <= this.configLength ? read8(this.config + offset) : 0;
  }

  config16(offset: u32): u32 {
    return offset + 2 <= this.configLength ? read16(this.config + offset) : 0;
  }

  /** Changes whenever the device changes a field: read it before and after (2.5.1). */
  generation(): u32 {
    return read8(this.common + COMMON_GENERATION);
  }
}

/**
 * The next unclaimed function with a virtio device of that type; null when there is none. `transitional` is the PCI device identifier that the
 * type has with a legacy interface (4.1.2.3).
 */
export function findVirtio(type: u32, transitional: u32): PciFunction | null {
  for (let i: u32 = 0; i < pciFunctionCount(); i++) {
    const found = pciFunction(i);
    if (found.vendor != VIRTIO_VENDOR || found.claimed != 0) continue;
    if (found.device == MODERN_ID + type || found.device == transitional) return found;
  }
  return null;
}

/** Zeroed frames for `bytes`, or 0 (which is logged by the caller). They stay with the device. */
export function allocateZeroed(bytes: u32): usize {
  let order: u32 = 0;
  while ((<u32>FRAME_SIZE) << order < bytes) order++;
  const address = allocateFrames(order);
  if (address != 0) memory.fill(address, 0, FRAME_SIZE << order);
  return address;
}

/** The largest power of two that both sides can do. */
function usableSize(offered: u32): u32 {
  if (offered == 0) return 0;
  const size = (<u32>1) << (31 - clz(offered));
  return size < VIRTQUEUE_MAX_SIZE ? size : VIRTQUEUE_MAX_SIZE;
}
