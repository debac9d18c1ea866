/**
 * How many connections there may be, and how fast they may come and go, in an image of 256 MB (spec/boot/apps/many): the peer's side is
 * spec/wire/crowd.ts.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TcpClient } from "./client.ts";
import { Crowd, serveEverybody } from "./crowd.ts";
import { address } from "./frame.ts";
import { Flood } from "./flood.ts";
import type { Peer } from "./peer.ts";
import { type WiredMachine, bootWired, specImage } from "../boot/machine.ts";

const MANY = 100_000;
/** More than there are ephemeral ports (28,232). */
const OPENED = 60_000;
/** SYNs a second. */
const FLOOD_RATE = 50_000;
const ECHO = 7;
const CONTROL = 9;
/** Bytes of memory that an idle connection may take: the connection, its descriptor, and the two events of the application. */
const BYTES_PER_CONNECTION = 1024;

/** Some of struct SystemInformation (sdk/sysinfo.ts). */
interface Counters {
  memoryFree: number;
  events: number;
  framesReceived: number;
  tcpConnections: number;
  tcpAccepted: number;
}

describe("many connections, 256 MB", () => {
  let wired: WiredMachine;
  let peer: Peer;
  before(async () => {
    wired = await bootWired(specImage("many.json"), { memory: 256 });
    ({ peer } = wired);
  });
  after(() => wired?.stop());

  async function counters(command = Buffer.from("?")): Promise<Counters> {
    const bytes = await peer.askUdp(CONTROL, command, 10_000);
    const at = (index: number): number => Number(bytes.readBigUInt64LE(8 * index));
    return {
      memoryFree: at(4),
      events: at(6),
      framesReceived: at(9),
      tcpConnections: at(14),
      tcpAccepted: at(15),
    };
  }

  test("100,000 idle connections, each of which still answers; closed, their memory is free again", async (t) => {
    const before = await counters();
    const crowd = new Crowd(peer, ECHO, MANY, address("10.0.2.100"));
    const began = performance.now();
    const seconds = (): string => ((performance.now() - began) / 1000).toFixed(1);
    try {
      await crowd.open(120_000);
      let open = await counters();
      // A last acknowledgement may have been lost: the guest asks for it again after a second.
      for (let tries = 0; tries < 10 && open.tcpConnections - before.tcpConnections < MANY; tries++) {
        await sleep(500);
        open = await counters();
      }
      const bytes = (before.memoryFree - open.memoryFree) / MANY;
      t.diagnostic(`${MANY} open after ${seconds()} s; ${bytes.toFixed(0)} bytes each`);
      assert.equal(open.tcpConnections - before.tcpConnections, MANY);
      assert.ok(bytes <= BYTES_PER_CONNECTION, `${bytes.toFixed(0)} bytes for each connection`);
      await crowd.ask(120_000);
      t.diagnostic(`all have answered after ${seconds()} s`);
      await crowd.close(120_000);
      t.diagnostic(`all closed after ${seconds()} s; ${crowd.retries} steps were tried again`);
    } finally {
      crowd.dispose();
    }
    const end = await counters();
    assert.equal(end.tcpConnections, before.tcpConnections);
    assert.equal(end.events, before.events);
  });

  test("60,000 connections that the guest opens and closes one after another, to one address and port: none fails", async (t) => {
    const server = serveEverybody(peer, ECHO);
    const count = Buffer.alloc(4);
    count.writeUInt32LE(OPENED);
    const began = performance.now();
    try {
      await counters(count);
      const [row] = await wired.machine.waitForRows("opened", 1, 120_000);
      assert.deepEqual(row, [OPENED, 0], "opened, and the last error");
    } finally {
      server.stop();
    }
    t.diagnostic(
      `${OPENED} in ${((performance.now() - began) / 1000).toFixed(1)} s; the server saw ${server.connections()}`,
    );
    assert.ok(server.connections() >= OPENED);
  });

  test("50,000 forged SYNs a second for 5 s: a request succeeds within three seconds, all the while", async (t) => {
    const before = await counters();
    const flood = new Flood(peer, ECHO, FLOOD_RATE);
    const times: number[] = [];
    try {
      while (flood.seconds < 5) {
        await sleep(200);
        const began = performance.now();
        const answer = await TcpClient.request(
          peer,
          ECHO,
          Buffer.from("hello"),
          1000,
          (data) => data.length >= 5,
        );
        assert.equal(answer.toString(), "hello");
        times.push(performance.now() - began);
      }
    } finally {
      flood.stop();
    }
    const received = (await counters()).framesReceived - before.framesReceived;
    t.diagnostic(`${received} frames have reached the guest in ${flood.seconds.toFixed(1)} s`);
    t.diagnostic(
      `${flood.rate.toFixed(0)} SYNs a second, ${times.length} requests, the slowest took ${Math.max(...times).toFixed(0)} ms`,
    );
    assert.ok(flood.rate > 0.9 * FLOOD_RATE, `the peer sent only ${flood.rate.toFixed(0)} a second`);
    assert.ok(times.length >= 5);
  });
});
