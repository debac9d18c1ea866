/**
 * Guest instructions for each byte that the echo service receives and sends again, with and without segmentation offload: all that runs, from interrupt to halt (bursts.c). On a tap
 * device, in a network namespace of its own (spec/boot/net/tap.ts). How many frames there are depends on the host's timing, so the figures do, too, by some percent.
 */
import { DEFAULT_IMAGE } from "../spec/boot/machine.ts";
import { tapSession } from "../spec/boot/net/tap.ts";
import { buildImage } from "../tools/build.ts";
import { BurstCounter } from "./bursts.ts";
import type { Figure, Measurement } from "./rows.ts";

const BYTES = 8 << 20;
const QUICK_BYTES = 1 << 20;
const OFF = { sent: "host_tso4=off,host_tso6=off", received: "guest_tso4=off,guest_tso6=off" };
const CASES = [
  ["none", [OFF.sent, OFF.received]],
  ["sent", [OFF.received]],
  ["received", [OFF.sent]],
  ["both", []],
] as const;

async function measure(bytes: number): Promise<Figure[]> {
  const { elf, image } = await buildImage(DEFAULT_IMAGE);
  const figures: Figure[] = [];
  for (const [name, off] of CASES) {
    const counter = await BurstCounter.create("offload", elf, []);
    const { received, sent, before, after } = await tapSession({
      image,
      family: 4,
      bytes,
      icount: true,
      extra: counter.qemuArguments,
      ...(off.length === 0 ? {} : { device: off.join(",") }),
    });
    if (received !== sent) throw new Error(`offload ${name}: what came back is not what was sent`);
    const total = (await counter.bursts()).reduce((sum, burst) => sum + burst.total, 0);
    const frames = (key: string): number => (after[key] ?? 0) - (before[key] ?? 0);
    figures.push({
      name: `tcp.bulk.echo.${name}`,
      aemos: total / bytes,
      note: `${frames("framesReceived")} frames received, ${frames("framesSent")} sent`,
    });
  }
  return figures;
}

export const offload: Measurement = {
  rows: ["tcp.bulk.echo"],
  basis: "counted",
  run: (quick) => measure(quick ? QUICK_BYTES : BYTES),
};
