/**
 * Segment-by-segment tests of the guest's TCP, in a language after packetdrill's: `<` goes into the guest, `>` must
 * come out of it, `call` is a socket call of an application in the guest (the image spec/boot/apps/wire.json).
 *
 *     // Handshake, a request, its answer, the end.
 *     +0    call listen
 *     +0    < S 0:0(0) win 65535 <mss 1460,sackOK,wscale 7>
 *     +0    > S. 0:0(0) ack 1 <mss 1460>
 *     +.01  < . 1:1(0) ack 1 win 512
 *     +0    call accept
 *     +0    < P. 1:6(5) ack 1 win 512 "hello"
 *     +0    call recv 100 = "hello"
 *     +0    call send "world" = 5
 *     +0..1 > P. 1:6(5) ack 6 "world"
 *     quiet 0.3
 *
 * **Times** are seconds after the line before: when to send or call, or when the segment has to come (`+T`: T with a tolerance;
 * `+A..B`: between; `*`: any time; `now`: at once). A call with `*` or `+A..B` is made again until its result is the one that is wanted.
 * `quiet T`: nothing comes for T seconds. `wait T`: whatever comes stays for the next lines.
 *
 * None depends on how fast or how evenly the host runs. A is never too early: arrivals may be late, so it counts from when something was last sent that begins a timer of the guest's
 * anew (`acted`), and the A of the lines since are added. B is over when, after that time, the guest has answered some pings as well (`settle`), and is longer where it took its
 * time before (`stretch`). What the guest does by itself meanwhile (a time-out runs out while a slow host makes a few exchanges) has to be far away: PASSIVE of suite.ts sees to it.
 *
 * **Segments**: flags, range, then what of the following is named; of a `>` line the rest is not compared.
 *
 *     S. 0:0(0)             flags S F R P U E (ECE) W (CWR) and "." for ACK, "-" for none; of what comes P is ignored, and of a
 *                           SYN E and W unless the line has one of them. Sequence numbers are relative to each side's initial
 *                           one; `*` in a `>` line: any
 *     ack 1, win 512, urg 3 acknowledgement, window as in the header, urgent pointer
 *     <mss 1460,wscale 7,sackOK,sack 1:1001 2001:3001,TS val 100 ecr *,kind 254 0x01ff,raw 0x0204,only>
 *                           SACK blocks are relative to the initial number of the side whose data they are; a timestamp is as it stands
 *                           in the option, `+N`: N ms behind the first one of the guest (`val` of what comes: as exact as times are),
 *                           `*`: the guest's latest, or any; mss and wscale: `*` is any. kind: any other option. raw: these bytes and nothing else.
 *                           `only`: what comes has no others
 *     "hello"               payload, with JSON's escapes; without it letters a are sent
 *     [ttl 64,tos 0x10,ecn ce,df]
 *                           fields of the IPv4 header; ecn: not, ect0, ect1, ce
 *
 * `>>`: as `>`, and acknowledgements that say nothing else may come before it.
 *
 * **ICMP**: `< icmp unreachable frag_needed mtu 1200 1:1001(1000)` is an error about that segment of the guest. Types: unreachable,
 * source_quench, time_exceeded, parameter; codes of unreachable: net, host, protocol, port, frag_needed, source_route, admin_prohibited;
 * or numbers.
 *
 * **Calls**: `= RESULT` is compared; without it the call must not fail. A scenario has one listener and one connection.
 *
 *     socket | bind | listen [BACKLOG] | accept | connect       a socket is made where there is none, and bound to a port of this scenario
 *     send N | send "text"      recv N                          recv: `= "text"` compares the data, `= 5` their number
 *     shutdown read|write|both  close [listener]                abort: close with SO_LINGER of 0 s
 *     poll                      `= in out err hup rdhup`, or none
 *     state                     the last state, `= ESTABLISHED`; `states`: all that the socket has gone through
 *     get OPTION, set OPTION N  error, nodelay, keepalive, keepidle, keepintvl, keepcnt, linger, user_timeout, oobinline,
 *                               reuseaddr, type, acceptconn, or LEVEL:NAME in numbers
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Sockets } from "./calls.ts";
import { type Arrived, differences } from "./compare.ts";
import type { Control } from "./control.ts";
import { PROTOCOL_ICMP, PROTOCOL_TCP, encodeIcmp, encodeIpv4 } from "./ipv4.ts";
import { type CallStep, type SegmentStep, type Step, parseScenario } from "./parse.ts";
import type { IcmpStep } from "./parse-icmp.ts";
import type { Peer } from "./peer.ts";
import { PSH, ACK, segmentText } from "./tcp.ts";
import { Talk } from "./talk.ts";
import { TRANSLATED_NET } from "./translator.ts";

/** Milliseconds between two calls of a line that is made again. */
const CALL_AGAIN = 20;
/** Rounds of the guest's within which it acknowledges whatever waits: PATIENCE, and as many more as 48 connections take at eight a round. On a quiet machine they are over long before a delayed acknowledgement. */
const PINGS = 32 + 8;
/** Seconds of round trip from which on the guest's time-outs are longer: three of them are more than the shortest one (RFC 6298, 2.2; net/socket/tcp/parameters.ts). */
const ROUND_TRIP = 0.2 / 3;

