/** What `npm run profile` can show: the rows of `npm run bench` whose stacks can be followed. Those that are exact have a ceiling (ceilings.ts). */
import { buildImage } from "../tools/build.ts";
import { BurstCounter } from "./bursts.ts";
import { calls, timer } from "./calls.ts";
import type { Client } from "./clients.ts";
import { executors, preemption } from "./executors.ts";
import { latencies } from "./latency.ts";
import { closing, page } from "./requests.ts";
import { clients } from "./serving.ts";
import { AEMOS_IMAGE, type System, startAemos } from "./systems.ts";
import { streams } from "./tcp.ts";
import { type Session, totalOf, weighted } from "./trace.ts";

/** How many bursts there were, and how many instructions, when none is under way. */
async function atRest(
  counter: BurstCounter,
  system: System,
): Promise<{ bursts: number; instructions: number }> {
  for (;;) {
    const bursts = await counter.quiet();
    const instructions = await system.instructions();
    if ((await counter.quiet()) === bursts) return { bursts, instructions };
  }
}

/** All that runs while a client of the host's asks, over user networking, for each operation that it counted; serving.ts takes off what the guest does by itself. */
function underLoad([name, client]: [string, Client]): Session {
  return {
    names: [name],
    exact: false,
    async measure(stacks) {
      const { elf } = await buildImage(AEMOS_IMAGE);
      const counter = await BurstCounter.create("load", elf, [], stacks);
      const system = await startAemos({ cpu: "qemu64", counted: true, extra: counter.qemuArguments });
      try {
        const before = await atRest(counter, system);
        const { count } = await client(system);
        const after = await atRest(counter, system);
        const counted = after.instructions - before.instructions;
        const bursts = (await counter.bursts()).slice(before.bursts, after.bursts);
        const total = totalOf(bursts);
        const note = `${count} operations: ${total} instructions in ${bursts.length} bursts; by bench/total.c ${counted}`;
        const trace = {
          value: total / count,
          note,
          bursts: weighted(bursts, 1 / count),
          nodes: counter.nodes,
          elf,
        };
        return { [name]: trace };
      } finally {
        await system.stop();
      }
    },
  };
}

/** What takes longest comes first: two run at a time. */
export const EXACT: readonly Session[] = [streams, page, latencies, executors, preemption, timer, calls];
export const SESSIONS: readonly Session[] = [...EXACT, closing, ...clients(true).map(underLoad)];
