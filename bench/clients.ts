/** The clients that both systems are measured with: wrk, ab, and bench/client.c for echo and bulk transfers. */
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { BUILD, ROOT } from "../tools/paths.ts";
import { requireTool } from "../tools/toolchain.ts";
import type { Reached } from "./systems.ts";

const execute = promisify(execFile);

/** Operations, or bytes, and the milliseconds that they took. */
export interface Outcome {
  count: number;
  ms: number;
}

/** Loads a system. */
export type Client = (system: Reached) => Promise<Outcome>;

let program: Promise<string> | undefined;

async function build(): Promise<string> {
  const folder = join(BUILD, "bench");
  await mkdir(folder, { recursive: true });
  const output = join(folder, "client");
  const source = join(ROOT, "bench", "client.c");
  await execute(await requireTool("gcc"), ["-O2", "-Wall", "-Wextra", "-o", output, source]);
  return output;
}

async function run(mode: string, host: string, port: number, ...rest: number[]): Promise<Outcome> {
  program ??= build();
  const list = [mode, host, `${port}`, ...rest.map(String)];
  const { stdout } = await execute(await program, list, { timeout: 120_000 });
  const [count = 0, ns = 0] = stdout.split(" ").map(Number);
  return { count, ms: ns / 1e6 };
}

const MS = 1000;

export const udp =
  (width: number, seconds: number): Client =>
  ({ host, ports }) =>
    run("udp", host, ports.datagrams, seconds * MS, width);

export const tcp =
  (width: number, seconds: number): Client =>
  ({ host, ports }) =>
    run("tcp", host, ports.echo, seconds * MS, width);

export const bulkIn =
  (bytes: number): Client =>
  ({ host, ports }) =>
    run("in", host, ports.sink, bytes);

export const bulkOut =
  (bytes: number): Client =>
  ({ host, ports }) =>
    run("out", host, ports.source, bytes);

/** GET / on connections that stay open. */
export const wrk =
  (connections: number, seconds: number): Client =>
  async ({ host, ports }) => {
    const list = [`-c${connections}`, "-t1", `-d${seconds}`, `http://${host}:${ports.http}/`];
    const { stdout } = await execute(await requireTool("wrk"), list);
    const [, count, time, unit] = /(\d+) requests in ([\d.]+)(ms|s)/.exec(stdout) ?? [];
    return { count: Number(count), ms: Number(time) * (unit === "s" ? MS : 1) };
  };

/** A connection for each GET /, 8 at once. */
export const ab =
  (requests: number): Client =>
  async ({ host, ports }) => {
    const list = [
      "-q",
      "-c",
      `${Math.min(8, requests)}`,
      "-n",
      `${requests}`,
      `http://${host}:${ports.http}/`,
    ];
    const { stdout } = await execute(await requireTool("ab"), list);
    const count = Number(/Complete requests:\s+(\d+)/.exec(stdout)?.[1]);
    return { count, ms: Number(/Time taken for tests:\s+([\d.]+)/.exec(stdout)?.[1]) * MS };
  };
