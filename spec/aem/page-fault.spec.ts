/** A page fault that makes a copy of a shared page (kernel/interrupts/exceptions.ts): who is woken by it and ranks higher runs at once. */
import { EVENT_MEMORY, EVF_PRIORITY_SHIFT } from "../../aem/abi";
import { sys_evsystem } from "../../aem/evsystem";
import { WORK_RESCHEDULE, exitWork } from "../../kernel/glue";
import { exception } from "../../kernel/interrupts/exceptions";
import { InterruptFrame } from "../../kernel/interrupts/frame";
import { WINDOW_BASE } from "../../kernel/memory/layout";
import { allocateFrames, freeFrameCount, freeFrames, unreserveFrames } from "../../kernel/memory/frames";
import { forkProcess } from "../../kernel/process/fork";
import { currentProcess } from "../../kernel/process/process";
import { currentThread } from "../../kernel/scheduler/running";
import { growMemory } from "../arena";
import * as fake from "../fake";
import { endNow } from "../reap";
import { become, main, setUpClones } from "./clones";
import { expectHandler } from "./driver";
import { handlerOf, newProcess } from "./machine";

const PAGE_FAULT: u64 = 14;
/** A write, to a page that is mapped. */
const PROTECTED_WRITE: u64 = 3;

beforeAll(setUpClones);

/** The current process writes to the first page of its memory, as the stub reports it. */
function writeFault(): void {
  const frame = changetype<InterruptFrame>(growMemory(offsetof<InterruptFrame>(), 8));
  frame.vector = PAGE_FAULT;
  frame.error = PROTECTED_WRITE;
  fake.setFaultAddress(WINDOW_BASE);
  exception(frame);
}

describe("a write to a shared page", () => {
  it("that takes the frame below a watermark lets the handler of the memory event run at once", () => {
    const watcher = newProcess();
    become(watcher);
    become(main);
    const child = forkProcess(main, 0, 0)!;
    // What it was promised is none of the frames that are free.
    unreserveFrames(main.promised);
    main.promised = 0;
    become(watcher);
    const level = 63;
    const taken: usize[] = [];
    while (freeFrameCount() > 1000) taken.push(allocateFrames(0));
    // The registration may take some.
    const threshold = freeFrameCount() - 20;
    expect<i32>(
      sys_evsystem(EVENT_MEMORY, threshold * 4, (level + 1) << EVF_PRIORITY_SHIFT, handlerOf(EVENT_MEMORY)),
    ).toBeGreaterThan(0);
    become(main);
    main.thread.priority = main.thread.level = 32;
    while (freeFrameCount() > threshold) taken.push(allocateFrames(0));
    writeFault();
    expect<u32>(freeFrameCount()).toBeLessThan(threshold);
    expect<bool>(changetype<usize>(currentProcess()) == changetype<usize>(watcher)).toBe(true);
    expect<u32>(currentThread().priority).toBe(level);
    expect<u32>(exitWork & WORK_RESCHEDULE).toBe(0);
    expectHandler(EVENT_MEMORY, "told");
    become(main);
    endNow(child, 0);
    endNow(watcher, 0);
    while (taken.length > 0) freeFrames(taken.pop(), 0);
  });
});
