/**
 * Very many connections that are open and idle: the memory that each takes, and what an echo on one more costs among them. The peer is spec/wire/crowd.ts on a frame wire;
 * in aemos spec/boot/apps/many, in Linux the echo service of bench/linux/serve.c. Instructions are those of the whole guest (total.c), what it does by itself taken off.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { bootWired, specImage } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import { Crowd } from "../spec/wire/crowd.ts";
import { address } from "../spec/wire/frame.ts";
import type { Peer } from "../spec/wire/peer.ts";
import { STATIC } from "./instructions.ts";
import { buildLinux } from "./linux.ts";
import { crowdSuffix, type Figure, type Measurement, ofBoth } from "./rows.ts";
import { InstructionCounter } from "./total.ts";
import { wiredLinux } from "./wired.ts";

/** Open at once; the first is only the one that is asked. */
const CROWDS = [1, 1000, 10_000, 100_000];
const QUICK_CROWDS = [1, 1000];
/** MiB that they need. */
const MEMORY = { aemos: 256, linux: 2048 };
const ECHO = 7;
/** Answers with five 64-bit words and more, the fifth of which is the free memory in bytes. */
const CONTROL = 9;
const FREE = 4;
const OCTETS = Buffer.alloc(64, 1);
const ECHOES = 300;
/** Milliseconds for what a crowd leaves to be done, and in which the guest's own work is counted. */
const SETTLED = 1000;
const OPENING = 300_000;

type Side = "aemos" | "linux";

async function freeBytes(peer: Peer): Promise<number> {
  return Number((await peer.askUdp(CONTROL, Buffer.from("?"), 10_000)).readBigUInt64LE(8 * FREE));
}

/** Instructions of an echo. */
async function echo(peer: Peer, counter: InstructionCounter): Promise<number> {
  const client = new TcpClient(peer, ECHO);
  await client.connect(5000);
  await sleep(SETTLED);
  const [idleFrom, idleBegan] = [await counter.read(), performance.now()];
  await sleep(SETTLED);
  const idle = ((await counter.read()) - idleFrom) / (performance.now() - idleBegan);
  const [from, began] = [await counter.read(), performance.now()];
  for (let i = 0; i < ECHOES; i++) {
    client.send(OCTETS);
    await client.receive(5000, (data) => data.length >= OCTETS.length);
  }
  const own = idle * (performance.now() - began);
  const value = ((await counter.read()) - from - own) / ECHOES;
  client.abort();
  return value;
}

async function figures(
  side: Side,
  peer: Peer,
  counter: InstructionCounter,
  sizes: number[],
): Promise<Figure[]> {
  const found: Figure[] = [];
  const crowds: Crowd[] = [];
  // So that what the first connections grow, pools and slabs, is not the crowd's.
  found.push({ name: "tcp.echo.crowd", [side]: await echo(peer, counter) });
  const before = await freeBytes(peer);
  let open = 0;
  let first = address("10.0.2.100");
  try {
    for (const size of sizes.slice(1)) {
      const crowd = new Crowd(peer, ECHO, size - open, first);
      crowds.push(crowd);
      await crowd.open(OPENING);
      [open, first] = [size, first + 10];
      found.push({ name: `tcp.echo.crowd${crowdSuffix(size)}`, [side]: await echo(peer, counter) });
    }
    const value = (before - (await freeBytes(peer))) / open;
    const note = side === "aemos" ? { note: `${open.toLocaleString("en")} of them` } : {};
    return [...found, { name: "memory.idle-connection", [side]: value, ...note }];
  } finally {
    for (const crowd of crowds) crowd.dispose();
  }
}

async function measure(side: Side, sizes: number[]): Promise<Figure[]> {
  const counter = await InstructionCounter.create(`crowd-${side}`);
  const options = { memory: MEMORY[side], cpu: "qemu64", extra: counter.qemuArguments };
  const { peer, stop } =
    side === "aemos"
      ? await bootWired(specImage("many.json"), { ...options, append: STATIC })
      : await wiredLinux(await buildLinux(), "serve", options);
  return figures(side, peer, counter, sizes).finally(async () => {
    await stop();
    await counter.close();
  });
}

export const crowds: Measurement = {
  rows: ["tcp.echo.crowd", "memory.idle-connection"],
  basis: "counted",
  run: async (quick) => {
    const sizes = quick ? QUICK_CROWDS : CROWDS;
    return ofBoth(measure("aemos", sizes), measure("linux", sizes));
  },
};
