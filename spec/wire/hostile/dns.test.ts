/**
 * NAME:WRECK (2021) and what was like it before (Nucleus, FreeBSD's DHCP client, NetX, and uIP's resolver of AMNESIA:33): answers of a name server whose names run in
 * circles, forwards or out of the message, and whose counts and lengths lie. Each comes from the server that is asked first, with everything right up to the lie, so
 * it is read: the resolver gives it up, asks the other server, and goes on. What the reader does with millions of damaged messages: spec/sdk/dns-message.test.ts.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ASYNC, DnsGuest, a, hex, respond } from "../../boot/net/dns-guest.ts";
import { A, CNAME, encodeName } from "../dns.ts";
import type { Asked } from "../dns-server.ts";

const EIO = -5;
const HONEST = "192.0.2.1";

/** Octets behind the question: the records. `at`: where in the message they will stand. */
type Lie = (at: number) => Buffer;

const words = (...values: number[]): Buffer =>
  Buffer.concat(values.map((value) => Buffer.from([value >> 8, value & 255])));
const pointer = (to: number): Buffer => words(0xc000 | to);
/** What follows the name of a record: type, class IN, a time to live of 60 s, and the data with its length. */
const rest = (type: number, data: Buffer, length = data.length): Buffer =>
  Buffer.concat([words(type, 1, 0, 60, length), data]);
const address = rest(A, Buffer.from([192, 0, 2, 66]));
/** A record whose name is `name`. */
const named = (name: Buffer): Buffer => Buffer.concat([name, address]);
/** An alias of the name that was asked for, to `name`. */
const alias = (name: Buffer): Buffer => Buffer.concat([pointer(12), rest(CNAME, name)]);
/** Of a record that begins with a pointer: its data. */
const DATA = 12;

const lies: { name: string; records?: number; lie: Lie }[] = [
  { name: "compression loop: a pointer to itself", lie: (at) => named(pointer(at)) },
  {
    name: "compression loop: two pointers at each other",
    lie: (at) => named(Buffer.concat([pointer(at + 2), pointer(at)])),
  },
  {
    name: "compression loop: a label, and back to its beginning",
    lie: (at) => named(Buffer.concat([Buffer.from("\x01a"), pointer(at)])),
  },
  { name: "compression loop: an alias to itself", lie: (at) => alias(pointer(at + DATA)) },
  { name: "a pointer forward", lie: (at) => named(pointer(at + 20)) },
  { name: "a pointer beyond the message", lie: () => named(pointer(0x3fff)) },
  {
    name: "a chain of 100 pointers backwards, which is no circle",
    lie: (at) => {
      const chain = Array.from({ length: 100 }, (_, i) => pointer(i === 0 ? 12 : at + DATA + 2 * (i - 1)));
      return alias(Buffer.concat([...chain]));
    },
  },
  {
    name: "a name of 300 octets, by labels",
    lie: () => alias(encodeName(Array.from({ length: 5 }, () => "x".repeat(59)).join("."))),
  },
  {
    name: "a name of more than 255 octets, by a pointer to itself with a label before it",
    lie: (at) => alias(Buffer.concat([Buffer.from([59]), Buffer.alloc(59, 0x78), pointer(at + DATA)])),
  },
  { name: "a label of 64 octets: a type that there is not", lie: () => alias(Buffer.alloc(70, 64)) },
  { name: "a label of 191 octets: a type that there is not", lie: () => alias(Buffer.alloc(200, 0xbf)) },
  { name: "a label that runs out of the message", lie: () => named(Buffer.from([63, 0x78])).subarray(0, 2) },
  { name: "a pointer that is cut in half", lie: () => Buffer.from([0xc0]) },
  { name: "a name without an end", lie: () => Buffer.from("\x01a\x01b\x01c") },
  {
    name: "an alias that ends before its data does",
    lie: () => alias(Buffer.concat([encodeName("b.test"), Buffer.from("more")])),
  },
  {
    name: "an alias that goes on behind its data",
    lie: () => Buffer.concat([pointer(12), rest(CNAME, encodeName("b.test"), 3)]),
  },
  {
    name: "data that run out of the message",
    lie: () => Buffer.concat([pointer(12), rest(A, Buffer.alloc(4), 0xffff)]),
  },
  ...[0, 3, 5, 16].map((length) => ({
    name: `an address of ${length} octets`,
    lie: () => Buffer.concat([pointer(12), rest(A, Buffer.alloc(length, 66))]),
  })),
  { name: "65,535 records, of which there is none", records: 65535, lie: () => Buffer.alloc(0) },
  { name: "two records, of which there is one", records: 2, lie: () => named(pointer(12)) },
];

function lying(asked: Asked, records: number, lie: Lie): Buffer {
  const head = respond(asked, {});
  head.writeUInt16BE(records, 6);
  return Buffer.concat([head, lie(head.length)]);
}

describe("hostile name servers", () => {
  let guest: DnsGuest;

  before(async () => {
    guest = await DnsGuest.boot();
  });
  after(() => guest?.stop());

  for (const { name, records = 1, lie } of lies)
    test(`NAME:WRECK: ${name}`, async () => {
      const { errors } = await guest.counters();
      const asked = guest.fresh();
      guest.server.answerer = (question) => [
        guest.askedFor(asked).length === 1
          ? lying(question, records, lie)
          : respond(question, { answers: [a(question.name, HONEST)] }),
      ];
      await guest.expects(ASYNC, `A ${asked}`, `1 ${hex(HONEST)}`);
      assert.equal((await guest.counters()).errors, errors + 1, "it was read, and counted");
      guest.server.answerer = (question) => [lying(question, records, lie)];
      await guest.expects(ASYNC, `A ${guest.fresh()}`, `${EIO}`, 10_000);
      const bad = guest.wired.machine.guest.lines.filter((line) => /panic|trapped|fault/i.test(line));
      assert.deepEqual(bad, [], guest.wired.machine.console());
    });
});
