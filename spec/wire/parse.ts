/** Parser of scenarios; the language is described in scenario.ts. */
import { type IcmpStep, parseIcmp } from "./parse-icmp.ts";
import { type OptionsStep, parseOptions } from "./parse-options.ts";
import { PATIENCE } from "./patience.ts";
import { FLAG_LETTERS } from "./tcp.ts";
import { number, parseRange, text } from "./tokens.ts";

/** When a line is due: seconds after the line before. */
export interface Timing {
  line: string;
  from: number;
  to: number;
}

/** Fields of the IPv4 header that a line names. */
export interface IpFields {
  ttl?: number;
  tos?: number;
  /** The two lowest bits of tos. */
  ecn?: number;
  /** "Don't fragment" is set. */
  df?: boolean;
}

export interface SegmentStep extends Timing {
  kind: "send" | "expect";
  /** `>>` */
  passing: boolean;
  /** Has come before the guest has answered some pings that are sent now. */
  now: boolean;
  flags: number;
  /** undefined: `*`, any. */
  range: { sequence: number; length: number } | undefined;
  acknowledgement?: number | undefined;
  window?: number | undefined;
  urgent?: number | undefined;
  options: OptionsStep;
  payload?: Buffer | undefined;
  ip: IpFields;
}

export interface CallStep extends Timing {
  kind: "call";
  words: string[];
  data: Buffer | undefined;
  /** Text of the result that is expected; undefined: any that is no error. */
  result: string | undefined;
  /** The call is made again until its result is the expected one. */
  again: boolean;
}

/** One line of a scenario. Times are seconds. */
export type Step =
  | { line: string; kind: "quiet"; seconds: number }
  | { line: string; kind: "wait"; seconds: number }
  | SegmentStep
  | CallStep
  | (IcmpStep & Timing);

/** Seconds within which what is marked with `*` has to come. */
const ANY_TIME = PATIENCE / 1000;
const TOKEN = /"(?:[^"\\]|\\.)*"|<(?!\s)[^>]*>|\[[^\]]*\]|\S+/g;
const ECN: Record<string, number> = { not: 0, ect1: 1, ect0: 2, ce: 3 };

function parseFlags(token: string | undefined): number {
  if (token === "-") return 0;
  const bits = [...(token ?? "?")].map((letter) => FLAG_LETTERS.find(([, name]) => name === letter)?.[0]);
  if (bits.includes(undefined)) throw new SyntaxError(`not flags: ${token}`);
  return bits.reduce<number>((all, bit) => all | (bit as number), 0);
}

function parseIp(list: string): IpFields {
  const fields: IpFields = {};
  for (const part of list.split(",")) {
    const [name, value] = part.trim().split(/\s+/);
    if (name === "ttl" || name === "tos") fields[name] = number(value);
    else if (name === "ecn" && value !== undefined && ECN[value] !== undefined) fields.ecn = ECN[value];
    else if (name === "df") fields.df = true;
    else throw new SyntaxError(`unknown IP field: ${part}`);
  }
  return fields;
}

function parseSegment(timing: Timing, arrow: string, now: boolean, tokens: string[]): SegmentStep {
  const step: SegmentStep = {
    ...timing,
    kind: arrow === "<" ? "send" : "expect",
    passing: arrow === ">>",
    now,
    flags: parseFlags(tokens.shift()),
    range: parseRange(tokens.shift()),
    options: {},
    ip: {},
  };
  if (step.kind === "send" && (now || step.range === undefined))
    throw new SyntaxError("what is sent has a sequence number and a time");
  for (let token = tokens.shift(); token !== undefined; token = tokens.shift()) {
    if (token === "ack") step.acknowledgement = number(tokens.shift());
    else if (token === "win") step.window = number(tokens.shift());
    else if (token === "urg") step.urgent = number(tokens.shift());
    else if (token.startsWith("<")) step.options = parseOptions(token.slice(1, -1));
    else if (token.startsWith("[")) step.ip = parseIp(token.slice(1, -1));
    else if (token.startsWith('"')) step.payload = text(token);
    else throw new SyntaxError(`what is ${token}?`);
  }
  if (step.payload && step.payload.length !== step.range?.length)
    throw new SyntaxError(`the payload has ${step.payload.length} bytes`);
  return step;
}

function parseCall(timing: Timing, again: boolean, tokens: string[]): CallStep {
  const equals = tokens.indexOf("=");
  const words = equals < 0 ? tokens : tokens.slice(0, equals);
  const data = words.find((word) => word.startsWith('"'));
  return {
    ...timing,
    kind: "call",
    words: words.filter((word) => word !== data),
    data: data === undefined ? undefined : text(data),
    result: equals < 0 ? undefined : tokens.slice(equals + 1).join(" "),
    again,
  };
}

function parseLine(line: string, tolerance: number): Step {
  const tokens = line.match(TOKEN) ?? [];
  const time = tokens.shift() as string;
  if (time === "quiet" || time === "wait") {
    const seconds = Number(tokens[0]);
    if (!(seconds >= 0) || tokens.length !== 1) throw new SyntaxError("how long?");
    return { line, kind: time, seconds };
  }
  const match = /^\+(\d*\.?\d+?)(?:\.\.(\d*\.?\d+))?$/.exec(time);
  if (time !== "*" && time !== "now" && !match) throw new SyntaxError(`not a time: ${time}`);
  const what = tokens.shift();
  const at = match ? Number(match[1]) : 0;
  const until = match ? match[2] : time === "now" ? 0 : ANY_TIME;
  const exact = what === "call" || what === "<";
  const early = until === undefined && !exact ? tolerance : 0;
  const timing = {
    line,
    from: Math.max(0, at - early),
    to: until === undefined ? at + tolerance : Number(until),
  };
  if (what === "call") return parseCall(timing, until !== undefined, tokens);
  if (what === "<" && tokens[0] === "icmp") return { ...timing, ...parseIcmp(tokens.slice(1)) };
  if (what === "<" || what === ">" || what === ">>")
    return parseSegment(timing, what, time === "now", tokens);
  throw new SyntaxError(`neither <, >, >> nor call: ${what}`);
}

/** The steps of a scenario's text. Throws SyntaxError with the line that is wrong. */
export function parseScenario(scenario: string, tolerance = 0.5): Step[] {
  const steps: Step[] = [];
  for (const raw of scenario.split("\n")) {
    const line = raw.replace(/^\s*\/\/.*|\s\/\/.*/, "").trim();
    if (line === "") continue;
    try {
      steps.push(parseLine(line, tolerance));
    } catch (error) {
      throw new SyntaxError(`${line}: ${(error as Error).message}`);
    }
  }
  return steps;
}
