/**
 * A small TCP client over frames (RFC 9293): enough to make a whole request through a wire that may lose frames.
 *
 * It retransmits with a doubling timer, keeps to the other side's window and MSS, and acknowledges each segment at once.
 * What it does not do: congestion control, SACK, queueing of segments out of order (they are asked for again).
 */
import type { Peer } from "./peer.ts";
import {
  ACK,
  FIN,
  PSH,
  RST,
  SYN,
  type TcpSegment,
  segmentLength,
  sequenceAdd,
  sequenceDifference,
} from "./tcp.ts";

export interface ClientOptions {
  /** Source address; the peer's own when absent. One outside the subnet makes the peer a gateway. */
  address?: number;
  localPort?: number;
  /** Largest segment we say we accept, and send. */
  mss?: number;
  /** Receive window in bytes, at most 65535. */
  window?: number;
  /** First retransmission after so many milliseconds; doubles up to 2 s. */
  timeout?: number;
}

type State = "closed" | "syn-sent" | "established" | "reset";

export class TcpClient {
  readonly localPort: number;
  private readonly address: number;
  state: State = "closed";
  /** Segments sent again. */
  retransmissions = 0;
  /** The other side has sent FIN, and all before it has arrived. */
  ended = false;
  /** The other side's MSS, 536 when it names none. */
  remoteMss = 536;
  private received: Buffer[] = [];
  private outgoing = Buffer.alloc(0);
  private sendFin = false;
  private finSent = false;
  private finAcknowledged = false;
  private readonly mss: number;
  private readonly window: number;
  private readonly firstTimeout: number;
  private timeout: number;
  private timer: NodeJS.Timeout | undefined;
  private readonly initial = Math.floor(Math.random() * 0xffffffff);
  /** Oldest byte not acknowledged, next byte to send, one past the last ever sent, next byte expected. */
  private unacknowledged = this.initial;
  private next = this.initial;
  private highest = this.initial;
  private expected = 0;
  private remoteWindow = 0;
  private remoteScale = 0;
  private readonly waiting = new Set<() => void>();
  private readonly stop: () => void;

  constructor(
    private readonly peer: Peer,
    readonly remotePort: number,
    options: ClientOptions = {},
  ) {
    this.localPort = options.localPort ?? peer.port();
    this.address = options.address ?? peer.address;
    this.mss = options.mss ?? 1460;
    this.window = options.window ?? 65535;
    this.firstTimeout = options.timeout ?? 300;
    this.timeout = this.firstTimeout;
    this.stop = peer.subscribe(({ ip, tcp }) => {
      if (
        ip?.source !== peer.guest ||
        ip.destination !== this.address ||
        tcp?.sourcePort !== remotePort ||
        tcp.destinationPort !== this.localPort
      )
        return;
      if (tcp.checksumOk && ip.checksumOk) this.input(tcp);
    });
  }

  /** Connected, sent, answered, closed: what the server sent until `done` says it is complete, or until it closed. */
  static async request(
    peer: Peer,
    remotePort: number,
    payload: Buffer,
    ms: number,
    done: (received: Buffer) => boolean = () => false,
    options: ClientOptions = {},
  ): Promise<Buffer> {
    const client = new TcpClient(peer, remotePort, options);
    const deadline = Date.now() + ms;
    try {
      await client.connect(ms);
      client.send(payload);
      const answer = await client.receive(deadline - Date.now(), done);
      await client.close(Math.max(1, deadline - Date.now()));
      return answer;
    } finally {
      client.dispose();
    }
  }

  async connect(ms = 3000): Promise<void> {
    await this.peer.resolve();
    this.state = "syn-sent";
    this.advance(sequenceAdd(this.initial, 1));
    this.transmit(SYN, this.initial, Buffer.alloc(0));
    this.arm();
    await this.until("connection", ms, () => this.state !== "syn-sent");
    if ((this.state as State) !== "established") throw new Error(`connect to port ${this.remotePort}: reset`);
  }

  /** Queues bytes and sends what the window allows. */
  send(bytes: Buffer | string): void {
    this.outgoing = Buffer.concat([this.outgoing, typeof bytes === "string" ? Buffer.from(bytes) : bytes]);
    this.push();
  }

  /** Takes what has arrived once `done` is content with it, or the other side has closed. */
  async receive(ms: number, done: (received: Buffer) => boolean = (all) => all.length > 0): Promise<Buffer> {
    await this.until(
      "data",
      ms,
      () => this.ended || this.state === "reset" || done(this.peek()),
      () => `${this.peek().length} bytes received`,
    );
    if (this.state === "reset" && !done(this.peek())) throw new Error("connection reset while receiving");
    const all = this.peek();
    this.received = [];
    return all;
  }

  /** All that was queued has been acknowledged. */
  flushed(ms = 3000): Promise<void> {
    return this.until("acknowledgement of all data", ms, () => this.outgoing.length === 0);
  }

  /** Sends FIN after the data and waits until both directions are closed. */
  async close(ms = 3000): Promise<void> {
    if (this.state !== "established") return;
    this.sendFin = true;
    this.push();
    await this.until("close", ms, () => this.state === "reset" || (this.ended && this.finAcknowledged));
    this.dispose();
  }

  /** Sends RST and forgets the connection. */
  abort(): void {
    if (this.state === "established") this.transmit(RST | ACK, this.next, Buffer.alloc(0));
    this.dispose();
  }

  /** Forgets the connection without a word. */
  dispose(): void {
    clearTimeout(this.timer);
    this.stop();
    this.state = "closed";
  }

  private peek(): Buffer {
    if (this.received.length > 1) this.received = [Buffer.concat(this.received)];
    return this.received[0] ?? Buffer.alloc(0);
  }

