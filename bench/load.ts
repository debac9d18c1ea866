/** A handler of the highest priority while all others have more to do than there is time for: bench/apps/load.json, and a flood of datagrams. */
import { setTimeout as sleep } from "node:timers/promises";
import { bootWired } from "../spec/boot/machine.ts";
import { buildImage } from "../tools/build.ts";
import { STATIC, benchImage } from "./instructions.ts";
import type { Row } from "./rows.ts";
import { type Section, SectionCounter } from "./sections.ts";

const BATCH = 64;
const DISCARD = 9;

export async function load(quick: boolean): Promise<{ rows: Row[]; sections: Section[] }> {
  const image = benchImage("load.json");
  const { elf } = await buildImage(image);
  const counter = await SectionCounter.create("load", elf);
  const options = {
    append: STATIC,
    icount: true,
    cpu: "qemu64",
    ready: false as const,
    extra: counter.qemuArguments,
  };
  const { machine, peer, stop } = await bootWired(image, options);
  let flooding = true;
  let sent = 0;
  const flood = async (): Promise<void> => {
    await machine.waitForRows("late", 1, 120_000);
    while (!(await resolved())) await sleep(100);
    const payload = Buffer.alloc(64, 1);
    while (flooding) {
      for (let i = 0; i < BATCH; i++)
        peer.sendUdp({ sourcePort: 5000 + i, destinationPort: DISCARD, payload });
      sent += BATCH;
      await sleep(2);
    }
  };
  const resolved = (): Promise<boolean> =>
    peer.resolve().then(
      () => true,
      () => false,
    );
  const flooded = flood();
  flooded.catch(() => {});
  try {
    const rows = await machine.waitForRows("late", quick ? 5 : 15, 400_000);
    flooding = false;
    await flooded;
    const [earliest, latest] = rows.at(-1) as [number, number];
    return {
      rows: [
        {
          name: "priority 63 under full load: latest call after the earliest",
          value: latest - earliest,
          unit: "instructions",
          note: `${rows.length * 100} calls, ${sent} datagrams sent meanwhile`,
        },
      ],
      sections: await counter.sections(),
    };
  } finally {
    flooding = false;
    await stop();
  }
}
