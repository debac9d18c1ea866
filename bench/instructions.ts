/**
 * Guest instructions for a request, on the frame wire. Counted exactly (bursts.c): from the first instruction of the interrupt's stub, the processor having halted
 * before it. With `-icount shift=0` a run repeats but for when frames arrive.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { get, parseResponse } from "../spec/boot/client.ts";
import { DEFAULT_IMAGE, bootWired } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import { buildImage } from "../tools/build.ts";
import { ROOT } from "../tools/paths.ts";
import { BurstCounter, VECTOR_TIMER } from "./bursts.ts";
import { type Figure, type Measurement, median } from "./rows.ts";

/** A manifest (.json) of bench/apps, or an application's folder there. */
export function benchImage(name: string): string {
  const folder = join(ROOT, "bench", "apps", name);
  return name.endsWith(".json") ? folder : join(folder, "main.ts");
}

export const STATIC = "ip=10.0.2.15/24,gw=10.0.2.2";
const REQUESTS = 100;
const QUICK_REQUESTS = 25;
/** Milliseconds after which no timer of the last exchange is left (delayed acknowledgement, the driver's housekeeping): each begins alike. */
const SETTLED = 100;

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

/** One GET on a connection that stays open: all that runs for the request and for the acknowledgement of the answer. */
async function perRequest(name: string, path: string, count: number): Promise<Figure> {
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
    for (let i = 0; i < count; i++) {
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
    return { name, aemos: median(values), note: `${bytes} bytes of response; ${spread(values)}` };
  } finally {
    await stop();
  }
}

export const requests: Measurement = {
  rows: ["http.request.page", "http.request.stats"],
  exact: true,
  run: async (quick) => {
    const count = quick ? QUICK_REQUESTS : REQUESTS;
    return [
      await perRequest("http.request.page", "/", count),
      await perRequest("http.request.stats", "/stats", count),
    ];
  },
};
