/** A panic ends the machine, whatever goes wrong on its way. (What it prints: console.spec.ts.) */
import { setConsoleFlush } from "../../kernel/console";
import { kernelException } from "../../kernel/interrupts/exceptions";
import { InterruptFrame } from "../../kernel/interrupts/frame";
import { PANIC_STATUS } from "../../kernel/panic";
import { growMemory } from "../arena";
import * as fake from "../fake";

const frame = changetype<InterruptFrame>(growMemory(offsetof<InterruptFrame>(), 8));
let flushes = 0;

/** The driver's state is what is broken: sending what waits is an exception of its own. */
function brokenFlush(): void {
  flushes++;
  assert(flushes < 10, "again and again");
  kernelException(frame);
}

describe("an exception in the kernel", () => {
  it("ends the machine although the console cannot be flushed", () => {
    fake.reset();
    frame.vector = 13;
    setConsoleFlush(brokenFlush.index);
    expect(() => {
      kernelException(frame);
    }).toThrow("the machine ends");
    expect<i32>(fake.lastExit()).toBe(PANIC_STATUS);
    expect<i32>(flushes).toBe(1);
  });
});
