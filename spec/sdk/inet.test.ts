/**
 * Addresses in text, in both languages: inet_pton says of each text what Node says of it, and writes the bytes that a second reading gives. The texts are those that RFC 4291 names, and
 * thousands that are made of random addresses, written in every allowed way, and damaged.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { isIPv4, isIPv6 } from "node:net";
import { join } from "node:path";
import { before, test } from "node:test";
import { compileApplication } from "../../tools/application.ts";
import { ROOT } from "../../tools/paths.ts";
import { Steps } from "../../tools/steps.ts";
import { compile } from "../apps/compile.ts";
import { sourceFolder } from "../tools/support.ts";
import { generator } from "../wire/wire.ts";

const [AF_INET, AF_INET6] = [2, 10];
const EAFNOSUPPORT = -97;
const SIZES = new Map([
  [AF_INET, 4],
  [AF_INET6, 16],
]);

/** The bytes, "" where it is no address, or the errno. */
type Reader = (family: number, text: string) => string | number;
const readers: [string, Reader][] = [];
let inetAddr: (text: string) => number;

interface Exports {
  memory: WebAssembly.Memory;
  room(): number;
  pton(family: number, text: number, ...rest: number[]): number;
  read(family: number, text: number, length: number, destination: number): number;
  addr(text: number): number;
}

/** What stands at `at` afterwards, if `call` says 1. What is behind it has to be as before. */
function result(memory: WebAssembly.Memory, at: number, family: number, call: () => number): string | number {
  const bytes = Buffer.from(memory.buffer);
  const size = SIZES.get(family) ?? 0;
  bytes.fill(0xee, at, at + 32);
  const found = call();
  assert.ok(
    bytes.subarray(at + size, at + 32).every((byte) => byte === 0xee),
    "more bytes were written",
  );
  if (found !== 1) return found === 0 ? "" : found;
  return bytes.toString("hex", at, at + size);
}

before(async () => {
  const none = new Proxy({}, { get: (_, name) => () => assert.fail(`${String(name)} was called`) });
  const instance = async (module: WebAssembly.Module): Promise<Exports> =>
    (await WebAssembly.instantiate(module, { aemos: none })).exports as unknown as Exports;

  const ours = await instance(await compile("spec/sdk/inet-harness.ts"));
  const room = ours.room();
  const place = room + 512;
  readers.push([
    "TypeScript",
    (family, text) => {
      const length = Buffer.from(ours.memory.buffer).write(text, room, "utf16le") / 2;
      return result(ours.memory, place, family, () => ours.pton(family, room, length, place));
    },
  ]);
  readers.push([
    "the resolver",
    (family, text) => {
      const length = Buffer.from(ours.memory.buffer).write(text, room, "latin1");
      return result(ours.memory, place, family, () => ours.read(family, room, length, place));
    },
  ]);

  const wasm = await compileApplication(new Steps(), sourceFolder("inet"), {
    ...{ name: "inet", module: join(ROOT, "spec", "sdk", "inet-harness.c"), runtime: "incremental" },
    ...{ start: true, limits: {}, policy: {}, memoryMiB: 1, stackKiB: 64, vmtableKiB: 64 },
    ...{ threadStackKiB: 64, priority: 32, cpuPercent: 100, children: 0, capsules: 0 },
  });
  const theirs = await instance(new WebAssembly.Module(await readFile(wasm)));
  const space = theirs.room();
  const write = (text: string): void => {
    Buffer.from(theirs.memory.buffer).write(`${text}\0`, space, "latin1");
  };
  readers.push([
    "C",
    (family, text) => {
      write(text);
      return result(theirs.memory, space + 512, family, () => theirs.pton(family, space, space + 512));
    },
  ]);
  inetAddr = (text) => {
    write(text);
    return theirs.addr(space) >>> 0;
  };
});

const hex = (values: number[], digits: number): string =>
  values.map((value) => value.toString(16).padStart(digits, "0")).join("");

/** The bytes of an address, read a second way. */
function bytesOf(text: string): string {
  if (isIPv4(text)) return hex(text.split(".").map(Number), 2);
  const dotted = text.slice(text.lastIndexOf(":") + 1);
  if (dotted.includes(".")) {
    const last = bytesOf(dotted);
    text = `${text.slice(0, -dotted.length)}${last.slice(0, 4)}:${last.slice(4)}`;
  }
  const [front = [], back = []] = text
    .split("::")
    .map((half) => (half === "" ? [] : half.split(":").map((group) => Number.parseInt(group, 16))));
  return hex([...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back], 4);
}

function check(text: string): void {
  // A zone says nothing about the address: Node takes it, inet_pton does not.
  const is6 = isIPv6(text) && !text.includes("%");
  for (const [what, read] of readers) {
    const said = JSON.stringify(text);
    assert.equal(read(AF_INET, text), isIPv4(text) ? bytesOf(text) : "", `IPv4, ${what}: ${said}`);
    assert.equal(read(AF_INET6, text), is6 ? bytesOf(text) : "", `IPv6, ${what}: ${said}`);
  }
}

