/**
 * What TCP costs: guest instructions for a segment that is received, for one that is sent, and for a connection, counted exactly (bursts.c) in bench/apps/streams; and bytes of
 * memory of a connection that is idle.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { get, parseResponse } from "../spec/boot/client.ts";
import { DEFAULT_IMAGE, bootWired, specImage } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import { Crowd } from "../spec/wire/crowd.ts";
import { address } from "../spec/wire/frame.ts";
import type { Peer } from "../spec/wire/peer.ts";
import { buildImage } from "../tools/build.ts";
import { type Burst, BurstCounter, VECTOR_TIMER } from "./bursts.ts";
import { STATIC, benchImage, spread } from "./instructions.ts";
import { type Row, median } from "./rows.ts";

export const STREAMS = benchImage("streams");
const SINK = 7;
const SOURCE = 8;
export const CONNECTIONS = 9;
export const SEGMENT = 1460;
/** Segments of a transfer. */
export const SEGMENTS = 40;
const ROUNDS = 30;
const TRANSFERS_COUNTED = 20;
/** Segments that open the congestion window ahead of the first round. */
const WARM = 200;
/** Milliseconds after which no timer of the last transfer is left (delayed acknowledgement, tail loss probe). */
const SETTLED = 100;
/** The same, and milliseconds for which they are held back, when frames to the guest are to arrive together: shorter than what lets the congestion window fall (RFC 5681, 4.1). */
const SETTLED_TOGETHER = 30;
const HELD = 20;

/** A guest under the counter. */
export class Counted {
  private constructor(
    readonly peer: Peer,
    readonly elf: string,
    readonly counter: BurstCounter,
    readonly stop: () => Promise<void>,
    private readonly together: boolean,
  ) {}

  /**
   * `targets`, `stacks`: as BurstCounter has them. `together`: frames that are sent at once reach the guest in one interrupt, however fast the host is: QEMU hands them on every
   * 20 ms, in one go.
   */
  static async boot(
    name: string,
    image: string,
    targets: string[] = [],
    stacks = false,
    together = false,
  ): Promise<Counted> {
    const { elf } = await buildImage(image);
    const counter = await BurstCounter.create(name, elf, targets, stacks);
    const extra = [...counter.qemuArguments];
    if (together) extra.push("-object", `filter-buffer,id=held,netdev=n0,queue=tx,interval=${HELD}000`);
    const { peer, stop } = await bootWired(image, { append: STATIC, icount: true, cpu: "qemu64", extra });
    return new Counted(peer, elf, counter, stop, together);
  }

  /** What runs in the guest because of `work`, timers that end with nothing else left out. */
  async during(work: () => Promise<void>): Promise<Burst[]> {
    await sleep(this.together ? SETTLED_TOGETHER : SETTLED);
    const before = await this.counter.quiet();
    await work();
    await sleep(this.together ? 10 + 2 * HELD : 10);
    const after = await this.counter.quiet();
    const bursts = (await this.counter.bursts()).slice(before, after);
    return bursts.filter(({ vector, interrupts }) => vector !== VECTOR_TIMER || interrupts > 1);
  }

