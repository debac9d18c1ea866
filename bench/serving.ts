/**
 * What an operation costs, from the client's question to its answer: instructions of the whole guest while it serves, what it does by itself taken off, by the operations that the
 * client counted (total.c). Over user networking, which ends TCP in QEMU; they do not depend on how busy the host is, but for how many come at once.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, ab, tcp, udp, wrk } from "./clients.ts";
import { type Figure, type Measurement, median } from "./rows.ts";
import { type System, startBoth } from "./systems.ts";

/** What the guest does by itself is counted for so long, in ms. */
const IDLE = 1000;
const ROUNDS = 3;

/** Instructions that the guest executes in a millisecond while nobody asks for anything. */
async function idle(system: System, ms: number): Promise<number> {
  const [from, began] = [await system.instructions(), performance.now()];
  await sleep(ms);
  return ((await system.instructions()) - from) / (performance.now() - began);
}

async function perOperation(system: System, client: Client, own: number): Promise<number> {
  const [from, began] = [await system.instructions(), performance.now()];
  const { count } = await client(system);
  return ((await system.instructions()) - from - own * (performance.now() - began)) / count;
}

/** Rows, and who asks. */
export function clients(quick: boolean): [string, Client][] {
  const seconds = quick ? 1 : 2;
  return [
    ["udp.echo", udp(1, seconds)],
    ["tcp.echo", tcp(1, seconds)],
    ["http.keepalive", wrk(16, seconds)],
    ["http.keepalive.one", wrk(1, seconds)],
    ["tcp.connect-request-close", ab(quick ? 300 : 1000)],
  ];
}

async function measure(quick: boolean): Promise<Figure[]> {
  const both = await startBoth(() => ({ cpu: "qemu64", counted: true }));
  try {
    // What is left to do after the start is not what it does when it is idle.
    await sleep(IDLE);
    const figures: Figure[] = [];
    const alone = new Map<System, number>();
    for (const system of both) {
      const own = await idle(system, quick ? 2 * IDLE : 10 * IDLE);
      alone.set(system, own);
      figures.push({ name: "idle", [system.name]: own * 1000 });
      // What a first connection needs and a second one has.
      await ab(1)(system);
    }
    for (const [name, client] of clients(quick)) {
      const found = { aemos: [] as number[], linux: [] as number[] };
      for (let round = 0; round < (quick ? 1 : ROUNDS); round++)
        for (const system of both)
          found[system.name].push(await perOperation(system, client, alone.get(system) as number));
      figures.push({ name, aemos: median(found.aemos), linux: median(found.linux) });
    }
    return figures;
  } finally {
    for (const system of both) await system.stop();
  }
}

export const serving: Measurement = {
  rows: [...clients(true).map(([name]) => name), "idle"],
  basis: "counted",
  alone: true,
  run: measure,
};
