/**
 * The Linux guest that aemos is measured beside: Debian's cloud kernel, as its package has it, and an initramfs with one static program (bench/linux/). It
 * runs in the same QEMU as aemos does, with the same devices (tools/qemu.ts).
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { UserError } from "../tools/errors.ts";
import { BUILD, ROOT } from "../tools/paths.ts";
import { type Guest, type GuestOptions, startGuest } from "../tools/qemu.ts";
import { requireTool } from "../tools/toolchain.ts";

const execute = promisify(execFile);

const FOLDER = join(BUILD, "linux");
/** The package that depends on the newest kernel. */
const META_PACKAGE = "linux-image-cloud-amd64";
const SOURCES = ["init.c", "serve.c", "streams.c", "load.c", "response.c", "measure.c"];
/** Drivers, in the order in which they need one another. */
const MODULES = [
  "virtio_ring",
  "virtio",
  "virtio_pci_legacy_dev",
  "virtio_pci_modern_dev",
  "virtio_pci",
  "failover",
  "net_failover",
  "virtio_net",
];
/** The guest says it when it serves. */
export const SERVING = /^serving$/m;
/**
 * No names by slot for the network device, no messages below errors, no address randomization (each run alike), a clock that is read without a system call; who cannot start
 * ends.
 */
const APPEND = "console=ttyS0 quiet net.ifnames=0 nokaslr tsc=reliable panic=-1";

export interface LinuxImage {
  kernel: string;
  initrd: string;
  /** The one program, with symbols. */
  program: string;
  /** "6.1.0-56-cloud-amd64" */
  release: string;
  /** Bytes of both. */
  bytes: number;
}

/** The package of the kernel that the lists of packages name, and its release. */
async function newestKernel(): Promise<RegExpExecArray | null> {
  const aptCache = await requireTool("apt-cache");
  const { stdout } = await execute(aptCache, ["depends", META_PACKAGE]).catch(() => ({ stdout: "" }));
  return /Depends: (linux-image-(\S+))/.exec(stdout);
}

/** A fresh machine has no lists. Who may not fetch them is told so by who misses the package. */
async function updateLists(): Promise<void> {
  await execute(await requireTool("apt-get"), ["-q", "update"]).catch(() => undefined);
}

/** The kernel's package, unpacked: the folder, and the release. Needs the lists of packages, no rights. */
async function unpackedKernel(): Promise<{ folder: string; release: string }> {
  const folder = join(FOLDER, "package");
  const installed = await readdir(join(folder, "boot")).catch(() => [] as string[]);
  const known = installed.find((name) => name.startsWith("vmlinuz-"));
  if (known) return { folder, release: known.slice("vmlinuz-".length) };
  const name = (await newestKernel()) ?? (await updateLists().then(newestKernel));
  if (!name) throw new UserError(`no package ${META_PACKAGE}: it is Debian's; run apt-get update there`);
  const download = join(FOLDER, "download");
  await rm(download, { recursive: true, force: true });
  await mkdir(download, { recursive: true });
  await execute(await requireTool("apt-get"), ["download", name[1] as string], { cwd: download });
  const [file] = await readdir(download);
  if (!file) throw new UserError(`apt-get download ${name[1]} brought nothing`);
  await execute(await requireTool("dpkg-deb"), ["-x", join(download, file), folder]);
  await rm(download, { recursive: true });
  return { folder, release: name[2] as string };
}

const builds = new Map<string, Promise<LinuxImage>>();

/** Builds the initramfs, once for each `page`, which is what its web server answers with. */
export function buildLinux(page = Buffer.alloc(0)): Promise<LinuxImage> {
  const digest = createHash("sha256").update(page).digest("hex").slice(0, 8);
  let build = builds.get(digest);
  if (!build) {
    build = buildInitramfs(page, join(FOLDER, digest));
    builds.set(digest, build);
  }
  return build;
}

let unpacking: ReturnType<typeof unpackedKernel> | undefined;

async function buildInitramfs(page: Buffer, target: string): Promise<LinuxImage> {
  unpacking ??= unpackedKernel();
  const { folder, release } = await unpacking;
  const files = join(target, "initramfs");
  await rm(files, { recursive: true, force: true });
  await mkdir(join(files, "modules"), { recursive: true });
  await writeFile(join(files, "page"), page);
  const sources = SOURCES.map((name) => join(ROOT, "bench", "linux", name));
  const gcc = await requireTool("gcc");
  const program = join(target, "init");
  await execute(gcc, ["-O2", "-Wall", "-Wextra", "-static", "-no-pie", "-o", program, ...sources]);
  await execute(await requireTool("objcopy"), ["--strip-all", program, join(files, "init")]);
  const kernelModules = join(folder, "lib", "modules", release, "kernel");
  const found = await readdir(kernelModules, { recursive: true });
  for (const name of MODULES) {
    const path = found.find((entry) => entry.endsWith(`/${name}.ko`));
    if (!path) throw new UserError(`linux-image-${release} has no ${name}.ko`);
    await copyFile(join(kernelModules, path), join(files, "modules", `${name}.ko`));
  }
  const list = ["init", "page", "modules", ...MODULES.map((name) => `modules/${name}.ko`)];
  const initrd = join(target, "initrd");
  const packing = execute(
    await requireTool("cpio"),
    ["-o", "-H", "newc", "-R", "0:0", "--quiet", "-F", initrd],
    { cwd: files },
  );
  packing.child.stdin?.end(list.join("\n"));
  await packing;
  const kernel = join(folder, "boot", `vmlinuz-${release}`);
  const sizes = await Promise.all([kernel, initrd].map((path) => stat(path)));
  return { kernel, initrd, program, release, bytes: sizes.reduce((sum, { size }) => sum + size, 0) };
}

/** Starts it, with mode "serve" on the network 10.0.`subnet`.0/24; resolves as soon as QEMU runs. */
export function startLinux(
  image: LinuxImage,
  mode: "serve" | "measure" | "load" | "response" | "symbols",
  options: Omit<GuestOptions, "image"> = {},
  subnet = 2,
): Promise<Guest> {
  const { extra = [], append = "", ...rest } = options;
  const network = `address=10.0.${subnet}.15/24 gateway=10.0.${subnet}.2 modules=${MODULES.join(",")}`;
  const words = [APPEND, options.netdev === "none" ? "" : network, `mode=${mode}`, append];
  return startGuest({
    ...rest,
    image: image.kernel,
    append: words.filter((word) => word !== "").join(" "),
    extra: ["-initrd", image.initrd, ...extra],
  });
}
