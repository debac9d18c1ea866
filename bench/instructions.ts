/**
 * Guest instructions: from an interrupt to a handler, and for a request. Counted exactly (bursts.c): from the first instruction of the
 * interrupt's stub, the processor having halted before it. With `-icount shift=0` a run repeats but for when frames arrive.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { get, parseResponse } from "../spec/boot/client.ts";
import { DEFAULT_IMAGE, bootWired } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import { buildImage } from "../tools/build.ts";
import { ROOT } from "../tools/paths.ts";
import { type Burst, BurstCounter, VECTOR_TIMER } from "./bursts.ts";
import { type Row, median } from "./rows.ts";

export const LATENCY_IMAGE = join(ROOT, "bench", "apps", "latency", "main.ts");

/** A manifest (.json) of bench/apps, or an application's folder there. */
export function benchImage(name: string): string {
  const folder = join(ROOT, "bench", "apps", name);
  return name.endsWith(".json") ? folder : join(folder, "main.ts");
}

export const STATIC = "ip=10.0.2.15/24,gw=10.0.2.2";
const READS = 100;
const REQUESTS = 100;
/** Milliseconds after which no timer of the last exchange is left (delayed acknowledgement, the driver's housekeeping): each begins alike. */
const SETTLED = 100;
/** Handlers of the latency application, by their symbols. */
const HANDLERS = ["main0x2Fexpired", "main0x2Freceived"];

/** The spread, where there is one. */
export function spread(values: readonly number[]): string {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const count = `${values.length} samples`;
  if (least === most) return `all of ${count}`;
  const [middle, half] = [median(values), values.length / 2];
  const same = values.filter((value) => value === middle).length;
  return `${same > half ? `${same} of ${count}, ` : `${count}, `}smallest ${least}, largest ${most}`;
}

/** Bursts of the latency application while a peer sends it `READS` segments, one at a time. */
export async function latencyBursts(
  cpu: string,
  stacks = false,
): Promise<{ bursts: Burst[]; elf: string; counter: BurstCounter }> {
  const { elf } = await buildImage(LATENCY_IMAGE);
  const counter = await BurstCounter.create(`latency-${cpu}`, elf, HANDLERS, stacks);
  const options = { append: STATIC, icount: true, cpu, extra: counter.qemuArguments };
  const { machine, peer, stop } = await bootWired(LATENCY_IMAGE, options);
  try {
    const client = new TcpClient(peer, 4000);
    await client.connect(5000);
    await machine.waitForRows("timers", 1, 60_000);
    await counter.quiet();
    for (let i = 0; i < READS; i++) {
      client.send("x");
      await client.receive(5000);
      await sleep(SETTLED);
    }
    client.abort();
    return { bursts: await counter.bursts(), elf, counter };
  } finally {
    await stop();
  }
}

/** Samples of a target: bursts that began with the right interrupt and had no other. */
export function samples(bursts: readonly Burst[], target: number): Burst[] {
  const timer = target === 0;
  return bursts.filter(
    ({ vector, interrupts, reached }) =>
      (reached[target] as number) >= 0 && interrupts === 1 && (vector === VECTOR_TIMER) === timer,
  );
}

/** From interrupt to handler, on `cpu`. */
export async function latencies(cpu: string): Promise<Row[]> {
  const { bursts } = await latencyBursts(cpu);
  return ["timer interrupt to handler", "virtio interrupt to TCP read handler"].map((name, target) => {
    const values = samples(bursts, target).map(({ reached }) => reached[target] as number);
    return {
      name: `${name}, ${cpu}`,
      value: median(values),
      unit: "instructions",
      note: spread(values),
      ...(target === 0 ? { goal: 300 } : {}),
    };
  });
}

/** One GET on a connection that stays open: all that runs for the request and for the acknowledgement of the answer. */
export async function perRequest(path: string): Promise<Row> {
  const { elf } = await buildImage(DEFAULT_IMAGE);
  const counter = await BurstCounter.create("request", elf, []);
  const options = { append: STATIC, icount: true, cpu: "qemu64", extra: counter.qemuArguments };
  const { peer, stop } = await bootWired(DEFAULT_IMAGE, options);
  try {
    const client = new TcpClient(peer, 80);
    await client.connect(5000);
    let bytes = 0;
    const ask = async (): Promise<void> => {
      client.send(get(path));
      const answer = await client.receive(5000, (data) => parseResponse(data, false, false) !== undefined);
      bytes = answer.length;
    };
    for (let i = 0; i < 20; i++) await ask();
    const values: number[] = [];
    for (let i = 0; i < REQUESTS; i++) {
      await sleep(SETTLED);
      const before = await counter.quiet();
      await ask();
      const after = await counter.quiet();
      // Timers that are due meanwhile, and end with nothing else, are not the request's.
      const own = (await counter.bursts())
        .slice(before, after)
        .filter(({ vector }) => vector !== VECTOR_TIMER);
      if (own.every(({ interrupts }) => interrupts === 1))
        values.push(own.reduce((sum, { total }) => sum + total, 0));
    }
    client.abort();
    const note = `${bytes} bytes of response; ${spread(values)}`;
    return {
      name: `one HTTP request, GET ${path}, keep-alive`,
      value: median(values),
      unit: "instructions",
      note,
    };
  } finally {
    await stop();
  }
}
