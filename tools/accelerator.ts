/**
 * Chooses between kvm and tcg. That /dev/kvm exists says little: on some machines it runs ring 0 through an emulator, a thousand
 * times slower than tcg, or aborts. So a probe is started under kvm and timed; the verdict is kept until the host boots.
 */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUILD } from "./paths.ts";
import { requireTool, toolVersion } from "./toolchain.ts";

export interface Accelerator {
  name: string;
  /** Processor model to use with it. */
  cpu: string;
}

const TCG: Accelerator = { name: "tcg", cpu: "max" };
const KVM: Accelerator = { name: "kvm", cpu: "max" };
/** kvm where the user insists and the probe failed: `-cpu max` may abort there. */
const CAREFUL_KVM: Accelerator = { name: "kvm", cpu: "qemu64" };

const DEVICE = "/dev/kvm";
const BOOT_ID = "/proc/sys/kernel/random/boot_id";
/** Native: some 60 ms, nearly all of it QEMU's start. */
const LIMIT_MILLISECONDS = 1500;
/** isa-debug-exit makes (v << 1) | 1 of the probe's 0x2a. */
const PROBE_STATUS = (0x2a << 1) | 1;

/**
 * The probe: a multiboot 1 image (address fields in the header, so no ELF is needed) whose 32-bit code runs in ring 0. Ten
 * million plain iterations find an emulator, ten thousand privileged instructions one that traps each of them slowly.
 */
const PROBE_ADDRESS = 0x100000;
const PROBE_CODE = [
  0xfa, // cli
  ...[0xb9, 0x80, 0x96, 0x98, 0x00], // mov $10000000, %ecx
  ...[0x49], // 1: dec %ecx
  ...[0x75, 0xfd], // jnz 1b
  ...[0xb9, 0x10, 0x27, 0x00, 0x00], // mov $10000, %ecx
  ...[0x0f, 0x20, 0xc0], // 2: mov %cr0, %eax
  ...[0x0f, 0x22, 0xc0], // mov %eax, %cr0
  ...[0x49], // dec %ecx
  ...[0x75, 0xf7], // jnz 2b
  ...[0xb0, 0x2a], // mov $0x2a, %al
  ...[0xe6, 0xf4], // out %al, $0xf4
  ...[0xf4], // hlt
];

/** The probe as a file: multiboot header (Multiboot Specification 0.6.96, 3.1), then the code. */
export function probeImage(): Buffer {
  const magic = 0x1badb002;
  const flags = 0x10000;
  const header = 32;
  const end = PROBE_ADDRESS + header + PROBE_CODE.length;
  const words = [
    magic,
    flags,
    -(magic + flags),
    PROBE_ADDRESS,
    PROBE_ADDRESS,
    end,
    end,
    PROBE_ADDRESS + header,
  ];
  const image = Buffer.alloc(header + PROBE_CODE.length);
  for (const [i, word] of words.entries()) image.writeUInt32LE(word >>> 0, i * 4);
  image.set(PROBE_CODE, header);
  return image;
}

/** Starts the probe; whether it ended as it should within the limit. */
export async function probe(accelerator: Accelerator, limit = LIMIT_MILLISECONDS): Promise<boolean> {
  const qemu = await requireTool("qemu-system-x86_64");
  const folder = await mkdtemp(join(tmpdir(), "aemos-probe-"));
  try {
    const image = join(folder, "probe");
    await writeFile(image, probeImage());
    const list = [
      "-M",
      "pc",
      "-accel",
      accelerator.name,
      "-cpu",
      accelerator.cpu,
      "-m",
      "16",
      "-nodefaults",
      "-no-user-config",
    ];
    list.push(
      "-display",
      "none",
      "-no-reboot",
      "-device",
      "isa-debug-exit,iobase=0xf4,iosize=0x04",
      "-kernel",
      image,
    );
    return (await exitCode(qemu, list, limit)) === PROBE_STATUS;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Exit code, or null when it was started in vain or took too long. */
function exitCode(program: string, list: readonly string[], limit: number): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn(program, list, { stdio: "ignore", timeout: limit, killSignal: "SIGKILL" });
    child.on("error", () => resolve(null));
    child.on("close", (code) => resolve(code));
  });
}

async function kvmWorks(): Promise<boolean> {
  try {
    await access(DEVICE, constants.R_OK | constants.W_OK);
  } catch {
    return false;
  }
  const boot = await readFile(BOOT_ID, "utf8").catch(() => "");
  const key = `${boot.trim()} ${await toolVersion(await requireTool("qemu-system-x86_64"))}`;
  const cache = join(BUILD, "accelerator.json");
  try {
    const old = JSON.parse(await readFile(cache, "utf8")) as { key: string; works: boolean };
    if (old.key === key) return old.works;
  } catch {
    // Not asked yet.
  }
  const works = await probe(KVM);
  await mkdir(BUILD, { recursive: true });
  await writeFile(cache, JSON.stringify({ key, works }));
  return works;
}

let chosen: Promise<boolean> | undefined;

/** What to use: `wanted` where the user said so, else kvm where it runs ring 0 natively, else tcg. */
export async function accelerator(wanted?: string): Promise<Accelerator> {
  if (wanted !== undefined && wanted !== "kvm") return { name: wanted, cpu: "max" };
  chosen ??= kvmWorks();
  const works = await chosen;
  if (works) return KVM;
  if (wanted === undefined) return TCG;
  process.stderr.write("warning: kvm does not run ring 0 natively here, tcg would be faster\n");
  return CAREFUL_KVM;
}
