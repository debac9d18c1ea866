/** virtio entropy device (virtio 1.2, 5.4): what it gives, and what is done without. */
import * as fake from "../fake";
import { growMemory } from "../arena";
import { initializeApic } from "../../kernel/interrupts/apic";
import { now } from "../../kernel/time/clock";
import { pciScan } from "../../drivers/pci";
import { initializeSerial } from "../../drivers/serial";
import { virtioRngProbe, virtioRngRead } from "../../drivers/virtio/rng";
import { F_VERSION_1, model } from "./machine";
import { plugIn, setUpVirtio } from "./virtio-net";

const MODERN_RNG: u32 = 0x1044;

let answerRng: u32 = 0;

/** An entropy device: answers a notification with as many bytes as answerRng says, when it is looked at. */
function rngWrite(address: usize, width: u32, value: u64): void {
  if (address < model.bar || address >= model.bar + 0x4000) return;
  if (address < model.bar + 64) return model.write(address - model.bar, width, <u32>value);
  if (address < model.bar + 0x3000) return;
  const ring = model.rings[0];
  if (answerRng == 0) return;
  answer();
}
function answer(): void {
  const ring = model.rings[0];
  assert(ring.next(), "no request");
  for (let i: u32 = 0; i < answerRng && i < ring.length; i++) store<u8>(ring.address + i, <u8>(0x80 + i));
  ring.put(ring.id, answerRng);
  assert(!ring.complete() || model.queueVectors[0] == 0xffff, "no interrupt");
}

describe("virtio-rng", () => {
  beforeAll(() => {
    setUpVirtio();
    plugIn();
  });
  beforeEach(() => {
    fake.reset();
    model.setUp();
    model.queues = 1;
    fake.setPort(0x3ff, 0xae);
    initializeSerial();
    model.plug(MODERN_RNG);
    fake.onWrite(rngWrite.index);
    initializeApic();
    pciScan();
    answerRng = 64;
  });

  it("reads what the device gives", () => {
    const room = growMemory(128, 8);
    expect<bool>(virtioRngProbe()).toBe(true);
    expect<u64>(model.accepted).toBe(F_VERSION_1);
    expect<u32>(model.queueVectors[0]).toBe(0xffff);
    expect<u32>(virtioRngRead(room, 64)).toBe(64);
    expect<u8>(load<u8>(room)).toBe(0x80);
    expect<u8>(load<u8>(room + 63)).toBe(0xbf);
    memory.fill(room, 0, 128);
    expect<u32>(virtioRngRead(room, 10)).toBe(10);
    expect<u8>(load<u8>(room + 9)).toBe(0x89);
    expect<u8>(load<u8>(room + 10)).toBe(0);
    expect<u32>(virtioRngRead(room, 100)).toBe(64);
    answerRng = 7;
    expect<u32>(virtioRngRead(room, 64)).toBe(7);
    answerRng = 65;
    expect<u32>(virtioRngRead(room, 64)).toBe(0, "a length that is a lie");
  });

  it("does not wait for ever, and takes a late answer", () => {
    const room = growMemory(128, 8);
    virtioRngProbe();
    answerRng = 0;
    expect<u32>(virtioRngRead(room, 64)).toBe(0);
    expect<bool>(now() < 1_000_000_000).toBe(true);
    answerRng = 32;
    answer();
    expect<u32>(virtioRngRead(room, 64)).toBe(32);
  });
});
