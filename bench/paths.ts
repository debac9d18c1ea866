/**
 * The paths of which `npm run profile` shows where the instructions go: each is measured as `npm run bench` measures the row of this name, with the stacks recorded as well.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createConnection } from "node:net";
import { get, parseResponse } from "../spec/boot/client.ts";
import { DEFAULT_IMAGE, boot } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import { buildImage } from "../tools/build.ts";
import { type Burst, BurstCounter, type Node, VECTOR_TIMER } from "./bursts.ts";
import type { Weighted } from "./call-tree.ts";
import { type Load, ab, wrk } from "./compare.ts";
import { benchImage, latencyBursts, samples, spread } from "./instructions.ts";
import { median } from "./rows.ts";
import { startAemos } from "./systems.ts";
import { Counted, LONG, SHORT, STREAMS, TRANSFERS, totalOf, transferRounds } from "./tcp.ts";

/** What was measured of a path. */
export interface Figure {
  /** Instructions of one operation. */
  value: number;
  note: string;
  /** What ran, weighted so that all of it is `value`. */
  bursts: Weighted[];
  nodes: readonly Node[];
  elf: string;
}

export interface Path {
  name: string;
  what: string;
  measure(): Promise<Figure>;
}

/** The median of the samples: each the bursts of one operation, whose count is `of` it. */
function middle(
  found: readonly Burst[][],
  of: (sample: Burst[]) => number = totalOf,
): { value: number; sample: Burst[] } {
  const value = median(found.map(of));
  return { value, sample: found.find((sample) => of(sample) === value) as Burst[] };
}

function weighted(bursts: readonly Burst[], weight: number): Weighted[] {
  return bursts.map((burst) => ({ burst, weight }));
}

/** What runs ahead of a target. */
const ahead =
  (target: number) =>
  ([burst]: Burst[]): number =>
    burst?.reached[target] as number;

/** The median of bursts of which each is an operation, up to `target`. */
function upTo(bursts: readonly Burst[], target: number, counter: BurstCounter, elf: string): Figure {
  const found = bursts.map((burst) => [burst]);
  const { value, sample } = middle(found, ahead(target));
  const note = spread(found.map(ahead(target)));
  return { value, note, bursts: weighted(sample, 1), nodes: counter.nodes, elf };
}

/** Instructions from an interrupt to the handler, while nothing else runs. */
async function timerToHandler(): Promise<Figure> {
  const image = benchImage("executors");
  const { elf } = await buildImage(image);
  const counter = await BurstCounter.create("path-timer", elf, ["main0x2FinProcess"], true);
  const options = { netdev: "none" as const, icount: true, cpu: "qemu64", extra: counter.qemuArguments };
  const machine = await boot(image, options);
  try {
    await machine.waitForRows("executors", 1, 120_000);
    return upTo(samples(await counter.bursts(), 0), 0, counter, elf);
  } finally {
    await machine.stop();
  }
}

async function preemption(): Promise<Figure> {
  const image = benchImage("preempt.json");
  const { elf } = await buildImage(image);
  const counter = await BurstCounter.create("path-preempt", elf, ["main0x2Furgent"], true, true);
  const options = { netdev: "none" as const, icount: true, cpu: "qemu64", extra: counter.qemuArguments };
  const machine = await boot(image, { ...options, ready: false });
  try {
    await machine.waitForRows("late", 1, 120_000);
    const bursts = (await counter.bursts()).filter(({ vector }) => vector === VECTOR_TIMER);
    return upTo(bursts, 0, counter, elf);
  } finally {
    await machine.stop();
  }
}

async function tcpToHandler(): Promise<Figure> {
  const { bursts, elf, counter } = await latencyBursts("qemu64", true);
  return upTo(samples(bursts, 1), 1, counter, elf);
}

/** MiB in which bench/apps/costs has room for few events only. */
const FEW = 16;
const CLOCK = "w2c_aemos_clock_gettime";

/**
 * What bench/apps/costs measures as `what`, with one event registered. It reads the clock before and after; what is counted here runs between the two calls, less what
 * runs there when they follow one another. `through`: a function that it calls.
 */
