/** C applications: what the module has, what an incremental build starts, and what an author's mistakes are answered with. */
import assert from "node:assert/strict";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { buildImage } from "../../tools/build.ts";
import { loadManifest } from "../../tools/manifest.ts";
import { type Module, readModule } from "../../tools/wasm.ts";
import { compileApplication } from "../../tools/application.ts";
import { ROOT } from "../../tools/paths.ts";
import { Steps } from "../../tools/steps.ts";
import { findTool } from "../../tools/toolchain.ts";
import { aemos, sourceFolder, temporaryFolder, writeFiles } from "./support.ts";

const folder = sourceFolder("c");
const HEADER = '#include "aemos.h"\n';
const source = (status: string): string =>
  `${HEADER}#include "status.h"\nstatic void tick(int jid, int overrun) { exit(${status} + overrun); }\n` +
  `int main(void) { return evtimer(1, 0, 0, tick) < 0 ? 1 : enter_keepalive(); }\n`;

const started = async (): Promise<string[]> =>
  (await buildImage(folder)).started.map(({ unit, tool }) => `${unit}: ${tool}`);

/** A PATH with all that a build starts but one program. */
async function pathWithout(missing: string): Promise<string> {
  const path = temporaryFolder();
  for (const name of ["gcc", "ld", "objcopy", "nm", "clang", "wasm-ld"]) {
    const target = await findTool(name);
    if (name !== missing && target !== undefined) symlinkSync(target, join(path, name));
  }
  return path;
}

/** Builds this text as `main` of an application of its own; its UserError's message. */
async function refusal(name: string, text: string): Promise<string> {
  writeFiles(folder, { [`${name}.c`]: text });
  let message = "";
  await assert.rejects(buildImage(join(folder, `${name}.c`)), (error: Error) => {
    message = error.message;
    return error.name === "UserError";
  });
  return message;
}

before(async () => {
  writeFiles(folder, {
    "main.c": source("STATUS"),
    "status.h": "#define STATUS 3\n",
    "aemos.json": JSON.stringify({ name: "in-c", applications: [{ name: "in-c", module: "main.c" }] }),
  });
  await buildImage(folder);
});

async function compiled(path: string): Promise<Module> {
  const [entry] = (await loadManifest(path)).applications;
  assert.ok(entry);
  const wasm = await compileApplication(new Steps(), join(folder, "out"), entry);
  return readModule("main.c", readFileSync(wasm));
}

test("the module exports memory, main, the shadow stack's pointer and the table; it imports the calls that it uses", async () => {
  const { exports, imports, tables, memories } = await compiled(folder);
  assert.deepEqual([...exports].map(([name, { kind }]) => `${name}: ${kind}`).sort(), [
    "__indirect_function_table: table",
    "__stack_pointer: global",
    "main: function",
    "memory: memory",
  ]);
  assert.deepEqual(imports.map(({ module, name }) => `${module}.${name}`).sort(), [
    "aemos.enter_keepalive",
    "aemos.evtimer",
    "aemos.exit",
  ]);
  assert.equal(tables.length, 1);
  // 64 KiB of shadow stack; there are no data.
  assert.equal(memories[0]?.minimum, 1);
});

test("the shadow stack is as large as the stack of the manifest", async () => {
  writeFiles(folder, {
    "large.json": JSON.stringify({
      name: "large",
      applications: [{ name: "large", module: "main.c", stackKiB: 1024 }],
    }),
  });
  assert.equal((await compiled(join(folder, "large.json"))).memories[0]?.minimum, 16);
});

test("a build with nothing changed starts nothing", async () => {
  assert.deepEqual(await started(), []);
});

test("a changed source starts clang and wasm-ld, and nothing for the kernel", async () => {
  writeFiles(folder, { "main.c": source("4 + STATUS") });
  const commands = await started();
  assert.deepEqual(commands.slice(0, 4), [
    "application in-c: clang",
    "application in-c: wasm-ld",
    "application in-c: wasm-opt",
    "application in-c: wasm2c",
  ]);
  assert.ok(!commands.some((command) => command.startsWith("kernel")), commands.join("\n"));
});

