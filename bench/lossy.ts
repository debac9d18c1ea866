/**
 * Streams over a bad link (spec/wire/link.ts), in real time: 20 ms each way, 1 % or 5 % of the frames lost in each direction and as many held back behind later ones. Beside
 * them the same link without loss, in the same run; the window of the peer, 64 KiB, is what bounds it. Both systems at the same time: the link is slow, not the host.
 */
import { bootWired } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import type { Peer } from "../spec/wire/peer.ts";
import { STATIC } from "./instructions.ts";
import { buildLinux } from "./linux.ts";
import type { Figure, Measurement } from "./rows.ts";
import { SINK, SOURCE, STREAMS } from "./tcp.ts";
import { wiredLinux } from "./wired.ts";

const BYTES = 10 << 20;
/** Of a quick run. */
const FEW_BYTES = 1 << 19;
const DELAY = 20;
const LIMIT = 900_000;
const LOSSES = [0, 0.01, 0.05];

/** Seconds that `bytes` take to the guest, or from it. */
async function transfer(peer: Peer, bytes: number, fromGuest: boolean): Promise<number> {
  const client = new TcpClient(peer, fromGuest ? SOURCE : SINK, { sack: true, acknowledgeEvery: 2 });
  await client.connect(20_000);
  const began = performance.now();
  if (fromGuest) {
    const wanted = Buffer.alloc(4);
    wanted.writeUInt32LE(bytes);
    client.send(wanted);
    await client.receive(LIMIT, (data) => data.length >= bytes);
  } else {
    client.send(Buffer.alloc(bytes, 1));
    await client.flushed(LIMIT);
  }
  const seconds = (performance.now() - began) / 1000;
  client.abort();
  return seconds;
}

async function figures(side: "aemos" | "linux", peer: Peer, bytes: number): Promise<Figure[]> {
  const found: Figure[] = [];
  for (const fromGuest of [true, false]) {
    for (const loss of LOSSES) {
      peer.wire.impair({ loss, reorder: loss, delay: DELAY, seed: 7 });
      const value = bytes / (await transfer(peer, bytes, fromGuest)) / 1024;
      peer.wire.impair(undefined);
      const name = `lossy.throughput.${fromGuest ? "sent" : "received"}.${100 * loss}%`;
      found.push({ name, [side]: value, ...(side === "aemos" ? { note: `${bytes / (1 << 20)} MiB` } : {}) });
    }
  }
  return found;
}

async function aemos(bytes: number): Promise<Figure[]> {
  const { peer, stop } = await bootWired(STREAMS, { append: STATIC });
  return figures("aemos", peer, bytes).finally(stop);
}

async function linux(bytes: number): Promise<Figure[]> {
  const { peer, stop } = await wiredLinux(await buildLinux(), "serve", { memory: 256 });
  return figures("linux", peer, bytes).finally(stop);
}

export const lossy: Measurement = {
  rows: ["lossy.throughput"],
  exact: true,
  run: async (quick) => {
    const bytes = quick ? FEW_BYTES : BYTES;
    return (await Promise.all([aemos(bytes), linux(bytes)])).flat();
  },
};
