/** What registration, activation, and their opposites cost with many events registered, and the memory that they take: bench/apps/costs. */
import { boot } from "../spec/boot/machine.ts";
import { buildImage } from "../tools/build.ts";
import { benchImage } from "./instructions.ts";
import type { Row } from "./rows.ts";
import { type Section, SectionCounter } from "./sections.ts";

/** As in bench/apps/costs. */
const WHAT = [
  "register an event",
  "register a timer, which starts",
  "start a timer again (time-out)",
  "activate and dispatch (evpost to handler)",
  "unregister an event",
  "unregister a timer, which stops",
];
/** MiB with which there is room for a million events, and for 100,000. */
const MEMORY = 512;
const QUICK_MEMORY = 64;
const BYTES_GOAL = 100;
const FLATNESS_GOAL = 5;

/** Also the sections with interrupts off of all that, the end of a process with all its events among them. */
export async function costs(quick: boolean): Promise<{ rows: Row[]; sections: Section[] }> {
  const image = benchImage("costs");
  const { elf } = await buildImage(image);
  const counter = await SectionCounter.create("costs", elf);
  const machine = await boot(image, {
    netdev: "none",
    ready: false,
    icount: true,
    cpu: "qemu64",
    memory: quick ? QUICK_MEMORY : MEMORY,
    extra: counter.qemuArguments,
  });
  try {
    await machine.waitForRows("costs", 1, 580_000);
    await machine.exited(120_000);
    const found = machine.rows("cost");
    const rows: Row[] = [];
    for (const [what, name] of WHAT.entries()) {
      const own = found.filter((values) => values[1] === what);
      for (const [events, , value, worst] of own as [number, number, number, number][])
        rows.push({
          name: `${name}, ${events.toLocaleString("en")} registered`,
          value,
          unit: "instructions",
          note: `median of 101, worst ${worst}`,
        });
      const values = own.map(([, , value]) => value as number);
      rows.push({
        name: `${name}: most to least`,
        value: 100 * (Math.max(...values) / Math.min(...values) - 1),
        unit: "%",
        goal: FLATNESS_GOAL,
      });
    }
    const [events = 0, bytes = 0] = machine.rows("memory").at(-1) ?? [];
    rows.push({
      name: "kernel memory of a timer event",
      value: bytes / events,
      unit: "bytes",
      goal: BYTES_GOAL,
    });
    const [timeouts = 0, timeoutBytes = 0] = machine.rows("timeouts")[0] ?? [];
    rows.push({
      name: "more for an event with a time-out (or filter, …)",
      value: timeoutBytes / timeouts,
      unit: "bytes",
    });
    return { rows, sections: await counter.sections() };
  } finally {
    await machine.stop();
  }
}
