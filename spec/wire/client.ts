/**
 * A small TCP client over frames (RFC 9293): enough to carry whole streams through a wire that loses frames. Its two directions are
 * sender.ts and receiver.ts; what it does not do is congestion control, and to listen.
 */
import type { Peer } from "./peer.ts";
import { Receiver } from "./receiver.ts";
import { Sender } from "./sender.ts";
import { ACK, FIN, RST, SYN, type TcpSegment, segmentLength, sequenceAdd } from "./tcp.ts";
import { PATIENCE } from "./patience.ts";

export interface ClientOptions {
  /** Source address; the peer's own when absent. One outside the subnet makes the peer a gateway. */
  address?: number;
  localPort?: number;
  /** Largest segment we say we accept, and send. */
  mss?: number;
  /** Receive window in bytes, at most 65535. */
  window?: number;
  /** First retransmission after so many milliseconds, until a round trip has been measured. */
  timeout?: number;
  /** No retransmission after less milliseconds, for who counts them: a host that is busy for a moment is no loss. */
  minimum?: number;
  /** Offers selective acknowledgement, and gives it to a guest that agrees. */
  sack?: boolean;
  /** Segments that come in order are acknowledged when there are so many, or after 40 ms; 1 when absent. */
  acknowledgeEvery?: number;
}

type State = "closed" | "syn-sent" | "established" | "reset";

/** SYNs that nobody answers are sent again after a time that doubles up to this; ms. */
const SYN_TIMEOUT_MAXIMUM = 2000;
/** Milliseconds. */
const DELAYED_ACK = 40;

export class TcpClient {
  readonly localPort: number;
  private readonly address: number;
  state: State = "closed";
  /** The other side's MSS, 536 when it names none. */
  remoteMss = 536;
  private readonly sender: Sender;
  private readonly receiver = new Receiver();
  private readonly mss: number;
  private readonly window: number;
  private readonly initial = Math.floor(Math.random() * 0xffffffff);
  private synTimer: NodeJS.Timeout | undefined;
  private remoteScale = 0;
  private sack: boolean;
  /** Segments that have not been acknowledged yet. */
  private unsaid = 0;
  private acknowledgeTimer: NodeJS.Timeout | undefined;
  private readonly waiting = new Set<() => void>();
  private readonly stop: () => void;

