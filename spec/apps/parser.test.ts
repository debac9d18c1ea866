/**
 * The request parser of apps/http: a table of requests, good and bad, each with what must come of it, and each cut in every
 * possible way: the result may not depend on how the octets arrived.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { compile } from "./compile.ts";

interface Parser {
  memory: WebAssembly.Memory;
  room(bytes: number): number;
  reset(): void;
  feed(data: number, length: number): number;
  next(): void;
  state(): number;
  status(): number;
  method(): number;
  minor(): number;
  persistent(): number;
  expects(): number;
  received(): number;
  path(): number;
  pathLength(): number;
}

const HEAD = 30;
const DONE = 31;
const FAILED = 32;
const METHODS = ["unknown", "GET", "HEAD", "other", "CONNECT", "OPTIONS"];
const ROOM = 1 << 21;

let parser: Parser;
let input = 0;

before(async () => {
  const module = await compile("spec/apps/parser-harness.ts");
  const refused = (): never => {
    throw new Error("the parser called the system");
  };
  const imports: Record<string, () => never> = {};
  for (const { name } of WebAssembly.Module.imports(module)) imports[name] = refused;
  parser = (await WebAssembly.instantiate(module, { aemos: imports })).exports as unknown as Parser;
  input = parser.room(ROOM);
});

/** Everything that came out of `text` in pieces that end at `cuts`: one word for each request, or the status that ended it. */
function read(text: string | Buffer, cuts: Iterable<number> = []): string {
  const bytes = typeof text === "string" ? Buffer.from(text, "latin1") : text;
  new Uint8Array(parser.memory.buffer).set(bytes, input);
  const out: string[] = [];
  let at = 0;
  parser.reset();
  for (const cut of [...cuts, bytes.length]) {
    for (;;) {
      const state = parser.state();
      if (state === FAILED) return [...out, `${parser.status()}`].join(" ");
      if (state === HEAD) parser.next();
      else if (state === DONE) {
        out.push(describe());
        parser.reset();
      } else if (at === cut) break;
      else at += parser.feed(input + at, cut - at);
    }
  }
  if (parser.state() !== 0) out.push("…");
  return out.join(" ");
}

function describe(): string {
  const length = parser.pathLength();
  const kept =
    length > 64 ? `(${length})` : Buffer.from(parser.memory.buffer, parser.path(), length).toString("latin1");
  const flags = `${parser.persistent() ? "+" : "-"}${parser.expects() ? "e" : ""}`;
  const content = parser.received() === 0 ? "" : `[${parser.received()}]`;
  return `${METHODS[parser.method()]}:${kept}:${parser.minor()}${flags}${content}`;
}

const host = "Host: a\r\n";
const get = (lines: string, end = "\r\n"): string => `GET / HTTP/1.1\r\n${lines}${end}`;
const post = (lines: string, content = ""): string => `POST / HTTP/1.1\r\n${host}${lines}\r\n${content}`;
const chunked = (content: string): string => post("Transfer-Encoding: chunked\r\n", content);

