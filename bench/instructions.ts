/** Guest instructions: from an interrupt to a handler, and for a request. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { get, parseResponse } from "../spec/boot/client.ts";
import { DEFAULT_IMAGE, bootWired } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import { ROOT } from "../tools/paths.ts";
import { InstructionCounter } from "./counter.ts";
import { type Row, median } from "./rows.ts";

const LATENCY_IMAGE = join(ROOT, "bench", "apps", "latency", "main.ts");
const STATIC = "ip=10.0.2.15/24,gw=10.0.2.2";
const READS = 200;
const TIMERS = 200;
const REQUESTS = 200;

function spread(values: number[]): string {
  return `smallest ${Math.min(...values)}, largest ${Math.max(...values)} of ${values.length}`;
}

/** From interrupt to handler, on `cpu`: time-stamp ticks, which are instructions with -icount shift=0. */
export async function latencies(cpu: string): Promise<Row[]> {
  const options = { append: STATIC, icount: true, cpu };
  const { machine, peer, stop } = await bootWired(LATENCY_IMAGE, options);
  try {
    await machine.waitForRows("listening", 1, 20_000);
    const client = new TcpClient(peer, 4000);
    await client.connect(5000);
    for (let i = 0; i < READS; i++) {
      client.send("x");
      await client.receive(5000);
    }
    client.abort();
    const reads = (await machine.waitForRows("read", READS, 10_000)).map(([ticks]) => ticks as number);
    const timers = (await machine.waitForRows("timer", TIMERS, 60_000)).map(([ticks]) => ticks as number);
    const [[clock = NaN] = []] = machine.rows("clock");
    const note = `, a reading of the clock, ${clock}, included in part`;
    return [
      {
        name: `timer interrupt to handler, ${cpu}`,
        value: median(timers),
        unit: "instructions",
        note: spread(timers) + note,
      },
      {
        name: `virtio interrupt to TCP read handler, ${cpu}`,
        value: median(reads),
        unit: "instructions",
        note: spread(reads) + note,
      },
    ];
  } finally {
    await stop();
  }
}

/** One GET on a connection that stays open; what an idle guest executes in the same time is taken off. */
export async function perRequest(path: string): Promise<Row> {
  const counter = await InstructionCounter.create("request");
  const options = { append: STATIC, icount: true, cpu: "qemu64", extra: counter.arguments };
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
    await sleep(500);
    const idleStart = counter.read();
    await sleep(1000);
    const idlePerMillisecond = (counter.read() - idleStart) / 1000;
    const start = counter.read();
    const began = performance.now();
    for (let i = 0; i < REQUESTS; i++) await ask();
    await sleep(100);
    const idle = idlePerMillisecond * (performance.now() - began);
    const value = Math.round((counter.read() - start - idle) / REQUESTS);
    const note = `${bytes} bytes of response, ${Math.round(idlePerMillisecond * 1000)} instructions a second when idle`;
    client.abort();
    return { name: `one HTTP request, GET ${path}, keep-alive`, value, unit: "instructions", note };
  } finally {
    await stop();
    counter.close();
  }
}