export interface ScriptOptions {
  localPort?: number;
  /** The peer's own when absent. */
  address?: number;
  /** For scenarios with calls. */
  control?: Control;
}

/** One connection of a scenario: sends segments, makes calls, and compares what comes. */
export class TcpScript extends Talk {
  readonly history: string[] = [];
  /** In the guest, for scenarios with calls. */
  readonly sockets: Sockets | undefined;
  /** Seconds that lines have taken which take none: no round trip that the guest has measured was longer, but for what the scenario waits. */
  private slow = 0;
  /** Seconds that what has come since `acted` (when that was `leastAfter`) took at least. */
  private least = 0;
  private leastAfter = 0;

  /** `remotePort` 0: a port of its own, or that from which the guest connects. */
  constructor(peer: Peer, remotePort = 0, options: ScriptOptions = {}) {
    super(peer, remotePort, options.localPort ?? peer.port(), options.address);
    const { control } = options;
    if (!control) return;
    this.sockets = new Sockets(control, {
      // What the peer says from there is translated.
      family: (this.address & 0xffff0000) === TRANSLATED_NET ? 10 : 2,
      address: this.address,
      port: this.localPort,
      guestPort: () => {
        if (this.remotePort === 0) this.remotePort = control.freshPort();
        return this.remotePort;
      },
    });
  }

  /** Runs the steps; throws with the line, what came instead, and the history of the run. */
  async run(text: string, tolerance = 0.5): Promise<void> {
    this.stampTolerance = tolerance * 1000;
    const steps = parseScenario(text, tolerance);
    await this.peer.resolve();
    let sent = false;
    for (const step of steps) {
      const begun = performance.now();
      // Each segment is one of its own for the guest, which acknowledges behind all that come together (RFC 9293, 3.10.7.4): it has dealt with the one before. So it has when a time begins.
      if (sent && (step.kind === "send" || isTimed(step))) await this.dealtWith();
      const dealt = performance.now();
      await this.step(step);
      const end = isTimed(step) ? dealt : performance.now();
      this.slow += (end - begun) / 1000 - nominal(step);
      sent = step.kind === "send";
      this.history.push(step.line);
    }
  }

  /** Resets the connection that may be left, and closes the sockets in the guest. */
  async end(): Promise<void> {
    this.reset();
    this.dispose();
    await this.sockets?.dispose();
  }

  private async step(step: Step): Promise<void> {
    if (step.kind === "wait") await sleep(step.seconds * 1000);
    else if (step.kind === "quiet") {
      const segment = await this.next(step.seconds);
      if (segment) this.fail(step.line, `came: ${segmentText(segment)}`);
    } else if (step.kind === "expect") await this.expect(step);
    else {
      await sleep(step.from * 1000);
      if (step.kind === "call") await this.call(step);
      else if (step.kind === "icmp") this.icmp(step);
      else this.sendStep(step);
    }
  }

  private sendStep(step: SegmentStep): void {
    const range = step.range as { sequence: number; length: number };
    const { timestamp, only: _, ...options } = step.options;
    this.send({
      ...step,
      sequence: range.sequence,
      payload: step.payload ?? Buffer.alloc(range.length, 0x61),
      options: timestamp ? { ...options, timestamp: this.stamps(timestamp) } : options,
    });
  }

