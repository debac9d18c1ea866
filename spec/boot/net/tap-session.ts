/**
 * A guest on a tap device, in a network namespace of its own: a program that tap.ts starts as `unshare --net`. Nothing of this reaches a network of
 * the host: the namespace has a loopback device and the tap, and goes when this process ends.
 *
 * Its argument is a Plan in JSON. Boots the image, sends random octets to its echo service, and gets them back. Writes a line of JSON, a Session, or ends with status 1 and the
 * reason on standard error.
 */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { messageOf } from "../../../tools/errors.ts";
import { startGuest } from "../../../tools/qemu.ts";

const TAP = "tap0";
const OURS = "10.0.2.2";
const GUEST = "10.0.2.15";
const BOOT_TIMEOUT = 30_000;
const TRANSFER_TIMEOUT = 60_000;

export interface Plan {
  /** An image with the echo and HTTP services of the default one. */
  image: string;
  /** Version of IP. */
  family: 4 | 6;
  /** Octets to be sent each way. */
  bytes: number;
  /** Properties of the network device, what `-icount` gets, and further arguments of QEMU's. */
  device?: string;
  icount?: boolean;
  extra?: readonly string[];
}

export interface Session {
  sent: string;
  received: string;
  /** GET /stats, "kernel", before and after. */
  before: Record<string, number>;
  after: Record<string, number>;
  /** Frames on the tap, as the host's kernel counts them. */
  frames: { toGuest: number; fromGuest: number };
  milliseconds: number;
  console: string;
}

function ip(...words: string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "pipe", "pipe"] });
}

/** The kernel's counters. */
function counters(): Promise<Record<string, number>> {
  return new Promise((resolve, reject) => {
    const ask = request({ host: GUEST, path: "/stats", agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve((JSON.parse(text) as { kernel: Record<string, number> }).kernel));
    });
    ask.on("error", reject);
    ask.end();
  });
}

/** Sends the octets to the echo service; the digest of what comes back. */
function echo(host: string, octets: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const digest = createHash("sha256");
    let count = 0;
    const socket = connect({ host, port: 7 });
    socket.setTimeout(TRANSFER_TIMEOUT, () =>
      socket.destroy(new Error(`${count} octets came back, then none`)),
    );
    socket.on("error", reject);
    socket.on("data", (part) => {
      digest.update(part);
      count += part.length;
    });
    socket.on("end", () => resolve(digest.digest("hex")));
    socket.end(octets);
  });
}

/** Of /proc/net/dev, which is that of this namespace: received are packets from the guest, in the second column, sent ones in the tenth. */
function frames(): { toGuest: number; fromGuest: number } {
  const line = readFileSync("/proc/self/net/dev", "utf8")
    .split("\n")
    .find((text) => text.trim().startsWith(`${TAP}:`));
  const columns = (line ?? "").trim().split(/\s+/);
  return { toGuest: Number(columns[10]), fromGuest: Number(columns[2]) };
}

/** The guest's link-local address, from the address of its device (RFC 4291, appendix A). */
function linkLocal(hardware: string): string {
  const bytes = hardware.split(":").map((byte) => Number.parseInt(byte, 16));
  bytes[0] = (bytes[0] ?? 0) ^ 2;
  const all = [...bytes.slice(0, 3), 0xff, 0xfe, ...bytes.slice(3)];
  const groups = [0, 2, 4, 6].map((i) => (((all[i] ?? 0) << 8) | (all[i + 1] ?? 0)).toString(16));
  return `fe80::${groups.join(":")}%${TAP}`;
}

async function main({ image, family, bytes, device, icount, extra }: Plan): Promise<void> {
  ip("link", "set", "lo", "up");
  ip("tuntap", "add", "dev", TAP, "mode", "tap", "vnet_hdr");
  ip("addr", "add", `${OURS}/24`, "dev", TAP);
  ip("link", "set", TAP, "up");
  // Not to wait until nobody else is found to have it.
  if (family === 6) ip("-6", "addr", "add", "fe80::2/64", "dev", TAP, "nodad");
  const guest = await startGuest({
    image,
    tap: TAP,
    append: `ip=${GUEST}/24`,
    ...(device === undefined ? {} : { device }),
    ...(icount === undefined ? {} : { icount }),
    ...(extra === undefined ? {} : { extra }),
  });
  try {
    await guest.waitFor(/aemos: ready in \d+ ms/, BOOT_TIMEOUT);
    const hardware = /address ([0-9a-f:]{17})/.exec(guest.output)?.[1] ?? "";
    const octets = randomBytes(bytes);
    const before = await counters();
    const start = performance.now();
    const received = await echo(family === 6 ? linkLocal(hardware) : GUEST, octets);
    const milliseconds = Math.round(performance.now() - start);
    const session: Session = {
      sent: createHash("sha256").update(octets).digest("hex"),
      received,
      before,
      after: await counters(),
      frames: frames(),
      milliseconds,
      console: guest.output,
    };
    process.stdout.write(`${JSON.stringify(session)}\n`);
  } finally {
    await guest.stop();
  }
}

main(JSON.parse(process.argv[2] ?? "") as Plan).catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
});
