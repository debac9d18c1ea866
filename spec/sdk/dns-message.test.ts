/**
 * The DNS resolver's reader of messages: names of every hostile kind by name, answers good and bad, and thousands that are damaged at random.
 *
 * The message stands at the very end of the module's memory, so that to read a byte behind it traps; what stands in front of it is changed between two
 * readings, which have to give the same. Steps are counted by binaryen, which puts a call into each function and each round of a loop.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, test } from "node:test";
import binaryen from "binaryen";
import {
  A,
  AAAA,
  CNAME,
  type DnsRecord,
  type DnsResponse,
  SOA,
  encodeName,
  encodeResponse,
} from "../wire/dns.ts";
import { generator } from "../wire/wire.ts";
import { compileFile } from "../apps/compile.ts";

interface Harness {
  memory: WebAssembly.Memory;
  room(): number;
  encode(text: number, length: number, width: number, into: number): number;
  name(message: number, length: number, at: number, into: number): number;
  question(into: number, id: number, name: number, size: number, type: number, bits: number): number;
  matches(message: number, length: number, question: number, asked: number): number;
  answer(
    message: number,
    length: number,
    asked: number,
    name: number,
    size: number,
    type: number,
    addresses: number,
  ): number;
  ttl(): number;
}

const [ENOENT, EIO, ELOOP, ENODATA, EMSGSIZE] = [-2, -5, -40, -61, -90];
const ID = 0x1212;

let harness: Harness;
let steps = 0;
let text = 0;
let name = 0;
let question = 0;
let addresses = 0;

before(async () => {
  const module = binaryen.readBinary(await readFile(await compileFile("spec/sdk/dns-harness.ts")));
  module.runPasses(["log-execution"]);
  const counted = new WebAssembly.Module(Buffer.from(module.emitBinary()));
  const imports: Record<string, Record<string, () => void>> = {};
  for (const { module: from, name: what } of WebAssembly.Module.imports(counted)) {
    const call =
      what === "log_execution" ? () => void steps++ : () => assert.fail(`the reader called ${what}`);
    imports[from] = { ...imports[from], [what]: call };
  }
  harness = (await WebAssembly.instantiate(counted, imports)).exports as unknown as Harness;
  text = harness.room();
  name = text + 2048;
  question = name + 256;
  addresses = question + 512;
});

function memory(): Buffer {
  return Buffer.from(harness.memory.buffer);
}

/** Puts a message where the memory ends; `filler` in front of it. */
function place(message: Buffer, filler = 0): number {
  const all = memory();
  const at = all.length - message.length;
  all.fill(filler, at - 8192, at);
  message.copy(all, at);
  return at;
}

/** The octets of a name as the resolver writes it, or undefined. */
function encode(value: string, width = 1): Buffer | undefined {
  Buffer.from(value, width === 1 ? "latin1" : "utf16le").copy(memory(), text);
  memory().fill(0xee, name, name + 256);
  const size = harness.encode(text, value.length, width, name);
  assert.equal(memory()[name + 255], 0xee, "no more than 255 octets are written");
  return size === 0 ? undefined : Buffer.from(memory().subarray(name, name + size));
}

/** The name at an offset of a message: its octets and where it ends, or undefined. */
function read(message: Buffer, at = 12): { octets: Buffer; end: number } | undefined {
  const start = place(message);
  memory().fill(0xee, name, name + 256);
  steps = 0;
  const found = harness.name(start, message.length, at, name);
  // Its octets, its labels, and the pointers.
  assert.ok(steps <= 255 + 127 + 127 + 8, `${steps} steps`);
  assert.equal(memory()[name + 255], 0xee, "no more than 255 octets are written");
  if (found === 0) return undefined;
  return { octets: Buffer.from(memory().subarray(name, name + (found & 0xffff))), end: found >>> 16 };
}

