/**
 * The rates of rates.ts over tap devices, in a network namespace of its own: a program that rates.ts starts as `unshare --net`. The namespace has a loopback device and a tap for each
 * of the two guests, and goes when this process ends.
 *
 * It writes a line of JSON, the figures, or ends with status 1 and the reason on standard error.
 */
import { execFileSync } from "node:child_process";
import { messageOf } from "../tools/errors.ts";
import { rateFigures } from "./rates.ts";
import { startBoth } from "./systems.ts";

const TAPS = { aemos: { name: "tap0", subnet: 2 }, linux: { name: "tap1", subnet: 3 } };

function ip(...words: string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "pipe", "pipe"] });
}

async function main(): Promise<void> {
  ip("link", "set", "lo", "up");
  for (const { name, subnet } of Object.values(TAPS)) {
    ip("tuntap", "add", "dev", name, "mode", "tap", "vnet_hdr");
    ip("addr", "add", `10.0.${subnet}.2/24`, "dev", name);
    ip("link", "set", name, "up");
  }
  const both = await startBoth((name) => ({ tap: TAPS[name] }));
  try {
    process.stdout.write(`${JSON.stringify(await rateFigures(both, false, ".tap"))}\n`);
  } finally {
    for (const system of both) await system.stop();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
});
