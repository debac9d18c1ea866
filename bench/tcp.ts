/** What TCP costs: guest instructions for a segment that is received, for one that is sent, and for a connection, counted exactly (bursts.c) in bench/apps/streams. */
import { setTimeout as sleep } from "node:timers/promises";
import { bootWired } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import type { Peer } from "../spec/wire/peer.ts";
import { buildImage } from "../tools/build.ts";
import { type Burst, BurstCounter, VECTOR_TIMER } from "./bursts.ts";
import { STATIC, benchImage, spread } from "./instructions.ts";
import { type Figure, type Measurement, median } from "./rows.ts";

export const STREAMS = benchImage("streams");
export const SOURCE = 8;
export const SINK = 9;
const CONNECTIONS = 10;
export const SEGMENT = 1460;
/** Segments of a short and of a long transfer: what is the same for both falls out of the difference. */
const SHORT = 20;
const LONG = 40;
const ROUNDS = 30;
const QUICK_ROUNDS = 9;
/** Segments that open the congestion window ahead of the first round. */
const WARM = 200;
/** Milliseconds after which no timer of the last transfer is left (delayed acknowledgement, tail loss probe). */
const SETTLED = 100;

/** A guest under the counter. */
export class Counted {
  private constructor(
    readonly peer: Peer,
    readonly elf: string,
    private readonly counter: BurstCounter,
    readonly stop: () => Promise<void>,
  ) {}

  /** `targets`, `blocks`: as BurstCounter has them. */
  static async boot(name: string, image: string, targets: string[] = [], blocks = false): Promise<Counted> {
    const { elf } = await buildImage(image);
    const counter = await BurstCounter.create(name, elf, targets, blocks);
    const options = { append: STATIC, icount: true, cpu: "qemu64", extra: counter.qemuArguments };
    const { peer, stop } = await bootWired(image, options);
    return new Counted(peer, elf, counter, stop);
  }

  /** What runs in the guest because of `work`, timers that end with nothing else left out. */
  async during(work: () => Promise<void>): Promise<Burst[]> {
    await sleep(SETTLED);
    const before = await this.counter.quiet();
    await work();
    await sleep(10);
    const after = await this.counter.quiet();
    const bursts = (await this.counter.bursts()).slice(before, after);
    return bursts.filter(({ vector, interrupts }) => vector !== VECTOR_TIMER || interrupts > 1);
  }

  async instructions(work: () => Promise<void>): Promise<number> {
    return sum((await this.during(work)).map(({ total }) => total));
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

/** Instructions for one segment more: the difference between the medians of transfers of LONG and of SHORT segments. */
async function perSegment(
  guest: Counted,
  transfer: (segments: number) => Promise<void>,
  rounds: number,
): Promise<{ value: number; note: string }> {
  const totals: [number[], number[]] = [[], []];
  const interrupts: number[] = [];
  await transfer(WARM);
  for (let round = 0; round < rounds; round++) {
    for (const [index, count] of [SHORT, LONG].entries()) {
      const bursts = await guest.during(() => transfer(count));
      totals[index as 0 | 1].push(sum(bursts.map(({ total }) => total)));
      if (count === LONG) interrupts.push(sum(bursts.map((burst) => burst.interrupts)));
    }
  }
  const [short, long] = totals;
  const value = Math.round((median(long) - median(short)) / (LONG - SHORT));
  return { value, note: `${LONG} in ${median(interrupts)} interrupts; all: ${spread(long)}` };
}

/** A connection, and a transfer of so many segments over it. */
type Transfer = readonly [TcpClient, (segments: number) => Promise<void>];

/** To the guest, whose application takes it in a read handler. */
async function inward(peer: Peer): Promise<Transfer> {
  const client = new TcpClient(peer, SINK);
  await client.connect(5000);
  const transfer = async (segments: number): Promise<void> => {
    client.send(Buffer.alloc(segments * SEGMENT, 1));
    await client.flushed(20_000);
  };
  return [client, transfer];
}

/** From the guest, which is asked for it; every second segment is acknowledged. */
async function outward(peer: Peer): Promise<Transfer> {
  const client = new TcpClient(peer, SOURCE, { acknowledgeEvery: 2 });
  await client.connect(5000);
  const transfer = async (segments: number): Promise<void> => {
    const wanted = Buffer.alloc(4);
    wanted.writeUInt32LE(segments * SEGMENT);
    client.send(wanted);
    await client.receive(20_000, (data) => data.length >= segments * SEGMENT);
  };
  return [client, transfer];
}

/** Both, with their rows. */
export const TRANSFERS = [
  ["tcp.segment.received", inward],
  ["tcp.segment.sent", outward],
] as const;

async function segment(
  guest: Counted,
  [name, open]: (typeof TRANSFERS)[number],
  rounds: number,
): Promise<Figure> {
  const [client, transfer] = await open(guest.peer);
  const { value, note } = await perSegment(guest, transfer, rounds);
  client.abort();
  return { name, aemos: value, note };
}

/** SYN to the accept handler, whose connection then stays. */
async function connection(guest: Counted, rounds: number): Promise<Figure> {
  const values: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const client = new TcpClient(guest.peer, CONNECTIONS);
    values.push(await guest.instructions(() => client.connect(5000)));
    client.abort();
  }
  return { name: "tcp.connection", aemos: median(values), note: spread(values) };
}

export const segments: Measurement = {
  rows: [...TRANSFERS.map(([name]) => name), "tcp.connection"],
  exact: true,
  run: async (quick) => {
    const guest = await Counted.boot("streams", STREAMS);
    const rounds = quick ? QUICK_ROUNDS : ROUNDS;
    try {
      const figures: Figure[] = [];
      for (const one of TRANSFERS) figures.push(await segment(guest, one, rounds));
      return [...figures, await connection(guest, rounds)];
    } finally {
      await guest.stop();
    }
  },
};
