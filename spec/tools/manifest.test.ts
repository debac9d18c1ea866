/** Image manifests: defaults, what an application implies, and every message that a mistake gets. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DEFAULT_MANIFEST } from "../../tools/paths.ts";
import { loadManifest } from "../../tools/manifest.ts";
import { temporaryFolder, writeFiles } from "./support.ts";

const folder = temporaryFolder();
writeFiles(folder, {
  "one.ts": "export function main(): i32 { return 0; }",
  "sub/main.ts": "export function main(): i32 { return 0; }",
});

function write(value: unknown): string {
  const file = join(folder, "image.json");
  writeFiles(folder, { "image.json": typeof value === "string" ? value : JSON.stringify(value) });
  return file;
}

const one = { name: "one", module: "one.ts" };

test("defaults are filled in", async () => {
  const manifest = await loadManifest(write({ name: "image", applications: [one] }));
  assert.equal(manifest.memoryMiB, 128);
  assert.equal(manifest.append, "");
  assert.equal(manifest.reservePercent, 5);
  assert.equal(manifest.congestion, "cubic");
  assert.deepEqual(manifest.forward, []);
  assert.deepEqual(manifest.applications, [
    {
      name: "one",
      module: join(folder, "one.ts"),
      memoryMiB: 16,
      stackKiB: 64,
      vmtableKiB: 1024,
      priority: 32,
      cpuPercent: 100,
      runtime: "incremental",
      threadStackKiB: 64,
      children: 16,
      capsules: 4,
      start: true,
      limits: {},
      policy: {},
    },
  ]);
});

test("a forward is tcp unless it says otherwise", async () => {
  const forward = [
    { host: 8080, guest: 80 },
    { host: 8080, guest: 7, protocol: "udp" },
  ];
  const manifest = await loadManifest(write({ name: "image", applications: [one], forward }));
  assert.deepEqual(
    manifest.forward.map(({ protocol }) => protocol),
    ["tcp", "udp"],
  );
});

test("a source implies a manifest", async () => {
  assert.equal((await loadManifest(join(folder, "one.ts"))).applications[0]?.name, "one");
  assert.equal((await loadManifest(join(folder, "sub", "main.ts"))).name, "sub");
});

test("a folder is read through its aemos.json", async () => {
  writeFiles(folder, {
    "sub/aemos.json": JSON.stringify({ name: "below", applications: [{ name: "main", module: "main.ts" }] }),
  });
  assert.equal((await loadManifest(join(folder, "sub"))).name, "below");
});

test("the default image has the web server and echo", async () => {
  const names = (await loadManifest(DEFAULT_MANIFEST)).applications.map(({ name }) => name);
  assert.deepEqual(names.sort(), ["echo", "http"]);
});

const limited = (limits: object): object => ({ name: "i", applications: [{ ...one, limits }] });
const allowed = (policy: object): object => ({ name: "i", applications: [{ ...one, policy }] });

test("enter_keepalive need not be in handlersAfter where it is refused", async () => {
  for (const policy of [
    { handlersAfter: ["nanosleep"], denyCalls: ["enter_keepalive"] },
    { handlersAfter: [], calls: ["log"] },
  ])
    assert.deepEqual((await loadManifest(write(allowed(policy)))).applications[0]?.policy, policy);
});

const mistakes: [string, unknown, RegExp][] = [
  ["not JSON", "{", /image\.json: not JSON/],
  [
    "a key that does not exist",
    { name: "i", applications: [one], memory: 3 },
    /image\.json: there is no key "memory" \(known: .*memoryMiB/,
  ],
  [
    "a key of an application that does not exist",
    { name: "i", applications: [{ ...one, stack: 3 }] },
    /image\.json: applications\[0\]: there is no key "stack" \(known: name, module, runtime, memoryMiB, stackKiB, vmtableKiB, priority, .*policy\)/,
  ],
  ["a missing key", { name: "i" }, /image\.json: the key "applications" is missing/],
  [
    "a wrong type",
    { name: "i", applications: [one], memoryMiB: "64" },
    /image\.json: memoryMiB: "64" is not of type integer/,
  ],
  [
    "a bad name",
    { name: "An Image", applications: [one] },
    /image\.json: name: "An Image" must match pattern/,
  ],
  ["too little memory", { name: "i", applications: [one], memoryMiB: 1 }, /memoryMiB: 1 must be >= 4/],
  [
    "a vmtable that is no power of two",
    { name: "i", applications: [{ ...one, vmtableKiB: 100 }] },
    /vmtableKiB: 100 is none of 64, 128/,
  ],
  ["a name twice", { name: "i", applications: [one, one] }, /image\.json: two applications are named "one"/],
  [
    "a module that is not there",
    { name: "i", applications: [{ name: "x", module: "none.ts" }] },
    /application "x": there is no module .*none\.ts/,
  ],
  [
    "a priority that there is not",
    { name: "i", applications: [{ ...one, priority: 64 }] },
    /applications\[0\]\.priority: 64 must be <= 63/,
  ],
  [
    "no share at all",
    { name: "i", applications: [{ ...one, cpuPercent: 0 }] },
    /applications\[0\]\.cpuPercent: 0 must be >= 1/,
  ],
  [
    "too large a reserve",
    { name: "i", applications: [one], reservePercent: 51 },
    /reservePercent: 51 must be <= 50/,
  ],
  ["a limit of nothing", limited({ events: 0 }), /applications\[0\]\.limits\.events: 0 must be >= 1/],
  [
    "a limit that there is not",
    limited({ sockets: 3 }),
    /\.limits: there is no key "sockets" \(known: events, activations, /,
  ],
  [
    "a limit of an unknown type",
    limited({ eventsOfType: { tick: 3 } }),
    /\.eventsOfType: there is no key "tick" \(known: accept, /,
  ],
  [
    "an unknown type of event",
    allowed({ events: ["timer", "tick"] }),
    /applications\[0\]\.policy\.events\[1\]: "tick" is none of accept, read, /,
  ],
  [
    "an unknown executor",
    allowed({ executors: ["process"] }),
    /\.policy\.executors\[0\]: "process" is none of function, thread, fork, capsule/,
  ],
  ["a call twice", allowed({ calls: ["log", "log"] }), /\.policy\.calls: .*must NOT have duplicate items/],
  [
    "what is no name of a call",
    allowed({ denyCalls: ["sys_Log"] }),
    /\.policy\.denyCalls\[0\]: "sys_Log" must match pattern/,
  ],
  [
    "both lists of calls",
    allowed({ calls: ["log"], denyCalls: ["kill"] }),
    /image\.json: applications\[0\]\.policy: "calls" says what is allowed and "denyCalls" what is not/,
  ],
  [
    "an enter_keepalive that would never run a handler",
    allowed({ handlersAfter: ["nanosleep"] }),
    /image\.json: applications\[0\]\.policy\.handlersAfter: enter_keepalive is missing/,
  ],
  [
    "a host port twice",
    {
      name: "i",
      applications: [one],
      forward: [
        { host: 80, guest: 1 },
        { host: 80, guest: 2 },
      ],
    },
    /port 80\/tcp of the host is forwarded twice/,
  ],
];
for (const [name, value, message] of mistakes) {
  test(name, async () => {
    await assert.rejects(loadManifest(write(value)), { name: "UserError", message });
  });
}

test("several mistakes are all told", async () => {
  const file = write({ name: "i", applications: [one], a: 1, b: 2 });
  await assert.rejects(loadManifest(file), /"a".*"b"/s);
});

test("a path that is nothing to build", async () => {
  await assert.rejects(loadManifest(join(folder, "none")), /none: there is no such file or folder/);
  writeFiles(folder, { "image.txt": "", "empty/x": "" });
  await assert.rejects(loadManifest(join(folder, "image.txt")), /neither a manifest .* nor a source/);
  await assert.rejects(loadManifest(join(folder, "empty")), /the folder has no aemos\.json/);
  mkdirSync(join(folder, "odd", "aemos.json"), { recursive: true });
  await assert.rejects(loadManifest(join(folder, "odd")), /EISDIR/);
});
