/**
 * npx tsx bench/offload.ts: guest instructions for each byte that the echo service receives and sends again, with and without segmentation offload: all that runs, from
 * interrupt to halt (bursts.c). On a tap device, in a network namespace of its own (spec/boot/net/tap.ts). How many frames there are depends on the host's timing, so the
 * figures do, too, by some percent.
 */
import { DEFAULT_IMAGE } from "../spec/boot/machine.ts";
import { tapSession } from "../spec/boot/net/tap.ts";
import { buildImage } from "../tools/build.ts";
import { BurstCounter } from "./bursts.ts";
import { print } from "./rows.ts";

const BYTES = 8 << 20;
const OFF = { sent: "host_tso4=off,host_tso6=off", received: "guest_tso4=off,guest_tso6=off" };

const { elf, image } = await buildImage(DEFAULT_IMAGE);
for (const [name, off] of [
  ["no offload", [OFF.sent, OFF.received]],
  ["the device cuts what is sent", [OFF.received]],
  ["the device merges what is received", [OFF.sent]],
  ["both", []],
] as const) {
  const counter = await BurstCounter.create("offload", elf, []);
  const { received, sent, before, after } = await tapSession({
    image,
    family: 4,
    bytes: BYTES,
    icount: true,
    extra: counter.qemuArguments,
    ...(off.length === 0 ? {} : { device: off.join(",") }),
  });
  if (received !== sent) throw new Error(`${name}: what came back is not what was sent`);
  const total = (await counter.bursts()).reduce((sum, burst) => sum + burst.total, 0);
  const frames = (key: string): number => (after[key] ?? 0) - (before[key] ?? 0);
  print({
    name: `echo of 8 MiB, ${name}`,
    value: Number((total / BYTES).toFixed(2)),
    unit: "instructions for each byte",
    note: `${frames("framesReceived")} frames received, ${frames("framesSent")} sent`,
  });
}
