/**
 * A guest on the frame wire, one operation after the other, and what runs in it because of each: counted exactly (bursts.c). Frames that are sent at once reach it in one interrupt,
 * however busy the host is: QEMU holds them back, and hands them on in one go.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { bootWired } from "../spec/boot/machine.ts";
import type { Peer } from "../spec/wire/peer.ts";
import { buildImage } from "../tools/build.ts";
import { type Burst, BurstCounter, VECTOR_TIMER } from "./bursts.ts";
import { STATIC } from "./instructions.ts";
import { totalOf } from "./trace.ts";

/** Milliseconds for which frames to the guest are held back (QEMU's filter-buffer). */
const HELD = 20;
/** Milliseconds after which nothing of the last operation is left, but before the congestion window falls for want of use (200 ms at least, RFC 5681, 4.1). */
const SETTLED = 30;
/** And for what the guest does when the last frame has come: an acknowledgement may have been held back. */
const TAIL = 2 * HELD + 10;

/** What frames that came late make of an operation, by retransmissions and what they do to the congestion window, is further off. */
const NEAR = 1.02;

export class Counted {
  private constructor(
    readonly peer: Peer,
    readonly elf: string,
    readonly counter: BurstCounter,
    readonly stop: () => Promise<void>,
  ) {}

  /** `stacks`: as BurstCounter has them. */
  static async boot(name: string, image: string, stacks = false): Promise<Counted> {
    const { elf } = await buildImage(image);
    const counter = await BurstCounter.create(name, elf, [], stacks);
    const hold = ["-object", `filter-buffer,id=held,netdev=n0,queue=tx,interval=${HELD * 1000}`];
    const extra = [...counter.qemuArguments, ...hold];
    const { peer, stop } = await bootWired(image, { append: STATIC, icount: true, cpu: "qemu64", extra });
    return new Counted(peer, elf, counter, stop);
  }

  /** What `work` makes the guest do, `count` times, of which the unusual ones are left out: the host was late. The first time counts for nothing. */
  async rounds(count: number, work: () => Promise<unknown>): Promise<Burst[][]> {
    const found: Burst[][] = [];
    await this.during(work);
    for (let i = 0; i < count; i++) found.push(await this.during(work));
    return usual(found);
  }

  /** What runs because of `work`, timers that end with nothing else left out. */
  private async during(work: () => Promise<unknown>): Promise<Burst[]> {
    await sleep(SETTLED);
    const before = await this.counter.quiet();
    await work();
    await sleep(TAIL);
    const after = await this.counter.quiet();
    const bursts = (await this.counter.bursts()).slice(before, after);
    return bursts.filter(({ vector, interrupts }) => vector !== VECTOR_TIMER || interrupts > 1);
  }
}

/** The most of them that differ by no more than NEAR in all that they took. */
function usual(rounds: readonly Burst[][]): Burst[][] {
  const near = (from: Burst[]): Burst[][] =>
    rounds.filter((one) => totalOf(one) >= totalOf(from) && totalOf(one) <= totalOf(from) * NEAR);
  return rounds.map(near).reduce((most, some) => (some.length > most.length ? some : most), []);
}
