/** apps/echo against the model of the system calls (mock.ts). */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { application } from "./application.ts";

const run = application("echo");

test("echo: what comes goes back, and the connection ends with the client's", () => {
  run((kernel) => {
    const client = kernel.connect(7);
    assert.equal(client.send("hello").text(), "hello");
    client.send("more").end();
    assert.equal(client.text(), "more");
    assert.ok(client.closed);
  });
});

test("echo: a client that does not read stops the reading, and loses nothing", () => {
  run((kernel) => {
    const data = randomBytes(300_000);
    const client = kernel.connect(7).allow(1000);
    client.send(data).end();
    assert.equal(kernel.blocksInUse, 1);
    const parts = [client.take()];
    // In rooms of every kind: none, small, just what is left of a block, large.
    for (const room of [0, 1, 15_383, 16_384, 16_385, 0, 40_000, 1, 1, 200_000, 300_000]) {
      assert.ok(!client.closed);
      parts.push(client.allow(room).take());
      assert.ok(kernel.blocksInUse <= 1);
    }
    assert.ok(Buffer.concat(parts).equals(data));
    assert.ok(client.closed);
    assert.equal(kernel.blocksInUse, 0);
  });
});

test("echo: a reset while reading is stopped lets go of everything", () => {
  run((kernel) => {
    const sockets = kernel.openSockets;
    kernel.advance(1);
    const events = kernel.openEvents;
    kernel.connect(7).allow(0).send("hello").end(-104);
    assert.equal(kernel.openSockets, sockets);
    // The timer of the time-outs stops when there is nobody to wait for.
    assert.equal(kernel.openEvents, events + 1);
    kernel.advance(1);
    assert.equal(kernel.openEvents, events);
    assert.equal(kernel.blocksInUse, 0);
  });
});

test("echo: a client that never reads is dropped after a minute", () => {
  run((kernel) => {
    const stalled = kernel.connect(7).allow(0).send("hello");
    const slow = kernel.connect(7).allow(0).send("hello");
    const idle = kernel.connect(7).send("x");
    kernel.advance(40);
    slow.allow(1);
    kernel.advance(30);
    assert.ok(stalled.closed);
    assert.ok(!slow.closed, "progress was made");
    assert.ok(!idle.closed, "nothing waits for an idle client");
    kernel.advance(40);
    assert.ok(slow.closed);
  });
});

test("echo: kept blocks are bounded, and others are still served", () => {
  run((kernel) => {
    const clients = Array.from({ length: 250 }, () => kernel.connect(7).allow(0).send(Buffer.alloc(16_384)));
    assert.equal(kernel.blocksInUse, 192);
    assert.equal(clients.filter((client) => client.closed).length, 250 - 192);
    assert.equal(kernel.connect(7).send("still").text(), "still");
  });
});

test("echo: thousands of connections, none of them left", () => {
  run((kernel) => {
    const sockets = kernel.openSockets;
    const events = kernel.openEvents;
    for (let round = 0; round < 3; round++) {
      const clients = Array.from({ length: 2000 }, () => kernel.connect(7));
      for (const client of clients) assert.equal(client.send("x").text(), "x");
      for (const client of clients) client.end();
      assert.equal(kernel.openSockets, sockets);
      assert.equal(kernel.openEvents, events);
    }
  });
});

test("echo: datagrams, but not those of services that would answer the answer", () => {
  run((kernel) => {
    const data = randomBytes(1400);
    assert.deepEqual(kernel.datagram(7, 40_000, data), [data]);
    assert.deepEqual(kernel.datagram(7, 40_000, Buffer.alloc(0)), [Buffer.alloc(0)]);
    for (const port of [7, 13, 17, 19, 37]) assert.deepEqual(kernel.datagram(7, port, data), []);
    assert.equal(kernel.blocksInUse, 0);
  });
});
