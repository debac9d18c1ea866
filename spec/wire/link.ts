/**
 * What a bad network does to frames on their way, after Linux's netem: loss, duplication, reordering, damage, delay. All from a seeded
 * generator, so that a run can be repeated as far as the order of frames repeats.
 */

export interface Impairment {
  /** Probabilities per frame, 0..1. */
  loss?: number;
  duplicate?: number;
  /** Probability that a frame is held back until one to three later ones have gone, or for 20 ms. */
  reorder?: number;
  /** Probability that one bit behind the Ethernet header of an IPv4 frame is turned over: a checksum has to find it. */
  corrupt?: number;
  /** One way, in milliseconds; and up to so many more, at random. Frames stay in order. */
  delay?: number;
  jitter?: number;
  seed?: number;
}

/** Milliseconds after which a frame that was held back goes, whether others have come or not. */
const HELD_AT_MOST = 20;
const ETHERNET_HEADER = 14;
const ETHERTYPE_IPV4 = 0x0800;

/** Reproducible random numbers in 0..1 (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** How many frames had which fate. */
export interface LinkCounts {
  frames: number;
  lost: number;
  duplicated: number;
  reordered: number;
  corrupted: number;
}

/** One direction. */
export class Link {
  readonly counts: LinkCounts = { frames: 0, lost: 0, duplicated: 0, reordered: 0, corrupted: 0 };
  private readonly random: () => number;
  /** Held back until `after` more frames have gone. */
  private held: { frame: Buffer; after: number } | undefined;
  private heldTimer: NodeJS.Timeout | undefined;
  /** On their way, in order. */
  private readonly delayed: { frame: Buffer; due: number }[] = [];
  private delayTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly impairment: Impairment,
    private readonly deliver: (frame: Buffer) => void,
  ) {
    this.random = generator(impairment.seed ?? 1);
  }

  pass(arrived: Buffer): void {
    this.counts.frames++;
    if (this.happens(this.impairment.loss)) {
      this.counts.lost++;
      return;
    }
    const frame = this.happens(this.impairment.corrupt) ? this.damage(arrived) : arrived;
    if (this.held === undefined && this.happens(this.impairment.reorder)) {
      this.counts.reordered++;
      this.held = { frame: Buffer.from(frame), after: 1 + Math.floor(this.random() * 3) };
      this.heldTimer = setTimeout(() => this.release(), HELD_AT_MOST);
      return;
    }
    this.forward(frame);
    if (this.happens(this.impairment.duplicate)) {
      this.counts.duplicated++;
      this.forward(frame);
    }
    if (this.held && --this.held.after === 0) this.release();
  }

  /** Delivers at once what is still on its way. */
  close(): void {
    this.release();
    clearTimeout(this.delayTimer);
    for (const { frame } of this.delayed.splice(0)) this.deliver(frame);
  }

  private happens(probability = 0): boolean {
    return probability > 0 && this.random() < probability;
  }

  private damage(frame: Buffer): Buffer {
    if (frame.length <= ETHERNET_HEADER || frame.readUInt16BE(12) !== ETHERTYPE_IPV4) return frame;
    this.counts.corrupted++;
    const damaged = Buffer.from(frame);
    const at = ETHERNET_HEADER + Math.floor(this.random() * (frame.length - ETHERNET_HEADER));
    damaged[at] = (damaged[at] as number) ^ (1 << Math.floor(this.random() * 8));
    return damaged;
  }

  private release(): void {
    clearTimeout(this.heldTimer);
    const { held } = this;
    this.held = undefined;
    if (held) this.forward(held.frame);
  }

  private forward(frame: Buffer): void {
    const { delay = 0, jitter = 0 } = this.impairment;
    if (delay === 0 && jitter === 0) {
      this.deliver(frame);
      return;
    }
    const due = performance.now() + delay + this.random() * jitter;
    // The socket's buffer is its own: what waits is copied.
    this.delayed.push({
      frame: Buffer.from(frame),
      due: Math.max(due, this.delayed.at(-1)?.due ?? 0),
    });
    if (this.delayed.length === 1) this.await();
  }

  private await(): void {
    const first = this.delayed[0];
    if (!first) return;
    this.delayTimer = setTimeout(
      () => {
        const time = performance.now();
        while (this.delayed[0] && this.delayed[0].due <= time)
          this.deliver(this.delayed.shift()?.frame as Buffer);
        this.await();
      },
      Math.max(0, first.due - performance.now()),
    );
  }
}