test("addresses that RFC 4291 names, and what is nearly one", () => {
  const known: [string, string][] = [
    ["ABCD:EF01:2345:6789:abcd:ef01:2345:6789", "abcdef0123456789abcdef0123456789"],
    ["2001:DB8:0:0:8:800:200C:417A", "20010db80000000000080800200c417a"],
    ["2001:DB8::8:800:200C:417A", "20010db80000000000080800200c417a"],
    ["FF01::101", "ff010000000000000000000000000101"],
    ["::1", "00000000000000000000000000000001"],
    ["::", "00000000000000000000000000000000"],
    ["0:0:0:0:0:0:13.1.68.3", "0000000000000000000000000d014403"],
    ["::FFFF:129.144.52.38", "00000000000000000000ffff81903426"],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
    ["::2:3:4:5:6:7:8", "00000002000300040005000600070008"],
  ];
  for (const [text, bytes] of known) {
    assert.equal(bytesOf(text), bytes, text);
    check(text);
    for (const [what, read] of readers) assert.equal(read(AF_INET6, text), bytes, `${what}: ${text}`);
  }
  for (const [what, read] of readers) assert.equal(read(AF_INET, "10.0.2.15"), "0a00020f", what);
  const nearly = [
    ...["", " ", ":", ":::", "::1::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8"],
    ...[
      "1:2:3:4:5:6:7:",
      ":2:3:4:5:6:7:8",
      "12345::",
      "::g",
      "::1%eth0",
      "fe80::1%1",
      "::1/64",
      "[::1]",
      "::-1",
    ],
    ...["1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "::1.2.3", "::1.2.3.4:5", "::1.2.3.256", "::01.2.3.4"],
    ...["::ffff.1.2.3", "1.2.3.4::", "::1.2.3.4.5", "::00001", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8"],
    ...[
      "1.2.3",
      "1.2.3.4.",
      ".1.2.3.4",
      "1.2.3.4.5",
      "1.2.3.256",
      "01.2.3.4",
      "1.2.3.00",
      "1..3.4",
      "0x1.2.3.4",
    ],
    ...[
      "1.2.3.4 ",
      " 1.2.3.4",
      "+1.2.3.4",
      "1.2.3.-4",
      "16909060",
      "4294967297.1.1.1",
      "0.0.0.0",
      "255.255.255.255",
    ],
  ];
  for (const text of nearly) check(text);
});

test("fifteen thousand texts: random addresses in every way of writing them, most of them damaged", () => {
  const random = generator(20261126);
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const octets = (): string =>
    Array.from({ length: 4 }, () => pick([0, 1, 9, 10, 99, 100, 255, below(256)])).join(".");
  const group = (): string => {
    const text = pick([0, 0, 0, 1, 0xff, 0xffff, below(65536)]).toString(16);
    const long = random() < 0.2 ? text.padStart(4, "0") : text;
    return random() < 0.3 ? long.toUpperCase() : long;
  };
  const long = (): string => {
    const dotted = random() < 0.3;
    const groups = Array.from({ length: dotted ? 6 : 8 }, group);
    if (dotted) groups.push(octets());
    if (random() < 0.3) return groups.join(":");
    const from = below(groups.length);
    const count = 1 + below(groups.length - from);
    // An address of IPv4 stays.
    const to = Math.min(from + count, dotted ? 6 : 8);
    return `${groups.slice(0, from).join(":")}::${groups.slice(to).join(":")}`;
  };
  const letters = ":::...0123456789abcdefABCDEFgx% -+\0/";
  const damage = (text: string): string => {
    const at = below(text.length + 1);
    const letter = letters[below(letters.length)] as string;
    return pick([
      text.slice(0, at) + letter + text.slice(at),
      text.slice(0, at) + letter + text.slice(at + 1),
      text.slice(0, at) + text.slice(at + 1),
      text.slice(0, at),
      text.slice(at),
      text + text.slice(at),
    ]);
  };
  let addresses = 0;
  for (let i = 0; i < 15_000; i++) {
    let text = random() < 0.3 ? octets() : long();
    for (let times = below(4); times > 0; times--) text = damage(text);
    // In C a text ends in 0.
    if (text.includes("\0")) text = text.replaceAll("\0", "0");
    if (isIPv4(text) || isIPv6(text)) addresses++;
    check(text);
  }
  assert.ok(addresses > 4000 && addresses < 11_000, `${addresses} of them are addresses`);
});

test("a letter beyond ASCII is none, whatever its low octet", () => {
  const [, read] = readers[0] as [string, Reader];
  assert.equal(read(AF_INET, "1.2.3.\u0134"), "");
  assert.equal(read(AF_INET6, "::\u0131"), "");
  assert.equal(read(AF_INET6, "\u013a:1"), "");
});

test("another family is -EAFNOSUPPORT; inet_addr has inet_pton's idea of an address", () => {
  for (const [what, read] of readers)
    if (what !== "the resolver") assert.equal(read(1, "1.2.3.4"), EAFNOSUPPORT, what);
  assert.equal(inetAddr("10.0.2.15"), 0x0f02000a);
  for (const text of ["10.0.2.256", "10.0.2", "010.0.2.15", "10.0.2.15 ", ""])
    assert.equal(inetAddr(text), 0xffffffff);
});
