/**
 * A virtio PCI function in memory for the specs: configuration space in the fake hal, registers behind its hooks, the rings
 * through DeviceQueue. What a device may do wrong can be switched on field by field.
 */
import * as fake from "../fake";
import { DeviceQueue, zeroed } from "./device";

export const PCI_DEVICE: u32 = 3 << 11;

const CAPABILITIES: u32 = 0x40;
const COMMON: usize = 0;
const ISR: usize = 0x1000;
const CONFIG: usize = 0x2000;
const NOTIFY: usize = 0x3000;
const BAR_SIZE: u32 = 0x4000;
const TABLE_SIZE: u32 = 0x1000;

export const F_VERSION_1: u64 = 1 << 32;
export const F_EVENT_IDX: u64 = 1 << 29;

export class VirtioModel {
  bar: usize = 0;
  table: usize = 0;
  apic: usize = 0;
  // What the device is.
  features: u64 = F_VERSION_1;
  queues: u32 = 2;
  size: u32 = 16;
  multiplier: u32 = 4;
  vectors: u32 = 3;
  notifyLength: u32 = 0x1000;
  // What it does wrong.
  legacyOnly: bool = false;
  neverResets: bool = false;
  rejectsFeatures: bool = false;
  rejectsVectors: bool = false;
  barType: u32 = 4;
  // What the driver did.
  status: u32 = 0;
  log: u32[] = [];
  accepted: u64 = 0;
  acceptedAtStart: u64 = 0;
  resets: u32 = 0;
  notified: u32 = 0;
  early: u32 = 0;
  configVector: u32 = 0xffff;
  deviceSelect: u32 = 0;
  driverSelect: u32 = 0;
  queueSelect: u32 = 0;
  queueSizes: u32[] = [];
  queueVectors: u32[] = [];
  queueEnabled: u32[] = [];
  addresses: u32[] = [];
  rings: DeviceQueue[] = [];

  get config(): usize {
    return this.bar + CONFIG;
  }

  setUp(): void {
    if (this.bar == 0) {
      this.bar = zeroed(2 * BAR_SIZE);
      this.bar = (this.bar + BAR_SIZE - 1) & ~(<usize>BAR_SIZE - 1);
      this.table = zeroed(TABLE_SIZE);
      this.apic = zeroed(4096);
    }
    memory.fill(this.bar, 0, BAR_SIZE);
    memory.fill(this.table, 0, TABLE_SIZE);
    memory.fill(this.apic, 0, 4096);
    store<u32>(this.apic, 5 << 24, 0x20);
    this.features = F_VERSION_1;
    this.queues = 2;
    this.size = 16;
    this.multiplier = 4;
    this.vectors = 3;
    this.notifyLength = 0x1000;
    this.legacyOnly = this.neverResets = this.rejectsFeatures = this.rejectsVectors = false;
    this.barType = 4;
    this.status = 0x53;
    this.log = [];
    this.accepted = 0;
    this.resets = 0;
    this.notified = 0;
    this.early = 0;
    this.forget();
    this.rings = [];
    for (let i = 0; i < 3; i++) this.rings.push(new DeviceQueue());
  }

  forget(): void {
    this.configVector = 0xffff;
    this.accepted = 0;
    this.queueSelect = 0;
    this.queueSizes = [this.size, this.size, this.size];
    this.queueVectors = [0xffff, 0xffff, 0xffff];
    this.queueEnabled = [0, 0, 0];
    this.addresses = [];
    for (let i = 0; i < 18; i++) this.addresses.push(0);
  }

  /** Writes the configuration space and installs the hooks. */
  plug(id: u32): void {
    for (let i: u32 = 0; i < 64; i++) fake.setPci(PCI_DEVICE | (i * 4), 0, 0);
    this.setConfig(0x00, (id << 16) | 0x1af4, 0);
    this.setConfig(0x04, 0x00100000, 0x0407);
    this.setConfig(0x08, 0x02000001, 0);
    this.setConfig(0x14, <u32>this.table, ~(TABLE_SIZE - 1));
    this.setConfig(0x20, (<u32>this.bar) | this.barType, ~(BAR_SIZE - 1));
    this.setConfig(0x24, 0, 0xffffffff);
    this.setConfig(0x34, CAPABILITIES, 0);
    let at = CAPABILITIES;
    if (this.vectors != 0) {
      this.setConfig(at, 0x11 | ((at + 16) << 8) | ((this.vectors - 1) << 16), 0xc0000000);
      this.setConfig(at + 4, 1, 0);
      this.setConfig(at + 8, 0x801, 0);
    } else this.setConfig(at, 0x01 | ((at + 16) << 8), 0);
    at += 16;
    if (this.legacyOnly) {
      this.setConfig(at, 0x05, 0);
    } else {
      // A capability with a reserved BAR and one of an unknown type: to be passed over.
      at = this.capability(at, 1, 7, 0, 56, 16);
      at = this.capability(at, 9, 4, 0, 56, 16);
      at = this.capability(at, 1, 4, COMMON, 56, 16);
      at = this.capability(at, 3, 4, ISR, 1, 16);
      at = this.capability(at, 4, 4, CONFIG, 12, 16);
      this.setConfig(at + 16, this.multiplier, 0);
      this.capability(at, 2, 4, NOTIFY, this.notifyLength, 20);
    }
    fake.setCpuid(1, 0, 3, 1 << 9);
    fake.setMsr(0x1b, <u64>this.apic);
    fake.onRead(beforeRead.index);
    fake.onWrite(afterWrite.index);
  }

