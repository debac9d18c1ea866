/** apps/http against the model of the system calls (mock.ts): what requests get, whole, octet by octet, and slowly read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { application } from "./application.ts";
import type { Client } from "./mock-socket.ts";

const run = application("http");

interface Response {
  status: number;
  fields: Map<string, string>;
  content: string;
}

/** Reads one response from `text`, without content for HEAD. */
function parseResponse(text: string, head = false): { response: Response; rest: string } {
  const end = text.indexOf("\r\n\r\n");
  assert.ok(end >= 0, `no header section in ${JSON.stringify(text.slice(0, 80))}`);
  const [line = "", ...lines] = text.slice(0, end).split("\r\n");
  const match = line.match(/^HTTP\/1\.1 (\d{3}) [\x20-\x7e]+$/);
  assert.ok(match, line);
  const fields = new Map<string, string>();
  for (const field of lines) {
    const [, name = "", value = ""] = field.match(/^([!-9;-~]+): (.*)$/) ?? assert.fail(field);
    assert.ok(!fields.has(name.toLowerCase()), `${name} twice`);
    fields.set(name.toLowerCase(), value);
  }
  const status = Number(match[1]);
  const length = status === 100 ? 0 : Number(fields.get("content-length"));
  const bytes = Buffer.from(text.slice(end + 4), "utf8");
  const taken = head ? 0 : length;
  assert.ok(bytes.length >= taken, "content is missing");
  const content = bytes.subarray(0, taken).toString("utf8");
  return { response: { status, fields, content }, rest: bytes.subarray(taken).toString("utf8") };
}

function responses(text: string): Response[] {
  const all: Response[] = [];
  for (let rest = text; rest !== "";) {
    const next = parseResponse(rest);
    all.push(next.response);
    rest = next.rest;
  }
  return all;
}

function one(client: Client): Response {
  const all = responses(client.text());
  assert.equal(all.length, 1);
  return all[0] as Response;
}

const get = (path: string, lines = ""): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;

test("http: the page, and the connection stays open", () => {
  run((kernel) => {
    const client = kernel.connect(80);
    for (let round = 0; round < 3; round++) {
      const page = one(client.send(get("/")));
      assert.equal(page.status, 200);
      assert.equal(page.fields.get("content-type"), "text/html; charset=utf-8");
      assert.equal(page.fields.has("connection"), false);
      assert.match(page.content, /^<!doctype html>\n<html lang="en">[\s\S]*<\/html>\n$/);
      assert.equal(
        /https?:|src=|@import/.test(page.content),
        false,
        "the page needs something from elsewhere",
      );
    }
    assert.ok(!client.finished);
  });
});

