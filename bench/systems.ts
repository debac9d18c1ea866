/** The two systems that are compared, each serving HTTP, echo and streams in a QEMU of its own: bench/apps/serve.json, and bench/linux/. */
import { freeTcpPort } from "../spec/boot/machine.ts";
import { freeUdpPort } from "../spec/wire/wire.ts";
import { accelerator } from "../tools/accelerator.ts";
import { buildImage } from "../tools/build.ts";
import { type Guest, type GuestOptions, startGuest } from "../tools/qemu.ts";
import { benchImage } from "./instructions.ts";
import { SERVING, buildLinux, startLinux } from "./linux.ts";
import { InstructionCounter } from "./total.ts";

/** Linux runs with no less than 70 MiB; both get the same. */
const MEMORY = 256;
const READY = /aemos: ready in \d+ ms/;
const BOOT_TIMEOUT = 60_000;

/** Where a system's services are, for clients of the host. */
export interface Reached {
  host: string;
  ports: { http: number; echo: number; datagrams: number; source: number; sink: number };
}

export interface System extends Reached {
  name: "aemos" | "linux";
  guest: Guest;
  /** Instructions executed so far; 0 without `counted`. */
  instructions(): Promise<number>;
  stop(): Promise<void>;
}

const GUEST_PORTS = { http: 80, echo: 7, datagrams: 7, source: 8, sink: 9 };

export interface SystemOptions {
  cpu?: string;
  /** Instructions are counted. */
  counted?: boolean;
  /** Further arguments for QEMU. */
  extra?: readonly string[];
  /** On a tap device of this name, with the network 10.0.`subnet`.0/24; absent: user networking. */
  tap?: { name: string; subnet: number };
}

/** For the note of a figure in real time: what the guests run under when it is not tcg. */
export async function underKvm(): Promise<string> {
  return (await accelerator()).name === "kvm" ? ", under KVM" : "";
}

type Starter = (options: Omit<GuestOptions, "image">, subnet: number) => Promise<Guest>;

async function start(name: System["name"], options: SystemOptions, run: Starter): Promise<System> {
  const { cpu, counted, extra, tap } = options;
  const counter = counted ? await InstructionCounter.create(`system-${name}`) : undefined;
  const ports = { ...GUEST_PORTS };
  if (!tap) {
    for (const key of ["http", "echo", "source", "sink"] as const) ports[key] = await freeTcpPort();
    ports.datagrams = await freeUdpPort();
  }
  const forwards = Object.entries(GUEST_PORTS).map(([key, guest]) => ({
    host: ports[key as keyof typeof ports],
    guest,
    udp: key === "datagrams",
  }));
  const guest = await run(
    {
      memory: MEMORY,
      extra: [...(counter?.qemuArguments ?? []), ...(extra ?? [])],
      ...(cpu === undefined ? {} : { cpu }),
      ...(tap ? { tap: tap.name } : { forwards }),
    },
    tap?.subnet ?? 2,
  );
  try {
    await guest.waitFor(name === "linux" ? SERVING : READY, BOOT_TIMEOUT);
  } catch (error) {
    await guest.stop();
    throw error;
  }
  return {
    name,
    host: tap ? `10.0.${tap.subnet}.15` : "127.0.0.1",
    ports,
    guest,
    instructions: async () => (await counter?.read()) ?? 0,
    stop: async () => {
      await guest.stop();
      await counter?.close();
    },
  };
}

export const AEMOS_IMAGE = benchImage("serve.json");

export async function startAemos(options: SystemOptions): Promise<System> {
  const { image } = await buildImage(AEMOS_IMAGE);
  return start("aemos", options, (all, subnet) =>
    startGuest({ ...all, image, append: `ip=10.0.${subnet}.15/24,gw=10.0.${subnet}.2` }),
  );
}

/** Both, aemos first; Linux answers with the page that aemos has. */
export async function startBoth(options: (name: System["name"]) => SystemOptions): Promise<[System, System]> {
  const aemos = await startAemos(options("aemos"));
  try {
    const answer = await fetch(`http://${aemos.host}:${aemos.ports.http}/`);
    const linux = await buildLinux(Buffer.from(await answer.arrayBuffer()));
    const run: Starter = (all, subnet) => startLinux(linux, "serve", all, subnet);
    return [aemos, await start("linux", options("linux"), run)];
  } catch (error) {
    await aemos.stop();
    throw error;
  }
}
