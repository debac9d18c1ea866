/**
 * Options of sockets and flags of send and recv stand in four places: in the kernel, in docs/aem-calls.md, and in the sdk for TypeScript and in that for C. Here each
 * of them has what the kernel has, with its number, and nothing else.
 */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../../tools/paths.ts";

const read = (...path: string[]): string => readFileSync(join(ROOT, ...path), "utf8");

const sources = readdirSync(join(ROOT, "net", "socket"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => read("net", "socket", name));
const kernel = sources.join("\n");
const typescript = read("sdk", "socket-options.ts") + read("sdk", "socket.ts");
const header = read("sdk", "aemos", "socket.h");
const document = read("docs", "aem-calls.md");

/** Number of a constant of the kernel: `0x40`, or `OWN_OPTIONS + 1`. */
function numberOf(name: string): number {
  const [, text] = new RegExp(`^(?:export )?const ${name}: u32 = ([^;]+);`, "m").exec(kernel) ?? [];
  assert.ok(text, `the kernel has no ${name}`);
  const [first = "", second] = text.split(" + ");
  const number = /^\d/.test(first) ? Number(first) : numberOf(first);
  assert.ok(Number.isInteger(number), `${name} is ${text}`);
  return number + Number(second ?? 0);
}

interface Option {
  level: string;
  name: string;
  value: number;
  sockets: string;
  readOnly: boolean;
}

/** Levels and sockets, as the table has them. */
const LEVELS: Record<string, string> = {
  SOL_SOCKET: "`SOL_SOCKET` 1",
  SOL_IP: "`IPPROTO_IP` 0",
  SOL_IPV6: "`IPPROTO_IPV6` 41",
  SOL_TCP: "`IPPROTO_TCP` 6",
};
const SOCKETS: Record<string, string> = { OF_ALL: "all", OF_STREAMS: "TCP", OF_DATAGRAMS: "UDP" };

/** Rows of the kernel's table. */
const rows: Option[] = [
  ...kernel.matchAll(/^ {2}defineOption\(\s*(\w+),\s*(\w+),\s*(\w+),\s*(\w+)\.index,\s*(0|\w+\.index)/gm),
].map(([, level = "", name = "", sockets = "", , set]) => ({
  ...{ level: LEVELS[level] ?? "", name, value: numberOf(name) },
  ...{ sockets: SOCKETS[sockets] ?? "", readOnly: set === "0" },
}));

/** Rows of the document's. An empty first cell goes on with the level above. */
function documented(): Option[] {
  const [, table = ""] = /^\| Level \| Option \|.*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(document) ?? [];
  let level = "";
  return table
    .trimEnd()
    .split("\n")
    .flatMap((line) => {
      const [, first = "", options = "", sockets = "", text = ""] = line
        .split("|")
        .map((cell) => cell.trim());
      if (first !== "") level = first;
      const readOnly = text.startsWith("to be read only");
      return [...options.matchAll(/`(\w+)` (\w+)/g)].map(([, name = "", value]) => ({
        ...{ level, name, value: Number(value), sockets, readOnly },
      }));
    });
}

const keyOf = ({ level, name, sockets }: Option): string => `${level} ${name} ${sockets}`;
const byName = (a: Option, b: Option): number => (keyOf(a) < keyOf(b) ? -1 : 1);

test("the kernel's options are those of the table in docs/aem-calls.md: level, number, sockets, and whether they can be set", () => {
  assert.equal(rows.length, kernel.match(/^ {2}defineOption\(/gm)?.length, "every row was read");
  assert.ok(rows.length > 25, `${rows.length} options`);
  assert.deepEqual(documented().sort(byName), [...rows].sort(byName));
});

/** `const NAME: i32 = value;` and `#define NAME value` with these beginnings. */
function constants(text: string, beginning: RegExp): Map<string, number> {
  const found = text.matchAll(/^(?:export const|#define) (\w+)(?:: i32 =)? (0x[\da-f]+|\d+)\b/gm);
  return new Map(
    [...found].flatMap(([, name = "", value]) => (beginning.test(name) ? [[name, Number(value)]] : [])),
  );
}

/** Names of options, and of the values of some of them. */
const OPTION = /^(SO|IP|IPV6|TCP)_(?!PMTUDISC)/;
const FLAG = /^MSG_/;

const flags = new Map(
  [...new Set(kernel.match(/(?<=^(?:export )?const )MSG_\w+(?=: u32)/gm))].map((name) => [
    name,
    numberOf(name),
  ]),
);
const options = new Map(rows.map(({ name, value }) => [name, value]));
const sorted = (map: ReadonlyMap<string, number>): [string, number][] => [...map].sort();

test("both sdks have every option of the kernel, every flag of send and recv, and no other", () => {
  assert.ok(flags.size >= 6);
  for (const [what, text] of [
    ["TypeScript", typescript],
    ["C", header],
  ] as const) {
    assert.deepEqual(sorted(constants(text, OPTION)), sorted(options), `options in ${what}`);
    assert.deepEqual(sorted(constants(text, FLAG)), sorted(flags), `flags in ${what}`);
  }
});

test("docs/aem-calls.md has every flag of send and recv", () => {
  const [, table = ""] = /^\| Flag \| Value \| Of \|.*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(document) ?? [];
  const told = [...table.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(
    ([, name = "", value]): [string, number] => [name, Number(value)],
  );
  assert.deepEqual(sorted(new Map(told)), sorted(flags));
});