test("a changed header that the source includes is noticed", async () => {
  writeFiles(folder, { "status.h": "#define STATUS 5\n" });
  const commands = await started();
  assert.equal(commands[0], "application in-c: clang");
  assert.ok(commands.includes("image: ld"));
});

test("a comment starts clang and nothing after it", async () => {
  writeFiles(folder, { "main.c": `${source("4 + STATUS")}/* Nothing new. */\n` });
  assert.deepEqual(await started(), ["application in-c: clang"]);
});

test("an error in the source: clang's words, with file and line", async () => {
  const message = await refusal("bad", `${HEADER}int main(void) {\n  return nothing;\n}\n`);
  assert.match(message, /^application bad: clang failed/);
  assert.match(message, /\/bad\.c:3:10: error: use of undeclared identifier 'nothing'/);
});

test("a handler of another type, and a function that nobody has declared, do not compile", async () => {
  const message = await refusal(
    "types",
    `${HEADER}static void one(int jid) {}\nint main(void) { return evtimer(1, 0, 0, one) + undeclared(); }\n`,
  );
  assert.match(message, /types\.c:3:\d+: error: incompatible function pointer types/);
  assert.match(message, /types\.c:3:\d+: error: implicit declaration of function 'undeclared'/);
});

test("main with arguments, and main without the header", async () => {
  const message = await refusal("arguments", `${HEADER}int main(int argc, char **argv) { return argc; }\n`);
  assert.match(message, /arguments\.c:2:5: error: conflicting types for 'main'/);
  assert.match(
    await refusal("bare", "int main(void) { return 0; }\n"),
    /bare\.c: does not export a function "main"\n.*includes "aemos\.h"/,
  );
});

test("a function that is declared and nowhere defined: the source and its name", async () => {
  const message = await refusal("undefined", `${HEADER}int gone(void);\nint main(void) { return gone(); }\n`);
  assert.match(message, /undefined\.c: application undefined: wasm-ld failed.*undefined symbol: gone/s);
});

test("an import that is no system call", async () => {
  const text = "AEMOS_CALL(reboot) int reboot(int64_t how);\nint main(void) { return reboot(1); }\n";
  assert.match(
    await refusal("unknown", HEADER + text),
    /unknown\.c: imports aemos\.reboot\(i64\) -> i32; there is no such system call/,
  );
});

test("a frame that the shadow stack cannot hold", async () => {
  const text = "int main(void) { char large[70000]; return getrandom(large, 70000, 0) + large[9]; }\n";
  assert.match(await refusal("frame", HEADER + text), /frame\.c:2:5: error: stack frame size/);
});

test("docs/c-applications.md: the code compiles, and imports what it says", async () => {
  const guide = readFileSync(join(ROOT, "docs", "c-applications.md"), "utf8");
  const [, code = ""] = guide.match(/```c\n(.*?)```/s) ?? [];
  writeFiles(folder, { "guide.c": code });
  const { imports } = await compiled(join(folder, "guide.c"));
  const names = imports.map(({ name }) => name);
  for (const name of ["send", "close", "sockasync_read", "sockasync_accept", "enter_keepalive"])
    assert.ok(names.includes(name), name);
});

test("clang is missing: its name and the package to install", async () => {
  const { status, errors } = await aemos(["build", folder], { PATH: await pathWithout("clang") }).ended;
  assert.equal(status, 1);
  assert.match(errors, /clang is not installed: apt-get install --no-install-recommends clang /);
});

test("wasm-ld is missing: its name and the package to install", async () => {
  const { status, errors } = await aemos(["build", folder], { PATH: await pathWithout("wasm-ld") }).ended;
  assert.equal(status, 1);
  assert.match(errors, /wasm-ld is not installed: apt-get install --no-install-recommends lld /);
});
