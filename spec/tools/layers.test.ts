/** The layering check: it finds each kind of violation, with its line, and the checkout has none. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { checkLayers } from "../../tools/check-layers.ts";
import { ROOT } from "../../tools/paths.ts";
import { start, temporaryFolder, writeFiles } from "./support.ts";

const folder = temporaryFolder();
writeFiles(folder, {
  "kernel/hal.ts":
    '// @ts-ignore: decorator\n@external("hal", "in8") export declare function in8(port: u32): u32;\n',
  "kernel/main.ts": 'import { start } from "../aem/job";\nimport { scan } from "../drivers/pci";\n',
  "kernel/console.ts": 'import { in8 } from "./hal";\n\nimport { Event } from "../aem/event";\n',
  "kernel/panic.ts":
    '@external("env", "abort") declare function abort(): void;\nimport { main } from "./main";\n',
  "net/tcp.ts": 'import { log } from "../kernel/console";\nimport { Pci } from "../drivers/pci";\n',
  "drivers/net.ts":
    'import { Device } from "../net/device";\nimport { Buffer } from "../net/buffer";\nexport { x } from "../net/ipv4";\n',
  "aem/job.ts":
    'import { Socket } from "../net/socket/socket";\nimport { now } from "../kernel/time/clock";\nimport { y } from "../sdk/calls";\n',
  "sdk/calls.ts":
    '@external("aemos", "exit") export declare function exit(status: i32): void;\nimport { z } from "../kernel/errno";\n',
  "apps/echo/main.ts":
    'import { exit } from "../../sdk";\nimport { log } from "../../kernel/console";\nimport "assemblyscript";\n',
});

test("each violation is found, and nothing else", () => {
  const found = checkLayers(folder).map(({ file, line }) => `${file}:${line}`);
  assert.deepEqual(found.sort(), [
    "aem/job.ts:3",
    "apps/echo/main.ts:2",
    "apps/echo/main.ts:3",
    "drivers/net.ts:3",
    "kernel/console.ts:3",
    "kernel/panic.ts:1",
    "kernel/panic.ts:2",
    "net/tcp.ts:2",
    "sdk/calls.ts:2",
  ]);
});

test("the message names the rule", () => {
  const rule = checkLayers(folder).find(({ file }) => file === "net/tcp.ts")?.rule;
  assert.equal(rule, "net imports drivers/pci: it may import only kernel");
});

test("as a program it prints file, line and rule, and fails", async () => {
  const program = join(ROOT, "tools", "check-layers.ts");
  const { status, errors } = await start(process.execPath, ["--import", "tsx", program, folder]).ended;
  assert.equal(status, 1);
  assert.match(errors, /^net\/tcp\.ts:2: net imports drivers\/pci/m);
});

test("the checkout keeps to the layers", () => {
  assert.deepEqual(checkLayers(ROOT), []);
});