  constructor(
    private readonly peer: Peer,
    readonly remotePort: number,
    private readonly options: ClientOptions = {},
  ) {
    this.localPort = options.localPort ?? peer.port();
    this.address = options.address ?? peer.address;
    this.mss = options.mss ?? 1460;
    this.window = options.window ?? 65535;
    this.sack = options.sack ?? false;
    this.sender = new Sender({
      mss: this.mss,
      timeout: options.timeout ?? 300,
      minimum: options.minimum,
      transmit: (flags, sequence, payload) => this.transmit(flags, sequence, payload),
    });
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

  /** Segments with data or FIN that were sent again. */
  get retransmissions(): number {
    return this.sender.retransmissions;
  }

  /** The other side has sent FIN, and all before it has arrived. */
  get ended(): boolean {
    return this.receiver.ended;
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

  async connect(ms = PATIENCE): Promise<void> {
    await this.peer.resolve();
    this.state = "syn-sent";
    this.sendSyn(this.options.timeout ?? 300);
    await this.until("connection", ms, () => this.state !== "syn-sent");
    if ((this.state as State) !== "established") throw new Error(`connect to port ${this.remotePort}: reset`);
  }

  /** Queues bytes and sends what the window allows. */
  send(bytes: Buffer | string): void {
    this.sender.send(typeof bytes === "string" ? Buffer.from(bytes) : bytes);
  }

  /** Takes what has arrived once `done` is content with it, or the other side has closed. */
  async receive(ms: number, done: (received: Buffer) => boolean = (all) => all.length > 0): Promise<Buffer> {
    await this.until(
      "data",
      ms,
      () => this.ended || this.state === "reset" || done(this.receiver.bytes),
      () => `${this.receiver.bytes.length} bytes received`,
    );
    if (this.state === "reset" && !done(this.receiver.bytes))
      throw new Error("connection reset while receiving");
    return this.receiver.take();
  }

  /** All that was queued has been acknowledged. */
  flushed(ms = PATIENCE): Promise<void> {
    return this.until("acknowledgement of all data", ms, () => this.sender.left === 0);
  }

  /** Sends FIN after the data and waits until both directions are closed. */
  async close(ms = PATIENCE): Promise<void> {
    if (this.state !== "established") return;
    this.sender.finish();
    await this.until("close", ms, () => this.state === "reset" || (this.ended && this.sender.finished));
    this.dispose();
  }

  /** Sends RST and forgets the connection. */
  abort(): void {
    if (this.state === "established") this.transmit(RST | ACK, this.sender.next);
    this.dispose();
  }

  /** Forgets the connection without a word. */
  dispose(): void {
    clearTimeout(this.synTimer);
    clearTimeout(this.acknowledgeTimer);
    this.sender.stop();
    this.stop();
    this.state = "closed";
  }

  private sendSyn(timeout: number): void {
    this.transmit(SYN, this.initial);
    this.synTimer = setTimeout(() => this.sendSyn(Math.min(SYN_TIMEOUT_MAXIMUM, timeout * 2)), timeout);
  }

  private input(segment: TcpSegment): void {
    if (this.state === "syn-sent") {
      const acceptable = segment.flags & ACK && segment.acknowledgement === sequenceAdd(this.initial, 1);
      if (segment.flags & RST) this.state = acceptable ? "reset" : this.state;
      else if (acceptable && segment.flags & SYN) this.establish(segment);
    } else if (this.state === "established") {
      if (segment.flags & RST) this.state = "reset";
      else if (segment.flags & SYN) this.acknowledge();
      else this.transfer(segment);
    }
    if (this.state === "reset") {
      clearTimeout(this.synTimer);
      this.sender.stop();
    }
    for (const wake of [...this.waiting]) wake();
  }

  private establish(segment: TcpSegment): void {
    clearTimeout(this.synTimer);
    this.state = "established";
    this.receiver.expected = sequenceAdd(segment.sequence, 1);
    this.remoteMss = segment.options.mss ?? 536;
    this.remoteScale = segment.options.windowScale ?? 0;
    this.sack &&= segment.options.sackPermitted === true;
    this.sender.open(sequenceAdd(this.initial, 1), segment.window, this.remoteMss);
    this.acknowledge();
  }

  private transfer(segment: TcpSegment): void {
    if (segment.flags & ACK) this.sender.acknowledged(segment, segment.window << this.remoteScale);
    if (segmentLength(segment) === 0) return;
    const inOrder = segment.sequence === this.receiver.expected && !this.receiver.waits;
    this.receiver.receive(segment);
    if (inOrder && !(segment.flags & FIN) && ++this.unsaid < (this.options.acknowledgeEvery ?? 1))
      this.acknowledgeTimer ??= setTimeout(() => this.acknowledge(), DELAYED_ACK);
    else this.acknowledge();
  }

  private acknowledge(): void {
    this.transmit(ACK, this.sender.edge);
  }

  private transmit(flags: number, sequence: number, payload: Buffer = Buffer.alloc(0)): void {
    clearTimeout(this.acknowledgeTimer);
    this.acknowledgeTimer = undefined;
    this.unsaid = 0;
    const blocks = this.sack && flags & ACK && payload.length === 0 ? this.receiver.blocks() : [];
    const segment = {
      sourcePort: this.localPort,
      destinationPort: this.remotePort,
      sequence,
      acknowledgement: flags & ACK ? this.receiver.expected : 0,
      flags,
      window: this.window,
      options: flags & SYN ? this.synOptions() : blocks.length > 0 ? { sack: blocks } : {},
      payload,
    };
    this.peer.sendTcp(segment, this.peer.guest, this.address);
  }

  private synOptions(): { mss: number; sackPermitted?: boolean } {
    return this.sack ? { mss: this.mss, sackPermitted: true } : { mss: this.mss };
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
        const state = `state ${this.state}, ${this.sender.left} bytes unacknowledged, ${note()}`;
        reject(new Error(`no ${what} within ${ms} ms (${state}); last frames:\n  ${this.peer.recent()}`));
      }, ms);
      this.waiting.add(check);
      check();
    });
  }
}