test("http: HEAD has the fields of GET and no content", () => {
  run((kernel) => {
    const client = kernel.connect(80);
    const full = one(client.send(get("/")));
    const { response, rest } = parseResponse(client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").text(), true);
    assert.deepEqual(response.fields, full.fields);
    assert.equal(rest, "");
    assert.equal(parseResponse(client.send("HEAD /no HTTP/1.1\r\nHost: a\r\n\r\n").text(), true).rest, "");
  });
});

test("http: /stats is JSON that counts", () => {
  run((kernel) => {
    kernel.advance(12);
    const client = kernel.connect(80).send(get("/"));
    client.take();
    const other = kernel.connect(80);
    const stats = one(client.send(get("/stats?x")));
    assert.equal(stats.fields.get("content-type"), "application/json");
    const value = JSON.parse(stats.content) as Record<string, unknown>;
    assert.equal(value["version"], "0.1.0");
    assert.equal(value["uptimeSeconds"], 12);
    assert.equal(value["requests"], 2);
    assert.deepEqual(value["connections"], { open: 2, total: 2, refused: 0 });
    const [process, ...more] = value["processes"] as Record<string, unknown>[];
    assert.deepEqual(
      [process?.["pid"], process?.["name"], process?.["state"], process?.["events"]],
      [3, "other", "blocked", 7],
    );
    assert.deepEqual(more, []);
    assert.equal(value["processesOmitted"], 1);
    other.end();
    assert.equal(JSON.parse(one(client.send(get("/stats"))).content).connections.open, 1);
  });
});

const answers: [string, string, number, "open" | "closed"][] = [
  ["nothing there", get("/nothing"), 404, "open"],
  ["long path", get(`/${"a".repeat(2000)}`), 404, "open"],
  ["close", get("/", "Connection: close\r\n"), 200, "closed"],
  ["1.0", "GET / HTTP/1.0\r\n\r\n", 200, "closed"],
  ["1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, "open"],
  ["absolute form", "GET http://a/stats HTTP/1.1\r\nHost: b\r\n\r\n", 200, "open"],
  ["GET with content", get("/", "Content-Length: 5\r\n") + "hello", 200, "open"],
  ["POST", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 405, "open"],
  [
    "POST in chunks",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    405,
    "open",
  ],
  ["OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 405, "open"],
  ["unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501, "open"],
  ["malformed", "nonsense\r\n\r\n", 400, "closed"],
  ["no Host", "GET / HTTP/1.1\r\n\r\n", 400, "closed"],
  ["both framings", get("/", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, "closed"],
  ["too much content", get("/", "Content-Length: 99999999\r\n"), 413, "closed"],
  ["long request line", get(`/${"a".repeat(9000)}`), 414, "closed"],
  ["unknown expectation", get("/", "Expect: wonders\r\n"), 417, "closed"],
  ["large header section", get("/", `X: ${"a".repeat(17_000)}\r\n`), 431, "closed"],
  ["unknown coding", get("/", "Transfer-Encoding: gzip\r\n"), 501, "closed"],
  ["HTTP/3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "closed"],
];

for (const [name, request, status, after] of answers) {
  test(`http: ${status} for ${name}`, () => {
    run((kernel) => {
      const client = kernel.connect(80);
      const response = one(client.send(request));
      assert.equal(response.status, status);
      if (status === 405) assert.equal(response.fields.get("allow"), "GET, HEAD");
      if (status >= 400) assert.match(response.content, new RegExp(`^${status} .+\n$`));
      assert.equal(client.finished, after === "closed");
      assert.equal(response.fields.get("connection") === "close", after === "closed");
      // The same, octet by octet.
      const slow = kernel.connect(80);
      const early = Math.min(request.length, 20_000);
      for (let i = 0; i < early; i++) if (!slow.finished) slow.send(request[i] as string);
      assert.deepEqual(one(slow).status, status);
    });
  });
}

test("http: pipelined requests are answered in order, an error ends them", () => {
  run((kernel) => {
    const client = kernel.connect(80);
    const text = client.send(get("/") + get("/x") + get("/stats") + "bad\r\n\r\n" + get("/")).text();
    assert.deepEqual(
      responses(text).map(({ status }) => status),
      [200, 404, 200, 400],
    );
    assert.ok(client.finished);
  });
});

test("http: 100 Continue, or the answer at once", () => {
  run((kernel) => {
    const expecting = "Expect: 100-continue\r\nContent-Length: 3\r\n";
    const client = kernel.connect(80).send(get("/", expecting));
    assert.equal(client.text(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert.equal(one(client.send("abc")).status, 200);
    const refused = kernel.connect(80).send(`POST / HTTP/1.1\r\nHost: a\r\n${expecting}\r\n`);
    assert.equal(one(refused).status, 405);
    assert.ok(refused.finished);
    // A client of HTTP/1.0 does not know 100.
    const old = kernel.connect(80).send(`GET / HTTP/1.0\r\n${expecting}\r\nabc`);
    assert.equal(one(old).status, 200);
  });
});

test("http: slow readers of pipelined responses get all, exactly, for one block and one response each", () => {
  run((kernel) => {
    const paths = ["/", "/no", "/", "/stats", "/", "/", "/no", "/"];
    const requests = paths.map((path) => get(path)).join("");
    const whole = kernel.connect(80).send(requests).text();
    for (const room of [0, 1, 100, 1500, 5000, 12_345]) {
      const client = kernel.connect(80).allow(room);
      client.send(requests.slice(0, 200));
      client.send(requests.slice(200));
      let text = client.text();
      for (let round = 0; round < 20_000 && text.length < whole.length - 40; round++) {
        text += client.allow(Math.max(room, 50)).text();
        assert.ok(kernel.blocksInUse <= 1);
      }
      text += client.allow(Number.POSITIVE_INFINITY).text();
      const got = responses(text);
      assert.deepEqual(
        got.map(({ status }) => status),
        [200, 404, 200, 200, 200, 200, 404, 200],
      );
      assert.equal(got[0]?.content, responses(whole)[0]?.content);
      assert.equal(got[7]?.content, responses(whole)[7]?.content);
      assert.equal(kernel.blocksInUse, 0);
      assert.ok(!client.finished);
      assert.equal(one(client.send(get("/no"))).status, 404, "reading goes on");
      client.end();
      assert.ok(client.closed);
    }
  });
});

test("http: a last response reaches a slow reader before the end", () => {
  run((kernel) => {
    const client = kernel
      .connect(80)
      .allow(10)
      .send(get("/stats", "Connection: close\r\n") + get("/"));
    assert.ok(!client.finished);
    const text = client.text() + client.allow(100_000).text();
    assert.equal(responses(text).length, 1);
    assert.ok(client.finished && !client.closed, "the client's direction is still read");
    client.send("more that nobody reads").end();
    assert.ok(client.closed);
  });
});

test("http: time-outs", () => {
  run((kernel) => {
    const idle = kernel.connect(80);
    const loris = kernel.connect(80).send("GET / HTTP/1.1\r\nHost: a\r\n");
    const lingering = kernel.connect(80).send("bad\r\n\r\n");
    const stalled = kernel.connect(80).allow(0).send(get("/"));
    const content = kernel.connect(80).send(get("/", "Content-Length: 100\r\n"));
    const active = kernel.connect(80);
    kernel.advance(3);
    assert.ok(lingering.closed && !loris.closed);
    for (let second = 3; second < 21; second++) {
      if (!loris.closed) loris.send("X: y\r\n");
      kernel.advance(1);
    }
    assert.ok(loris.closed, "a header section that never ends");
    assert.ok(!idle.closed && !stalled.closed && !content.closed);
    assert.equal(one(active.send(get("/"))).status, 200);
    kernel.advance(41);
    assert.ok(idle.closed && stalled.closed && content.closed);
    assert.ok(!active.closed);
    kernel.advance(20);
    assert.ok(active.closed);
  });
});

test("http: a connection too many is told so, and the place of one that ends is free again", () => {
  run((kernel) => {
    const sockets = kernel.openSockets;
    kernel.advance(1);
    const events = kernel.openEvents;
    const clients = Array.from({ length: 4096 }, () => kernel.connect(80));
    const extra = kernel.connect(80);
    const refused = one(extra);
    assert.equal(refused.status, 503);
    assert.ok(extra.closed);
    clients[0]?.end();
    const next = kernel.connect(80).send(get("/stats"));
    assert.deepEqual(JSON.parse(one(next).content).connections, { open: 4096, total: 4097, refused: 1 });
    next.end();
    for (const client of clients.slice(1)) client.end(-104);
    assert.equal(kernel.openSockets, sockets);
    // The timer of the time-outs stops when there is nobody to wait for.
    assert.equal(kernel.openEvents, events + 1);
    kernel.advance(1);
    assert.equal(kernel.openEvents, events);
    assert.equal(kernel.blocksInUse, 0);
  });
});

test("http: a response that waits is not disturbed by others, and its memory is used again", () => {
  run((kernel) => {
    const slow = kernel.connect(80);
    const other = kernel.connect(80);
    // More rounds than there is room for responses that wait.
    for (let round = 0; round < 300; round++) {
      slow.allow(10).send(get("/stats"));
      assert.equal(one(other.send(get("/other"))).status, 404);
      const [stats] = responses(slow.text() + slow.allow(Number.POSITIVE_INFINITY).text());
      assert.equal(JSON.parse(stats?.content ?? "").connections.open, 2);
    }
  });
});