  private input(segment: TcpSegment): void {
    if (this.state === "syn-sent") {
      const acceptable = segment.flags & ACK && segment.acknowledgement === this.next;
      if (segment.flags & RST) this.state = acceptable ? "reset" : this.state;
      else if (acceptable && segment.flags & SYN) this.establish(segment);
    } else if (this.state === "established") {
      if (segment.flags & RST) this.state = "reset";
      else if (segment.flags & SYN) this.acknowledge();
      else this.transfer(segment);
    }
    if (this.state === "reset") clearTimeout(this.timer);
    for (const wake of [...this.waiting]) wake();
  }

  private establish(segment: TcpSegment): void {
    this.state = "established";
    this.expected = sequenceAdd(segment.sequence, 1);
    this.unacknowledged = this.next;
    this.remoteMss = segment.options.mss ?? 536;
    this.remoteWindow = segment.window;
    this.remoteScale = segment.options.windowScale ?? 0;
    this.timeout = this.firstTimeout;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.acknowledge();
    this.push();
  }

  private transfer(segment: TcpSegment): void {
    const advance = sequenceDifference(segment.acknowledgement, this.unacknowledged);
    if (
      segment.flags & ACK &&
      advance >= 0 &&
      sequenceDifference(segment.acknowledgement, this.highest) <= 0
    ) {
      if (advance > this.outgoing.length) this.finAcknowledged = this.finSent = true;
      this.outgoing = this.outgoing.subarray(Math.min(advance, this.outgoing.length));
      this.unacknowledged = segment.acknowledgement;
      if (sequenceDifference(this.next, this.unacknowledged) < 0) this.next = this.unacknowledged;
      this.remoteWindow = segment.window << this.remoteScale;
      if (advance > 0) {
        this.timeout = this.firstTimeout;
        this.arm();
      }
    }
    if (segmentLength(segment) > 0) {
      const known = sequenceDifference(this.expected, segment.sequence);
      if (known >= 0 && known < segmentLength(segment)) {
        this.received.push(Buffer.from(segment.payload.subarray(known)));
        this.expected = sequenceAdd(segment.sequence, segmentLength(segment));
        if (segment.flags & FIN) this.ended = true;
      }
      this.acknowledge();
    }
    this.push();
  }

  /** Sends what has not been sent, as far as the window allows, then FIN. */
  private push(): void {
    if (this.state !== "established" || this.finSent) return;
    const size = Math.min(this.mss, this.remoteMss);
    for (;;) {
      const flying = sequenceDifference(this.next, this.unacknowledged);
      const length = Math.min(size, this.outgoing.length - flying, this.remoteWindow - flying);
      if (length <= 0) break;
      this.transmit(ACK | PSH, this.next, this.outgoing.subarray(flying, flying + length));
      this.advance(sequenceAdd(this.next, length));
    }
    if (this.sendFin && sequenceDifference(this.next, this.unacknowledged) === this.outgoing.length) {
      this.transmit(ACK | FIN, this.next, Buffer.alloc(0));
      this.advance(sequenceAdd(this.next, 1));
      this.finSent = true;
    }
    if (!this.timer) this.arm();
  }

  private advance(next: number): void {
    this.next = next;
    if (sequenceDifference(next, this.highest) > 0) this.highest = next;
  }

  private acknowledge(): void {
    this.transmit(ACK, this.next, Buffer.alloc(0));
  }

  private transmit(flags: number, sequence: number, payload: Buffer): void {
    const segment = {
      sourcePort: this.localPort,
      destinationPort: this.remotePort,
      sequence,
      acknowledgement: flags & ACK ? this.expected : 0,
      flags,
      window: this.window,
      options: flags & SYN ? { mss: this.mss } : {},
      payload,
    };
    this.peer.sendTcp(segment, this.peer.guest, this.address);
  }

  /** (Re)starts the timer while something is unacknowledged, or waits for the window to open. */
  private arm(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const idle = this.outgoing.length === 0 && (!this.finSent || this.finAcknowledged);
    if (this.state === "established" && idle) return;
    this.timer = setTimeout(() => this.retransmit(), this.timeout);
  }

  private retransmit(): void {
    if (this.state !== "syn-sent" && this.state !== "established") return;
    this.retransmissions += 1;
    this.timeout = Math.min(2000, this.timeout * 2);
    if (this.state === "syn-sent") this.transmit(SYN, this.initial, Buffer.alloc(0));
    else {
      // Go back to the oldest byte; the rest follows as acknowledgements come in. With a closed window this is the
      // probe of one byte (RFC 9293 section 3.8.6.1).
      const size = Math.min(this.mss, this.remoteMss, Math.max(1, this.remoteWindow));
      const again = this.outgoing.subarray(0, size);
      const fin = this.finSent && again.length === this.outgoing.length ? FIN : 0;
      this.transmit(ACK | fin, this.unacknowledged, again);
      this.finSent = fin !== 0;
      this.advance(sequenceAdd(this.unacknowledged, again.length + (fin ? 1 : 0)));
    }
    this.arm();
  }

  private until(
    what: string,
    ms: number,
    ready: () => boolean,
    note: () => string = () => "",
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (!ready()) return;
        clearTimeout(timer);
        this.waiting.delete(check);
        resolve();
      };
      const timer = setTimeout(() => {
        this.waiting.delete(check);
        const state = `state ${this.state}, ${this.outgoing.length} bytes unacknowledged, ${note()}`;
        reject(new Error(`no ${what} within ${ms} ms (${state}); last frames:\n  ${this.peer.recent()}`));
      }, ms);
      this.waiting.add(check);
      check();
    });
  }
}
