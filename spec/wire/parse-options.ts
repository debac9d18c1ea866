/** TCP options of a scenario's line: what stands between `<` and `>`. The language is described in scenario.ts. */
import type { TcpOptions } from "./tcp.ts";

/**
 * A timestamp: a number as it stands in the option; `relative`, behind the first one that the guest has sent; undefined: `*`, the
 * latest of the guest's to send, or any that comes.
 */
export type Stamp = { number: number; relative: boolean } | undefined;

export interface OptionsStep extends Omit<TcpOptions, "timestamp"> {
  timestamp?: { value: Stamp; echo: Stamp };
  /** No others than those named. */
  only?: boolean;
}

function stamp(text: string | undefined): Stamp {
  if (text === "*") return undefined;
  const match = /^(\+?)(\d+)$/.exec(text ?? "");
  if (!match) throw new SyntaxError(`not a timestamp: ${text}`);
  return { number: Number(match[2]), relative: match[1] === "+" };
}

function hex(text: string | undefined): Buffer {
  const digits = text?.replace(/^0x/, "") ?? "";
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) throw new SyntaxError(`not bytes: ${text}`);
  return Buffer.from(digits, "hex");
}

function block(text: string): [number, number] {
  const [left, right] = text.split(":").map(Number);
  if (left === undefined || right === undefined || Number.isNaN(left + right))
    throw new SyntaxError(`not a SACK block: ${text}`);
  return [left, right];
}

/** In what is expected: the option has to be there, whatever it says. */
export const ANY = -1;

function decimal(text: string | undefined): number {
  if (text === "*") return ANY;
  if (!/^\d+$/.test(text ?? "")) throw new SyntaxError(`not a number: ${text}`);
  return Number(text);
}

function parseOption(options: OptionsStep, name: string, values: string[]): void {
  switch (name) {
    case "":
    case "nop":
      return;
    case "only":
      options.only = true;
      return;
    case "mss":
      options.mss = decimal(values[0]);
      return;
    case "wscale":
      options.windowScale = decimal(values[0]);
      return;
    case "sackOK":
      options.sackPermitted = true;
      return;
    case "sack":
      options.sack = values.map(block);
      return;
    case "TS":
      if (values[0] !== "val" || values[2] !== "ecr") throw new SyntaxError("TS val A ecr B");
      options.timestamp = { value: stamp(values[1]), echo: stamp(values[3]) };
      return;
    case "kind":
      options.unknown = [...(options.unknown ?? []), { kind: decimal(values[0]), body: hex(values[1]) }];
      return;
    case "raw":
      options.raw = hex(values[0]);
      return;
    default:
      throw new SyntaxError(`unknown TCP option: ${name}`);
  }
}

export function parseOptions(text: string): OptionsStep {
  const options: OptionsStep = {};
  for (const part of text.split(",")) {
    const [name = "", ...values] = part.trim().split(/\s+/);
    parseOption(options, name, values);
  }
  return options;
}