const cases: [string, string, string][] = [
  // ---- good ----
  ["plain", get(host), "GET:/:1+"],
  ["HEAD", "HEAD /stats HTTP/1.1\r\nhOST:b:80\r\n\r\n", "HEAD:/stats:1+"],
  ["pipelined", get(host) + get(host) + "GET /x HTTP/1.0\r\n\r\n", "GET:/:1+ GET:/:1+ GET:/x:0-"],
  ["unfinished", get(host) + "GET /", "GET:/:1+ …"],
  ["empty line before", `\r\n${get(host)}`, "GET:/:1+"],
  ["1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "GET:/:0-"],
  ["1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET:/:0+"],
  ["1.0 both", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET:/:0-"],
  ["1.7 is as 1.1", `GET / HTTP/1.7\r\n${host}\r\n`, "GET:/:1+"],
  ["close", get(`${host}Connection: close\r\n`), "GET:/:1-"],
  ["close in a list", get(`${host}Connection: x ,\t, CLOSE ,y\r\n`), "GET:/:1-"],
  ["no close in a longer token", get(`${host}Connection: closed, aclose\r\n`), "GET:/:1+"],
  ["query", `GET /a?b=[1]&c HTTP/1.1\r\n${host}\r\n`, "GET:/a:1+"],
  ["percent-encoding undone", `GET /%73t%61ts%2f%7e HTTP/1.1\r\n${host}\r\n`, "GET:/stats%2F~:1+"],
  ["absolute form", `GET http://x.y:8080/p?q HTTP/1.1\r\n${host}\r\n`, "GET:/p:1+"],
  ["absolute form, no path", `GET HTTP://x HTTP/1.1\r\n${host}\r\n`, "GET:/:1+"],
  ["absolute form, query only", `GET http://x?q HTTP/1.1\r\n${host}\r\n`, "GET:/:1+"],
  ["asterisk", `OPTIONS * HTTP/1.1\r\n${host}\r\n`, "OPTIONS::1+"],
  ["authority", `CONNECT x:443 HTTP/1.1\r\n${host}\r\n`, "CONNECT:/:1+"],
  ["IPv6 host", get("Host: [::1]:80\r\n"), "GET:/:1+"],
  ["empty host", get("Host:\r\n"), "GET:/:1+"],
  ["host in white space", get("Host: \t a.b \t\r\n"), "GET:/:1+"],
  ["encoded host", get("Host: a%41\r\n"), "GET:/:1+"],
  ["long path", `GET /${"a".repeat(99)} HTTP/1.1\r\n${host}\r\n`, "GET:(100):1+"],
  ["unknown method", `BREW / HTTP/1.1\r\n${host}\r\n`, "unknown:/:1+"],
  ["methods have case", `get / HTTP/1.1\r\n${host}\r\n`, "unknown:/:1+"],
  ["obs-text in a value", get(`${host}X: \xe9\xff\r\n`), "GET:/:1+"],
  ["empty value", get(`${host}X:\r\n`), "GET:/:1+"],
  ["long names are not ours", get(`${host}Content-Lengthcontent-length: x\r\n`), "GET:/:1+"],
  ["content", post("Content-Length: 5\r\n", "hello") + get(host), "other:/:1+ GET:/:1+"],
  ["content that looks like a request", post("Content-Length: 5\r\n", "GET /"), "other:/:1+"],
  ["no content", post("Content-Length: 0\r\n"), "other:/:1+"],
  ["leading zeros", post("Content-Length: 005\r\n", "hello"), "other:/:1+"],
  ["unfinished content", post("Content-Length: 6\r\n", "hello"), "…"],
  ["expectation", post("Expect: 100-Continue\r\nContent-Length: 1\r\n", "x"), "other:/:1+e"],
  [
    "chunks",
    chunked('3\r\nabc\r\nA;x="y"\r\n0123456789\r\n0\r\n\r\n') + get(host),
    "other:/:1+[13] GET:/:1+",
  ],
  ["trailers", chunked("1\r\na\r\n000\r\nX: y\r\nContent-Length: 9\r\n\r\n"), "other:/:1+[1]"],
  ["coding in a list", post("Transfer-Encoding: , Chunked ,\r\n", "0\r\n\r\n"), "other:/:1+"],
  // ---- request line ----
  ["HTTP/0.9", "GET /\r\n\r\n", "400"],
  ["HTTP/2", `GET / HTTP/2.0\r\n${host}\r\n`, "505"],
  ["HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"],
  ["version in small letters", "GET / http/1.1\r\n\r\n", "400"],
  ["version too long", "GET / HTTP/1.10\r\n\r\n", "400"],
  ["version without minor", "GET / HTTP/1\r\n\r\n", "400"],
  ["two spaces", "GET  / HTTP/1.1\r\n\r\n", "400"],
  ["space at the end", "GET / HTTP/1.1 \r\n\r\n", "400"],
  ["tab", "GET\t/ HTTP/1.1\r\n\r\n", "400"],
  ["space first", " GET / HTTP/1.1\r\n\r\n", "400"],
  ["bare LF", "GET / HTTP/1.1\nHost: a\n\n", "400"],
  ["bare CR", "GET / HTTP/1.1\rHost: a\r\r", "400"],
  ["bad method", "G@T / HTTP/1.1\r\n\r\n", "400"],
  ["method too long", `${"A".repeat(25)} / HTTP/1.1\r\n\r\n`, "501"],
  ["TLS hello", "\x16\x03\x01\x02\x00\x01\x00", "400"],
  ["relative target", "GET stats HTTP/1.1\r\n\r\n", "400"],
  ["asterisk for GET", "GET * HTTP/1.1\r\n\r\n", "400"],
  ["fragment", "GET /#x HTTP/1.1\r\n\r\n", "400"],
  ["bad percent", "GET /%4 HTTP/1.1\r\n\r\n", "400"],
  ["bad percent digit", "GET /%4g HTTP/1.1\r\n\r\n", "400"],
  ["NUL in target", "GET /\0 HTTP/1.1\r\n\r\n", "400"],
  ["other scheme", "GET ftp://a/ HTTP/1.1\r\n\r\n", "400"],
  ["absolute form without host", "GET http:/// HTTP/1.1\r\n\r\n", "400"],
  ["user information", "GET http://u@h/ HTTP/1.1\r\n\r\n", "400"],
  // ---- Host ----
  ["no Host", get(""), "400"],
  ["two Hosts", get(host + host), "400"],
  ["space in host", get("Host: a b\r\n"), "400"],
  ["list of hosts", get("Host: a/b\r\n"), "400"],
  ["port is no number", get("Host: a:8o\r\n"), "400"],
  ["port alone", get("Host: :80\r\n"), "400"],
  ["open bracket", get("Host: [::1\r\n"), "400"],
  // ---- fields ----
  ["no colon", get(`${host}abc\r\n`), "400"],
  ["empty name", get(`${host}: x\r\n`), "400"],
  ["space before colon", get(`${host}X : y\r\n`), "400"],
  ["line folding", get(`${host}X: y\r\n z\r\n`), "400"],
  ["folding at once", get(` ${host}`), "400"],
  ["NUL in value", get(`${host}X: a\0b\r\n`), "400"],
  ["bare CR in value", get(`${host}X: a\rb\r\n`), "400"],
  ["bare LF in value", get(`${host}X: a\nTransfer-Encoding: chunked\r\n`), "400"],
  ["bare LF at the end", get(host, "\n"), "400"],
  ["CR CR LF", get(host, "\r\r\n"), "400"],
  ["list member with a space", get(`${host}Connection: keep alive\r\n`), "400"],
  // ---- framing ----
  ["both framings", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"],
  ["both, the other way", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), "400"],
  ["two lengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), "400"],
  ["list of lengths", post("Content-Length: 3, 3\r\n", "abc"), "400"],
  ["signed length", post("Content-Length: +3\r\n", "abc"), "400"],
  ["negative length", post("Content-Length: -3\r\n", "abc"), "400"],
  ["hexadecimal length", post("Content-Length: 0x3\r\n", "abc"), "400"],
  ["length with a gap", post("Content-Length: 3 3\r\n", "abc"), "400"],
  ["empty length", post("Content-Length: \r\n", "abc"), "400"],
  ["chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"],
  ["empty coding", post("Transfer-Encoding:\r\n"), "400"],
  ["chunked not last", post("Transfer-Encoding: chunked, gzip\r\n"), "400"],
  ["chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "400"],
  ["chunked with a parameter", post("Transfer-Encoding: chunked;q=1\r\n"), "400"],
  ["vertical tab", post("Transfer-Encoding:\x0bchunked\r\n"), "400"],
  ["unknown coding", post("Transfer-Encoding: gzip\r\n"), "501"],
  ["unknown, then chunked", post("Transfer-Encoding: gzip, chunked\r\n"), "501"],
  ["identity", post("Transfer-Encoding: identity\r\n"), "501"],
  ["coding that begins alike", post("Transfer-Encoding: chunkedx\r\n"), "501"],
  ["coding with parameters", post('Transfer-Encoding: a; b=", chunked"\r\n'), "501"],
  ["unknown expectation", post("Expect: 200-ok\r\n"), "417"],
  ["expectation with a value", post("Expect: a=b\r\n"), "417"],
  // ---- chunks ----
  ["no size", chunked("\r\nabc"), "400"],
  ["bad size", chunked("g\r\n"), "400"],
  ["prefixed size", chunked("0x3\r\nabc\r\n"), "400"],
  ["size too long", chunked("000000001\r\n"), "400"],
  ["chunk too long", chunked("3\r\nabcd\r\n"), "400"],
  ["LF behind size", chunked("3\nabc\r\n"), "400"],
  ["LF behind data", chunked("3\r\nabc\n"), "400"],
  ["LF in extension", chunked("3;a\nb\r\n"), "400"],
  ["bad trailer", chunked("0\r\nX y\r\n\r\n"), "400"],
  // ---- limits ----
  ["longest request line", `GET /${"a".repeat(8192 - 16)} HTTP/1.1\r\n${host}\r\n`, "GET:(8177):1+"],
  ["request line too long", `GET /${"a".repeat(8192 - 15)} HTTP/1.1\r\n${host}\r\n`, "414"],
  ["largest header section", get(`${host}X: ${"a".repeat(16384 - 16)}\r\n`), "GET:/:1+"],
  ["header section too large", get(`${host}X: ${"a".repeat(16384 - 15)}\r\n`), "431"],
  ["name too large", get(host + "a".repeat(16384)), "431"],
  ["trailers too large", chunked(`0\r\nX: ${"a".repeat(16384)}\r\n\r\n`), "431"],
  ["extensions too large", chunked(`1;${"a".repeat(4097)}\r\n`), "400"],
  ["content too large", post("Content-Length: 1048577\r\n"), "413"],
  ["content far too large", post(`Content-Length: ${"9".repeat(40)}\r\n`), "413"],
  ["chunk too large", chunked("ffffffff\r\n"), "413"],
  ["chunks too large", chunked(`80000\r\n${"a".repeat(0x80000)}\r\n80001\r\n`), "413"],
];

for (const [name, text, expected] of cases) {
  test(`request: ${name}`, () => {
    assert.equal(read(text), expected);
    const short = text.length < 400;
    // Long ones: where it matters, around lines and limits.
    const cuts = short
      ? [...text].map((_, i) => i)
      : [1, 4, 5, 20, 60, 8191, 8192, 8193, 16383, 16384, 16410];
    for (const cut of cuts) if (cut < text.length) assert.equal(read(text, [cut]), expected, `cut at ${cut}`);
    if (text.length < 20000)
      assert.equal(
        read(
          text,
          [...text].map((_, i) => i),
        ),
        expected,
        "octet by octet",
      );
  });
}

test("request: two cuts, everywhere", () => {
  const text = post("Transfer-Encoding: chunked\r\nConnection: close\r\n", "2\r\nab\r\n0\r\nA: b\r\n\r\n");
  for (let i = 0; i < text.length; i++) {
    for (let j = i; j < text.length; j++)
      assert.equal(read(text, [i, j]), "other:/:1-[2]", `cuts at ${i}, ${j}`);
  }
});

test("request: damaged at random, cut at random, the same", () => {
  let seed = 0x2545f491;
  const random = (below: number): number => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % below;
  };
  const seeds = cases.map(([, text]) => text).filter((text) => text.length < 400);
  const special = Buffer.from("\r\n :,;%/?[]0aA\t\0\xff", "latin1");
  const outcomes = new Set<string>();
  for (let round = 0; round < 20000; round++) {
    const bytes = Buffer.from(
      seeds[random(seeds.length)] + (seeds[random(seeds.length)] as string),
      "latin1",
    );
    for (let damage = random(4); damage > 0; damage--) {
      bytes[random(bytes.length)] =
        random(2) === 0 ? random(256) : (special[random(special.length)] as number);
    }
    const whole = read(bytes);
    const cuts = Array.from({ length: random(6) }, () => random(bytes.length + 1)).sort((a, b) => a - b);
    assert.equal(read(bytes, cuts), whole, JSON.stringify(bytes.toString("latin1")));
    outcomes.add(whole.split(" ").at(-1) ?? "");
  }
  for (const outcome of ["400", "501", "417", "505", "…"])
    assert.ok(outcomes.has(outcome), `none came to ${outcome}`);
});