  setConfig(offset: u32, value: u32, writable: u32): void {
    fake.setPci(PCI_DEVICE | offset, value, writable);
  }

  private capability(at: u32, type: u32, bar: u32, offset: usize, length: u32, bytes: u32): u32 {
    const next = bytes == 20 ? 0 : at + bytes;
    this.setConfig(at, 0x09 | (next << 8) | (bytes << 16) | (type << 24), 0);
    this.setConfig(at + 4, bar, 0);
    this.setConfig(at + 8, <u32>offset, 0);
    this.setConfig(at + 12, length, 0);
    return at + bytes;
  }

  /** Vector that an MSI-X entry raises; 0 when it is masked. */
  vectorOf(entry: u32): u32 {
    if (entry >= this.vectors || load<u32>(this.table + entry * 16, 12) & 1) return 0;
    assert(load<u32>(this.table + entry * 16) == (0xfee00000 | (5 << 12)), "message address");
    assert(load<u32>(this.table + entry * 16, 4) == 0, "message address, upper half");
    return load<u32>(this.table + entry * 16, 8);
  }

  read(at: usize): void {
    const q = this.queueSelect;
    const common = this.bar;
    switch (<u32>at) {
      case 4:
        store<u32>(
          common,
          this.deviceSelect == 0
            ? <u32>this.features
            : this.deviceSelect == 1
              ? <u32>(this.features >> 32)
              : 0,
          4,
        );
        break;
      case 16:
        store<u16>(common, <u16>this.configVector, 16);
        break;
      case 18:
        store<u16>(common, <u16>this.queues, 18);
        break;
      case 20:
        store<u8>(common, <u8>this.status, 20);
        break;
      case 24:
        store<u16>(common, <u16>(q < this.queues ? this.queueSizes[q] : 0), 24);
        break;
      case 26:
        store<u16>(common, <u16>this.queueVectors[q], 26);
        break;
      case 30:
        store<u16>(common, <u16>q, 30);
        break;
    }
  }

  write(at: usize, width: u32, value: u32): void {
    const q = this.queueSelect;
    switch (<u32>at) {
      case 0:
        this.deviceSelect = value;
        break;
      case 8:
        this.driverSelect = value;
        break;
      case 12:
        if (this.driverSelect == 0) this.accepted = (this.accepted & 0xffffffff00000000) | value;
        else this.accepted = (this.accepted & 0xffffffff) | ((<u64>value) << 32);
        break;
      case 16:
        this.configVector = this.rejectsVectors ? 0xffff : value;
        break;
      case 20:
        this.log.push(value);
        if (value == 0) {
          this.resets++;
          this.forget();
          if (!this.neverResets) this.status = 0;
        } else {
          this.status = value;
          if (value & 8 && (this.rejectsFeatures || this.accepted & ~this.features)) this.status &= ~8;
          if (value & 4) this.start();
        }
        break;
      case 22:
        this.queueSelect = value < 3 ? value : 2;
        break;
      case 24:
        this.queueSizes[q] = value;
        break;
      case 26:
        this.queueVectors[q] = value;
        break;
      case 28:
        this.queueEnabled[q] = value;
        break;
      default:
        if (at >= 32 && at < 56) {
          assert(width == 32, "64-bit registers are written by halves");
          this.addresses[q * 6 + <u32>((at - 32) >> 2)] = value;
        }
    }
  }

  private start(): void {
    for (let q = 0; q < 3; q++) {
      if (!this.queueEnabled[q]) continue;
      const a = q * 6;
      assert(
        this.addresses[a + 1] == 0 && this.addresses[a + 3] == 0 && this.addresses[a + 5] == 0,
        "upper halves",
      );
      this.rings[q].connect(
        this.queueSizes[q],
        this.addresses[a],
        this.addresses[a + 2],
        this.addresses[a + 4],
        (this.accepted & F_EVENT_IDX) != 0,
      );
      this.rings[q].wantNotify(true);
    }
  }
}

export const model = new VirtioModel();

function beforeRead(address: usize, width: u32): void {
  if (address >= model.bar && address < model.bar + 64) model.read(address - model.bar);
}

function afterWrite(address: usize, width: u32, value: u64): void {
  if (address >= model.bar && address < model.bar + 64) model.write(address - model.bar, width, <u32>value);
  else if (address >= model.bar + NOTIFY && address < model.bar + NOTIFY + 0x1000) {
    const queue = <u32>value;
    assert(width == 16 && address == model.bar + NOTIFY + queue * model.multiplier, "notification register");
    model.notified |= 1 << queue;
    if (!(model.status & 4)) model.early++;
  }
}
