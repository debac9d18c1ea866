/**
 * aemos beside Linux (bench/linux.ts): the same QEMU, network and clients, by turns. Instructions are those of the whole guest while it serves, what it does by itself
 * taken off, by the operations that the client counted; they do not depend on how busy the host is.
 */
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { requireTool } from "../tools/toolchain.ts";
import { buildLinux, startLinux } from "./linux.ts";
import { type Row, median } from "./rows.ts";
import { type System, startBoth } from "./systems.ts";

const execute = promisify(execFile);
/** What the guest does by itself is counted for so long, in ms. */
const IDLE = 1000;
/** Of Linux's 100,000 timers and descriptors (bench/linux/measure.c), in MiB. */
const MEASURE_MEMORY = 512;

/** Runs a client; the operations that it counted. */
export type Load = (system: System) => Promise<number>;

export const wrk =
  (connections: number, seconds: number): Load =>
  async ({ ports }) => {
    const options = [`-c${connections}`, "-t1", `-d${seconds}`, `http://127.0.0.1:${ports.http}/`];
    const { stdout } = await execute(await requireTool("wrk"), options);
    return Number(/(\d+) requests in/.exec(stdout)?.[1]);
  };

export const ab =
  (requests: number): Load =>
  async ({ ports }) => {
    const options = ["-q", "-c", "8", "-n", `${requests}`, `http://127.0.0.1:${ports.http}/`];
    const { stdout } = await execute(await requireTool("ab"), options);
    return Number(/Complete requests:\s+(\d+)/.exec(stdout)?.[1]);
  };

/** Instructions for one operation. */
async function perOperation(system: System, load: Load): Promise<number> {
  const begin = await system.instructions();
  await sleep(IDLE);
  const idle = ((await system.instructions()) - begin) / IDLE;
  const [from, started] = [await system.instructions(), performance.now()];
  const operations = await load(system);
  const elapsed = performance.now() - started;
  return ((await system.instructions()) - from - idle * elapsed) / operations;
}

/** What both do, `rounds` times in turn: the medians, and their ratio (above 1: aemos needs less). */
export async function compared(quick: boolean): Promise<Row[]> {
  const rounds = quick ? 1 : 3;
  const loads: [string, Load][] = [
    ["http.keepalive (wrk -c16)", wrk(16, quick ? 1 : 3)],
    ["http.keepalive.one (wrk -c1)", wrk(1, quick ? 1 : 3)],
    ["tcp.connect-request-close (ab -c8)", ab(quick ? 300 : 1000)],
  ];
  const both = await startBoth({ cpu: "qemu64" });
  try {
    const rows: Row[] = [];
    for (const [name, load] of loads) {
      const found: [number[], number[]] = [[], []];
      for (let round = 0; round < rounds; round++)
        for (const [index, system] of both.entries())
          (found[index] as number[]).push(await perOperation(system, load));
      const [aemos, linux] = found.map((values) => Math.round(median(values))) as [number, number];
      const note = `Linux ${linux.toLocaleString("en")}, ${(linux / aemos).toFixed(2)} times as many`;
      rows.push({ name, value: aemos, unit: "instructions", note });
    }
    return rows;
  } finally {
    for (const system of both) await system.stop();
  }
}

/** What Linux needs inside of the guest for timers, events and registrations: the rows of bench/linux/measure.c. */
export async function measuredLinux(): Promise<Row[]> {
  const image = await buildLinux(Buffer.alloc(0));
  const options = { netdev: "none" as const, icount: "shift=0,sleep=off", cpu: "qemu64" };
  const guest = await startLinux(image, "measure", { ...options, memory: MEASURE_MEMORY });
  try {
    await guest.waitFor(/^measured$/m, 300_000);
    return guest.lines
      .map((line) => /^row (\S+) (\d+)$/.exec(line))
      .filter((found) => found !== null)
      .map(([, name, value]) => ({ name: `Linux: ${name}`, value: Number(value), unit: "instructions" }));
  } finally {
    await guest.stop();
  }
}
