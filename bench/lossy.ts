/**
 * Streams over a bad link (spec/wire/link.ts), in real time: 20 ms each way, 1 % or 5 % of the frames lost in each direction and as many held back behind later ones. Beside
 * them the same link without loss, in the same run; the window of the peer, 64 KiB, is what bounds it.
 *
 * Which frames are lost decides more than who sends them: one stream is by a quarter faster or slower than the next. So each is sent over several links, with other losses, and the median counts. All
 * links and both systems at the same time, each with a guest of its own: the links are slow, not the host.
 */
import { bootWired } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import type { Peer } from "../spec/wire/peer.ts";
import { STATIC } from "./instructions.ts";
import { buildLinux } from "./linux.ts";
import { type Figure, type Measurement, median } from "./rows.ts";
import { underKvm } from "./systems.ts";
import { SINK, SOURCE, STREAMS } from "./tcp.ts";
import { wiredLinux } from "./wired.ts";

const BYTES = 10 << 20;
/** Of a quick run. */
const FEW_BYTES = 1 << 18;
const DELAY = 20;
const LIMIT = 900_000;
/** MiB. */
const MEMORY = 256;
const LOSSES = [0, 0.01, 0.05];
/** Of the links. */
const SEEDS = [7, 11, 13];
const QUICK_SEEDS = [7];

/** KiB/s of `bytes` to the guest, or from it, over a link of `seed`. */
async function transfer(
  peer: Peer,
  loss: number,
  seed: number,
  bytes: number,
  fromGuest: boolean,
): Promise<number> {
  peer.wire.impair({ loss, reorder: loss, delay: DELAY, seed });
  // The peer's sender counts duplicates and knows no SACK, so it offers none: to who does, an acknowledgement of much that came together says it all, and is no more than one duplicate.
  const options = { sack: fromGuest, acknowledgeEvery: 2 };
  const client = new TcpClient(peer, fromGuest ? SOURCE : SINK, options);
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
  // The RST has to arrive: the services take the next connection when this one has gone.
  peer.wire.impair(undefined);
  client.abort();
  return bytes / seconds / 1024;
}

type Side = "aemos" | "linux";

/** Of one link: KiB/s by the names of rows. */
async function overLink(peer: Peer, seed: number, bytes: number): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const fromGuest of [true, false]) {
    for (const loss of LOSSES) {
      const name = `lossy.throughput.${fromGuest ? "sent" : "received"}.${100 * loss}%`;
      found.set(name, await transfer(peer, loss, seed, bytes, fromGuest));
    }
  }
  return found;
}

/** A guest, ready to be asked. */
async function start(side: Side): Promise<{ peer: Peer; stop: () => Promise<void> }> {
  return side === "aemos"
    ? bootWired(STREAMS, { append: STATIC })
    : wiredLinux(await buildLinux(), "serve", { memory: MEMORY });
}

/** What all of `side` found, in the order of the rows. */
function figures(side: Side, links: Map<string, number>[], bytes: number, kvm: string): Figure[] {
  return [...(links[0] as Map<string, number>).keys()].map((name) => {
    const values = links.map((found) => found.get(name) as number);
    const all = values.map((value) => value.toFixed(0)).join(", ");
    return {
      name,
      [side]: median(values),
      note: `${side}: ${bytes / (1 << 20)} MiB over each link: ${all}${kvm}`,
    };
  });
}

export const lossy: Measurement = {
  rows: ["lossy.throughput"],
  basis: "real time",
  alone: true,
  run: async (quick) => {
    const bytes = quick ? FEW_BYTES : BYTES;
    const seeds = quick ? QUICK_SEEDS : SEEDS;
    const sides: Side[] = ["aemos", "linux"];
    const starting = sides.flatMap((side) =>
      seeds.map(async (seed) => ({ side, seed, ...(await start(side)) })),
    );
    try {
      const guests = await Promise.all(starting);
      const kvm = await underKvm();
      // No link begins before all guests have: one that boots takes the processor of those that transfer.
      const found = await Promise.all(
        guests.map(async ({ side, peer, seed }) => ({ side, link: await overLink(peer, seed, bytes) })),
      );
      return sides.flatMap((side) =>
        figures(
          side,
          found.filter((one) => one.side === side).map(({ link }) => link),
          bytes,
          kvm,
        ),
      );
    } finally {
      // Those that have started, whether all have or not.
      for (const guest of await Promise.allSettled(starting))
        if (guest.status === "fulfilled") await guest.value.stop();
    }
  },
};
