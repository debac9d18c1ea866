/**
 * Images in QEMU for the boot tests: builds one, starts it on free ports of the host, waits until it is ready.
 *
 * Test files run one after another or two at a time, each with one guest at once, so that no more than two QEMUs run.
 */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { buildImage } from "../../tools/build.ts";
import { ROOT } from "../../tools/paths.ts";
import { type Forward, type Guest, type GuestOptions, startGuest } from "../../tools/qemu.ts";
import { DhcpServer } from "../wire/dhcp.ts";
import { Peer, type PeerOptions } from "../wire/peer.ts";
import { freeUdpPort } from "../wire/wire.ts";
import { PATIENCE, until } from "../wire/patience.ts";

export const DEFAULT_IMAGE = join(ROOT, "apps", "default.json");
/** Printed when the network has an address and every process waits for events: what they listen to can be reached. */
export const READY = /aemos: ready in \d+ ms/;
/** Exit status of a machine that could not be started (kernel/main.ts). */
export const BOOT_FAILED = 100;
/** Milliseconds for a guest to become ready, on a machine that does other things as well. */
export const BOOT_TIMEOUT = PATIENCE;

/** An image of spec/boot/apps. */
export function specImage(name: string): string {
  return join(ROOT, "spec", "boot", "apps", name);
}

const images = new Map<string, Promise<string>>();

/** Path of the built image; each is built once for a test file. */
export function built(manifest: string): Promise<string> {
  let image = images.get(manifest);
  if (image === undefined) {
    image = buildImage(manifest).then((result) => result.image);
    images.set(manifest, image);
  }
  return image;
}

/** A TCP port of the host that nobody has at this moment. */
export async function freeTcpPort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export interface MachineOptions extends Omit<Partial<GuestOptions>, "image" | "forwards" | "wire"> {
  /** Ports of the guest that are forwarded, with user networking. */
  tcp?: readonly number[];
  udp?: readonly number[];
  /** What to wait for, and then for the applications of the default image to listen; false: nothing. */
  ready?: RegExp | false;
}

/** A guest with its forwarded ports. */
export class Machine {
  constructor(
    readonly guest: Guest,
    private readonly forwards: readonly Forward[],
  ) {}

  /** Port of the host that leads to the guest's TCP port. */
  tcp(port: number): number {
    return this.forward(port, false);
  }

  udp(port: number): number {
    return this.forward(port, true);
  }

  /** The lines `row NAME VALUE …` that test applications have written under this name: their values. */
  rows(name: string): number[][] {
    const wanted = `row ${name} `;
    return this.guest.lines
      .filter((line) => line.includes(wanted))
      .map((line) =>
        line
          .slice(line.indexOf(wanted) + wanted.length)
          .split(" ")
          .map(Number),
      );
  }

  /** Looks until `holds` returns something that is true, and returns that; rejects after `ms`, or when the guest has ended. */
  async until<T>(
    what: string | (() => string),
    holds: () => T | Promise<T>,
    ms = PATIENCE,
  ): Promise<NonNullable<T>> {
    const seen = (): string => `${typeof what === "string" ? what : what()}\n${this.console()}`;
    return until(
      seen,
      async () => {
        // What it said last may be it.
        const { ended } = this.guest;
        const found = await holds();
        if (ended && !found) throw new Error(`the guest has ended: ${seen()}`);
        return found;
      },
      ms,
    );
  }

  /** Waits until there are `count` rows of this name, then returns them. */
  async waitForRows(name: string, count = 1, ms = PATIENCE): Promise<number[][]> {
    const seen = (): string =>
      this.rows(name)
        .map((values) => values.join(" "))
        .join("; ");
    await this.until(
      () => `${count} rows "${name}", seen [${seen()}]`,
      () => this.rows(name).length >= count,
      ms,
    );
    return this.rows(name);
  }

  /** The last 60 lines of the console, for messages. */
  console(): string {
    return `--- console:\n${this.guest.lines.slice(-60).join("\n")}`;
  }

  /** Ends with the guest's status; rejects after `ms`. */
  async exited(ms: number): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`the guest has not ended within ${ms} ms\n${this.console()}`)),
        ms,
      );
    });
    return Promise.race([this.guest.exited, late]).finally(() => clearTimeout(timer));
  }

  async stop(): Promise<void> {
    await this.guest.stop();
  }

  private forward(port: number, udp: boolean): number {
    const found = this.forwards.find((forward) => forward.guest === port && (forward.udp ?? false) === udp);
    if (!found) throw new Error(`port ${port} of the guest is not forwarded`);
    return found.host;
  }
}

/** Starts the image with user networking and waits until it is ready. */
export async function boot(manifest: string, options: MachineOptions = {}): Promise<Machine> {
  const { tcp = [], udp = [], ready = READY, ...rest } = options;
  const image = await built(manifest);
  const forwards: Forward[] = [];
  for (const guest of tcp) forwards.push({ host: await freeTcpPort(), guest });
  for (const guest of udp) forwards.push({ host: await freeUdpPort(), guest, udp: true });
  const guest = await startGuest({ ...rest, image, forwards });
  const machine = new Machine(guest, forwards);
  try {
    if (ready) await machine.guest.waitFor(ready, BOOT_TIMEOUT);
  } catch (error) {
    await machine.stop();
    throw error;
  }
  return machine;
}

export interface WiredMachine {
  machine: Machine;
  peer: Peer;
  dhcp: DhcpServer;
  stop(): Promise<void>;
}

export interface WiredOptions extends Omit<MachineOptions, "tcp" | "udp"> {
  peer?: PeerOptions;
  /** Called before the guest starts, to set up how the server behaves. */
  dhcp?: (peer: Peer) => DhcpServer;
}

/** Starts the image on a frame wire; the peer is gateway and DHCP server (10.0.2.2), the guest gets 10.0.2.15. */
export async function bootWired(manifest: string, options: WiredOptions = {}): Promise<WiredMachine> {
  const { peer: peerOptions, dhcp: makeDhcp, ready = READY, ...rest } = options;
  const image = await built(manifest);
  const peer = await Peer.open(peerOptions);
  const dhcp = makeDhcp ? makeDhcp(peer) : new DhcpServer(peer);
  const guest = await startGuest({ ...rest, image, wire: peer.wire.guestEnd });
  const machine = new Machine(guest, []);
  const stop = async (): Promise<void> => {
    await machine.stop();
    dhcp.close();
    peer.close();
  };
  try {
    if (ready) await machine.guest.waitFor(ready, BOOT_TIMEOUT);
  } catch (error) {
    await stop();
    throw error;
  }
  return { machine, peer, dhcp, stop };
}
