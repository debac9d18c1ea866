/**
 * Segment-by-segment tests of the guest's TCP, in a language after packetdrill's: `<` goes into the guest, `>` must
 * come out of it.
 *
 *     // Handshake, a request, its answer.
 *     +0    < S 0:0(0) win 65535 <mss 1460,sackOK,wscale 7>
 *     +0    > S. 0:0(0) ack 1 <mss 1460>
 *     +.01  < . 1:1(0) ack 1 win 512
 *     +0    < P. 1:6(5) ack 1 win 512 "hello"
 *     +0..1 > P. 1:6(5) ack 6 "hello"
 *     quiet 0.3
 *
 * Sequence numbers are relative to each side's initial one. A time stands for seconds after the line before: when to send,
 * or when the segment has to come (`+T`: T with a tolerance; `+A..B`: between; `*`: any time within 5 s). Flags are S F R P U and
 * "." for ACK, "-" for none; P is ignored in what comes out. A field that is left out of a `>` line is not compared, and
 * options named there must be there. `>>`: the same, and acknowledgements that say nothing else may come before it. `quiet T`: nothing comes for T seconds.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Peer } from "./peer.ts";
import {
  ACK,
  FIN,
  PSH,
  RST,
  SYN,
  type TcpOptions,
  type TcpSegment,
  URG,
  flagsText,
  segmentText,
  sequenceAdd,
} from "./tcp.ts";

const FLAGS: Record<string, number> = { S: SYN, F: FIN, R: RST, P: PSH, U: URG, ".": ACK };
const LINE =
  /^(?:(\*)|\+([\d.]+?)(?:\.\.([\d.]+))?)\s+(<|>>?)\s+([SFRPU.]+|-)\s+(\d+):(\d+)\((\d+)\)(?:\s+ack\s+(\d+))?(?:\s+win\s+(\d+))?(?:\s+<([^>]*)>)?(?:\s+("(?:[^"\\]|\\.)*"))?$/;

/** One line of a scenario. Times are seconds. */
export type Step =
  | { line: string; kind: "quiet"; seconds: number }
  | {
      line: string;
      kind: "send" | "expect";
      /** `>>` */
      passing: boolean;
      from: number;
      to: number;
      flags: number;
      sequence: number;
      length: number;
      acknowledgement?: number | undefined;
      window?: number | undefined;
      options: TcpOptions;
      payload?: Buffer | undefined;
    };

function parseOptions(text: string): TcpOptions {
  const options: TcpOptions = {};
  for (const part of text.split(",").map((piece) => piece.trim())) {
    const [name, ...values] = part.split(/\s+/);
    const numbers = values.map(Number);
    if (name === "mss") options.mss = numbers[0] as number;
    else if (name === "wscale") options.windowScale = numbers[0] as number;
    else if (name === "sackOK") options.sackPermitted = true;
    else if (name === "TS") options.timestamp = { value: numbers[1] as number, echo: numbers[3] as number };
    else if (name !== "nop" && name !== "")
      throw new SyntaxError(`unknown TCP option in a scenario: ${part}`);
  }
  return options;
}

/** The steps of a scenario's text. Throws SyntaxError with the line that is wrong. */
export function parseScenario(text: string, tolerance = 0.5): Step[] {
  const steps: Step[] = [];
  for (const raw of text.split("\n")) {
    const line = raw.replace(/^\s*\/\/.*|\s\/\/.*/, "").trim();
    if (line === "") continue;
    const quiet = /^quiet\s+([\d.]+)$/.exec(line);
    if (quiet) {
      steps.push({ line, kind: "quiet", seconds: Number(quiet[1]) });
      continue;
    }
    const match = LINE.exec(line);
    if (!match) throw new SyntaxError(`not a line of a scenario: ${line}`);
    const [, any, time, until, arrow, flags, start, end, length, ack, win, options, payload] = match;
    if (Number(end) - Number(start) !== Number(length))
      throw new SyntaxError(`${line}: range and length differ`);
    const from = any ? 0 : Number(time);
    steps.push({
      line,
      kind: arrow === "<" ? "send" : "expect",
      passing: arrow === ">>",
      from: any || until !== undefined ? from : Math.max(0, from - tolerance),
      to: any ? 5 : until === undefined ? from + (arrow === "<" ? 0 : tolerance) : Number(until),
      flags:
        flags === "-" ? 0 : [...(flags as string)].reduce((all, flag) => all | (FLAGS[flag] as number), 0),
      sequence: Number(start),
      length: Number(length),
      acknowledgement: ack === undefined ? undefined : Number(ack),
      window: win === undefined ? undefined : Number(win),
      options: parseOptions(options ?? ""),
      payload: payload === undefined ? undefined : Buffer.from(JSON.parse(payload) as string, "latin1"),
    });
    if (arrow === "<" && !any) (steps.at(-1) as { from: number }).from = from;
  }
  return steps;
}

/** One connection of a script: sends segments and compares those that come. */
export class TcpScript {
  readonly localPort: number;
  readonly initial = Math.floor(Math.random() * 0xffffffff);
  /** The guest's initial sequence number, once its SYN has been seen. */
  remoteInitial: number | undefined;
  private readonly queue: { segment: TcpSegment; time: number }[] = [];
  private wake: () => void = () => {};
  private last = performance.now();
  private readonly stop: () => void;
  readonly history: string[] = [];

