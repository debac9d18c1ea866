/** The DNS resolver's reader of answers: good ones, those that lie, and thousands that are damaged at random. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { A, AAAA, CNAME, type DnsRecord, SOA } from "../wire/dns.ts";
import { generator } from "../wire/wire.ts";
import { ID, answer, prepare, respond } from "./dns-reader.ts";

const [ENOENT, EIO, ELOOP, ENODATA, EMSGSIZE] = [-2, -5, -40, -61, -90];
const four = (value: number): Buffer => Buffer.from([10, 1, value >> 8, value & 255]);
const sixteen = (value: number): Buffer => Buffer.alloc(16, value);

before(prepare);

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
