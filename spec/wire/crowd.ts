/**
 * Very many TCP connections of one peer, each a few bytes: a client of the guest from several addresses. (The server's side: everybody.ts.) Only what the tests of scale
 * need: one octet string in flight at a time, and everything is sent again until it is answered.
 */
import type { Peer } from "./peer.ts";
import { ACK, FIN, SYN, type TcpOptions, type TcpSegment, sequenceAdd } from "./tcp.ts";

const PORTS = 50_000;
const FIRST_PORT = 10_000;
/** Steps of connections that are on their way at once: below a listener's queue, and what a receive ring takes. */
const WINDOW = 128;
/** Milliseconds after which a step is tried again. */
const RETRY = 500;
const WINDOW_FIELD = 65535;

/** One connection's view of a step: what to send, and whether this answer ends it. */
interface Step {
  send(index: number): void;
  ends(index: number, segment: TcpSegment): boolean;
  /** What answers a FIN that comes again; an acknowledgement if this is not said. */
  answer?: number;
}

export class Crowd {
  /** Next sequence number of ours, and the next that we expect, of each connection. */
  private readonly next: Uint32Array;
  private readonly expected: Uint32Array;
  /** Set while the connection has a step that is not done: time of its last try. */
  private readonly tried: Float64Array;
  private readonly stop: () => void;
  private step: Step | undefined;
  private started = 0;
  private done = 0;
  private finish: () => void = () => {};
  retries = 0;

  constructor(
    private readonly peer: Peer,
    private readonly port: number,
    readonly size: number,
    /** Connections come from this address and those that follow it. */
    private readonly first: number,
  ) {
    this.next = new Uint32Array(size);
    this.expected = new Uint32Array(size);
    this.tried = new Float64Array(size);
    for (let index = 0; index < size; index++) this.next[index] = (index * 2654435761) >>> 0;
    this.stop = peer.subscribe(({ ip, tcp }) => {
      if (!tcp || !ip || ip.source !== peer.guest || tcp.sourcePort !== port) return;
      const index = (ip.destination - this.first) * PORTS + tcp.destinationPort - FIRST_PORT;
      if (index >= 0 && index < size) this.segment(index, tcp);
    });
  }

  dispose(): void {
    this.stop();
  }

  /** Opens all of them. */
  open(ms: number): Promise<void> {
    return this.all("opened", ms, {
      send: (index) => this.transmit(index, SYN, Buffer.alloc(0), { mss: 1460 }),
      ends: (index, segment) => {
        if ((segment.flags & (SYN | ACK)) !== (SYN | ACK)) return false;
        this.next[index] = segment.acknowledgement;
        this.expected[index] = sequenceAdd(segment.sequence, 1);
        this.transmit(index, ACK);
        return true;
      },
    });
  }

  /** Every connection is asked once: its own number, which has to come back. */
  ask(ms: number): Promise<void> {
    const question = Buffer.alloc(4);
    return this.all("answered", ms, {
      send: (index) => {
        question.writeUInt32LE(index);
        this.transmit(index, ACK, question);
      },
      ends: (index, segment) => {
        if (segment.payload.length !== 4 || segment.sequence !== this.expected[index]) return false;
        if (segment.payload.readUInt32LE(0) !== index)
          throw new Error(`connection ${index}: another's answer`);
        this.next[index] = sequenceAdd(this.next[index] as number, 4);
        this.expected[index] = sequenceAdd(segment.sequence, 4);
        this.transmit(index, ACK);
        return true;
      },
    });
  }

  /** Closes all, and waits for the guest's FIN of each. */
  close(ms: number): Promise<void> {
    return this.all("closed", ms, {
      send: (index) => this.transmit(index, FIN | ACK),
      ends: (index, segment) => {
        if ((segment.flags & FIN) === 0 || segment.sequence !== this.expected[index]) return false;
        this.next[index] = sequenceAdd(this.next[index] as number, 1);
        this.expected[index] = sequenceAdd(segment.sequence, 1);
        this.transmit(index, ACK);
        return true;
      },
    });
  }

  /**
   * Opens all, to a server that closes at once, and closes them in answer. Made again, each has a sequence number that is greater than that of the
   * time before (RFC 9293, 3.6.1).
   */
  visit(ms: number): Promise<void> {
    this.next.forEach((number, index) => {
      this.next[index] = sequenceAdd(number, 1000);
    });
    return this.all("visited", ms, {
      send: (index) => this.transmit(index, SYN, Buffer.alloc(0), { mss: 1460 }),
      ends: (index, segment) => {
        if (segment.flags & SYN) {
          this.expected[index] = sequenceAdd(segment.sequence, 1);
          this.next[index] = segment.acknowledgement;
        }
        if ((segment.flags & FIN) === 0) return false;
        this.expected[index] = sequenceAdd(segment.sequence, 1);
        this.transmit(index, FIN | ACK);
        return true;
      },
      answer: FIN | ACK,
    });
  }

  private async all(what: string, ms: number, step: Step): Promise<void> {
    await this.peer.resolve();
    this.step = step;
    this.started = 0;
    this.done = 0;
    const finished = new Promise<void>((resolve) => (this.finish = resolve));
    let late: NodeJS.Timeout | undefined;
    const failed = new Promise<never>((_, reject) => {
      late = setTimeout(
        () => reject(new Error(`${this.done} of ${this.size} were ${what} within ${ms} ms`)),
        ms,
      );
    });
    const again = setInterval(() => this.retry(), RETRY / 2);
    for (let i = 0; i < WINDOW; i++) this.start();
    try {
      await Promise.race([finished, failed]);
    } finally {
      clearTimeout(late);
      clearInterval(again);
      this.step = undefined;
      this.tried.fill(0);
    }
  }

  private start(): void {
    if (this.started === this.size) return;
    this.try(this.started++);
  }

  private try(index: number): void {
    this.tried[index] = performance.now();
    this.step?.send(index);
  }

  private retry(): void {
    const before = performance.now() - RETRY;
    for (let index = 0; index < this.started; index++) {
      const tried = this.tried[index] as number;
      if (tried === 0 || tried > before) continue;
      this.retries++;
      this.try(index);
    }
  }

  private segment(index: number, segment: TcpSegment): void {
    if (this.tried[index] !== 0 && this.step?.ends(index, segment)) {
      this.tried[index] = 0;
      this.done++;
      if (this.done === this.size) this.finish();
      else this.start();
    } else if (segment.flags & (SYN | FIN) || segment.payload.length > 0) {
      // It does not end the step, or comes again, so our acknowledgement of it has been lost.
      this.transmit(index, segment.flags & FIN ? (this.step?.answer ?? ACK) : ACK);
    }
  }

  private transmit(index: number, flags: number, payload = Buffer.alloc(0), options: TcpOptions = {}): void {
    this.peer.sendTcp(
      {
        sourcePort: FIRST_PORT + (index % PORTS),
        destinationPort: this.port,
        sequence: this.next[index] as number,
        acknowledgement: flags & ACK ? (this.expected[index] as number) : 0,
        flags,
        window: WINDOW_FIELD,
        options,
        payload,
      },
      this.peer.guest,
      this.first + Math.floor(index / PORTS),
    );
  }
}
