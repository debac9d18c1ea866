/** apps/http as clients see it (RFC 9110, RFC 9112): the default image with user networking. */
import assert from "node:assert/strict";
import { Agent, get as httpGet, type IncomingMessage } from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Connection, HOST_WIDTH, get, inParallel, request, stats } from "./client.ts";
import { DEFAULT_IMAGE, type Machine, boot } from "./machine.ts";
import { PATIENCE, until } from "../wire/patience.ts";

describe("http", () => {
  let machine: Machine;
  let port: number;

  before(async () => {
    machine = await boot(DEFAULT_IMAGE, { tcp: [80] });
    port = machine.tcp(80);
  });
  after(() => machine?.stop());

  test("GET / is the page that says what is running", async () => {
    const { status, headers, body } = await request(port, get("/"));
    assert.equal(status, 200);
    assert.match(headers["content-type"] ?? "", /^text\/html/);
    assert.equal(body.length, Number(headers["content-length"]));
    assert.match(body.toString(), /^<!doctype html>[\s\S]*aemos[\s\S]*<\/html>\s*$/i);
  });

  test("keep-alive: 20 requests of node:http on one connection", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const before = await stats(port);
    for (let i = 0; i < 20; i++) {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        httpGet(
          { port, host: "127.0.0.1", path: "/", agent, signal: AbortSignal.timeout(PATIENCE) },
          resolve,
        ).on("error", reject);
      });
      assert.equal(response.statusCode, 200);
      for await (const _ of response);
    }
    agent.destroy();
    const now = await stats(port);
    assert.equal(
      now.connections.total - before.connections.total,
      2,
      "one connection for the 20, one for /stats",
    );
  });

  test("pipelining: 60 requests in one write are answered in order", async () => {
    const connection = await Connection.open(port);
    const kinds = ["/", "/stats", "/nothing"];
    await connection.write(Array.from({ length: 60 }, (_, i) => get(kinds[i % 3] as string)).join(""));
    for (let i = 0; i < 60; i++) {
      const { status, headers } = await connection.response();
      const expected = [200, 200, 404][i % 3];
      const type = [/^text\/html/, /^application\/json/, /^text\/plain/][i % 3] as RegExp;
      assert.equal(status, expected, `response ${i}`);
      assert.match(headers["content-type"] ?? "", type, `response ${i}`);
    }
    connection.destroy();
  });

  test("HEAD has the head of GET and no body", async () => {
    const connection = await Connection.open(port);
    await connection.write(get("/").replace("GET", "HEAD") + get("/"));
    const head = await connection.response(true);
    const whole = await connection.response();
    assert.equal(head.status, 200);
    assert.deepEqual(head.headers, whole.headers);
    assert.equal(connection.length, 0, "nothing after the second response");
    connection.destroy();
  });

  test("/stats lists the processes with what they use", async () => {
    const { processes, processesOmitted } = await stats(port);
    assert.equal(processesOmitted, 0);
    assert.deepEqual(
      processes.map(({ pid, name, state }) => [pid, name, state]),
      [
        [1, "http", "running"],
        [2, "echo", "blocked"],
      ],
    );
    for (const { events, memory, vmtable, descriptors } of processes) {
      assert.ok(events > 0 && descriptors > 0);
      assert.ok(memory > 0 && memory <= 8 << 20);
      assert.ok(vmtable.size >= 2 << 20 && vmtable.used <= vmtable.peak && vmtable.peak <= vmtable.size);
    }
  });

  test("/stats is JSON whose counters grow", async () => {
    const first = await stats(port);
    await request(port, get("/"));
    await sleep(20);
    const second = await stats(port);
    assert.equal(second.requests - first.requests, 2);
    assert.ok(
      second.uptimeSeconds > first.uptimeSeconds,
      `${first.uptimeSeconds} then ${second.uptimeSeconds}`,
    );
    assert.equal(second.kernel["processes"], 2);
    for (const name of [
      "interrupts",
      "handled",
      "framesReceived",
      "bytesReceived",
      "framesSent",
      "bytesSent",
      "tcpAccepted",
    ]) {
      const [a, b] = [first.kernel[name] ?? NaN, second.kernel[name] ?? NaN];
      assert.ok(b > a, `kernel.${name}: ${a} then ${b}`);
    }
    const { memoryFree = NaN, memoryTotal = NaN } = second.kernel;
    assert.ok(memoryFree > 0 && memoryFree < memoryTotal, `${memoryFree} of ${memoryTotal} bytes free`);
  });

  const bad: [string, number, string][] = [
    ["an unknown path", 404, get("/nothing")],
    ["POST on the page", 405, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"],
    ["DELETE", 405, "DELETE /stats HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["no request line", 400, "\0\x01\x02\r\n\r\n"],
    ["no version", 400, "GET /\r\n\r\n"],
    ["no Host", 400, "GET / HTTP/1.1\r\n\r\n"],
    ["two Hosts", 400, get("/", "Host: b")],
    ["a space before the colon", 400, get("/", "Accept : x")],
    ["a folded field", 400, get("/", "Accept: x\r\n y")],
    ["a bare LF", 400, "GET / HTTP/1.1\nHost: a\n\n"],
    ["a control character in a value", 400, get("/", "Accept: \x01")],
    ["two lengths", 400, get("/", "Content-Length: 1", "Content-Length: 2")],
    ["length and chunked", 400, get("/", "Content-Length: 1", "Transfer-Encoding: chunked")],
    ["a negative length", 400, get("/", "Content-Length: -1")],
    ["a chunk size that is none", 400, `${get("/", "Transfer-Encoding: chunked")}xyz\r\n`],
    ["content of 1 GiB", 413, get("/", "Content-Length: 1073741824")],
    ["a length of 30 digits", 413, get("/", `Content-Length: ${"9".repeat(30)}`)],
    ["a request line of 20 kB", 414, get(`/${"a".repeat(20000)}`)],
    [
      "fields of 40 kB",
      431,
      get("/", ...Array.from({ length: 400 }, (_, i) => `X-${i}: ${"v".repeat(100)}`)),
    ],
    ["one field of 40 kB", 431, get("/", `X: ${"v".repeat(40000)}`)],
    ["an unknown transfer coding", 501, get("/", "Transfer-Encoding: brotli")],
    ["HTTP/2", 505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"],
  ];
  for (const [name, status, text] of bad) {
    test(`${name}: ${status}`, async () => {
      const response = await request(port, text);
      assert.equal(
        response.status,
        status,
        `${JSON.stringify(text.slice(0, 80))} was answered ${response.status} ${response.reason}`,
      );
      if (status === 405) assert.equal(response.headers["allow"], "GET, HEAD");
    });
  }

  test("after a bad request the connection is closed, after a 404 it is not", async () => {
    const connection = await Connection.open(port);
    await connection.write(get("/nothing"));
    assert.equal((await connection.response()).status, 404);
    await connection.write("nonsense\r\n\r\n");
    const response = await connection.response();
    assert.equal(response.status, 400);
    assert.equal(response.headers["connection"], "close");
    await connection.readToEnd();
    connection.destroy();
  });

  test("content of a request is read and skipped: POST with 100 kB, then GET", async () => {
    const connection = await Connection.open(port);
    await connection.write(
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${"x".repeat(100000)}${get("/")}`,
    );
    assert.equal((await connection.response()).status, 405);
    assert.equal((await connection.response()).status, 200);
    await connection.write(
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n${get("/")}`,
    );
    assert.equal((await connection.response()).status, 405);
    assert.equal((await connection.response()).status, 200);
    connection.destroy();
  });

  test("a request that comes byte by byte, each in a segment of its own", async () => {
    const connection = await Connection.open(port);
    for (const byte of get("/stats", "Accept: */*", "User-Agent: byte by byte")) {
      await connection.write(byte);
      await sleep(2);
    }
    const { status, body } = await connection.response();
    assert.equal(status, 200);
    assert.equal(typeof (JSON.parse(body.toString()) as { requests: number }).requests, "number");
    connection.destroy();
  });

  test("HTTP/1.0 and Connection: close end the connection", async () => {
    for (const text of ["GET / HTTP/1.0\r\n\r\n", get("/", "Connection: close")]) {
      const connection = await Connection.open(port);
      await connection.write(text);
      const { status, headers } = await connection.response();
      assert.equal(status, 200);
      assert.equal(headers["connection"], "close");
      assert.equal((await connection.readToEnd()).length, 0);
      connection.destroy();
    }
  });

  test("a client that has ended its side still gets its response", async () => {
    const connection = await Connection.open(port);
    connection.socket.end(get("/"));
    assert.equal((await connection.response()).status, 200);
    await connection.readToEnd();
    connection.destroy();
  });

  test("a client that resets in the middle of a response harms nobody", async () => {
    for (let i = 0; i < 20; i++) {
      const connection = await Connection.open(port);
      await connection.write(get("/").repeat(20));
      await connection.until("first bytes", () => connection.length > 0);
      connection.socket.resetAndDestroy();
    }
    assert.equal((await request(port, get("/"))).status, 200);
  });

  test("50 connections at once, all answered while all are open", async () => {
    const connections: Connection[] = [];
    for (let i = 0; i < 50; i++) {
      const connection = await Connection.open(port);
      await connection.write(get("/stats"));
      assert.equal((await connection.response()).status, 200);
      connections.push(connection);
    }
    await Promise.all(connections.map((connection) => connection.write(get("/"))));
    for (const connection of connections) assert.equal((await connection.response()).status, 200);
    const seen = await stats(port);
    assert.ok(seen.connections.open >= 50, `${seen.connections.open} open connections`);
    for (const connection of connections) connection.destroy();
  });

  test("1,000 connections opened, served and closed, and nothing is left of them", async () => {
    const before = await stats(port);
    await inParallel(1000, HOST_WIDTH, async () => {
      const response = await request(port, get("/", "Connection: close"));
      assert.equal(response.status, 200);
    });
    let asked = 0;
    let now = before;
    const lost = (): number => (before.kernel["memoryFree"] ?? NaN) - (now.kernel["memoryFree"] ?? NaN);
    await until(
      () => `${now.connections.open} connections still open, ${lost()} bytes of memory not free again`,
      async () => {
        now = await stats(port);
        asked++;
        return now.connections.open <= before.connections.open + 1 && lost() < 4 << 20;
      },
    );
    assert.equal(now.connections.total - before.connections.total, 1000 + asked);
  });
});
