/**
 * A guest on the frame wire, one operation after the other, and all that runs in it from the end of one to the end of the next (bursts.c): timers, and what the driver does for many frames
 * at once, among it. Frames that are sent at once reach it in one interrupt, however busy the host is: QEMU holds them back, and hands them on in one go.
 *
 * What the guest does by itself in as long a time is counted ahead, and taken off: the clients pause between operations, and a shorter pause would have less of it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { bootWired } from "../spec/boot/machine.ts";
import type { Peer } from "../spec/wire/peer.ts";
import { buildImage } from "../tools/build.ts";
import { type Burst, BurstCounter } from "./bursts.ts";
import { STATIC, spread } from "./instructions.ts";
import { median } from "./rows.ts";
import { type Trace, totalOf, weighted } from "./trace.ts";

/** Milliseconds for which frames to the guest are held back (QEMU's filter-buffer). */
const HELD = 20;
/** Milliseconds in which nothing may run before an operation is over: frames may be held back. What comes next comes before the congestion window falls for want of use (200 ms at least, RFC 5681, 4.1). */
const SETTLED = 30;
/** How often that is waited for: a busy host. */
const PATIENCE = 5;
/** And for what the guest does when the last frame has come: an acknowledgement may have been held back. */
const TAIL = 2 * HELD + 10;

/** Milliseconds that it is left alone ahead of counting what it does by itself, and of the slices in which that is counted: those in which it looks for a router or a neighbour do not count. */
const STARTED = 500;
const SLICE = 100;
const SLICES = 40;
const QUICK_SLICES = 20;

/** What ran in some milliseconds. */
interface Stretch {
  ms: number;
  bursts: Burst[];
  /** Frames to the guest, and from it. */
  frames: string;
}

export class Counted {
  private alone: Stretch[] = [];
  private mark = { bursts: 0, ms: 0, sent: 0, received: 0 };

  private constructor(
    readonly peer: Peer,
    readonly elf: string,
    readonly counter: BurstCounter,
    readonly stop: () => Promise<void>,
  ) {}

  /** `stacks`: as BurstCounter has them. */
  static async boot(name: string, image: string, stacks: boolean, quick: boolean): Promise<Counted> {
    const { elf } = await buildImage(image);
    const counter = await BurstCounter.create(name, elf, [], stacks);
    const hold = ["-object", `filter-buffer,id=held,netdev=n0,queue=tx,interval=${HELD * 1000}`];
    const extra = [...counter.qemuArguments, ...hold];
    const { peer, stop } = await bootWired(image, { append: STATIC, icount: true, cpu: "qemu64", extra });
    const guest = new Counted(peer, elf, counter, stop);
    await peer.resolve();
    await sleep(STARTED);
    await guest.stretch();
    for (let i = 0; i < (quick ? QUICK_SLICES : SLICES); i++) {
      await sleep(SLICE);
      guest.alone.push(await guest.stretch());
    }
    guest.alone = alike(guest.alone);
    return guest;
  }

  /**
   * What one of `operations` in `work` makes the guest do: the mean of `count` times. Left out are times with other numbers of frames than most have: the host was so late that something was sent
   * again; and those that are further than `near` from the median, for the same reason, where all that the guest itself does now and then is less. The first time counts for nothing.
   */
  async cost(
    count: number,
    operations: number,
    work: () => Promise<unknown>,
    near = Infinity,
  ): Promise<Trace> {
    const rounds: Stretch[] = [];
    for (let i = 0; i <= count; i++) {
      await work();
      await sleep(TAIL);
      await this.settled();
      rounds.push(await this.stretch());
    }
    const frames = alike(rounds.slice(1));
    const middle = median(frames.map((one) => totalOf(one.bursts)));
    const usual = frames.filter((one) => Math.abs(totalOf(one.bursts) - middle) <= near * middle);
    const all = usual.length * operations;
    const share = lengthOf(usual) / lengthOf(this.alone) / all;
    const alone = this.alone.flatMap((one) => one.bursts);
    const bursts = [
      ...weighted(
        usual.flatMap((one) => one.bursts),
        1 / all,
      ),
      ...weighted(alone, -share),
    ];
    const own = share * totalOf(alone);
    const value = bursts.reduce((sum, { burst, weight }) => sum + weight * burst.total, 0);
    const note = `mean of ${all} operations in ${usual.length} of ${count} rounds; by itself it does ${own.toFixed(1)} for each, taken off; rounds: ${spread(usual.map((one) => totalOf(one.bursts)))}`;
    return { value, note, bursts, nodes: this.counter.nodes, elf: this.elf };
  }

  private async settled(): Promise<void> {
    for (let i = 0; i < PATIENCE; i++) {
      const before = await this.counter.quiet();
      await sleep(SETTLED);
      if ((await this.counter.quiet()) === before) return;
    }
  }

  /** Since it was called last. */
  private async stretch(): Promise<Stretch> {
    const before = this.mark;
    const bursts = await this.counter.quiet();
    const { sent, received } = this.peer.wire;
    this.mark = { bursts, ms: performance.now(), sent, received };
    return {
      ms: this.mark.ms - before.ms,
      bursts: (await this.counter.bursts()).slice(before.bursts, bursts),
      frames: `${sent - before.sent} ${received - before.received}`,
    };
  }
}

function lengthOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { ms }) => sum + ms, 0);
}

/** Those with the numbers of frames that most have. */
function alike(rounds: readonly Stretch[]): Stretch[] {
  const having = (wanted: string): Stretch[] => rounds.filter(({ frames }) => frames === wanted);
  return rounds
    .map(({ frames }) => having(frames))
    .reduce((most, some) => (some.length > most.length ? some : most), []);
}
