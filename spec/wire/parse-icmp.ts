/** ICMP lines of a scenario: errors about the guest's segments (RFC 792, RFC 1191). The language is described in scenario.ts. */
import { number, parseRange } from "./tokens.ts";

export interface IcmpStep {
  kind: "icmp";
  type: number;
  code: number;
  /** Of the next hop, with `mtu`. */
  mtu: number;
  /** The segment of the guest that is quoted. */
  quoted: { sequence: number; length: number };
}

const TYPES: Record<string, number> = { unreachable: 3, source_quench: 4, time_exceeded: 11, parameter: 12 };
const CODES: Record<string, number> = {
  net: 0,
  host: 1,
  protocol: 2,
  port: 3,
  frag_needed: 4,
  source_route: 5,
  admin_prohibited: 13,
};

/** `TYPE CODE [mtu N] RANGE` */
export function parseIcmp(tokens: string[]): IcmpStep {
  const [type = "", code = "", ...rest] = tokens;
  const mtu = rest[0] === "mtu" ? number(rest[1]) : 0;
  const quoted = parseRange(rest.at(-1));
  if (quoted === undefined) throw new SyntaxError("which segment is quoted?");
  return { kind: "icmp", type: TYPES[type] ?? number(type), code: CODES[code] ?? number(code), mtu, quoted };
}
