/**
 * A handler of the highest priority while all others have more to do than there is time for, and a flood of datagrams: bench/apps/load.json, and bench/linux/load.c. Instructions are
 * counted (-icount shift=0), which are nanoseconds then: from the time at which a call is due to its handler, that of the latest one.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { bootWired } from "../spec/boot/machine.ts";
import type { Peer } from "../spec/wire/peer.ts";
import { buildImage } from "../tools/build.ts";
import type { Guest } from "../tools/qemu.ts";
import { STATIC, benchImage } from "./instructions.ts";
import { buildLinux } from "./linux.ts";
import { type Figure, type Measurement, ofBoth } from "./rows.ts";
import { SectionCounter, sectionFigures } from "./sections.ts";
import { wiredLinux } from "./wired.ts";

const NAME = "latency.highest-priority.worst";
/** Datagrams that are sent at once, every PAUSE ms. */
const BATCH = 64;
const PAUSE = 2;
const DISCARD = 9;
/** The guest's lines of 100 calls each. */
const ROUNDS = 15;
const QUICK_ROUNDS = 2;
const LIMIT = 400_000;

async function resolves(peer: Peer): Promise<boolean> {
  return peer.resolve().then(
    () => true,
    () => false,
  );
}

const ROW = /row late (\d+)/;

/** Floods the guest until it has said so many lines; the last one's number, and the datagrams sent. */
async function flooded(guest: Guest, peer: Peer, rounds: number): Promise<{ worst: number; note: string }> {
  const rows = (): string[] => guest.lines.filter((line) => ROW.test(line));
  const end = Date.now() + LIMIT;
  const payload = Buffer.alloc(64, 1);
  let sent = 0;
  let resolved = false;
  while (rows().length < rounds) {
    if (Date.now() > end || guest.ended)
      throw new Error(`${rows().length} rows of ${rounds}\n${guest.output}`);
    resolved ||= rows().length > 0 && (await resolves(peer));
    for (let i = 0; resolved && i < BATCH; i++)
      peer.sendUdp({ sourcePort: 5000 + i, destinationPort: DISCARD, payload });
    sent += resolved ? BATCH : 0;
    await sleep(PAUSE);
  }
  const [, latest] = ROW.exec(rows().at(-1) as string) as unknown as [string, string];
  return { worst: Number(latest), note: `${rounds * 100} calls, ${sent} datagrams` };
}

async function aemos(rounds: number): Promise<Figure[]> {
  const image = benchImage("load.json");
  const { elf } = await buildImage(image);
  const counter = await SectionCounter.create("load", elf);
  const options = { append: STATIC, icount: true, cpu: "qemu64", extra: counter.qemuArguments };
  const { machine, peer, stop } = await bootWired(image, { ...options, ready: false });
  try {
    const { worst, note } = await flooded(machine.guest, peer, rounds);
    const sections = sectionFigures("interrupts-off.load", await counter.sections());
    return [{ name: NAME, aemos: worst, note }, ...sections];
  } finally {
    await stop();
  }
}

async function linux(rounds: number): Promise<Figure[]> {
  const { guest, peer, stop } = await wiredLinux(await buildLinux(), "load", {
    icount: true,
    cpu: "qemu64",
    memory: 256,
  });
  try {
    const { worst, note } = await flooded(guest, peer, rounds);
    return [{ name: NAME, linux: worst, note: `Linux: ${note}` }];
  } finally {
    await stop();
  }
}

export const underLoad: Measurement = {
  rows: [NAME, "interrupts-off.load"],
  basis: "counted",
  run: async (quick) => {
    const rounds = quick ? QUICK_ROUNDS : ROUNDS;
    return ofBoth(aemos(rounds), linux(rounds));
  },
};