/** Asks, and reads the response: addresses as text, or the errno. */
function answer(
  asked: string,
  type: number,
  response: Buffer,
): { result: number; list: string[]; ttl: number } {
  const size = (encode(asked) as Buffer).length;
  const length = harness.question(question, ID, name, size, type, 0);
  const outcomes = [0, 0xff, 0xc0].map((filler) => {
    const start = place(response, filler);
    memory().fill(0, addresses, addresses + 128);
    steps = 0;
    if (!harness.matches(start, response.length, question, length)) return undefined;
    const result = harness.answer(start, response.length, length, name, size, type, addresses);
    // Ten readings of 64 records, each of a name of at most 255 octets and 127 pointers, and of another 64 for the SOA.
    assert.ok(steps <= 11 * 64 * 600, `${steps} steps`);
    const width = type === A ? 4 : 16;
    const list: string[] = [];
    for (let i = 0; i < result; i++) {
      const one = Buffer.from(memory().subarray(addresses + i * width, addresses + (i + 1) * width));
      list.push((type === A ? one.reverse() : one).toString("hex"));
    }
    return { result, list, ttl: harness.ttl() >>> 0 };
  });
  assert.deepEqual(outcomes[1], outcomes[0], "what stands in front of the message matters");
  assert.deepEqual(outcomes[2], outcomes[0], "what stands in front of the message matters");
  return outcomes[0] ?? { result: 0, list: ["no answer to this"], ttl: 0 };
}

const four = (value: number): Buffer => Buffer.from([10, 1, value >> 8, value & 255]);
const sixteen = (value: number): Buffer => Buffer.alloc(16, value);
const respond = (asked: string, type: number, response: DnsResponse): Buffer =>
  encodeResponse({ id: ID, name: asked, type, bytes: Buffer.alloc(0) }, response);
const header = (rest: string | Buffer): Buffer =>
  Buffer.concat([Buffer.alloc(12), typeof rest === "string" ? Buffer.from(rest, "latin1") : rest]);

test("names are written as RFC 1035 says, in small letters; what is no name is refused", () => {
  const label = "a".repeat(63);
  const longest = `${label}.${label}.${label}.${"b".repeat(61)}`;
  for (const good of ["a", "example.com", "x-1._tcp.a", "1.2.3.4", label, longest]) {
    assert.deepEqual(encode(good), encodeName(good), good);
    assert.deepEqual(encode(good, 2), encodeName(good), good);
    assert.deepEqual(encode(`${good}.`), encodeName(good), `${good}.`);
  }
  assert.deepEqual(encode("ExAmPlE.COM"), encodeName("example.com"));
  const wrong = [
    "",
    ".",
    "..",
    ".a",
    "a..b",
    "a..",
    "a b",
    "a\0b",
    "a/b",
    "::1",
    "\u00e4",
    `${label}a`,
    `${longest}b`,
  ];
  for (const bad of [...wrong, `${label}.${label}.${label}.${label}`, "a.".repeat(127) + "bc"])
    assert.equal(encode(bad), undefined, bad);
  assert.equal(encode("\u0161a", 2), undefined, "a letter whose low octet is one of ours");
});

test("names in a message: with and without pointers, of the greatest length", () => {
  assert.deepEqual(read(header("\x03Www\x01A\0")), { octets: Buffer.from("\x03www\x01a\0"), end: 19 });
  assert.deepEqual(read(header("\0")), { octets: Buffer.from("\0"), end: 13 });
  assert.deepEqual(read(header("\x01a\0\x01b\xc0\x0c"), 15), {
    octets: Buffer.from("\x01b\x01a\0"),
    end: 19,
  });
  // Pointer to a pointer.
  assert.deepEqual(read(header("\x01a\0\xc0\x0c\x01b\xc0\x0f"), 17)?.octets, Buffer.from("\x01b\x01a\0"));
  const labels = `${"\x3f"}${"x".repeat(63)}`.repeat(3);
  assert.equal(read(header(`${labels}\x3d${"x".repeat(61)}\0`))?.octets.length, 255);
  assert.equal(read(header(`${labels}\x3e${"x".repeat(62)}\0`)), undefined, "256 octets");
  assert.equal(read(header(`${"\x01x".repeat(127)}\0`))?.octets.length, 255, "127 labels");
  assert.equal(read(header(`${"\x01x".repeat(128)}\0`)), undefined, "128 labels");
});

