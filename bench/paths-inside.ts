/** Paths without a network: from a timer to its handler (executors.ts), and what the guest's own clock measures (costs.ts). */
import { setTimeout as sleep } from "node:timers/promises";
import { type MachineOptions, boot } from "../spec/boot/machine.ts";
import { buildImage } from "../tools/build.ts";
import { BurstCounter, type BurstOptions, VECTOR_TIMER } from "./bursts.ts";
import { type Figure, type Session, type Source, medianOf, weighted } from "./figure.ts";
import { benchImage } from "./instructions.ts";

/** A guest without a network device, in which nothing depends on the host. */
async function guest(image: string, options: BurstOptions, machine: MachineOptions = {}) {
  const { elf } = await buildImage(image);
  const counter = await BurstCounter.with("path", elf, options);
  const all = { netdev: "none" as const, icount: true, cpu: "qemu64", ready: false as const };
  return { elf, counter, machine: await boot(image, { ...all, ...machine, extra: counter.qemuArguments }) };
}

const EXECUTORS = [
  "timer.to-handler",
  "timer.to-handler.thread",
  "timer.to-handler.fork",
  "timer.to-handler.capsule",
];
const HANDLERS = ["main0x2FinProcess", "main0x2FonThread", "main0x2FinChild", "main0x2FinCapsule"];

export const executors: Session = {
  paths: {
    "timer.to-handler": "interrupt to handler, one timer, nothing else running",
    "timer.to-handler.thread": "the same on a thread (EVF_THREAD)",
    "timer.to-handler.fork": "the same in a forked copy (EVF_FORK)",
    "timer.to-handler.capsule": "the same in a capsule (EVF_CAPSULE)",
  },
  exact: true,
  async measure(stacks) {
    const { machine, ...source } = await guest(benchImage("executors"), { targets: HANDLERS, stacks });
    try {
      await machine.waitForRows("executors", 1, 120_000);
      const bursts = await source.counter.bursts();
      const reaching = (target: number) =>
        bursts
          .filter(({ vector, reached }) => vector === VECTOR_TIMER && (reached[target] as number) >= 0)
          .map((burst) => [burst]);
      return Object.fromEntries(EXECUTORS.map((name, i) => [name, medianOf(reaching(i), source, i)]));
    } finally {
      await machine.stop();
    }
  },
};

const PREEMPTIONS = 40;

export const preemption: Session = {
  paths: { "timer.to-handler.preempting": "interrupt to handler while another process computes" },
  exact: true,
  async measure(stacks) {
    const options = { targets: ["main0x2Furgent"], stacks, busy: true };
    const { machine, ...source } = await guest(benchImage("preempt.json"), options);
    try {
      const deadline = Date.now() + 60_000;
      for (;;) {
        const bursts = (await source.counter.bursts()).filter(({ vector }) => vector === VECTOR_TIMER);
        if (bursts.length >= PREEMPTIONS)
          return {
            "timer.to-handler.preempting": medianOf(
              bursts.map((burst) => [burst]),
              source,
              0,
            ),
          };
        if (Date.now() > deadline || machine.guest.ended)
          throw new Error(`no preemption\n${machine.console()}`);
        await sleep(50);
      }
    } finally {
      await machine.stop();
    }
  },
};

/** What bench/apps/costs measures, by its number there, and a function that is called in it. */
const CALLS: Readonly<Record<string, readonly [number, string]>> = {
  "event.register": [0, "w2c_aemos_sockasync_read"],
  "timer.register": [1, "w2c_aemos_evtimer"],
  "timer.arm": [2, "timers0x2FtimerStartAt"],
  "event.same-process": [3, "main0x2Farrived"],
  "event.unregister": [4, "w2c_aemos_evctl"],
  "timer.unregister": [5, "w2c_aemos_evctl"],
};
/** MiB in which bench/apps/costs has room for few events only. */
const FEW = 16;

/**
 * What runs between two looks at the clock, less what runs there when they follow one another: the figures of bench/apps/costs, for one event that is registered. `value` is
 * what the application said.
 */
async function between(
  { counter, elf }: Source,
  target: number,
  value: number,
  note: string,
): Promise<Figure> {
  const bursts = await counter.bursts();
  const nothing = bursts.reduce((least, burst) => (burst.total < least.total ? burst : least));
  const sample = bursts.find(
    ({ total, reached }) => (reached[target] as number) >= 0 && total - nothing.total === value,
  );
  if (sample === undefined)
    throw new Error(`nothing took ${value} instructions between two looks at the clock`);
  return {
    value,
    note,
    bursts: [...weighted([sample], 1), ...weighted([nothing], -1)],
    nodes: counter.nodes,
    elf,
  };
}

export const calls: Session = {
  paths: {
    "event.register": "the call that registers a read event",
    "event.unregister": "the call that ends it",
    "timer.register": "the call that registers a timer, which starts",
    "timer.unregister": "the call that ends it",
    "timer.arm": "the call that starts a timer again",
    "event.same-process": "a message to the process itself: call to handler",
  },
  exact: true,
  async measure() {
    const targets = Object.values(CALLS).map(([, through]) => through);
    const options = { between: "w2c_aemos_clock_gettime", targets: [...new Set(targets)] };
    const { machine, ...source } = await guest(benchImage("costs"), options, { memory: FEW });
    try {
      await machine.waitForRows("costs", 1, 60_000);
      const figures: Record<string, Figure> = {};
      for (const [name, [what, through]] of Object.entries(CALLS)) {
        const row = machine.rows("cost").find((values) => values[1] === what);
        const [, , value = 0, worst = 0] = row ?? [];
        const note = `by the guest's clock; largest ${worst}`;
        figures[name] = await between(source, options.targets.indexOf(through), value, note);
      }
      return figures;
    } finally {
      await machine.stop();
    }
  },
};
