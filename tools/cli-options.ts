/** Values of options on the command line. */
import { InvalidArgumentError } from "commander";
import type { Forward } from "./qemu.ts";

/** A whole number. */
export function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Not a whole number.");
  return Number(text);
}

/** HOST:GUEST or HOST:GUEST/udp, added to those before it. */
export function parseForward(text: string, before: readonly Forward[] = []): Forward[] {
  const match = text.match(/^(\d+):(\d+)(?:\/(tcp|udp))?$/);
  const [host, guest] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || !isPort(host) || !isPort(guest)) {
    throw new InvalidArgumentError("It is HOST:GUEST or HOST:GUEST/udp, ports from 1 to 65535.");
  }
  return [...before, { host, guest, udp: match[3] === "udp" }];
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65535;
}