  private async expect(step: SegmentStep): Promise<void> {
    const { acted } = this;
    const deadline = this.last + step.to * this.stretch() * 1000;
    let segment: Arrived | undefined;
    do {
      segment = await this.next((deadline - performance.now()) / 1000);
      if (!segment) await this.settle();
      segment ??= await this.next(0);
    } while (step.passing && segment && isBare(segment, step));
    const late = `within ${((deadline - acted) / 1000).toFixed(3)} s`;
    if (!segment) this.fail(step.line, `nothing${step.passing ? " but acknowledgements" : ""} ${late}`);
    this.least = (acted === this.leastAfter ? this.least : 0) + step.from;
    this.leastAfter = acted;
    const early = this.least - (this.last - acted) / 1000;
    const wrong = differences(step, segment, early, this.stampBase());
    if (wrong.length > 0) this.fail(step.line, `${wrong.join("; ")}\n  came: ${segmentText(segment)}`);
  }

  /** What the guest does because of the last segment, it does from now on at the latest. */
  private async dealtWith(): Promise<void> {
    await this.peer.ping();
    if (!this.hasCome) this.last = performance.now();
  }

  /** By how much the guest's time-outs may be longer than on a quiet host, where round trips are short. */
  private stretch(): number {
    return Math.max(1, this.slow / ROUND_TRIP);
  }

  /**
   * Until something has come, or what was due has left for certain. The guest acknowledges behind all frames that wait (RFC 9293, 3.10.7.4), pings among them, and other scenarios
   * may keep frames waiting: then it does so after its own PATIENCE in rounds, some connections beside each (net/socket/tcp/pending.ts). Each ping is in a round of its own.
   */
  private async settle(): Promise<void> {
    for (let pings = 0; pings < PINGS && !this.hasCome; pings++) await this.peer.ping();
  }

  private async call(step: CallStep): Promise<void> {
    if (!this.sockets) throw new Error(`${step.line}: the guest has nobody who makes calls`);
    const until = performance.now() + (step.to - step.from) * this.stretch() * 1000;
    for (;;) {
      const begun = performance.now();
      const result = await this.sockets.perform(step);
      if (!this.hasCome) this.last = performance.now();
      const right = step.result === undefined ? !result.startsWith("-") : result === step.result;
      if (right) return;
      if (!step.again || begun > until)
        this.fail(step.line, `the result is ${result}; last state: ${await this.sockets.perform(STATE)}`);
      await sleep(CALL_AGAIN);
    }
  }

  /** An error about a segment of the guest, of which its IP header and eight bytes are quoted. */
  private icmp(step: IcmpStep): void {
    const transport = Buffer.alloc(8);
    transport.writeUInt16BE(this.remotePort, 0);
    transport.writeUInt16BE(this.localPort, 2);
    transport.writeUInt32BE(this.ofGuest(step.quoted.sequence), 4);
    const quoted = encodeIpv4({
      source: this.peer.guest,
      destination: this.address,
      protocol: PROTOCOL_TCP,
      payload: Buffer.concat([transport, Buffer.alloc(12 + step.quoted.length)]),
    }).subarray(0, 28);
    const { type, code, mtu } = step;
    const payload = encodeIcmp({ type, code, identifier: 0, sequence: mtu, payload: quoted });
    this.peer.sendIpv4({ protocol: PROTOCOL_ICMP, payload });
    this.last = performance.now();
  }

  private fail(line: string, message: string): never {
    throw new Error(`${line}\n  ${message}\n  after:\n    ${this.history.join("\n    ") || "nothing"}`);
  }
}

/** A line that waits for what the guest does after some time of its own. */
function isTimed(step: Step): boolean {
  return step.kind === "expect" && step.from > 0;
}

/** Seconds that a line takes beside those that are timed. */
function nominal(step: Step): number {
  if (step.kind === "quiet" || step.kind === "wait") return step.seconds;
  return step.kind === "expect" ? 0 : step.from;
}

const STATE: CallStep = { ...(parseScenario("+0 call state")[0] as CallStep) };

/** An acknowledgement that says nothing else, and not the one that the line waits for. */
function isBare(segment: Arrived, step: SegmentStep): boolean {
  const bare = (segment.flags & ~PSH) === ACK && segment.payload.length === 0;
  const wanted = (step.flags & ~PSH) === ACK && step.range?.length === 0;
  return bare && !(wanted && segment.acknowledgement === (step.acknowledgement ?? segment.acknowledgement));
}