const hostile: [string, string | Buffer, number][] = [
  ["a pointer to itself", "\xc0\x0c", 12],
  ["a pointer to behind itself", "\xc0\x0e\x01a\0", 12],
  ["a pointer into its own label", "\x03abc\xc0\x0d", 12],
  ["a pointer to the start of its own name", "\x03abc\xc0\x0c", 12],
  ["two pointers in a circle", "\xc0\x0e\xc0\x0c", 14],
  ["a circle over a label", "\x01a\xc0\x0f\x01b\xc0\x0c", 16],
  ["a pointer beyond the message", "\xff\xff", 12],
  ["a pointer to the end of the message", "\x01a\xc0\x10", 12],
  ["a pointer into the header", "\xc0\x00", 12],
  ["half a pointer", "\x01a\xc0", 12],
  ["a label that runs out of the message", "\x05abc", 12],
  ["a label of which only the length is there", "\x3f", 12],
  ["no end", "\x03abc", 12],
  ["nothing", "", 12],
  ["an offset beyond the message", "\0", 99],
  ["the reserved kind 01", "\x41a\0", 12],
  ["the reserved kind 10", "\x81a\0", 12],
  [
    "a name made longer by a pointer",
    `${"\x3f"}${"x".repeat(63)}`.repeat(3) + "\0\x3fxxx" + "y".repeat(60) + "\xc0\x0c",
    205,
  ],
];
for (const [what, bytes, at] of hostile)
  test(`a hostile name: ${what}`, () => assert.equal(read(header(bytes), at), undefined));

test("a hostile name: a chain of pointers through the whole message ends", () => {
  // Each points to the one before it.
  const chain = Buffer.alloc(4000);
  chain[1] = 0xc0;
  for (let at = 2; at < chain.length; at += 2) chain.writeUInt16BE(0xc000 | (12 + at - 2), at);
  const message = header(chain);
  assert.equal(read(message, 12 + 2 * 127)?.octets.length, 1, "127 pointers are followed");
  assert.equal(read(message, 12 + 2 * 128), undefined, "and no more");
  assert.equal(read(message, message.length - 2), undefined);
});

test("answers: addresses of the right name, type and class", () => {
  const a = (asked: string, n: number): DnsRecord => ({ name: asked, type: A, ttl: 60 + n, data: four(n) });
  const one = answer("host.test", A, respond("host.test", A, { answers: [a("host.test", 1)] }));
  assert.deepEqual(one, { result: 1, list: ["0a010001"], ttl: 61 });
  const mixed = [
    a("other.test", 9),
    { name: "host.test", type: 16, data: Buffer.from("\x01x") },
    a("host.test", 3),
    a("HOST.test", 2),
  ];
  assert.deepEqual(answer("host.test", A, respond("host.test", A, { answers: mixed })), {
    result: 2,
    list: ["0a010003", "0a010002"],
    ttl: 62,
  });
  const six = [{ name: "host.test", type: AAAA, ttl: 5, data: sixteen(0xfe) }];
  assert.deepEqual(answer("host.test", AAAA, respond("host.test", AAAA, { answers: six })).list, [
    "fe".repeat(16),
  ]);
  assert.equal(answer("host.test", A, respond("host.test", A, { answers: six })).result, ENODATA);
  const many = Array.from({ length: 30 }, (_, n) => a("host.test", n));
  assert.equal(answer("host.test", A, respond("host.test", A, { answers: many })).result, 8);
  const foreign = respond("host.test", A, { answers: [a("host.test", 1)] });
  foreign.writeUInt16BE(3, foreign.length - 12);
  assert.equal(answer("host.test", A, foreign).result, ENODATA, "of class CH");
});

