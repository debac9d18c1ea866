/**
 * Streams over a bad link (spec/wire/link.ts), in real time: 20 ms each way, 1 % or 5 % of the frames lost in each direction and as many held back behind later ones. Beside
 * them the same link without loss, in the same run; the window of the peer, 64 KiB, is what bounds it.
 */
import { bootWired } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import type { Peer } from "../spec/wire/peer.ts";
import type { Row } from "./rows.ts";
import { STREAMS } from "./tcp.ts";

const BYTES = 10 << 20;
const QUICK_BYTES = 1 << 20;
const SINK = 7;
const SOURCE = 8;
const DELAY = 20;
const LIMIT = 600_000;
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

export async function lossy(quick: boolean): Promise<Row[]> {
  const bytes = quick ? QUICK_BYTES : BYTES;
  const { peer, stop } = await bootWired(STREAMS);
  const rows: Row[] = [];
  try {
    for (const fromGuest of [true, false]) {
      let clean = 0;
      for (const loss of LOSSES) {
        peer.wire.impair({ loss, reorder: loss, delay: DELAY, seed: 7 });
        const seconds = await transfer(peer, bytes, fromGuest);
        peer.wire.impair(undefined);
        const value = bytes / seconds / 1024;
        if (loss === 0) clean = value;
        const share =
          loss === 0 ? "" : `, ${((100 * value) / clean).toFixed(0)} % of the same link without loss`;
        rows.push({
          name: `lossy.throughput, ${fromGuest ? "sent" : "received"}, ${100 * loss} % loss`,
          value,
          unit: "KiB/s",
          note: `real time, ${bytes >> 20} MiB, ${DELAY} ms each way${share}`,
        });
      }
    }
  } finally {
    await stop();
  }
  return rows;
}
