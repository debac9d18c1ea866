/** Paths under load: all that runs while a client of the host's has its way with the default image, over user networking, for each operation that it counted. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createConnection } from "node:net";
import { BurstCounter } from "./bursts.ts";
import { DEFAULT_IMAGE } from "../spec/boot/machine.ts";
import { buildImage } from "../tools/build.ts";
import { type Load, ab, wrk } from "./compare.ts";
import { type Session, weighted } from "./figure.ts";
import { startAemos } from "./systems.ts";
import { totalOf } from "./tcp.ts";

const ECHOES = 1000;
const ECHO = Buffer.alloc(64, "x");

/** One connection, one echo after the other. */
const tcpEcho: Load = async ({ ports }) => {
  const socket = createConnection(ports.echo, "127.0.0.1").setNoDelay();
  await once(socket, "connect");
  for (let i = 0; i < ECHOES; i++) {
    socket.write(ECHO);
    for (let left = ECHO.length; left > 0;) left -= ((await once(socket, "data")) as [Buffer])[0].length;
  }
  socket.destroy();
  return ECHOES;
};

const udpEcho: Load = async ({ ports }) => {
  const socket = createSocket("udp4");
  for (let i = 0; i < ECHOES; i++) {
    socket.send(ECHO, ports.datagrams, "127.0.0.1");
    await once(socket, "message");
  }
  socket.close();
  return ECHOES;
};

function underLoad(name: string, what: string, load: Load): Session {
  return {
    paths: { [name]: what },
    exact: false,
    async measure(stacks) {
      const { elf } = await buildImage(DEFAULT_IMAGE);
      const counter = await BurstCounter.create("path", elf, [], stacks);
      const system = await startAemos({ cpu: "qemu64", extra: counter.qemuArguments });
      try {
        const first = await counter.quiet();
        const before = await system.instructions();
        const operations = await load(system);
        const last = await counter.quiet();
        const counted = (await system.instructions()) - before;
        const bursts = (await counter.bursts()).slice(first, last);
        const total = totalOf(bursts);
        const note = `${operations} operations: ${total} instructions in ${bursts.length} bursts; by bench/total.c ${counted}`;
        const own = weighted(bursts, 1 / operations);
        return { [name]: { value: total / operations, note, bursts: own, nodes: counter.nodes, elf } };
      } finally {
        await system.stop();
      }
    },
  };
}

export const loads: readonly Session[] = [
  underLoad("udp.echo", "a datagram of 64 bytes and its echo", udpEcho),
  underLoad("tcp.echo", "64 bytes and their echo, one connection", tcpEcho),
  underLoad("http.keepalive", "GET / by wrk, 16 connections", wrk(16, 2)),
  underLoad("http.keepalive.one", "GET / by wrk, one connection", wrk(1, 2)),
  underLoad("tcp.connect-request-close", "GET / by ab, 8 at once, a connection for each", ab(500)),
];
