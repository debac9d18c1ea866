/**
 * Who gets which interrupt vector, and what is done for one that arrives.
 */
import { poll, tsc } from "../hal";
import { allocateFrames, FRAME_SIZE } from "../memory/frames";
import { endOfInterrupt, VECTOR_LEGACY, VECTOR_SPURIOUS, VECTOR_TIMER } from "./apic";

/** Devices get vectors from here up to below VECTOR_TIMER. */
const FIRST_DEVICE_VECTOR: u32 = 0x30;

/** 256 × { u32 function index of (argument: usize) => void, u32 argument }. */
let table: usize = 0;
let nextVector: u32 = FIRST_DEVICE_VECTOR;

/** TSC at which the last interrupt was taken: the start of every latency that is measured. */
export let interruptTsc: u64 = 0;
/** Interrupts handled, and of them those nobody had asked for. */
export let interruptCount: u64 = 0;
export let spuriousCount: u64 = 0;

export function initializeVectors(): bool {
  table = allocateFrames(0);
  if (table == 0) return false;
  memory.fill(table, 0, FRAME_SIZE);
  return true;
}

/** A vector for a device: `callback` is a function index (argument: usize) => void. 0: all are given out. */
export function allocateVector(callback: u32, argument: usize): u32 {
  if (nextVector >= VECTOR_TIMER) return 0;
  setVector(nextVector, callback, argument);
  return nextVector++;
}

export function setVector(vector: u32, callback: u32, argument: usize): void {
  store<u32>(table + (vector << 3), callback);
  store<u32>(table + (vector << 3), argument, 4);
}

/** Runs what is registered for `vector`. Interrupts are off. */
export function handleVector(vector: u32): void {
  interruptTsc = tsc();
  interruptCount++;
  const entry = table + (vector << 3);
  const callback = load<u32>(entry);
  if (callback == 0) {
    spuriousCount++;
    // The spurious vector sets no in-service bit (SDM 3A, 11.9), and the 8259s are not the APIC's.
    if (vector != VECTOR_SPURIOUS && vector >= VECTOR_LEGACY + 16) endOfInterrupt();
    return;
  }
  // Before the work: a new message during it must not be lost, and none can interrupt here.
  endOfInterrupt();
  call_indirect<void>(callback, <usize>load<u32>(entry, 4));
}

/** For a call that takes long, between two of its steps: lets an interrupt in, if one waits. What is done about it may change anything but the caller's own. */
export function letInterruptIn(): void {
  const vector = poll();
  if (vector >= 0) handleVector(vector);
}
