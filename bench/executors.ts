/** Instructions from a timer's interrupt to its handler, for each executor, and with the handler in another process than the one that computes. */
import { boot } from "../spec/boot/machine.ts";
import { buildImage } from "../tools/build.ts";
import { BurstCounter, VECTOR_TIMER } from "./bursts.ts";
import { benchImage, spread } from "./instructions.ts";
import { type Figure, type Measurement, median } from "./rows.ts";

/** As bench/apps/executors has them one after another; the first is what bench/inside.ts measures. */
const NAMES = ["timer.to-handler.thread", "timer.to-handler.fork", "timer.to-handler.capsule"];
const HANDLERS = ["main0x2FonThread", "main0x2FinChild", "main0x2FinCapsule"];
const PREEMPTING = "timer.to-handler.preempting";
/** Expirations of bench/apps/urgent in a row of its. */
const ROUNDS = 2;

/** Each executor, nothing else running. */
async function executors(): Promise<Figure[]> {
  const image = benchImage("executors");
  const { elf } = await buildImage(image);
  const counter = await BurstCounter.create("executors", elf, HANDLERS);
  const machine = await boot(image, {
    netdev: "none",
    icount: "shift=0,sleep=off",
    cpu: "qemu64",
    extra: counter.qemuArguments,
  });
  try {
    await machine.waitForRows("executors", 1, 120_000);
    const bursts = await counter.bursts();
    return NAMES.map((name, target) => {
      const values = bursts
        .filter(({ vector, reached }) => vector === VECTOR_TIMER && (reached[target] as number) >= 0)
        .map(({ reached }) => reached[target] as number);
      return { name, aemos: median(values), note: spread(values) };
    });
  } finally {
    await machine.stop();
  }
}

/** The handler's process ranks higher than one that computes. */
async function preemption(): Promise<Figure> {
  const image = benchImage("preempt.json");
  const { elf } = await buildImage(image);
  const counter = await BurstCounter.create("preempt", elf, ["main0x2Furgent"], false, true);
  const machine = await boot(image, {
    netdev: "none",
    ready: false,
    icount: "shift=0,sleep=off",
    cpu: "qemu64",
    extra: counter.qemuArguments,
  });
  try {
    await machine.waitForRows("late", ROUNDS, 120_000);
    const values = (await counter.bursts())
      .filter(({ vector }) => vector === VECTOR_TIMER)
      .map(({ reached }) => reached[0] as number);
    return { name: PREEMPTING, aemos: median(values), note: spread(values) };
  } finally {
    await machine.stop();
  }
}

export const timerPaths: Measurement = {
  rows: [...NAMES, PREEMPTING],
  exact: true,
  run: async () => [...(await executors()), await preemption()],
};
