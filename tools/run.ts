/** `aemos run`: builds when there is something to build, says where the guest can be reached, and is its console. */
import { open } from "node:fs/promises";
import { type BuiltImage, buildImage } from "./build.ts";
import { UserError } from "./errors.ts";
import { shown } from "./paths.ts";
import { repeated } from "./ports.ts";
import { DEFAULT_MEMORY, type Forward, STATUS_RESET, STATUS_STOPPED, startGuest } from "./qemu.ts";
import type { StartedCommand } from "./steps.ts";

export interface RunOptions {
  /** Manifest, application or image. */
  target: string;
  publish?: Forward[];
  memory?: number;
  accel?: string;
  append?: string;
  pcap?: string;
  gdb?: boolean;
  icount?: boolean;
  /** Further arguments for QEMU. */
  extra: readonly string[];
  report?: (command: StartedCommand) => void;
}

const HTTP_PORT = 80;
const ELF_MAGIC = "\x7fELF";
const MIB = 1 << 20;

/** Whether the file is an image rather than something to build one from. */
async function isImage(path: string): Promise<boolean> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return false;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.toString("latin1") === ELF_MAGIC;
  } catch {
    return false; // A folder.
  } finally {
    await file.close();
  }
}

/** The manifest's forwards, but for guest ports that the command line forwards otherwise, and the command line's. */
export function mergeForwards(manifest: readonly Forward[], own: readonly Forward[]): Forward[] {
  const same = (a: Forward, b: Forward): boolean => a.guest === b.guest && Boolean(a.udp) === Boolean(b.udp);
  const all = [...manifest.filter((forward) => !own.some((other) => same(forward, other))), ...own];
  const twice = repeated(all.map(({ host, udp }) => `${host} (${udp ? "udp" : "tcp"})`));
  if (twice !== undefined) {
    throw new UserError(
      `port ${twice} of this host would be forwarded twice: ${all.map(describeForward).join(", ")}`,
    );
  }
  return all;
}

/** How a user reaches the forwarded port. */
export function describeForward({ host, guest, udp }: Forward): string {
  if (guest === HTTP_PORT && !udp) return `http://127.0.0.1:${host}/`;
  return `127.0.0.1:${host} -> port ${guest} (${udp ? "udp" : "tcp"})`;
}

/** Refuses a machine that is too small for what the manifest asks. */
export function checkFits({ manifest, neededBytes }: BuiltImage, memory: number): void {
  if (neededBytes <= memory * MIB) return;
  const needed = Math.ceil(neededBytes / MIB);
  throw new UserError(
    `${manifest.file}: the image and its applications need at least ${needed} MiB, the machine has ${memory} MiB: ` +
      "give it more with --memory or memoryMiB, or the applications less (memoryMiB, stackKiB)",
  );
}

/** Runs the guest until it ends, or until SIGINT or SIGTERM. Its exit status. */
export async function runImage(options: RunOptions): Promise<number> {
  const { target } = options;
  const report = options.report ? { report: options.report } : {};
  const built = (await isImage(target)) ? undefined : await buildImage(target, undefined, report);
  const manifest = built?.manifest;
  const memory = options.memory ?? manifest?.memoryMiB ?? DEFAULT_MEMORY;
  if (built !== undefined) checkFits(built, memory);
  const own = (manifest?.forward ?? []).map(({ host, guest, protocol }) => ({
    host,
    guest,
    udp: protocol === "udp",
  }));
  const forwards = mergeForwards(own, options.publish ?? []);
  const append = [manifest?.append, options.append]
    .filter((text) => text !== undefined && text !== "")
    .join(" ");

  for (const forward of forwards) process.stdout.write(`${describeForward(forward)}\n`);
  if (options.gdb) {
    const symbols = built?.elf ?? `${target}.elf`;
    process.stdout.write(
      `gdb ${shown(symbols)} -ex "target remote 127.0.0.1:1234" -ex "hbreak boot_start" -ex continue\n`,
    );
  }
  const { accel, pcap, gdb, icount, extra } = options;
  const guest = await startGuest({
    image: built?.image ?? target,
    memory,
    append,
    forwards,
    extra,
    ...(accel === undefined ? {} : { accel }),
    ...(pcap === undefined ? {} : { pcap }),
    ...(gdb ? { gdb } : {}),
    ...(icount ? { icount } : {}),
  });
  let signalled = 0;
  const stop = (status: number) => () => {
    signalled = status;
    void guest.stop();
  };
  process.once("SIGINT", stop(STATUS_STOPPED));
  process.once("SIGTERM", stop(143));
  guest.onLine((line) => process.stdout.write(`${line}\n`));
  const status = await guest.exited;
  if (signalled !== 0) return signalled;
  if (guest.qemuErrors !== "") process.stderr.write(guest.qemuErrors);
  if (status === STATUS_RESET)
    process.stderr.write("aemos: the machine was reset or powered off without a status\n");
  return status;
}
