/**
 * Instructions from a timer's interrupt to its handler, for each executor but the process itself, which bench/calls.ts has, and with the handler in another process than
 * the one that computes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { boot } from "../spec/boot/machine.ts";
import { buildImage } from "../tools/build.ts";
import { BurstCounter, VECTOR_TIMER } from "./bursts.ts";
import { benchImage } from "./instructions.ts";
import { type Session, measurement, medianOf } from "./trace.ts";

/** As bench/apps/executors has them one after another. */
const NAMES = ["timer.to-handler.thread", "timer.to-handler.fork", "timer.to-handler.capsule"];
const HANDLERS = ["main0x2FonThread", "main0x2FinChild", "main0x2FinCapsule"];
const PREEMPTING = "timer.to-handler.preempting";
const PREEMPTIONS = 200;
const QUICK_PREEMPTIONS = 40;
const LIMIT = 120_000;

/** Each executor, nothing else running. */
export const executors: Session = {
  names: NAMES,
  exact: true,
  async measure(stacks) {
    const image = benchImage("executors");
    const { elf } = await buildImage(image);
    const counter = await BurstCounter.create("executors", elf, HANDLERS, stacks);
    const machine = await boot(image, {
      netdev: "none",
      icount: "shift=0,sleep=off",
      cpu: "qemu64",
      extra: counter.qemuArguments,
    });
    try {
      await machine.waitForRows("executors", 1, LIMIT);
      const bursts = (await counter.bursts()).filter(({ vector }) => vector === VECTOR_TIMER);
      const reaching = (target: number) =>
        bursts.filter(({ reached }) => (reached[target] as number) >= 0).map((burst) => [burst]);
      return Object.fromEntries(
        NAMES.map((name, target) => [name, medianOf(reaching(target), { counter, elf }, target)]),
      );
    } finally {
      await machine.stop();
    }
  },
};

/** The handler's process ranks higher than one that computes. */
export const preemption: Session = {
  names: [PREEMPTING],
  exact: true,
  async measure(stacks, quick) {
    const image = benchImage("preempt.json");
    const { elf } = await buildImage(image);
    const counter = await BurstCounter.create("preempt", elf, ["main0x2Furgent"], stacks, true);
    const machine = await boot(image, {
      netdev: "none",
      ready: false,
      icount: "shift=0,sleep=off",
      cpu: "qemu64",
      extra: counter.qemuArguments,
    });
    try {
      const deadline = Date.now() + LIMIT;
      for (;;) {
        const bursts = (await counter.bursts()).filter(({ vector }) => vector === VECTOR_TIMER);
        if (bursts.length >= (quick ? QUICK_PREEMPTIONS : PREEMPTIONS)) {
          const samples = bursts.map((burst) => [burst]);
          return { [PREEMPTING]: medianOf(samples, { counter, elf }, 0) };
        }
        if (Date.now() > deadline || machine.guest.ended)
          throw new Error(`${bursts.length} preemptions\n${machine.console()}`);
        await sleep(50);
      }
    } finally {
      await machine.stop();
    }
  },
};

export const timerPaths = measurement("exact", executors, preemption);