  async instructions(work: () => Promise<void>): Promise<number> {
    return totalOf(await this.during(work));
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

export function totalOf(bursts: readonly Burst[]): number {
  return sum(bursts.map(({ total }) => total));
}

/** The rounds in which the frames came as they usually do: with the most frequent number of interrupts. */
export function usual(rounds: readonly Burst[][]): Burst[][] {
  const interrupts = (bursts: readonly Burst[]): number => sum(bursts.map((burst) => burst.interrupts));
  const counts = new Map<number, number>();
  for (const bursts of rounds) counts.set(interrupts(bursts), (counts.get(interrupts(bursts)) ?? 0) + 1);
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return rounds.filter((bursts) => interrupts(bursts) === most?.[0]);
}

/** What ran in transfers of SEGMENTS. */
export async function transferRounds(
  guest: Counted,
  transfer: (segments: number) => Promise<void>,
): Promise<Burst[][]> {
  const found: Burst[][] = [];
  await transfer(WARM);
  for (let i = 0; i < TRANSFERS_COUNTED; i++) found.push(await guest.during(() => transfer(SEGMENTS)));
  return usual(found);
}

/** Instructions for each segment. The mean: the driver does some of its work for many frames at once, not in each transfer. */
export function perSegment(rounds: readonly Burst[][]): { value: number; note: string } {
  const totals = rounds.map(totalOf);
  const interrupts = sum(rounds[0]?.map((burst) => burst.interrupts) ?? []);
  const note = `of ${SEGMENTS} in ${interrupts} interrupts; all: ${spread(totals)}`;
  return { value: sum(totals) / rounds.length / SEGMENTS, note };
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

/** Both, with what they are for. */
export const TRANSFERS = [
  ["tcp.segment.received", inward, "driver to read handler, with the acknowledgement of every second one"],
  ["tcp.segment.sent", outward, "send to driver, with the acknowledgement of every second one"],
] as const;

async function segment(guest: Counted, [name, open, what]: (typeof TRANSFERS)[number]): Promise<Row> {
  const [client, transfer] = await open(guest.peer);
  const { value, note } = perSegment(await transferRounds(guest, transfer));
  client.abort();
  return { name, value: Math.round(value), unit: "instructions", note: `${what}; ${note}` };
}

/** SYN to the accept handler, whose connection then stays. */
async function connection(guest: Counted): Promise<Row> {
  const values: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const client = new TcpClient(guest.peer, CONNECTIONS);
    values.push(await guest.instructions(() => client.connect(5000)));
    client.abort();
  }
  const note = `SYN to accept handler; ${spread(values)}`;
  return { name: "tcp.connection", value: median(values), unit: "instructions", note };
}

export async function segments(): Promise<Row[]> {
  const guest = await Counted.boot("streams", STREAMS, [], false, true);
  try {
    const rows: Row[] = [];
    for (const one of TRANSFERS) rows.push(await segment(guest, one));
    return [...rows, await connection(guest)];
  } finally {
    await guest.stop();
  }
}

/** A connection that is opened, asked for one page, and closed by the server. */
export async function connectRequestClose(): Promise<Row> {
  const guest = await Counted.boot("connections", DEFAULT_IMAGE);
  try {
    const values: number[] = [];
    const request = Buffer.from(get("/", "Connection: close"));
    for (let i = 0; i < ROUNDS; i++)
      values.push(
        await guest.instructions(async () => {
          const done = (data: Buffer): boolean => parseResponse(data, false, false) !== undefined;
          await TcpClient.request(guest.peer, 80, request, 5000, done);
        }),
      );
    const note = `GET / of the default image, from SYN to TIME-WAIT; ${spread(values.slice(1))}`;
    return { name: "tcp.connect-request-close", value: median(values.slice(1)), unit: "instructions", note };
  } finally {
    await guest.stop();
  }
}

// ---- Memory ----

const CROWD = 20_000;
const MEMORY = 256;
const CONTROL = 9;
/** Of an idle connection, with its descriptor and two events. */
const BYTES_GOAL = 1024;

/** Kernel memory of a connection that is idle, with its descriptor, a read event and a close event (spec/boot/apps/many). */
export async function idleConnection(): Promise<Row> {
  const { peer, stop } = await bootWired(specImage("many.json"), { memory: MEMORY });
  // struct SystemInformation: memoryFree.
  const free = async (): Promise<number> =>
    Number((await peer.askUdp(CONTROL, Buffer.from("?"), 10_000)).readBigUInt64LE(8 * 4));
  const before = await free();
  const crowd = new Crowd(peer, SINK, CROWD, address("10.0.2.100"));
  try {
    await crowd.open(120_000);
    await sleep(1000);
    const value = Math.round((before - (await free())) / CROWD);
    const note = `${CROWD} of them; the connection, its descriptor, two events`;
    return { name: "memory.idle-connection", value, unit: "bytes", goal: BYTES_GOAL, note };
  } finally {
    crowd.dispose();
    await stop();
  }
}
