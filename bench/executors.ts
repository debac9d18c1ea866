/** Instructions from a timer's interrupt to its handler, for each executor, and with the handler in another process than the one that computes. */
import { boot } from "../spec/boot/machine.ts";
import { buildImage } from "../tools/build.ts";
import { BurstCounter, VECTOR_TIMER } from "./bursts.ts";
import { benchImage, spread } from "./instructions.ts";
import { type Row, median } from "./rows.ts";

const NAMES = ["same process, idle", "thread (EVF_THREAD)", "forked (EVF_FORK)", "capsule (EVF_CAPSULE)"];
const HANDLERS = ["main0x2FinProcess", "main0x2FonThread", "main0x2FinChild", "main0x2FinCapsule"];
const GOALS = [300];
const PREEMPTION_GOAL = 600;
/** Expirations of bench/apps/urgent in a row of its. */
const ROUNDS = 2;

/** Each executor, nothing else running. */
export async function executors(): Promise<Row[]> {
  const image = benchImage("executors");
  const { elf } = await buildImage(image);
  const counter = await BurstCounter.create("executors", elf, HANDLERS);
  const machine = await boot(image, {
    netdev: "none",
    icount: true,
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
      const goal = GOALS[target];
      return {
        name: `timer interrupt to handler: ${name}`,
        value: median(values),
        unit: "instructions",
        note: spread(values),
        ...(goal === undefined ? {} : { goal }),
      };
    });
  } finally {
    await machine.stop();
  }
}

/** The handler's process ranks higher than one that computes. */
export async function preemption(): Promise<Row> {
  const image = benchImage("preempt.json");
  const { elf } = await buildImage(image);
  const counter = await BurstCounter.create("preempt", elf, ["main0x2Furgent"], false, true);
  const machine = await boot(image, {
    netdev: "none",
    ready: false,
    icount: true,
    cpu: "qemu64",
    extra: counter.qemuArguments,
  });
  try {
    await machine.waitForRows("late", ROUNDS, 120_000);
    const values = (await counter.bursts())
      .filter(({ vector }) => vector === VECTOR_TIMER)
      .map(({ reached }) => reached[0] as number);
    return {
      name: "timer interrupt to handler: preempting another process",
      value: median(values),
      unit: "instructions",
      goal: PREEMPTION_GOAL,
      note: spread(values),
    };
  } finally {
    await machine.stop();
  }
}
