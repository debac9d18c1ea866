/** A process comes to be (kernel/process/create.ts): whatever frames there are, with nothing of what was in them; its memory grows; its handlers are checked. */
import { EAGAIN, ENOMEM } from "../../kernel/errno";
import { allocateFrames, frameErrorCount, freeFrameCount, freeFrames } from "../../kernel/memory/frames";
import {
  INSTANCE_BASE,
  STACK_TOP,
  TABLE_BASE,
  VMTABLE_BASE,
  WASM_PAGE,
  WINDOW_BASE,
} from "../../kernel/memory/layout";
import { translate } from "../../kernel/memory/paging";
import { setUserLimits, userRange } from "../../kernel/memory/user";
import { Vmtable } from "../../kernel/memory/vmtable";
import { createProcess, growMemory as growLinearMemory } from "../../kernel/process/create";
import {
  HANDLER_ACCEPT,
  HANDLER_READ,
  HANDLER_TIMER,
  resolveHandler,
  TABLE_ENTRY_SIZE,
} from "../../kernel/process/module";
import { currentProcess, findProcess, liveProcesses, PROCESS_LIMIT } from "../../kernel/process/process";
import { Thread } from "../../kernel/scheduler/thread";
import { growMemory } from "../arena";
import { endNow } from "../reap";
import { module, newProcess, setUp, TYPE_CODE, typeCodes } from "./process-machine";

/** Frames of a pool with an object for each process there may be. */
function poolFrames(bytes: u32): u32 {
  const each: u32 = 4096 / ((bytes + 7) & ~7);
  return (<u32>PROCESS_LIMIT + each - 1) / each;
}

beforeAll(setUp);

