/** What of a segment is not as a line of a scenario says. */
import type { Ipv4Packet } from "./ipv4.ts";
import type { IpFields, SegmentStep } from "./parse.ts";
import { ANY, type Stamp } from "./parse-options.ts";
import { CWR, ECE, PSH, SYN, type TcpOptions, type TcpSegment, flagsText } from "./tcp.ts";

/** A segment from the guest, its numbers made relative. */
export interface Arrived extends TcpSegment {
  ip: Ipv4Packet;
}

/** What relative timestamps refer to: the guest's first one, and by how many milliseconds they may differ. */
export interface StampBase {
  first: number;
  tolerance: number;
  /** More milliseconds cannot have gone by since the first one, and where so many have, the host was slow. */
  most: number;
}

/** By which two clocks may differ, in milliseconds: what they round, and a thousandth of the longest scenarios. */
const CLOCKS = 10;

type Check = (name: string, expected: unknown, seen: unknown) => void;

function compareStamp(
  check: Check,
  name: string,
  stamp: Stamp,
  seen: number | undefined,
  base: StampBase,
): void {
  if (stamp === undefined || seen === undefined) return;
  const distance = (seen - base.first) | 0;
  if (!stamp.relative) check(name, stamp.number, seen);
  else if (
    distance < stamp.number - base.tolerance ||
    distance > Math.max(stamp.number + base.tolerance, base.most + CLOCKS)
  )
    check(name, `+${stamp.number}`, `+${distance}`);
}

function compareOptions(check: Check, step: SegmentStep, seen: TcpOptions, base: StampBase): void {
  const { only, timestamp, ...others } = step.options;
  for (const [name, value] of Object.entries(others)) {
    const came = seen[name as keyof TcpOptions];
    if (value !== ANY || came === undefined) check(`option ${name}`, value, came);
  }
  if (timestamp) {
    check("timestamps", true, seen.timestamp !== undefined);
    compareStamp(check, "TS val", timestamp.value, seen.timestamp?.value, base);
    compareStamp(check, "TS ecr", timestamp.echo, seen.timestamp?.echo, base);
  }
  if (!only) return;
  for (const name of Object.keys(seen))
    if (!(name in step.options)) check(`option ${name}`, "absent", seen[name as keyof TcpOptions]);
}

function compareIp(check: Check, fields: IpFields, seen: Ipv4Packet): void {
  check("ttl", fields.ttl, seen.ttl);
  check("tos", fields.tos, seen.tos);
  check("ecn", fields.ecn, (seen.tos ?? 0) & 3);
  check("don't fragment", fields.df, ((seen.fragment ?? 0) & 0x4000) !== 0);
}

/** The flags that a line is compared by: what a SYN offers of ECN (RFC 3168) only where the line names it. */
function compared(step: SegmentStep): number {
  const offer = step.flags & SYN && !(step.flags & (ECE | CWR)) ? ECE | CWR : 0;
  return ~(PSH | offer);
}

/** One sentence for each difference; none: all is as the line says. `early`: seconds by which it came too early, or less than 0. */
export function differences(step: SegmentStep, segment: Arrived, early: number, base: StampBase): string[] {
  const wrong: string[] = [];
  const check: Check = (name, expected, seen) => {
    if (expected !== undefined && JSON.stringify(expected) !== JSON.stringify(seen))
      wrong.push(`${name} is ${JSON.stringify(seen)}, not ${JSON.stringify(expected)}`);
  };
  const flags = compared(step);
  check("flags", flagsText(step.flags & flags), flagsText(segment.flags & flags));
  check("TCP checksum right", true, segment.checksumOk);
  check("IP checksum right", true, segment.ip.checksumOk);
  // Negative numbers are behind the beginning.
  check("sequence", step.range && step.range.sequence >>> 0, segment.sequence);
  check("length", step.range?.length, segment.payload.length);
  check("acknowledgement", step.acknowledgement && step.acknowledgement >>> 0, segment.acknowledgement);
  check("window", step.window, segment.window);
  check("urgent pointer", step.urgent, segment.urgent);
  check("payload", step.payload?.toString("latin1"), segment.payload.toString("latin1"));
  compareOptions(check, step, segment.options, base);
  compareIp(check, step.ip, segment.ip);
  if (step.from > 0 && early > 0) wrong.push(`came ${early.toFixed(3)} s too early`);
  return wrong;
}
