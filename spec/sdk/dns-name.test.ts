/** The DNS resolver's reader and writer of names: what is a name, and names of every hostile kind ("NAME:WRECK") by name. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { encodeName } from "../wire/dns.ts";
import { encode, header, prepare, read } from "./dns-reader.ts";

before(prepare);

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