test("answers: aliases, in any order, and no more than eight of them", () => {
  const alias = (from: number, to: number): DnsRecord => ({
    name: `c${from}.test`,
    type: CNAME,
    ttl: 100 - from,
    data: `c${to}.test`,
  });
  const chain = (length: number): DnsRecord[] => [
    ...Array.from({ length }, (_, i) => alias(i, i + 1)),
    { name: `c${length}.test`, type: A, ttl: 1000, data: four(7) },
  ];
  for (let length = 1; length <= 8; length++) {
    const wanted = { result: 1, list: ["0a010007"], ttl: 101 - length };
    assert.deepEqual(answer("c0.test", A, respond("c0.test", A, { answers: chain(length) })), wanted);
    assert.deepEqual(
      answer("c0.test", A, respond("c0.test", A, { answers: chain(length).reverse() })),
      wanted,
    );
  }
  assert.equal(answer("c0.test", A, respond("c0.test", A, { answers: chain(9) })).result, ELOOP);
  assert.equal(
    answer("c0.test", A, respond("c0.test", A, { answers: [alias(0, 0)] })).result,
    ELOOP,
    "to itself",
  );
  const circle = [alias(0, 1), alias(1, 0), ...chain(1)];
  assert.equal(answer("c0.test", A, respond("c0.test", A, { answers: circle })).result, ELOOP, "in a circle");
  assert.equal(
    answer("c0.test", A, respond("c0.test", A, { answers: [alias(0, 1)] })).result,
    ENODATA,
    "to nothing",
  );
});

test("answers: what does not exist, and for how long", () => {
  const authority = [{ name: "test", type: SOA, ttl: 200, data: 90 }];
  assert.deepEqual(answer("no.test", A, respond("no.test", A, { code: 3, authority })), {
    result: ENOENT,
    list: [],
    ttl: 90,
  });
  assert.deepEqual(answer("no.test", A, respond("no.test", A, { authority })), {
    result: ENODATA,
    list: [],
    ttl: 90,
  });
  assert.equal(answer("no.test", A, respond("no.test", A, { code: 3 })).ttl, 0, "nobody says");
  const short = [{ name: "no.test", type: CNAME, ttl: 3, data: "x.test" }];
  assert.equal(answer("no.test", A, respond("no.test", A, { code: 3, answers: short, authority })).ttl, 3);
  for (const code of [1, 2, 4, 5, 15])
    assert.equal(answer("a.test", A, respond("a.test", A, { code })).result, EIO);
});

test("answers that are not to this question are none", () => {
  const good = respond("host.test", A, { answers: [{ name: "host.test", type: A, data: four(1) }] });
  const changed = (change: (bytes: Buffer) => void): string | undefined => {
    const bytes = Buffer.from(good);
    change(bytes);
    return answer("host.test", A, bytes).list[0];
  };
  assert.equal(
    changed(() => {}),
    "0a010001",
  );
  const none = "no answer to this";
  assert.equal(
    changed((bytes) => bytes.writeUInt16BE(ID + 1, 0)),
    none,
    "number",
  );
  assert.equal(
    changed((bytes) => bytes.writeUInt16BE(0x0180, 2)),
    none,
    "a question",
  );
  assert.equal(
    changed((bytes) => bytes.writeUInt16BE(0x8980, 2)),
    none,
    "opcode",
  );
  assert.equal(
    changed((bytes) => bytes.writeUInt16BE(0, 4)),
    none,
    "no question",
  );
  assert.equal(
    changed((bytes) => bytes.writeUInt16BE(2, 4)),
    none,
    "two questions",
  );
  assert.equal(
    changed((bytes) => bytes.write("H", 13)),
    none,
    "the letter is a capital one",
  );
  assert.equal(
    changed((bytes) => bytes.write("x", 13)),
    none,
    "another name",
  );
  assert.equal(
    changed((bytes) => bytes.writeUInt8(28, 24)),
    none,
    "another type",
  );
  assert.equal(
    changed((bytes) => bytes.writeUInt8(3, 26)),
    none,
    "another class",
  );
  for (let length = 0; length < 27; length++)
    assert.equal(answer("host.test", A, good.subarray(0, length)).list[0], none, `${length} octets`);
  for (let length = 27; length < good.length; length++)
    assert.equal(answer("host.test", A, good.subarray(0, length)).result, EIO, `${length} octets`);
});