describe("a process", () => {
  it("is made or leaves nothing behind, whatever the number of free frames", () => {
    const before = freeFrameCount();
    const started = liveProcesses();
    // First of all: what does it take?
    let process = newProcess();
    const needed = before - freeFrameCount();
    endNow(process, 0);
    expect<u32>(freeFrameCount()).toBe(before);
    const taken: usize[] = [];
    for (let frame = allocateFrames(0); frame != 0; frame = allocateFrames(0)) taken.push(frame);
    // Neighbours come free, so that blocks of several frames can be had.
    taken.sort((a, b) => <i32>(a > b) - <i32>(a < b));
    let failures: u32 = 0;
    let wrong = 0;
    for (let frames: u32 = 0; frames <= needed + 64; frames++) {
      if (freeFrameCount() != frames) wrong++;
      const pid = createProcess(module);
      if (pid == -ENOMEM) failures++;
      else if (pid < 0) wrong++;
      else {
        if (frames < needed) wrong++;
        endNow(findProcess(pid)!, 0);
      }
      if (freeFrameCount() != frames) wrong++;
      freeFrames(taken.pop(), 0);
    }
    expect<i32>(wrong).toBe(0);
    expect<u32>(failures).toBeGreaterThanOrEqual(needed);
    expect<u32>(failures).toBeLessThan(needed + 64, "in the end it was made");
    while (taken.length != 0) freeFrames(taken.pop(), 0);
    expect<u32>(freeFrameCount()).toBe(before);
    expect<u32>(frameErrorCount()).toBe(0);
    expect<i32>(liveProcesses()).toBe(started);
  });

  it("sees nothing of what was in its frames before", () => {
    const taken: usize[] = [];
    for (let frame = allocateFrames(0); frame != 0; frame = allocateFrames(0)) {
      memory.fill(frame, 0xee, 4096);
      taken.push(frame);
    }
    while (taken.length != 0) freeFrames(taken.pop(), 0);
    const process = newProcess();
    const starts: u64[] = [
      WINDOW_BASE,
      WINDOW_BASE + VMTABLE_BASE,
      INSTANCE_BASE,
      TABLE_BASE,
      STACK_TOP - module.stackBytes,
    ];
    const bytes: u64[] = [
      WASM_PAGE,
      process.vmtableBytes,
      module.instanceSize,
      module.tableMax * TABLE_ENTRY_SIZE,
      module.stackBytes,
    ];
    let other: u64 = 0;
    let missing = 0;
    for (let i = 0; i < starts.length; i++) {
      for (let offset: u64 = 0; offset < bytes[i]; offset += 8) {
        const address = translate(process.pageTables, starts[i] + offset);
        if (address == 0) missing++;
        else other |= load<u64>(address);
      }
    }
    expect<i32>(missing).toBe(0, "all is mapped from the start");
    expect<u64>(other).toBe(0);
    endNow(process, 0);
  });

  it("has the least free number; there are PROCESS_LIMIT", () => {
    const before = freeFrameCount();
    const small = module.vmtableOrder;
    module.vmtableOrder = 0;
    for (let pid = 2; pid <= PROCESS_LIMIT; pid++) assert(createProcess(module) == pid, "pid");
    expect<i32>(createProcess(module)).toBe(-EAGAIN);
    endNow(findProcess(17)!, 0);
    expect<bool>(findProcess(17) === null).toBe(true);
    expect<i32>(createProcess(module)).toBe(17);
    for (let pid = 2; pid <= PROCESS_LIMIT; pid++) endNow(findProcess(pid)!, 0);
    module.vmtableOrder = small;
    expect<i32>(liveProcesses()).toBe(1);
    expect<bool>(findProcess(0) === null).toBe(true);
    expect<bool>(findProcess(-1) === null).toBe(true);
    expect<bool>(findProcess(i32.MIN_VALUE) === null).toBe(true);
    expect<bool>(findProcess(PROCESS_LIMIT + 1) === null).toBe(true);
    // The pools of threads and vmtables have grown meanwhile, and keep what they have.
    const most = poolFrames(offsetof<Thread>()) + poolFrames(offsetof<Vmtable>());
    expect<u32>(before - freeFrameCount()).toBeLessThanOrEqual(most);
  });

  it("grows its linear memory up to its limit, zeroed, or not at all", () => {
    const process = currentProcess();
    expect<i32>(growLinearMemory(0)).toBe(1);
    expect<i32>(growLinearMemory(3)).toBe(-1, "one too many");
    expect<i32>(growLinearMemory(u32.MAX_VALUE)).toBe(-1);
    const taken: usize[] = [];
    for (let frame = allocateFrames(0); frame != 0; frame = allocateFrames(0)) taken.push(frame);
    for (let i = 0; i < 15; i++) {
      memory.fill(taken[taken.length - 1], 0xff, 4096);
      freeFrames(taken.pop(), 0);
    }
    expect<i32>(growLinearMemory(1)).toBe(-1, "fifteen frames are not sixteen");
    expect<u32>(freeFrameCount()).toBe(15);
    expect<u64>(process.memoryBytes).toBe(WASM_PAGE);
    expect<bool>(userRange(WASM_PAGE, 1)).toBe(false);
    while (taken.length != 0) freeFrames(taken.pop(), 0);
    expect<i32>(growLinearMemory(1)).toBe(1);
    expect<bool>(userRange(0, 2 * WASM_PAGE)).toBe(true);
    expect<bool>(userRange(0, 2 * WASM_PAGE + 1)).toBe(false);
    let bits: u8 = 0;
    for (let p: u64 = 0; p < WASM_PAGE; p++) {
      bits |= load<u8>(translate(process.pageTables, WINDOW_BASE + WASM_PAGE + p));
    }
    expect<u8>(bits).toBe(0);
    expect<i32>(growLinearMemory(1)).toBe(2);
    expect<i32>(growLinearMemory(1)).toBe(-1);
    setUserLimits(0x1000_0000, 0);
  });

  it("has handlers of the right type in its table, and no others", () => {
    const process = currentProcess();
    const entry = translate(process.pageTables, TABLE_BASE + 7 * <u64>TABLE_ENTRY_SIZE);
    store<u32>(entry, <u32>(typeCodes + HANDLER_READ * TYPE_CODE));
    store<u32>(entry, 0x151234, 8);
    expect<usize>(resolveHandler(process, 7, HANDLER_READ)).toBe(0x151234);
    expect<usize>(resolveHandler(process, 7, HANDLER_ACCEPT)).toBe(0);
    expect<usize>(resolveHandler(process, 7, HANDLER_TIMER)).toBe(0);
    expect<usize>(resolveHandler(process, 6, HANDLER_READ)).toBe(0, "a null entry");
    store<u32>(entry, 0);
    expect<usize>(resolveHandler(process, 7, HANDLER_READ)).toBe(0, "a function without a type");
    store<u32>(entry, <u32>(typeCodes + HANDLER_READ * TYPE_CODE));
    store<u32>(entry, 0, 8);
    expect<usize>(resolveHandler(process, 7, HANDLER_READ)).toBe(0, "a type without a function");
    expect<usize>(resolveHandler(process, 299, HANDLER_READ)).toBe(0, "the last entry");
    expect<usize>(resolveHandler(process, 300, HANDLER_READ)).toBe(0, "behind the table");
    expect<usize>(resolveHandler(process, 0x0800_0007, HANDLER_READ)).toBe(0, "32 × index is beyond 32 bits");
    expect<usize>(resolveHandler(process, u32.MAX_VALUE, HANDLER_READ)).toBe(0);
    // Equal codes of two addresses are the same type: the image's table is a copy.
    const copy = growMemory(TYPE_CODE, 8);
    memory.fill(copy, <u8>(0x40 + HANDLER_TIMER), TYPE_CODE);
    store<u32>(entry, <u32>copy);
    store<u32>(entry, 0x150000, 8);
    expect<usize>(resolveHandler(process, 7, HANDLER_TIMER)).toBe(0x150000);
    store<u8>(copy + TYPE_CODE - 1, 0);
    expect<usize>(resolveHandler(process, 7, HANDLER_TIMER)).toBe(0, "the last byte counts");
  });
});