  constructor(
    private readonly peer: Peer,
    readonly remotePort: number,
    localPort = peer.port(),
  ) {
    this.localPort = localPort;
    this.stop = peer.subscribe(({ ip, tcp }) => {
      if (ip?.source !== peer.guest || tcp?.sourcePort !== remotePort || tcp.destinationPort !== localPort)
        return;
      if (tcp.flags & SYN) this.remoteInitial = tcp.sequence;
      this.queue.push({ segment: tcp, time: performance.now() });
      this.wake();
    });
  }

  dispose(): void {
    this.stop();
  }

  /** Sends a segment; numbers are relative to the initial sequence numbers. */
  send(segment: {
    flags: number;
    sequence?: number;
    acknowledgement?: number | undefined;
    window?: number | undefined;
    options?: TcpOptions;
    urgent?: number;
    payload?: Buffer | undefined;
  }): void {
    this.peer.sendTcp({
      sourcePort: this.localPort,
      destinationPort: this.remotePort,
      sequence: sequenceAdd(this.initial, segment.sequence ?? 0),
      acknowledgement:
        segment.flags & ACK ? sequenceAdd(this.remoteInitial ?? 0, segment.acknowledgement ?? 0) : 0,
      flags: segment.flags,
      window: segment.window ?? 65535,
      options: segment.options ?? {},
      urgent: segment.urgent ?? 0,
      payload: segment.payload ?? Buffer.alloc(0),
    });
    this.last = performance.now();
  }

  /** The next segment that comes, with numbers made relative; undefined when none comes within `seconds`. */
  async next(seconds: number): Promise<TcpSegment | undefined> {
    const deadline = performance.now() + seconds * 1000;
    while (this.queue.length === 0) {
      const left = deadline - performance.now();
      if (left <= 0) return undefined;
      await Promise.race([new Promise<void>((resolve) => (this.wake = resolve)), sleep(Math.min(left, 50))]);
    }
    const { segment, time } = this.queue.shift() as { segment: TcpSegment; time: number };
    this.elapsed = (time - this.last) / 1000;
    this.last = time;
    return {
      ...segment,
      sequence: (segment.sequence - (this.remoteInitial ?? 0)) >>> 0,
      acknowledgement: segment.flags & ACK ? (segment.acknowledgement - this.initial) >>> 0 : 0,
    };
  }

  /** Seconds between the last two segments, in either direction. */
  elapsed = 0;

  /** Runs the steps; throws with the line, what came instead, and the history of the run. */
  async run(text: string, tolerance?: number): Promise<void> {
    await this.peer.resolve();
    for (const step of parseScenario(text, tolerance)) {
      await this.step(step);
      this.history.push(step.line);
    }
  }

  private async step(step: Step): Promise<void> {
    if (step.kind === "quiet") {
      const segment = await this.next(step.seconds);
      if (segment) this.fail(step.line, `came: ${segmentText(segment)}`);
    } else if (step.kind === "send") {
      await sleep(step.from * 1000);
      const payload = step.payload ?? Buffer.alloc(step.length, 0x61);
      if (payload.length !== step.length)
        throw new SyntaxError(`${step.line}: payload is not ${step.length} bytes`);
      this.send({ ...step, payload });
    } else {
      const started = this.last;
      let segment = await this.next(step.to + 0.001);
      while (step.passing && segment && (segment.flags & ~PSH) === ACK && segment.payload.length === 0) {
        segment = await this.next(step.to - (this.last - started) / 1000 + 0.001);
      }
      this.elapsed = (this.last - started) / 1000;
      if (!segment)
        this.fail(step.line, `nothing${step.passing ? " but acknowledgements" : ""} within ${step.to} s`);
      else this.compare(step, segment);
    }
  }

  private compare(step: Step & { kind: "send" | "expect" }, segment: TcpSegment): void {
    const wrong: string[] = [];
    const check = (name: string, expected: unknown, seen: unknown): void => {
      if (expected !== undefined && JSON.stringify(expected) !== JSON.stringify(seen)) {
        wrong.push(`${name} is ${JSON.stringify(seen)}, not ${JSON.stringify(expected)}`);
      }
    };
    check("flags", flagsText(step.flags & ~PSH), flagsText(segment.flags & ~PSH));
    check("checksum right", true, segment.checksumOk);
    check("sequence", step.sequence, segment.sequence);
    check("length", step.length, segment.payload.length);
    check("acknowledgement", step.acknowledgement, segment.acknowledgement);
    check("window", step.window, segment.window);
    check("payload", step.payload?.toString("latin1"), segment.payload.toString("latin1"));
    for (const [name, value] of Object.entries(step.options)) {
      check(`option ${name}`, value, segment.options[name as keyof TcpOptions]);
    }
    if (this.elapsed < step.from)
      wrong.push(`came after ${this.elapsed.toFixed(3)} s, not before ${step.from} s`);
    if (wrong.length > 0) this.fail(step.line, `${wrong.join("; ")}\n  came: ${segmentText(segment)}`);
  }

  private fail(line: string, message: string): never {
    throw new Error(`${line}\n  ${message}\n  after:\n    ${this.history.join("\n    ") || "nothing"}`);
  }
}