test("answers: records that lie", () => {
  const with_ = (record: DnsRecord): number =>
    answer("h.test", A, respond("h.test", A, { answers: [record] })).result;
  assert.equal(with_({ name: "h.test", type: A, data: Buffer.alloc(3) }), EIO, "an address of 3 octets");
  assert.equal(with_({ name: "h.test", type: A, data: Buffer.alloc(16) }), EIO, "an address of 16 octets");
  assert.equal(
    with_({ name: "h.test", type: CNAME, data: Buffer.from("\x01a\0x") }),
    EIO,
    "an alias and more",
  );
  assert.equal(
    with_({ name: "h.test", type: CNAME, data: Buffer.from("\xc0\xff", "latin1") }),
    EIO,
    "a pointer forward",
  );
  assert.equal(with_({ name: "h.test", type: CNAME, data: Buffer.alloc(0) }), EIO, "an empty alias");
  const lying = respond("h.test", A, { answers: [{ name: "h.test", type: A, data: four(1) }] });
  lying.writeUInt16BE(2, 6);
  assert.equal(answer("h.test", A, lying).result, EIO, "a record that is not there");
  lying.writeUInt16BE(65535, 6);
  assert.equal(answer("h.test", A, lying).result, EIO, "65,535 records that are not there");
  const others = Array.from({ length: 70 }, (): DnsRecord => ({ name: "x.test", type: A, data: four(1) }));
  assert.equal(
    answer("h.test", A, respond("h.test", A, { answers: others })).result,
    EMSGSIZE,
    "64 are looked at",
  );
  const authority = [{ name: "test", type: SOA, ttl: 60, data: Buffer.from("\xc0\x0c\xc0", "latin1") }];
  assert.deepEqual(answer("h.test", A, respond("h.test", A, { authority })), {
    result: ENODATA,
    list: [],
    ttl: 0,
  });
  const negative = [{ name: "h.test", type: A, ttl: 0x80000000, data: four(1) }];
  assert.equal(answer("h.test", A, respond("h.test", A, { answers: negative })).ttl, 0, "RFC 2181, 8");
});

test("30,000 messages damaged at random, and 10,000 of random octets: within the message and within the steps", (t) => {
  const seed = Number(process.env["AEMOS_SEED"] ?? Date.now() & 0xffff);
  t.diagnostic(`AEMOS_SEED=${seed}`);
  const random = generator(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const record = (): DnsRecord => {
    const owner = `c${below(4)}.test`;
    if (below(3) === 0) return { name: owner, type: CNAME, data: `c${below(4)}.test` };
    return below(4) === 0
      ? { name: owner, type: AAAA, data: sixteen(1) }
      : { name: owner, type: A, data: four(below(999)) };
  };
  const outcomes = new Map<number, number>();
  for (let round = 0; round < 40_000; round++) {
    const answers = Array.from({ length: below(12) }, record);
    const authority = below(2) === 0 ? [] : [{ name: "test", type: SOA, data: 60 }];
    let bytes = respond("c0.test", A, { code: below(8) === 0 ? 3 : 0, answers, authority });
    const start = 25;
    if (round >= 30_000) {
      bytes = Buffer.concat([bytes.subarray(0, start), Buffer.alloc(below(500))]);
      for (let at = start; at < bytes.length; at++)
        bytes[at] = below(3) === 0 ? 0xc0 : below(below(2) === 0 ? 16 : 256);
      bytes.writeUInt16BE(below(70), 6);
      bytes.writeUInt16BE(below(70), 8);
    }
    for (let damage = below(5); damage > 0 && bytes.length > start; damage--) {
      const at = start + below(bytes.length - start);
      if (below(8) === 0) bytes = bytes.subarray(0, at);
      else bytes[at] = [0xc0, 0xc1, 0, 12, 63, 255, below(256)][below(7)] as number;
    }
    const { result } = answer("c0.test", A, Buffer.from(bytes));
    assert.ok(
      result >= 0 ? result <= 8 : [EIO, ELOOP, ENOENT, ENODATA, EMSGSIZE].includes(result),
      `result ${result}`,
    );
    outcomes.set(Math.min(result, 1), (outcomes.get(Math.min(result, 1)) ?? 0) + 1);
  }
  for (const outcome of [1, EIO, ELOOP, ENOENT, ENODATA])
    assert.ok((outcomes.get(outcome) ?? 0) > 100, `${outcomes.get(outcome)} came to ${outcome}`);
});
