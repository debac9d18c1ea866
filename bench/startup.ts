/** What an image costs before it serves: bytes, memory, time. */
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { get, request } from "../spec/boot/client.ts";
import { DEFAULT_IMAGE, boot, built } from "../spec/boot/machine.ts";
import { median } from "./rows.ts";

export async function imageBytes(): Promise<number> {
  return (await stat(await built(DEFAULT_IMAGE))).size;
}

/** Whether the default image answers a request with so many MiB. */
async function serves(memory: number): Promise<boolean> {
  const machine = await boot(DEFAULT_IMAGE, { memory, tcp: [80], ready: false }).catch(() => undefined);
  if (!machine) return false;
  try {
    await machine.guest.waitFor(/app: http: /, 15_000);
    return (await request(machine.tcp(80), get("/"), 5000)).status === 200;
  } catch {
    return false;
  } finally {
    await machine.stop();
  }
}

/** Smallest -m, in MiB, with which the default image serves. */
export async function smallestMemory(): Promise<number> {
  let fails = 0;
  let works = 128;
  if (!(await serves(works))) throw new Error(`the default image does not serve with ${works} MiB`);
  while (works - fails > 1) {
    const middle = (works + fails) >> 1;
    if (await serves(middle)) works = middle;
    else fails = middle;
  }
  return works;
}

/**
 * Milliseconds from the start of QEMU to the first response, median of `runs`. A new connection is tried every 10 ms: QEMU's user
 * network takes one before the guest can.
 */
export async function timeToFirstResponse(append: string, runs: number): Promise<number> {
  const times: number[] = [];
  await built(DEFAULT_IMAGE);
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    const machine = await boot(DEFAULT_IMAGE, { tcp: [80], append, ready: false });
    try {
      let first = 0;
      while (first === 0) {
        if (performance.now() - start > 20_000)
          throw new Error(`no response within 20 s\n${machine.console()}`);
        request(machine.tcp(80), get("/"), 5000).then(
          () => {
            if (first === 0) first = performance.now();
          },
          () => undefined,
        );
        await sleep(10);
      }
      times.push(first - start);
    } finally {
      await machine.stop();
    }
  }
  return median(times);
}
