/**
 * How many connections there may be, and how fast they may come and go, in an image of 256 MB (spec/boot/apps/many): the peer's side is
 * spec/wire/crowd.ts.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Crowd } from "./crowd.ts";
import { serveEverybody } from "./everybody.ts";
import { address } from "./frame.ts";
import type { Peer } from "./peer.ts";
import { type WiredMachine, bootWired, specImage } from "../boot/machine.ts";
import { NOTE } from "../../tools/stages.ts";
import { until } from "./patience.ts";

const MANY = 100_000;
/** Ephemeral ports of the guest. */
const EPHEMERAL = 28_232;
/** Twice as many, so that each is used again before 2 MSL are over. */
const OPENED = 60_000;
const SPREAD = 40_000;
const VISITORS = 30_000;
const EADDRNOTAVAIL = 99;
/** Ports of the guest, and of the peer. */
const ECHO = 7;
const CONTROL = 9;
const DAYTIME = 13;
const DISCARD = 100;
const PLAIN = 200;
/** Bytes of memory that an idle connection may take: the connection, its descriptor, and the two events of the application. */
const BYTES_PER_CONNECTION = 1024;

/** Some of struct SystemInformation (sdk/sysinfo.ts). */
interface Counters {
  memoryFree: number;
  events: number;
  tcpConnections: number;
  tcpAccepted: number;
  tcpTimeWaits: number;
  tcpTimeWaitsCut: number;
}

async function askCounters(peer: Peer, command = Buffer.from("?")): Promise<Counters> {
  const bytes = await peer.askUdp(CONTROL, command);
  const at = (index: number): number => Number(bytes.readBigUInt64LE(8 * index));
  return {
    memoryFree: at(4),
    events: at(6),
    tcpConnections: at(14),
    tcpAccepted: at(15),
    tcpTimeWaits: at(20),
    tcpTimeWaitsCut: at(21),
  };
}

/** The command that has `count` connections opened. */
function openings(count: number, port: number, ports = 1): Buffer<ArrayBuffer> {
  const command = Buffer.alloc(12);
  command.writeUInt32LE(count, 0);
  command.writeUInt32LE(port, 4);
  command.writeUInt32LE(ports, 8);
  return command;
}

describe("many connections, 256 MB", () => {
  let wired: WiredMachine;
  let peer: Peer;
  before(async () => {
    wired = await bootWired(specImage("many.json"), { memory: 256 });
    ({ peer } = wired);
  });
  after(() => wired?.stop());

  const counters = (command?: Buffer<ArrayBuffer>): Promise<Counters> => askCounters(peer, command);
  /** As soon as there are so many connections: a last acknowledgement may have been lost, and the guest asks for it again after a second. */
  const settled = async (connections: number): Promise<Counters> => {
    let now = await counters();
    await until(
      () => `${connections} connections, not ${now.tcpConnections}`,
      async () => {
        now = await counters();
        return now.tcpConnections === connections;
      },
    );
    return now;
  };

  test("100,000 idle connections, each of which still answers; closed, their memory is free again", async (t) => {
    const before = await counters();
    const crowd = new Crowd(peer, ECHO, MANY, address("10.0.2.100"));
    const began = performance.now();
    const seconds = (): string => ((performance.now() - began) / 1000).toFixed(1);
    try {
      await crowd.open(120_000);
      const open = await settled(before.tcpConnections + MANY);
      const bytes = (before.memoryFree - open.memoryFree) / MANY;
      t.diagnostic(`${MANY} open after ${seconds()} s; ${bytes.toFixed(0)} bytes each`);
      assert.ok(bytes <= BYTES_PER_CONNECTION, `${bytes.toFixed(0)} bytes for each connection`);
      await crowd.ask(120_000);
      t.diagnostic(`all have answered after ${seconds()} s`);
      await crowd.close(120_000);
      t.diagnostic(`all closed after ${seconds()} s; ${crowd.retries} steps were tried again`);
    } finally {
      crowd.dispose();
    }
    const end = await settled(before.tcpConnections);
    assert.equal(end.events, before.events);
  });

  /** The guest opens and closes `count` connections to the peer's `ports` ports from `port` on: how many were opened, and the errno that ended it. */
  async function guestOpens(count: number, port: number, ports = 1): Promise<number[]> {
    const rows = wired.machine.rows("opened").length;
    await counters(openings(count, port, ports));
    return (await wired.machine.waitForRows("opened", rows + 1, 120_000)).at(-1) as number[];
  }

  test("the guest opens and closes 60,000 connections to one address and port, and 40,000 to 16 ports: none fails", async (t) => {
    const server = serveEverybody(peer, DISCARD, { ports: 16 });
    const before = await counters();
    const began = performance.now();
    try {
      assert.deepEqual(await guestOpens(OPENED, DISCARD), [OPENED, 0], "opened, and the last error");
      assert.deepEqual(await guestOpens(SPREAD, DISCARD, 16), [SPREAD, 0], "opened, and the last error");
    } finally {
      server.stop();
    }
    const seconds = (performance.now() - began) / 1000;
    const end = await counters();
    const waiting = end.tcpTimeWaits - before.tcpTimeWaits;
    t.diagnostic(
      `${OPENED + SPREAD} in ${seconds.toFixed(1)} s, ${((OPENED + SPREAD) / seconds).toFixed(0)} a second; ${waiting} in TIME-WAIT`,
    );
    assert.ok(server.connections() >= OPENED + SPREAD);
    assert.equal(
      end.tcpTimeWaitsCut,
      before.tcpTimeWaitsCut,
      "each lasts until its time is over or it is used again",
    );
    if (seconds < 50) assert.ok(waiting >= EPHEMERAL + 0.9 * SPREAD, `${waiting} in TIME-WAIT`);
    else t.diagnostic(`${NOTE}the host is too slow to see so many connections in TIME-WAIT`);
  });

  test("without timestamps each port toward one address and port serves once in 2 MSL: behind the last -EADDRNOTAVAIL", async (t) => {
    const server = serveEverybody(peer, PLAIN, { stamps: false, ports: 2 });
    try {
      const began = performance.now();
      const opened = await guestOpens(OPENED, PLAIN);
      if (performance.now() - began < 50_000) assert.deepEqual(opened, [EPHEMERAL, -EADDRNOTAVAIL]);
      else t.diagnostic(`${NOTE}the host is too slow to open all ports within 2 MSL`);
      assert.deepEqual(await guestOpens(1000, PLAIN + 1), [1000, 0], "to another port all are free");
    } finally {
      server.stop();
    }
  });

  test("30,000 clients whose connections the guest closes come twice, the second time over its TIME-WAIT", async (t) => {
    const before = await counters();
    const crowd = new Crowd(peer, DAYTIME, VISITORS, address("10.0.2.104"));
    const began = performance.now();
    try {
      await crowd.visit(60_000);
      await crowd.visit(60_000);
    } finally {
      crowd.dispose();
    }
    const seconds = (performance.now() - began) / 1000;
    t.diagnostic(
      `${2 * VISITORS} visits in ${seconds.toFixed(1)} s; ${crowd.retries} steps were tried again`,
    );
    const end = await settled(before.tcpConnections);
    assert.equal(end.tcpAccepted - before.tcpAccepted, 2 * VISITORS);
    assert.equal(end.tcpTimeWaitsCut, before.tcpTimeWaitsCut);
  });
});
