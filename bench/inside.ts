/**
 * What timers, events and calls cost inside of a guest, with 1, 1,000, … of them registered, in a quick run up to 10,000: bench/apps/costs in aemos, bench/linux/measure.c in Linux. Neither has a
 * network device; instructions are counted (-icount shift=0), so both may run side by side.
 */
import { boot } from "../spec/boot/machine.ts";
import { buildImage } from "../tools/build.ts";
import { BurstCounter, VECTOR_TIMER } from "./bursts.ts";
import { benchImage } from "./instructions.ts";
import { buildLinux, startLinux } from "./linux.ts";
import { crowdSuffix, type Figure, type Measurement, median, ofBoth } from "./rows.ts";
import { SectionCounter, sectionFigures } from "./sections.ts";

/** In the order of bench/apps/costs. */
export const WHAT = [
  "event.register",
  "timer.register",
  "timer.arm",
  "event.same-process",
  "event.unregister",
  "timer.unregister",
  "syscall",
  "event.other-process",
];
/** Of bench/linux/measure.c. */
const WAITS = ["event.wait.epoll", "event.wait.poll", "event.wait.select"];
/** MiB with which there is room for a million, and for 10,000; Linux needs more for each. */
const MEMORY = { aemos: 512, linux: 2560 };
const QUICK_MEMORY = { aemos: 24, linux: 256 };
const MOST = 1_000_000;
const QUICK_MOST = 10_000;
/** Expirations that are counted with each number of events (SAMPLES of bench/apps/costs). */
export const SAMPLES = 101;
const LIMIT = 580_000;

/** Also the sections with interrupts off of all that, the end of a process with all its events among them. */
async function aemos(quick: boolean): Promise<Figure[]> {
  const image = benchImage("costs.json");
  const { elf } = await buildImage(image);
  const sections = await SectionCounter.create("costs", elf);
  const bursts = await BurstCounter.create("costs", elf, ["main0x2Fexpired"]);
  const machine = await boot(image, {
    netdev: "none",
    ready: false,
    icount: "shift=0,sleep=off",
    cpu: "qemu64",
    memory: (quick ? QUICK_MEMORY : MEMORY).aemos,
    extra: [...sections.qemuArguments, ...bursts.qemuArguments],
  });
  try {
    await machine.waitForRows("costs", 1, LIMIT);
    await machine.exited(120_000);
    const costs = machine.rows("cost") as [number, number, number, number][];
    const figures: Figure[] = costs.map(([events, what, value, worst]) => ({
      name: `${WHAT[what]}${crowdSuffix(events)}`,
      aemos: value,
      note: `worst of ${SAMPLES} ${worst}`,
    }));
    // In the order of the numbers of events that they were counted with.
    const reached = (await bursts.bursts())
      .filter(({ vector, reached }) => vector === VECTOR_TIMER && (reached[0] as number) >= 0)
      .map(({ reached }) => reached[0] as number);
    const crowds = [...new Set(costs.filter(([, what]) => what === 0).map(([events]) => events))];
    // Behind the very last one the machine ends, without a halt.
    if (reached.length !== SAMPLES * crowds.length - 1)
      throw new Error(`${reached.length} expirations counted, ${SAMPLES * crowds.length - 1} expected`);
    for (const [index, events] of crowds.entries())
      figures.push({
        name: `timer.to-handler${crowdSuffix(events)}`,
        aemos: median(reached.slice(index * SAMPLES, (index + 1) * SAMPLES)),
      });
    const [events = 0, bytes = 0] = machine.rows("memory").at(-1) ?? [];
    figures.push({ name: "memory.event", aemos: bytes / events });
    figures.push({ name: "memory.timer", aemos: bytes / events });
    const [timeouts = 0, timeoutBytes = 0] = machine.rows("timeouts")[0] ?? [];
    figures.push({ name: "memory.event.more", aemos: timeoutBytes / timeouts });
    // The row is of a hundred thousand events and more.
    if (quick) return figures;
    return [...figures, ...sectionFigures("interrupts-off.events", await sections.sections())];
  } finally {
    await machine.stop();
  }
}

/** The rows of bench/linux/measure.c. */
async function linux(quick: boolean): Promise<Figure[]> {
  const image = await buildLinux();
  const guest = await startLinux(image, "measure", {
    netdev: "none",
    icount: "shift=0,sleep=off",
    cpu: "qemu64",
    memory: (quick ? QUICK_MEMORY : MEMORY).linux,
    append: `crowd=${quick ? QUICK_MOST : MOST}`,
  });
  try {
    await guest.waitFor(/^measured$/m, LIMIT);
    return guest.lines
      .map((line) => /^row (\S+) (\d+) (\d+)$/.exec(line))
      .filter((found) => found !== null)
      .map(([, name, crowd, value]) => ({
        name: `${name}${crowdSuffix(Number(crowd))}`,
        linux: Number(value),
      }));
  } finally {
    await guest.stop();
  }
}

export const inside: Measurement = {
  rows: [
    ...WHAT,
    "timer.to-handler",
    ...WAITS,
    "memory.event",
    "memory.event.more",
    "memory.timer",
    "interrupts-off.events",
  ],
  basis: "exact",
  run: (quick) => ofBoth(aemos(quick), linux(quick)),
};
