/**
 * The programs that the pipeline starts: where they are, what version they have, and what to install when one is missing.
 */
import { execFile } from "node:child_process";
import { access, constants, readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { UserError } from "./errors.ts";
import { ROOT } from "./paths.ts";

const execute = promisify(execFile);

/** Debian package of each program of the host. */
const PACKAGES: Record<string, string> = {
  gcc: "gcc",
  ld: "binutils",
  objcopy: "binutils",
  nm: "binutils",
  clang: "clang",
  "wasm-ld": "lld",
  "qemu-system-x86_64": "qemu-system-x86",
  // Of the benchmark: the Linux guest (bench/linux.ts), and clients.
  wrk: "wrk",
  ab: "apache2-utils",
  "apt-get": "apt",
  "apt-cache": "apt",
  "dpkg-deb": "dpkg",
  cpio: "cpio",
};

/** npm package of each program in node_modules. */
const NPM_PACKAGES = { asc: "assemblyscript", "wasm-opt": "binaryen", wasm2c: "wabt" } as const;

export type HostTool = keyof typeof PACKAGES;
export type NpmTool = keyof typeof NPM_PACKAGES;

/** Path of a program on PATH, or undefined. */
export async function findTool(name: string): Promise<string | undefined> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (folder === "") continue;
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Path of a program, or an error that says what to install. */
export async function requireTool(name: HostTool): Promise<string> {
  const path = await findTool(name);
  if (path !== undefined) return path;
  const debian = PACKAGES[name];
  throw new UserError(
    `${name} is not installed: apt-get install --no-install-recommends ${debian} (Debian, Ubuntu)`,
  );
}

const versions = new Map<string, Promise<string>>();

/** Path and first line of `--version`: part of the key of every step that runs the program. */
export function toolVersion(path: string): Promise<string> {
  let version = versions.get(path);
  if (version === undefined) {
    version = execute(path, ["--version"]).then(({ stdout }) => `${path} ${stdout.split("\n", 1)[0]}`);
    versions.set(path, version);
  }
  return version;
}

/** Path and version of a program of an npm package. */
export async function npmTool(name: NpmTool): Promise<{ path: string; version: string }> {
  const owner = NPM_PACKAGES[name];
  const folder = join(ROOT, "node_modules");
  try {
    const text = await readFile(join(folder, owner, "package.json"), "utf8");
    const { version } = JSON.parse(text) as { version: string };
    return { path: join(folder, ".bin", name), version: `${owner} ${version}` };
  } catch {
    throw new UserError(`${name} is not installed: run npm ci in ${ROOT}`);
  }
}
