/**
 * Sending side of the peer's TCP (client.ts): retransmission after a time-out (RFC 6298) or after three duplicates, one hole for each
 * partial acknowledgement (RFC 6582), the other side's window and its probes. Without congestion control: the link is the test's own.
 */
import { ACK, FIN, PSH, type TcpSegment, sequenceAdd, sequenceDifference } from "./tcp.ts";

const DUPLICATES = 3;
/** Milliseconds: bounds of the retransmission time-out, unless the options have another minimum. */
const TIMEOUT_MINIMUM = 50;
const TIMEOUT_MAXIMUM = 2000;

export interface SenderOptions {
  mss: number;
  /** Milliseconds of the first time-out, before a round trip was measured. */
  timeout: number;
  /** Milliseconds of the shortest. */
  minimum?: number | undefined;
  transmit(flags: number, sequence: number, payload: Buffer): void;
}

export class Sender {
  /** Segments sent again. */
  retransmissions = 0;
  /** Oldest octet not acknowledged, next to send, behind the last ever sent. */
  unacknowledged = 0;
  next = 0;
  private highest = 0;
  /** The FIN, and so all before it, has been acknowledged. */
  finished = false;
  /** From `unacknowledged` on. */
  private outgoing: Buffer = Buffer.alloc(0);
  private finQueued = false;
  private finSent = false;
  private window = 0;
  private duplicates = 0;
  /** In recovery until this is acknowledged. */
  private recover: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private timeout: number;
  private smoothed = 0;
  private variance = 0;
  /** The segment whose round trip is being measured: the number behind it, and when it was sent. */
  private timed: { end: number; at: number } | undefined;

  constructor(private readonly options: SenderOptions) {
    this.timeout = options.timeout;
  }

  /** The connection is open: data begin at `sequence`. */
  open(sequence: number, window: number, mss: number): void {
    this.unacknowledged = this.next = this.highest = sequence;
    this.window = window;
    this.options.mss = Math.min(this.options.mss, mss);
  }

  /** Bytes that are not acknowledged. */
  get left(): number {
    return this.outgoing.length;
  }

  /**
   * Number of a segment that only acknowledges: behind all that was sent, but for a probe, which stands outside of a closed window where
   * nobody would listen to the acknowledgement.
   */
  get edge(): number {
    const edge = sequenceAdd(this.unacknowledged, this.window);
    return sequenceDifference(this.highest, edge) > 0 ? edge : this.highest;
  }

  send(bytes: Buffer): void {
    this.outgoing = this.outgoing.length === 0 ? bytes : Buffer.concat([this.outgoing, bytes]);
    this.push();
  }

  /** FIN behind all data. */
  finish(): void {
    this.finQueued = true;
    this.push();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** Deals with the acknowledgement and the window (already scaled) of a segment. */
  acknowledged(segment: TcpSegment, window: number): void {
    const ack = segment.acknowledgement;
    const advance = sequenceDifference(ack, this.unacknowledged);
    if (advance < 0 || sequenceDifference(ack, this.highest) > 0) return;
    if (advance > 0) this.advance(ack, advance);
    else if (this.flight > 0 && segment.payload.length === 0 && window === this.window) this.duplicate();
    this.window = window;
    this.push();
  }

  private get flight(): number {
    return sequenceDifference(this.next, this.unacknowledged);
  }

  private advance(ack: number, bytes: number): void {
    if (this.timed && sequenceDifference(ack, this.timed.end) >= 0)
      this.measured(performance.now() - this.timed.at);
    if (bytes > this.outgoing.length) this.finished = this.finSent = true;
    this.outgoing = this.outgoing.subarray(Math.min(bytes, this.outgoing.length));
    this.unacknowledged = ack;
    if (sequenceDifference(this.next, ack) < 0) this.next = ack;
    this.duplicates = 0;
    if (this.recover !== undefined) {
      if (sequenceDifference(ack, this.recover) >= 0) this.recover = undefined;
      else this.again();
    }
    this.arm();
  }

  private duplicate(): void {
    if (++this.duplicates !== DUPLICATES || this.recover !== undefined) return;
    this.recover = this.highest;
    this.again();
  }

  private measured(milliseconds: number): void {
    this.timed = undefined;
    if (this.smoothed === 0) [this.smoothed, this.variance] = [milliseconds, milliseconds / 2];
    else {
      this.variance = 0.75 * this.variance + 0.25 * Math.abs(this.smoothed - milliseconds);
      this.smoothed = 0.875 * this.smoothed + 0.125 * milliseconds;
    }
    const { minimum = TIMEOUT_MINIMUM } = this.options;
    this.timeout = Math.min(TIMEOUT_MAXIMUM, Math.max(minimum, this.smoothed + 4 * this.variance));
  }

  /** Sends what has not been sent, as far as the window allows, then FIN. */
  private push(): void {
    for (;;) {
      const { flight } = this;
      const length = Math.min(this.options.mss, this.outgoing.length - flight, this.window - flight);
      if (length <= 0) break;
      const end = sequenceAdd(this.next, length);
      // Never of a segment that is sent twice (Karn).
      if (sequenceDifference(end, this.highest) > 0) this.timed ??= { end, at: performance.now() };
      this.options.transmit(ACK | PSH, this.next, this.outgoing.subarray(flight, flight + length));
      this.sent(end);
    }
    if (this.finQueued && !this.finSent && this.flight === this.outgoing.length) {
      this.options.transmit(ACK | FIN, this.next, Buffer.alloc(0));
      this.finSent = true;
      this.sent(sequenceAdd(this.next, 1));
    }
    if (this.timer === undefined) this.arm();
  }

  private sent(next: number): void {
    this.next = next;
    if (sequenceDifference(next, this.highest) > 0) this.highest = next;
  }

  /** The oldest segment once more; with a closed window this is a probe of one octet (RFC 9293, 3.8.6.1). */
  private again(): void {
    this.retransmissions++;
    this.timed = undefined;
    const size = Math.min(this.options.mss, Math.max(1, this.window), this.outgoing.length);
    const fin = this.finSent && size === this.outgoing.length ? FIN : 0;
    this.options.transmit(ACK | fin, this.unacknowledged, this.outgoing.subarray(0, size));
    const end = sequenceAdd(this.unacknowledged, size + (fin ? 1 : 0));
    if (sequenceDifference(end, this.next) > 0) this.sent(end);
  }

  /** (Re)starts the timer while something is unacknowledged, or waits for the window to open. */
  private arm(): void {
    this.stop();
    if (this.outgoing.length === 0 && this.flight === 0) return;
    this.timer = setTimeout(() => {
      this.timeout = Math.min(TIMEOUT_MAXIMUM, this.timeout * 2);
      // All counts as lost: the rest follows as acknowledgements come in.
      this.next = this.unacknowledged;
      this.finSent = false;
      this.duplicates = 0;
      this.recover = undefined;
      if (this.outgoing.length === 0) this.push();
      else this.again();
      this.arm();
    }, this.timeout);
  }
}
