/** The two systems that are compared, each serving echo (TCP and UDP port 7) and HTTP (port 80) in a QEMU of its own, with instructions counted. */
import { DEFAULT_IMAGE, freeTcpPort } from "../spec/boot/machine.ts";
import { freeUdpPort } from "../spec/wire/wire.ts";
import { buildImage } from "../tools/build.ts";
import { type Forward, type Guest, type GuestOptions, startGuest } from "../tools/qemu.ts";
import { buildLinux, startLinux } from "./linux.ts";
import { InstructionCounter } from "./total.ts";

/** Linux runs with no less than 70 MiB; both get the same. */
const MEMORY = 256;
const READY = /app: http: /;

export interface Ports {
  http: number;
  echo: number;
  datagrams: number;
}

export interface System {
  name: "aemos" | "linux";
  ports: Ports;
  guest: Guest;
  /** Instructions executed so far. */
  instructions(): Promise<number>;
  stop(): Promise<void>;
}

async function start(
  name: System["name"],
  options: Omit<GuestOptions, "image" | "forwards">,
  run: (options: Omit<GuestOptions, "image">) => Promise<Guest>,
): Promise<System> {
  const ports = { http: await freeTcpPort(), echo: await freeTcpPort(), datagrams: await freeUdpPort() };
  const forwards: Forward[] = [
    { host: ports.http, guest: 80 },
    { host: ports.echo, guest: 7 },
    { host: ports.datagrams, guest: 7, udp: true },
  ];
  const counter = await InstructionCounter.create(`system-${name}`);
  const extra = [...(options.extra ?? []), ...counter.qemuArguments];
  const guest = await run({ memory: MEMORY, ...options, forwards, extra });
  return {
    name,
    ports,
    guest,
    instructions: () => counter.read(),
    stop: async () => {
      await guest.stop();
      await counter.close();
    },
  };
}

export async function startAemos(options: Omit<GuestOptions, "image" | "forwards"> = {}): Promise<System> {
  const { image } = await buildImage(DEFAULT_IMAGE);
  return start("aemos", options, async (all) => {
    const guest = await startGuest({ ...all, image });
    await guest.waitFor(READY, 20_000);
    return guest;
  });
}

/** Both, aemos first; Linux answers with the page that aemos has. */
export async function startBoth(
  options: Omit<GuestOptions, "image" | "forwards"> = {},
): Promise<[System, System]> {
  const aemos = await startAemos(options);
  try {
    const answer = await fetch(`http://127.0.0.1:${aemos.ports.http}/`);
    const linux = await buildLinux(Buffer.from(await answer.arrayBuffer()));
    return [aemos, await start("linux", options, (all) => startLinux(linux, "serve", all))];
  } catch (error) {
    await aemos.stop();
    throw error;
  }
}
