/**
 * One TCP connection of the peer with the guest whose segments a test sends and reads itself: numbers are relative to each side's
 * initial sequence number. Nothing is sent or answered that the test has not sent.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Arrived, StampBase } from "./compare.ts";
import { PROTOCOL_TCP } from "./ipv4.ts";
import type { IpFields } from "./parse.ts";
import type { Stamp } from "./parse-options.ts";
import type { Peer, Received } from "./peer.ts";
import { ACK, RST, SYN, type TcpOptions, encodeTcp, sequenceAdd } from "./tcp.ts";

export interface Outgoing {
  flags: number;
  sequence?: number;
  acknowledgement?: number | undefined;
  window?: number | undefined;
  urgent?: number | undefined;
  options?: TcpOptions;
  payload?: Buffer | undefined;
  ip?: IpFields;
  /** Instead of the right one. */
  checksum?: number;
}

export class Talk {
  /** The guest's initial sequence number, once its SYN has been seen. */
  remoteInitial: number | undefined;
  /** When the last segment was sent or came, or the last call was made; ms. What comes next may not be later than it should be from here. */
  last = performance.now();
  /**
   * Before the last SYN, or acknowledgement of something new, was sent, which begins the guest's timer anew (RFC 6298, 5.3). What a timer does cannot be earlier than its time from here,
   * while arrivals may be late; what else begins one (data, a call of the application) comes later and does not move this: it may find one that runs. ms.
   */
  protected acted = performance.now();
  /** The highest acknowledgement that was sent, relative. */
  private acknowledged = 0;
  protected stampTolerance = 500;
  readonly initial = Math.floor(Math.random() * 0xffffffff);
  private readonly queue: { segment: Arrived; time: number }[] = [];
  private wake: () => void = () => {};
  private readonly stop: () => void;
  private firstStamp: number | undefined;
  /** `acted` when it came. */
  private stampedAfter = 0;
  private latestStamp = 0;
  /** What the guest expects next, as its last acknowledgement says; absolute. */
  private expected: number;

  constructor(
    readonly peer: Peer,
    public remotePort: number,
    readonly localPort: number,
    /** The peer's end: one of the addresses that it answers ARP for. */
    readonly address = peer.address,
  ) {
    this.expected = sequenceAdd(this.initial, 1);
    this.stop = peer.subscribe((received) => this.input(received));
  }

  dispose(): void {
    this.stop();
  }

  /** Sends a segment. */
  send(segment: Outgoing): void {
    const { acknowledgement = 0 } = segment;
    if (segment.flags & SYN || acknowledgement > this.acknowledged) this.acted = performance.now();
    if (acknowledgement > this.acknowledged) this.acknowledged = acknowledgement;
    const { ttl, tos = 0, ecn = 0, df } = segment.ip ?? {};
    const payload = encodeTcp(this.address, this.peer.guest, {
      sourcePort: this.localPort,
      destinationPort: this.remotePort,
      sequence: sequenceAdd(this.initial, segment.sequence ?? 0),
      acknowledgement: segment.flags & ACK ? this.ofGuest(segment.acknowledgement ?? 0) : 0,
      flags: segment.flags,
      window: segment.window ?? 65535,
      urgent: segment.urgent ?? 0,
      options: this.absolute(segment.options ?? {}),
      payload: segment.payload ?? Buffer.alloc(0),
      ...(segment.checksum === undefined ? {} : { checksum: segment.checksum }),
    });
    const fields = {
      ...(ttl === undefined ? {} : { ttl }),
      ...(df === undefined ? {} : { fragment: 0x4000 }),
    };
    this.peer.sendIpv4({
      source: this.address,
      protocol: PROTOCOL_TCP,
      payload,
      tos: tos | ecn,
      ...fields,
    });
    this.last = performance.now();
  }

  /** Resets the connection in the guest, if there is one. */
  reset(): void {
    if (this.remoteInitial === undefined) return;
    this.send({ flags: RST, sequence: (this.expected - this.initial) >>> 0 });
  }

  /** A segment has come that nobody has taken. */
  protected get hasCome(): boolean {
    return this.queue.length > 0;
  }

  /** The next segment that comes; undefined when none comes within `seconds`. */
  async next(seconds: number): Promise<Arrived | undefined> {
    const deadline = performance.now() + seconds * 1000;
    while (this.queue.length === 0) {
      const left = deadline - performance.now();
      if (left <= 0) return undefined;
      await Promise.race([new Promise<void>((resolve) => (this.wake = resolve)), sleep(Math.min(left, 50))]);
    }
    const { segment, time } = this.queue.shift() as { segment: Arrived; time: number };
    this.last = time;
    return segment;
  }

  /** A sequence number of the guest's, from a relative one. */
  ofGuest(relative: number): number {
    return sequenceAdd(this.remoteInitial ?? 0, relative);
  }

  protected stampBase(): StampBase {
    const { firstStamp: first = 0, stampTolerance: tolerance } = this;
    return { first, tolerance, most: this.last - this.stampedAfter };
  }

  /** The numbers that a line's timestamps stand for when it is sent. */
  protected stamps({ value, echo }: { value: Stamp; echo: Stamp }): { value: number; echo: number } {
    const resolve = (stamp: Stamp): number => {
      if (stamp === undefined) return this.latestStamp;
      return sequenceAdd(stamp.relative ? (this.firstStamp ?? 0) : 0, stamp.number);
    };
    return { value: resolve(value), echo: resolve(echo) };
  }

  private input({ ip, tcp }: Received): void {
    if (!ip || !tcp || ip.source !== this.peer.guest || ip.destination !== this.address) return;
    if (tcp.destinationPort !== this.localPort) return;
    if (this.remotePort === 0 && tcp.flags & SYN) this.remotePort = tcp.sourcePort;
    if (tcp.sourcePort !== this.remotePort) return;
    if (tcp.flags & SYN) this.remoteInitial = tcp.sequence;
    if (tcp.flags & ACK && !(tcp.flags & RST)) this.expected = tcp.acknowledgement;
    if (tcp.options.timestamp) {
      this.latestStamp = tcp.options.timestamp.value;
      if (this.firstStamp === undefined) this.stampedAfter = this.acted;
      this.firstStamp ??= this.latestStamp;
    }
    const { sack, ...options } = tcp.options;
    const relative = (sequence: number): number => (sequence - this.initial) >>> 0;
    const segment = {
      ...tcp,
      ip,
      sequence: (tcp.sequence - (this.remoteInitial ?? 0)) >>> 0,
      acknowledgement: tcp.flags & ACK ? relative(tcp.acknowledgement) : 0,
      options: sack
        ? { ...options, sack: sack.map(([a, b]): [number, number] => [relative(a), relative(b)]) }
        : options,
    };
    this.queue.push({ segment, time: performance.now() });
    this.wake();
  }

  /** SACK blocks that are sent name data of the guest. */
  private absolute(options: TcpOptions): TcpOptions {
    if (!options.sack) return options;
    return { ...options, sack: options.sack.map(([a, b]) => [this.ofGuest(a), this.ofGuest(b)]) };
  }
}
