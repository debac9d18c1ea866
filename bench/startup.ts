/** What each system costs before it serves: bytes, memory, time, instructions. */
import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { get, request } from "../spec/boot/client.ts";
import { DEFAULT_IMAGE, READY, built, freeTcpPort } from "../spec/boot/machine.ts";
import { type Guest, type GuestOptions, startGuest } from "../tools/qemu.ts";
import { STATIC } from "./instructions.ts";
import { SERVING, buildLinux, startLinux } from "./linux.ts";
import { type Figure, type Measurement, median } from "./rows.ts";
import { underKvm } from "./systems.ts";
import { InstructionCounter } from "./total.ts";

/** MiB with which it does not, and does, serve. */
const MOST_MEMORY = 128;
const BOOTS = 9;
const QUICK_BOOTS = 1;
const COUNTED_BOOTS = 3;
const HTTP = 80;
/** Where the protected-mode part of a bzImage is loaded and begins (Linux: Documentation/arch/x86/boot.rst). */
const LINUX_ENTRY = 0x100000;
/** e_entry of an ELF32 file. */
const ELF_ENTRY = 24;
/** Of a boot with too little memory, in ms. */
const PATIENCE = 20_000;
/** The plugin's word is read so long after the guest has said that it is ready, when it does nothing more. */
const SETTLED = 20;

/** Starts one of the two; resolves as soon as QEMU runs. */
type Starter = (options: Omit<GuestOptions, "image">) => Promise<Guest>;

async function starters(): Promise<{ aemos: Starter; linux: Starter; dhcp: Starter; bytes: Figure }> {
  const image = await built(DEFAULT_IMAGE);
  const linux = await buildLinux();
  return {
    aemos: (options) => startGuest({ ...options, image, append: STATIC }),
    dhcp: (options) => startGuest({ ...options, image, append: "ip=dhcp" }),
    linux: (options) => startLinux(linux, "serve", options),
    bytes: {
      name: "image.bytes",
      aemos: (await stat(image)).size,
      linux: linux.bytes,
      basis: "exact",
      note: `Linux ${linux.release}`,
    },
  };
}

/** Whether it answers a request with so many MiB. */
async function serves(start: Starter, memory: number, ready: RegExp): Promise<boolean> {
  const host = await freeTcpPort();
  const guest = await start({ memory, forwards: [{ host, guest: HTTP }] }).catch(() => undefined);
  if (!guest) return false;
  try {
    await guest.waitFor(ready, PATIENCE);
    return (await request(host, get("/"), 5000)).status === 200;
  } catch {
    return false;
  } finally {
    await guest.stop();
  }
}

/** Smallest -m, in MiB, with which it serves. */
async function smallestMemory(start: Starter, ready: RegExp): Promise<number> {
  let fails = 0;
  let works = MOST_MEMORY;
  while (works - fails > 1) {
    const middle = (works + fails) >> 1;
    if (await serves(start, middle, ready)) works = middle;
    else fails = middle;
  }
  if (works === MOST_MEMORY) throw new Error(`it does not serve with ${fails} MiB`);
  return works;
}

/** Milliseconds from the start of QEMU to the first response. A new connection is tried every 10 ms: QEMU's user network takes one before the guest can. */
async function firstResponse(start: Starter): Promise<number> {
  const host = await freeTcpPort();
  const began = performance.now();
  const guest = await start({ forwards: [{ host, guest: HTTP }] });
  try {
    let first = 0;
    while (first === 0) {
      if (performance.now() - began > PATIENCE) throw new Error(`no response within 20 s\n${guest.output}`);
      request(host, get("/"), 5000).then(
        () => {
          if (first === 0) first = performance.now();
        },
        () => undefined,
      );
      await sleep(10);
    }
    return first - began;
  } finally {
    await guest.stop();
  }
}

/**
 * Instructions from the kernel's first one to what the guest says when it is ready: the least of some boots, for how long the guest waits in loops for the host depends on what the host
 * does meanwhile.
 */
async function untilReady(
  name: string,
  start: Starter,
  entry: number,
  ready: RegExp,
  boots: number,
): Promise<number> {
  const found: number[] = [];
  for (let boot = 0; boot < boots; boot++) found.push(await countedBoot(name, start, entry, ready));
  return Math.min(...found);
}

async function countedBoot(name: string, start: Starter, entry: number, ready: RegExp): Promise<number> {
  const counter = await InstructionCounter.create(`boot-${name}`, entry);
  const guest = await start({ extra: counter.qemuArguments, cpu: "qemu64" });
  try {
    await guest.waitFor(ready, PATIENCE);
    await sleep(SETTLED);
    return await counter.sinceFrom();
  } finally {
    await guest.stop();
    await counter.close();
  }
}

async function times(quick: boolean): Promise<Figure[]> {
  const { aemos, linux, dhcp, bytes } = await starters();
  const found = { aemos: [] as number[], linux: [] as number[], dhcp: [] as number[] };
  for (let boot = 0; boot < (quick ? QUICK_BOOTS : BOOTS); boot++) {
    found.aemos.push(await firstResponse(aemos));
    found.linux.push(await firstResponse(linux));
    found.dhcp.push(await firstResponse(dhcp));
  }
  const note = `medians of ${found.aemos.length}${await underKvm()}`;
  return [
    bytes,
    { name: "boot.first-response", aemos: median(found.aemos), linux: median(found.linux), note },
    { name: "boot.first-response.dhcp", aemos: median(found.dhcp), note },
  ];
}

export const startTimes: Measurement = {
  rows: ["boot.first-response", "boot.first-response.dhcp", "image.bytes"],
  basis: "real time",
  alone: true,
  run: times,
};

export const startCosts: Measurement = {
  rows: ["boot.guest", "memory.smallest"],
  basis: "counted",
  run: async (quick) => {
    const boots = quick ? 1 : COUNTED_BOOTS;
    const { aemos, linux } = await starters();
    const entry = (await readFile(await built(DEFAULT_IMAGE))).readUInt32LE(ELF_ENTRY);
    const figures: Figure[] = [
      {
        name: "boot.guest",
        aemos: await untilReady("aemos", aemos, entry, READY, boots),
        linux: await untilReady("linux", linux, LINUX_ENTRY, SERVING, boots),
      },
    ];
    // Looking for it takes seven boots of each.
    if (quick) return figures;
    const smallest = {
      aemos: await smallestMemory(aemos, READY),
      linux: await smallestMemory(linux, SERVING),
    };
    return [...figures, { name: "memory.smallest", ...smallest }];
  },
};
