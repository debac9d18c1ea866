/**
 * The wire between a frame peer and a guest: QEMU's `-netdev dgram`, one Ethernet frame per UDP datagram on 127.0.0.1.
 *
 * Each end has a port of its own. Loss, duplication and reordering are done here, in both directions, from a seeded
 * generator, so that a run can be repeated.
 */
import { type Socket, createSocket } from "node:dgram";

export interface Impairment {
  /** Probabilities per frame, 0..1. */
  loss?: number;
  duplicate?: number;
  /** Probability that a frame is held back until the next one has gone, or for 20 ms. */
  reorder?: number;
  seed?: number;
}

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

/** A UDP socket bound on 127.0.0.1; port 0 takes a free one. */
function bound(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
    socket.once("error", reject);
    socket.bind(port, "127.0.0.1", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

/** A UDP port that nobody has at this moment. */
export async function freeUdpPort(): Promise<number> {
  const socket = await bound(0);
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

/** One direction: passes frames on, or does to them what the impairment says. */
class Direction {
  private held: Buffer | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly deliver: (frame: Buffer) => void) {}

  pass(frame: Buffer, impairment: Impairment, random: () => number): void {
    if (random() < (impairment.loss ?? 0)) return;
    if (this.held === undefined && random() < (impairment.reorder ?? 0)) {
      this.held = Buffer.from(frame);
      this.timer = setTimeout(() => this.release(), 20);
      return;
    }
    this.deliver(frame);
    if (random() < (impairment.duplicate ?? 0)) this.deliver(frame);
    this.release();
  }

  release(): void {
    clearTimeout(this.timer);
    const { held } = this;
    this.held = undefined;
    if (held) this.deliver(held);
  }
}

export class Wire {
  /** Called with each frame that arrives. */
  onFrame: (frame: Buffer) => void = () => {};
  sent = 0;
  received = 0;
  private impairment: Impairment | undefined;
  private random = generator(1);
  private closed = false;
  private readonly outward: Direction;
  private readonly inward: Direction;

  private constructor(
    private readonly socket: Socket,
    /** The peer's UDP port. */
    readonly port: number,
    /** The guest's, that is QEMU's, UDP port. */
    readonly guestPort: number,
  ) {
    this.outward = new Direction((frame) => this.transmit(frame));
    this.inward = new Direction((frame) => this.onFrame(frame));
    // QEMU not there yet or gone: like a cable that is not plugged in.
    socket.on("error", () => {});
    socket.on("message", (frame) => {
      this.received += 1;
      if (this.impairment) this.inward.pass(frame, this.impairment, this.random);
      else this.onFrame(frame);
    });
  }

  /** Opens our end; without ports free ones are chosen. */
  static async open(guestPort?: number, port = 0): Promise<Wire> {
    const socket = await bound(port);
    return new Wire(socket, socket.address().port, guestPort ?? (await freeUdpPort()));
  }

  /** Sends a frame of at most 65,507 bytes. */
  send(frame: Buffer): void {
    if (this.closed) return;
    if (this.impairment) this.outward.pass(frame, this.impairment, this.random);
    else this.transmit(frame);
  }

  /** From now on in both directions; undefined: a perfect wire again. */
  impair(impairment: Impairment | undefined): void {
    this.impairment = impairment;
    this.random = generator(impairment?.seed ?? 1);
    this.outward.release();
    this.inward.release();
  }

  /** The guest's end as tools/qemu.ts takes it (`wire`). */
  get guestEnd(): { localPort: number; remotePort: number } {
    return { localPort: this.guestPort, remotePort: this.port };
  }

  close(): void {
    if (this.closed) return;
    this.impair(undefined);
    this.closed = true;
    this.socket.close();
  }

  private transmit(frame: Buffer): void {
    if (this.closed) return;
    this.sent += 1;
    this.socket.send(frame, this.guestPort, "127.0.0.1", () => {});
  }
}