const call = (what: number, through: string) => async (): Promise<Figure> => {
  const image = benchImage("costs");
  const { elf } = await buildImage(image);
  const counter = await BurstCounter.with("path-call", elf, { between: CLOCK, targets: [through] });
  const options = { netdev: "none" as const, icount: true, cpu: "qemu64", memory: FEW };
  const machine = await boot(image, { ...options, ready: false, extra: counter.qemuArguments });
  try {
    await machine.waitForRows("costs", 1, 60_000);
    const [, , value, worst] = machine.rows("cost").find((row) => row[1] === what) as [
      number,
      number,
      number,
      number,
    ];
    const bursts = await counter.bursts();
    const nothing = bursts.reduce((least, burst) => (burst.total < least.total ? burst : least));
    const sample = bursts.find(
      ({ total, reached }) => (reached[0] as number) >= 0 && total - nothing.total === value,
    );
    if (sample === undefined)
      throw new Error(`nothing took ${value} instructions between two looks at the clock`);
    const note = `by the guest's clock, as npm run bench has it; largest ${worst}`;
    return {
      value,
      note,
      bursts: [...weighted([sample], 1), ...weighted([nothing], -1)],
      nodes: counter.nodes,
      elf,
    };
  } finally {
    await machine.stop();
  }
};

const segment =
  ([, open]: (typeof TRANSFERS)[number]) =>
  async (): Promise<Figure> => {
    const guest = await Counted.boot("path-segment", STREAMS, [], true);
    try {
      const [client, transfer] = await open(guest.peer);
      const rounds = await transferRounds(guest, transfer);
      client.abort();
      const [short, long] = [middle(rounds.short), middle(rounds.long)];
      const share = 1 / (LONG - SHORT);
      const bursts = [...weighted(long.sample, share), ...weighted(short.sample, -share)];
      const note = `${LONG} less ${SHORT}; all: ${spread(rounds.long.map(totalOf))}`;
      return {
        value: (long.value - short.value) * share,
        note,
        bursts,
        nodes: guest.counter.nodes,
        elf: guest.elf,
      };
    } finally {
      await guest.stop();
    }
  };

const ROUNDS = 30;

/** What runs because of `work`, once for each round, in the default image or another. */
const perRound = (image: string, work: (guest: Counted) => Promise<void>) => async (): Promise<Figure> => {
  const guest = await Counted.boot("path-round", image, [], true);
  try {
    const found: Burst[][] = [];
    for (let i = 0; i < ROUNDS; i++) found.push(await guest.during(() => work(guest)));
    const { value, sample } = middle(found.slice(1));
    const note = spread(found.slice(1).map(totalOf));
    return { value, note, bursts: weighted(sample, 1), nodes: guest.counter.nodes, elf: guest.elf };
  } finally {
    await guest.stop();
  }
};

/** All that runs while a client of the host's has its way with the default image, over user networking. */
const underLoad = (load: Load) => async (): Promise<Figure> => {
  const { elf } = await buildImage(DEFAULT_IMAGE);
  const counter = await BurstCounter.create("path-load", elf, [], true);
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
    return {
      value: total / operations,
      note,
      bursts: weighted(bursts, 1 / operations),
      nodes: counter.nodes,
      elf,
    };
  } finally {
    await system.stop();
  }
};

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

const request = Buffer.from(get("/", "Connection: close"));

async function connectRequestClose({ peer }: Counted): Promise<void> {
  await TcpClient.request(peer, 80, request, 5000, (data) => parseResponse(data, false, false) !== undefined);
}

const [received, sent] = TRANSFERS;

export const PATHS: readonly Path[] = [
  {
    name: "timer.to-handler",
    what: "interrupt to handler, one timer, nothing else running",
    measure: timerToHandler,
  },
  { name: "timer.to-handler.preempting", what: "the same, another process computes", measure: preemption },
  {
    name: "timer.arm",
    what: "the call that starts a timer again",
    measure: call(2, "timers0x2FtimerStartAt"),
  },
  {
    name: "event.register",
    what: "the call that registers a read event",
    measure: call(0, "w2c_aemos_sockasync_read"),
  },
  {
    name: "event.same-process",
    what: "a message's call to its handler",
    measure: call(3, "main0x2Farrived"),
  },
  { name: "tcp.nic-to-handler", what: "interrupt to read handler", measure: tcpToHandler },
  { name: "tcp.segment.received", what: received[2], measure: segment(received) },
  { name: "tcp.segment.sent", what: sent[2], measure: segment(sent) },
  {
    name: "tcp.connect-request-close",
    what: "SYN, GET /, close, to TIME-WAIT",
    measure: perRound(DEFAULT_IMAGE, connectRequestClose),
  },
  { name: "udp.echo", what: "a datagram of 64 bytes and its echo", measure: underLoad(udpEcho) },
  { name: "tcp.echo", what: "64 bytes and their echo, one connection", measure: underLoad(tcpEcho) },
  { name: "http.keepalive", what: "GET / by wrk, 16 connections", measure: underLoad(wrk(16, 2)) },
  { name: "http.keepalive.one", what: "GET / by wrk, one connection", measure: underLoad(wrk(1, 2)) },
  {
    name: "http.connection",
    what: "GET / by ab, 8 at once, a connection for each",
    measure: underLoad(ab(500)),
  },
];
