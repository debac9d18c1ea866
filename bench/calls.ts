/**
 * What bench/inside.ts measures of aemos with one event registered, with all that runs: the calls and events that bench/apps/costs takes the time of, by the guest's own clock, and
 * the timer that it has while nothing runs.
 */
import { type Machine, boot } from "../spec/boot/machine.ts";
import { buildImage } from "../tools/build.ts";
import { type Burst, BurstCounter, type BurstOptions, VECTOR_TIMER } from "./bursts.ts";
import { SAMPLES, WHAT } from "./inside.ts";
import { benchImage } from "./instructions.ts";
import { type Session, type Source, type Trace, medianOf, weighted } from "./trace.ts";

/** Functions that run while these are measured. */
const THROUGH: Readonly<Record<string, string>> = {
  "event.register": "w2c_aemos_sockasync_read",
  "timer.register": "w2c_aemos_evtimer",
  "timer.arm": "w2c_aemos_evctl",
  "event.same-process": "main0x2Farrived",
  "event.unregister": "w2c_aemos_evctl",
  "timer.unregister": "w2c_aemos_evctl",
  syscall: "w2c_aemos_getpid",
  "event.other-process": "receiver_bench0x2Fapps0x2Freceiver0x2Fmain0x2Freceived",
};
const NAMES = Object.keys(THROUGH);
const TARGETS = [...new Set(Object.values(THROUGH))];
/** MiB in which bench/apps/costs has room for a thousand events, not more. */
const FEW = 16;
const LIMIT = 60_000;
/** A block counts here when it begins, and what is left of it once more where QEMU has to begin it anew for the sake of a device in its middle: some instructions. */
const CLOCK_ERROR = 4;

async function measured<T>(
  name: string,
  options: BurstOptions,
  use: (source: Source, machine: Machine) => Promise<T>,
): Promise<T> {
  const image = benchImage("costs.json");
  const { elf } = await buildImage(image);
  const counter = await BurstCounter.with(name, elf, options);
  const all = { netdev: "none" as const, icount: true, cpu: "qemu64", memory: FEW, ready: false as const };
  const machine = await boot(image, { ...all, extra: counter.qemuArguments });
  try {
    await machine.waitForRows("costs", 1, LIMIT);
    return await use({ counter, elf }, machine);
  } finally {
    await machine.stop();
  }
}

/** What runs between two looks at the clock, less what runs there when they follow one another. `said` is what the application has measured. */
async function between({ counter, elf }: Source, name: string, said: number, worst: number): Promise<Trace> {
  const bursts = await counter.bursts();
  const nothing = bursts.reduce((least, burst) => (burst.total < least.total ? burst : least));
  const target = TARGETS.indexOf(THROUGH[name] as string);
  const wrong = ({ total }: Burst): number => Math.abs(total - nothing.total - said);
  const [sample] = bursts
    .filter(({ reached }) => (reached[target] as number) >= 0)
    .sort((a, b) => wrong(a) - wrong(b));
  if (sample === undefined || wrong(sample) > CLOCK_ERROR)
    throw new Error(`${name}: nothing took ${said} instructions between two looks at the clock`);
  return {
    value: sample.total - nothing.total,
    note: `by the guest's clock ${said}, largest ${worst}`,
    bursts: [...weighted([sample], 1), ...weighted([nothing], -1)],
    nodes: counter.nodes,
    elf,
  };
}

export const calls: Session = {
  names: NAMES,
  exact: true,
  measure: () =>
    measured("calls", { between: "w2c_aemos_clock_gettime", targets: TARGETS }, async (source, machine) => {
      const traces: Record<string, Trace> = {};
      for (const name of NAMES) {
        const row = machine.rows("cost").find(([, what]) => what === WHAT.indexOf(name));
        const [, , value = 0, worst = 0] = row ?? [];
        traces[name] = await between(source, name, value, worst);
      }
      return traces;
    }),
};

export const timer: Session = {
  names: ["timer.to-handler"],
  exact: true,
  measure: (stacks) =>
    measured("timer", { targets: ["main0x2Fexpired"], stacks }, async (source) => {
      const bursts = (await source.counter.bursts()).filter(
        ({ vector, reached }) => vector === VECTOR_TIMER && (reached[0] as number) >= 0,
      );
      const samples = bursts.slice(0, SAMPLES).map((burst) => [burst]);
      return { "timer.to-handler": medianOf(samples, source, 0) };
    }),
};
