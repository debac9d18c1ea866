/** How the workers of a process come to be, with and without shadow stacks: guards, want of memory, and an end in the middle. On the machine of AEM's specs. */
import { ENOMEM, EOPNOTSUPP } from "../../kernel/errno";
import { setVector } from "../../kernel/interrupts/vectors";
import { FRAME_SIZE, frameErrorCount, freeFrameCount } from "../../kernel/memory/frames";
import { SHADOW_BASE, SHADOW_END, WINDOW_BASE } from "../../kernel/memory/layout";
import { translate } from "../../kernel/memory/paging";
import { currentProcess, Process } from "../../kernel/process/process";
import { shadowStackTop } from "../../kernel/process/shadow-stack";
import { createWorkers } from "../../kernel/process/workers";
import { threadOfMember } from "../../kernel/scheduler/thread";
import { raiseThread, wakeThread } from "../../kernel/scheduler/wake";
import { newProcess, setUpMachine, switchTo, theModule, WORKERS } from "../aem/machine";
import { giveBack, takeAllBut } from "../arena";
import * as fake from "../fake";
import { endNow } from "../reap";

const VECTOR: u32 = 0x60;
const STACK: u32 = 65536;
/** Where in its instance a module of C has the pointer of its shadow stack. */
const POINTER: u32 = 8;

/** `stackKiB` at most. */
const LARGEST_STACK: usize = 8192 * 1024;

let main: Process = changetype<Process>(0);
let process: Process = changetype<Process>(0);
let result: i32 = 0;

function become(next: Process): void {
  wakeThread(next.thread, 40);
  raiseThread(next.thread, 40);
  switchTo(next);
}

/** Interrupts that come before the one in which another process becomes ready. */
let interruptsLeft: u32 = 0;

function interrupt(argument: usize): void {
  if (interruptsLeft-- == 0) wakeThread(main.thread, 63);
}

function noSwitch(save: usize, stackPointer: u64): void {}

function noReturn(save: usize, stackPointer: u64): void {
  unreachable();
}

beforeAll(() => {
  setUpMachine();
  main = currentProcess();
  setVector(VECTOR, interrupt.index, 0);
});

afterEach(() => {
  theModule().stackPointer = 0;
  expect<u32>(frameErrorCount()).toBe(0);
});

describe("workers", () => {
  it("have shadow stacks if their module has one, with guards that are larger than the main stack", () => {
    const module = theModule();
    module.stackPointer = POINTER;
    process = newProcess();
    expect<i32>(createWorkers(process)).toBe(0);
    expect<u32>(process.workerCount).toBe(WORKERS);
    let link = process.workers.next;
    let above: usize = SHADOW_END;
    for (let number: u32 = 1; number <= WORKERS; number++) {
      const worker = threadOfMember(link);
      const top = shadowStackTop(module, number);
      expect<u32>(worker.shadowStack).toBe(<u32>top);
      expect<usize>(top).toBeLessThanOrEqual(above, "far enough below the one before");
      let mapped: u32 = 0;
      const end = number == WORKERS ? SHADOW_BASE : shadowStackTop(module, number + 1);
      for (let page = top - FRAME_SIZE; page >= end; page -= FRAME_SIZE) {
        const there = translate(process.pageTables, WINDOW_BASE + <u64>page) != 0;
        if (there != page >= top - STACK) mapped = 99;
        if (there) mapped++;
      }
      expect<u32>(mapped).toBe(STACK / <u32>FRAME_SIZE, "the stack and nothing else");
      above = top - STACK - module.stackBytes;
      link = link.next;
    }
    expect<usize>(above).toBeGreaterThanOrEqual(SHADOW_BASE);
    expect<usize>(SHADOW_END).toBeLessThanOrEqual(<usize>0 - LARGEST_STACK, "the main stack's guard");
    expect<u32>(process.vmtable.blocks).toBe(0, "nothing in the vmtable");
    endNow(process, 0);
  });

  it("are none where the manifest allows none", () => {
    theModule().threads = 0;
    expect<i32>(createWorkers(main)).toBe(-EOPNOTSUPP);
    theModule().threads = WORKERS;
  });

  it("are all made or none, however few frames there are, and nothing of them stays", () => {
    const pointers: u32[] = [0, POINTER];
    for (let kind = 0; kind < pointers.length; kind++) {
      theModule().stackPointer = pointers[kind];
      // What pools and tables take for the first time.
      process = newProcess();
      expect<i32>(createWorkers(process)).toBe(0);
      endNow(process, 0);
      const before = freeFrameCount();
      process = newProcess();
      let refusals: u32 = 0;
      let left: u32 = 0;
      for (; ; left++) {
        takeAllBut(left);
        result = createWorkers(process);
        const free = freeFrameCount();
        giveBack();
        if (result == 0) break;
        refusals++;
        assert(result == -ENOMEM, "-ENOMEM");
        assert(process.workerCount == 0 && process.workers.isEmpty && process.idleWorkers.isEmpty, "none");
        // Page tables stay with the process: ones for each stack, and those above them.
        assert(free <= left && free + 2 * WORKERS + 8 >= left, "frames");
      }
      expect<u32>(refusals).toBeGreaterThan(WORKERS * (STACK / <u32>FRAME_SIZE));
      expect<u32>(process.workerCount).toBe(WORKERS);
      endNow(process, 0);
      expect<u32>(freeFrameCount()).toBe(before);
    }
  });

  it("that are not finished when their process is ended go with it, wherever that was", () => {
    theModule().stackPointer = POINTER;
    const before = freeFrameCount();
    let ends: u32 = 0;
    for (; ; ends++) {
      process = newProcess();
      become(process);
      interruptsLeft = ends;
      for (let i: u32 = 0; i <= ends; i++) fake.queueInterrupt(VECTOR);
      fake.onSwitch(noReturn.index);
      result = 1;
      const stack = __stack_pointer;
      // Where main comes to run, the call stands still.
      expect(() => {
        result = createWorkers(process);
        unreachable();
      }).toThrow();
      __stack_pointer = stack;
      fake.onSwitch(noSwitch.index);
      if (result != 1) break;
      assert(changetype<usize>(currentProcess()) == changetype<usize>(main), "main runs");
      endNow(process, 0);
      if (freeFrameCount() != before) break;
    }
    expect<i32>(result).toBe(0, "all interrupts came too late");
    become(main);
    endNow(process, 0);
    expect<u32>(freeFrameCount()).toBe(before);
    // After each piece of each stack, and each thread.
    expect<u32>(ends).toBeGreaterThanOrEqual(3 * WORKERS);
  });
});
