/**
 * The parts of the DNS resolver that read what comes from the wire, for tests of them.
 *
 * A message stands at the very end of the module's memory, so that to read a byte behind it traps; what stands in front of it is changed between
 * readings, which have to give the same. Steps are counted by binaryen, which puts a call into each function and each round of a loop.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import binaryen from "binaryen";
import { compileFile } from "../apps/compile.ts";
import { A, type DnsResponse, encodeResponse } from "../wire/dns.ts";

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

export const ID = 0x1212;

let harness: Harness;
let steps = 0;
let text = 0;
let name = 0;
let question = 0;
let addresses = 0;

/** Once, before all else. */
export async function prepare(): Promise<void> {
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
}

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
export function encode(value: string, width = 1): Buffer | undefined {
  Buffer.from(value, width === 1 ? "latin1" : "utf16le").copy(memory(), text);
  memory().fill(0xee, name, name + 256);
  const size = harness.encode(text, value.length, width, name);
  assert.equal(memory()[name + 255], 0xee, "no more than 255 octets are written");
  return size === 0 ? undefined : Buffer.from(memory().subarray(name, name + size));
}

/** The name at an offset of a message: its octets and where it ends, or undefined. */
export function read(message: Buffer, at = 12): { octets: Buffer; end: number } | undefined {
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
export function answer(
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

export const respond = (asked: string, type: number, response: DnsResponse): Buffer =>
  encodeResponse({ id: ID, name: asked, type, bytes: Buffer.alloc(0) }, response);
export const header = (rest: string | Buffer): Buffer =>
  Buffer.concat([Buffer.alloc(12), typeof rest === "string" ? Buffer.from(rest, "latin1") : rest]);
