/**
 * MSI-X (PCI Local Bus 3.0, 6.8.2): a function's interrupts as writes to the local APIC (Intel SDM 3A, 11.11).
 *
 * Table entry, 16 bytes: message address (low, high), message data, vector control (bit 0: masked).
 */
import { write32 } from "../kernel/hal";
import { localApicId } from "../kernel/interrupts/apic";
import { PCI_CAPABILITY_MSIX, pciFindCapability, pciMapBar, pciRead16, pciRead32, pciWrite16 } from "./pci";

const CONTROL: u32 = 2;
const TABLE: u32 = 4;

const CONTROL_SIZE: u32 = 0x7ff;
const CONTROL_FUNCTION_MASK: u32 = 1 << 14;
const CONTROL_ENABLE: u32 = 1 << 15;

const ENTRY_SIZE: u32 = 16;
const ENTRY_MASKED: u32 = 1;

const MESSAGE_ADDRESS: u32 = 0xfee00000;

/** What the function's capability says; filled in by msixOpen(). */
@unmanaged
export class Msix {
  /** The function, as in PciFunction.address. */
  private pci: u32;
  /** Offset of the capability. */
  private capability: u32;
  /** Where its table can be reached. */
  private table: usize;
  /** Entries of the table. */
  size: u32;

  /** Finds and masks the table of a function. False: there is none, or it cannot be reached. */
  open(pci: u32): bool {
    this.pci = pci;
    this.size = 0;
    this.capability = pciFindCapability(pci, PCI_CAPABILITY_MSIX);
    if (this.capability == 0) return false;
    const size = (pciRead16(pci, this.capability + CONTROL) & CONTROL_SIZE) + 1;
    const where = pciRead32(pci, this.capability + TABLE);
    this.table = pciMapBar(pci, where & 7, where & ~7, size * ENTRY_SIZE);
    if (this.table == 0) return false;
    this.size = size;
    return true;
  }

  /** Masks all entries and turns MSI-X on, every vector held back by the function mask until unmask(). */
  enable(): void {
    pciWrite16(this.pci, this.capability + CONTROL, CONTROL_ENABLE | CONTROL_FUNCTION_MASK);
    for (let i: u32 = 0; i < this.size; i++) write32(this.table + i * ENTRY_SIZE + 12, ENTRY_MASKED);
  }

  /** Makes an entry raise an interrupt vector on this processor. `entry` < size. */
  route(entry: u32, vector: u32): void {
    const at = this.table + entry * ENTRY_SIZE;
    write32(at + 12, ENTRY_MASKED);
    write32(at, MESSAGE_ADDRESS | (localApicId() << 12));
    write32(at + 4, 0);
    write32(at + 8, vector);
    write32(at + 12, 0);
  }

  /** Lets the entries that were routed through. */
  unmask(): void {
    pciWrite16(this.pci, this.capability + CONTROL, CONTROL_ENABLE);
  }

  /** Turns MSI-X off. */
  disable(): void {
    pciWrite16(this.pci, this.capability + CONTROL, CONTROL_FUNCTION_MASK);
  }
}
