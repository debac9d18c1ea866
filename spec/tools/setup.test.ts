/** tools/setup.sh on machines that lack something: programs are played by stubs in a folder that is the whole PATH. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../tools/paths.ts";
import { type Ended, start, temporaryFolder } from "./support.ts";

const BASH = "/bin/bash";
const PROGRAMS = [
  "gcc",
  "ld",
  "objcopy",
  "nm",
  "clang",
  "wasm-ld",
  "qemu-system-x86_64",
  "curl",
  "tshark",
  "ip",
  "grub-mkrescue",
  "xorriso",
];
const folder = temporaryFolder();
let machines = 0;

interface Machine {
  without?: string[];
  node?: string;
  /** What apt-get does, in bash; undefined: there is none. */
  apt?: string;
  nodeModules?: "none" | "old" | "new";
}

/** A checkout of its own, and a PATH with what the machine has. Everything is called with its name logged. */
function machine({ without = [], node = "v20.1.0", apt, nodeModules = "new" }: Machine): {
  checkout: string;
  path: string;
} {
  const home = join(folder, String(machines++));
  const [checkout, path] = [join(home, "checkout"), join(home, "bin")];
  mkdirSync(join(checkout, "tools"), { recursive: true });
  mkdirSync(path);
  copyFileSync(join(ROOT, "tools", "setup.sh"), join(checkout, "tools", "setup.sh"));
  writeFileSync(join(checkout, "package-lock.json"), "{}");
  const script = (name: string, text: string): void => {
    writeFileSync(join(path, name), `#!${BASH}\necho "${name} $*" >> "${home}/calls"\n${text}\n`);
    chmodSync(join(path, name), 0o755);
  };
  for (const name of ["dirname", "touch", "chmod"])
    symlinkSync(execFileSync("which", [name], { encoding: "utf8" }).trim(), join(path, name));
  for (const name of PROGRAMS) if (!without.includes(name)) script(name, "");
  if (!without.includes("node")) {
    script("node", `echo ${node}`);
    script("npm", "echo > npm-was-here");
  }
  if (apt !== undefined) script("apt-get", apt);
  if (nodeModules !== "none") {
    const mark = join(checkout, "node_modules", ".package-lock.json");
    mkdirSync(join(checkout, "node_modules"));
    writeFileSync(mark, "");
    const age = nodeModules === "old" ? -1000 : 1000;
    const time = Date.now() / 1000 + age;
    utimesSync(mark, time, time);
  }
  execFileSync("chmod", ["-R", "a+rwX", folder]);
  return { checkout, path };
}

const IS_ROOT = process.getuid?.() === 0;

async function setUp(
  options: Machine,
  list: string[] = [],
  asRoot = false,
): Promise<Ended & { calls: string; checkout: string }> {
  const { checkout, path } = machine(options);
  const command = [BASH, join(checkout, "tools", "setup.sh"), ...list];
  const user = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  const [program = "", ...rest] = IS_ROOT && !asRoot ? [...user, ...command] : command;
  const ended = await start(program, rest, { PATH: path }).ended;
  const log = join(checkout, "..", "calls");
  return { ...ended, checkout, calls: existsSync(log) ? readFileSync(log, "utf8") : "" };
}

test("nothing is missing: nothing is done", async () => {
  const { status, output, errors, calls } = await setUp({});
  assert.deepEqual({ status, output, errors }, { status: 0, output: "", errors: "" });
  assert.doesNotMatch(calls, /npm|apt/);
});

test("packages are missing and the user is not root: the exact command", async () => {
  const { status, errors } = await setUp({
    without: ["gcc", "ld", "nm", "qemu-system-x86_64"],
    apt: "exit 9",
  });
  assert.equal(status, 1);
  assert.match(errors, /^ {2}sudo apt-get install --no-install-recommends gcc binutils qemu-system-x86 $/m);
});

test("what only the tests need is asked for with --test only", async () => {
  assert.equal((await setUp({ without: ["tshark"], apt: "" })).status, 0);
  const { status, errors } = await setUp({ without: ["tshark"], apt: "" }, ["--test"]);
  assert.equal(status, 1);
  assert.match(errors, /apt-get install --no-install-recommends tshark $/m);
});

test("no apt-get: the names of the packages", async () => {
  const { status, errors } = await setUp({ without: ["objcopy"] });
  assert.equal(status, 1);
  assert.match(errors, /these programs are missing; their Debian packages are: binutils/);
});

test("root: apt-get installs them", { skip: !IS_ROOT && "needs root" }, async () => {
  const apt = `if [[ $* == *install* ]]; then echo "#!${BASH}" > "\${0%/*}/ld"; chmod +x "\${0%/*}/ld"; fi`;
  const { status, calls } = await setUp({ without: ["ld"], apt }, [], true);
  assert.equal(status, 0);
  assert.match(calls, /^apt-get -q update\napt-get -q install -y --no-install-recommends binutils$/m);
});

test("root: a package that cannot be installed is named", { skip: !IS_ROOT && "needs root" }, async () => {
  const fails = await setUp({ without: ["ld"], apt: "exit 100" }, [], true);
  assert.equal(fails.status, 1);
  assert.match(fails.errors, /could not install binutils/);
  const lies = await setUp({ without: ["ld"], apt: "exit 0" }, [], true);
  assert.equal(lies.status, 1);
  assert.match(lies.errors, /still missing after the installation: binutils/);
});

test("Node.js is missing or too old", async () => {
  const none = await setUp({ without: ["node"] });
  assert.equal(none.status, 1);
  assert.match(none.errors, /Node\.js 20 or newer with npm is needed; none is installed/);
  const old = await setUp({ node: "v18.19.0" });
  assert.equal(old.status, 1);
  assert.match(old.errors, /Node\.js 20 or newer is needed; this is v18\.19\.0/);
});

test("npm ci runs when node_modules is missing or older than the lock", async () => {
  for (const nodeModules of ["none", "old"] as const) {
    const { calls, checkout } = await setUp({ nodeModules });
    assert.match(calls, /^npm ci /m, nodeModules);
    assert.ok(existsSync(join(checkout, "npm-was-here")));
  }
});
