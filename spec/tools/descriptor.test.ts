/** The descriptor of an application is written three times: boot/module.h, tools/generate.ts, kernel/process/module.ts. They agree. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Application } from "../../tools/application.ts";
import { moduleSource, modulesSource } from "../../tools/generate.ts";
import { ROOT } from "../../tools/paths.ts";
import {
  EVENT_TYPE_NAMES,
  EXECUTOR_NAMES,
  boundElsewhere,
  refusedExecutors,
  refusedTypes,
} from "../../tools/policy.ts";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const header = read("boot/module.h");
const kernel = read("kernel/process/module.ts");
const schema = JSON.parse(read("tools/image.schema.json")) as {
  definitions: Record<
    string,
    { properties: Record<string, { items?: { enum: string[] }; properties?: object }> }
  >;
};
const TYPES = Number(/#define MODULE_EVENT_TYPES (\d+)/.exec(header)?.[1]);

/** The body between the braces of the struct or class. */
function body(text: string, head: string): string {
  const start = text.indexOf(head);
  assert.ok(start >= 0, head);
  return text
    .slice(text.indexOf("{", start) + 1, text.indexOf("\n}", start))
    .replace(/\/\*[\s\S]*?\*\//g, "");
}

/** Fields of a struct of the header in order, an array as often as it has elements. */
function headerFields(struct: string): string[] {
  return body(header, `struct ${struct} {`)
    .split(";")
    .flatMap((declaration) => {
      const match = /(?:uint64_t |char\* |\(\*)(\w+)(\[MODULE_EVENT_TYPES\])?\)?(?:\(void\))?$/.exec(
        declaration.trim(),
      );
      if (match === null) {
        assert.equal(declaration.trim(), "");
        return [];
      }
      const [, name = "", array] = match;
      return array === undefined
        ? [name]
        : Array.from({ length: TYPES }, (_, i) => name + (i === 0 ? "" : i));
    });
}

/** Words of 4 bytes of the kernel's class in order; of a u64, the name and its upper half. */
function kernelWords(name: string): string[] {
  const fields = [...body(kernel, `class ${name} {`).matchAll(/^ {2}(?:private )?(\w+): (u32|u64);$/gm)];
  return fields.flatMap(([, field = "", type]) => (type === "u64" ? [field, `${field}High`] : [field]));
}

const camel = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

const application = {
  entry: {
    name: "one",
    module: "one.ts",
    memoryMiB: 1,
    stackKiB: 16,
    vmtableKiB: 64,
    priority: 1,
    cpuPercent: 2,
    threadStackKiB: 4,
    children: 5,
    capsules: 6,
    start: false,
    limits: { events: 8, activations: 9, descriptors: 10, eventsOfType: { accept: 11, error: 12 } },
    policy: { events: ["read", "error"], executors: ["thread"] },
  },
  instanceType: "w2c_one",
  instantiate: "instantiate",
  hasImports: true,
  main: "main",
  memoryPages: 1,
  memoryMaximumPages: 2,
  tableEntries: 3,
  tableMaximum: 4,
  threads: 3,
} as unknown as Application;

test("boot/module.h and kernel/process/module.ts have the same fields in the same order", () => {
  const expected = headerFields("module_descriptor").flatMap((name) => [camel(name), `${camel(name)}High`]);
  assert.ok(expected.length > 60);
  assert.deepEqual(kernelWords("ModuleDescriptor"), expected);
});

test("tools/generate.ts initialises each field of boot/module.h, in its order", () => {
  const written = [...moduleSource(application).matchAll(/^ {4}\.(\w+) = /gm)].map(([, name]) => name);
  assert.deepEqual(
    written,
    headerFields("module_descriptor").filter((name) => !/^type_limits\d/.test(name)),
  );
});

test("what the manifest says arrives in the descriptor", () => {
  const text = moduleSource(application);
  const value = (name: string): string => new RegExp(`\\.${name} = (.*),\n`).exec(text)?.[1] ?? "";
  const names = "priority cpu_percent threads thread_stack_bytes children capsules on_demand".split(" ");
  assert.deepEqual(names.map(value), ["1", "2", "3", "4096", "5", "6", "1"]);
  assert.deepEqual(["event_limit", "activation_limit", "descriptor_limit"].map(value), ["8", "9", "10"]);
  assert.equal(value("type_limits"), `{11, ${"0, ".repeat(12)}12}`);
  assert.equal(Number(value("refused_types")), 0x3fff & ~(1 << 1) & ~(1 << 13));
  assert.equal(Number(value("refused_executors")), 0b1101);
  const image = modulesSource(["one"], { reservePercent: 7, congestion: "newreno" });
  assert.match(image, /image_parameters = \{\n {4}\.reserve_percent = 7,\n {4}\.congestion_control = 1,/);
});

test("an application may have any name: no symbol of the list is an application's", () => {
  const list = modulesSource(["table", "count"], { reservePercent: 7, congestion: "cubic" });
  const symbols = [...list.matchAll(/^(?:extern )?const [^=;]*?(\w+)(?:\[.*)?(?: = .*)?;?$/gm)].map(
    ([, name]) => name,
  );
  assert.ok(symbols.length > 4, String(symbols));
  assert.deepEqual(symbols, [...new Set(symbols)]);
});

test("there are as many types of event everywhere, with the same names and numbers", () => {
  assert.equal(TYPES, EVENT_TYPE_NAMES.length);
  assert.match(kernel, new RegExp(`MODULE_EVENT_TYPES: u32 = ${TYPES};`));
  const { limits, policy } = schema.definitions;
  assert.deepEqual(Object.keys(limits?.properties["eventsOfType"]?.properties ?? {}), [...EVENT_TYPE_NAMES]);
  assert.deepEqual(policy?.properties["events"]?.items?.enum, [...EVENT_TYPE_NAMES]);
  assert.deepEqual(policy?.properties["executors"]?.items?.enum, [...EXECUTOR_NAMES]);
  const abi = read("aem/abi.ts");
  for (const [number, name] of EVENT_TYPE_NAMES.entries()) {
    const known = new RegExp(`^export const EVENT_${name.toUpperCase()}: u32 = (\\d+);`, "m").exec(abi);
    if (known !== null) assert.equal(Number(known[1]), number, name);
  }
});

test("the bits of executors are those of aem/limits.ts", () => {
  const limits = read("aem/limits.ts");
  for (const [bit, name] of EXECUTOR_NAMES.entries())
    assert.match(limits, new RegExp(`EXECUTOR_${name.toUpperCase()}: u32 = ${1 << bit};`));
});

test("the names of processinfo's fields are the same for the kernel and for applications", () => {
  const fields = (path: string): string[] =>
    [...body(read(path), "class ProcessInformation {").matchAll(/^ {2}(?:private )?(\w+: \w+);$/gm)].map(
      ([, field = ""]) => field,
    );
  assert.ok(fields("sdk/processinfo.ts").length > 20);
  assert.deepEqual(fields("kernel/process/processinfo.ts"), fields("sdk/processinfo.ts"));
});

test("nothing is refused unless something is said", () => {
  assert.equal(refusedTypes({}), 0);
  assert.equal(refusedExecutors({}), 0);
  assert.deepEqual(boundElsewhere({}, ["w2c_aemos_log"]), []);
  assert.equal(refusedTypes({ events: [] }), 0x3fff);
});

test("calls are bound to other stubs where the policy says so, and nowhere else", () => {
  const imports = ["w2c_aemos_log", "w2c_aemos_kill", "w2c_aemos_enter_keepalive"];
  assert.deepEqual(boundElsewhere({ denyCalls: ["kill", "send"] }, imports), [
    ["w2c_aemos_kill", "refused_aemos_kill"],
  ]);
  assert.deepEqual(boundElsewhere({ calls: ["log"], handlersAfter: [] }, imports), [
    ["w2c_aemos_log", "quiet_aemos_log"],
    ["w2c_aemos_kill", "refused_aemos_kill"],
    ["w2c_aemos_enter_keepalive", "refused_aemos_enter_keepalive"],
  ]);
});
