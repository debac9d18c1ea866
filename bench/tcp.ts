/** What TCP costs: guest instructions for a segment that is received, for one that is sent, and for a connection, each with all that belongs to it (counted.ts), in bench/apps/streams. */
import { TcpClient } from "../spec/wire/client.ts";
import type { Peer } from "../spec/wire/peer.ts";
import { Counted } from "./counted.ts";
import { benchImage } from "./instructions.ts";
import { type Session, type Trace, measurement } from "./trace.ts";

export const STREAMS = benchImage("streams");
export const SOURCE = 8;
export const SINK = 9;
const CONNECTIONS = 10;
const SEGMENT = 1460;
/** Of a transfer; they and their acknowledgements come together. */
const SEGMENTS = 40;
/** Segments that open the congestion window ahead of the first round. */
const WARM = 200;
const ROUNDS = 40;
const QUICK_ROUNDS = 15;
/** Of the median of transfers: the ring's new buffers are 2 % of one, and what is done every few seconds 5; acknowledgements that a busy host brings one by one make more of it. */
const NEAR = 0.06;
/** Of connections, one at a time: what is rare counts for more in each of them. */
const OPENED = 100;
const QUICK_OPENED = 50;

/** A connection, and a transfer of so many segments over it. */
type Transfer = readonly [TcpClient, (segments: number) => Promise<void>];

/** To the guest, whose application takes it in a read handler. */
async function inward(peer: Peer): Promise<Transfer> {
  const client = new TcpClient(peer, SINK);
  await client.connect(5000);
  const transfer = async (segments: number): Promise<void> => {
    client.send(Buffer.alloc(segments * SEGMENT, 1));
    await client.flushed(20_000);
  };
  return [client, transfer];
}

/** From the guest, which is asked for it; every second segment is acknowledged. */
async function outward(peer: Peer): Promise<Transfer> {
  const client = new TcpClient(peer, SOURCE, { acknowledgeEvery: 2 });
  await client.connect(5000);
  const transfer = async (segments: number): Promise<void> => {
    const wanted = Buffer.alloc(4);
    wanted.writeUInt32LE(segments * SEGMENT);
    client.send(wanted);
    await client.receive(20_000, (data) => data.length >= segments * SEGMENT);
  };
  return [client, transfer];
}

/** Both, with their rows. */
const TRANSFERS = [
  ["tcp.segment.received", inward],
  ["tcp.segment.sent", outward],
] as const;
const CONNECTION = "tcp.connection";

export const streams: Session = {
  names: [...TRANSFERS.map(([name]) => name), CONNECTION],
  exact: true,
  async measure(stacks, quick) {
    const guest = await Counted.boot("streams", STREAMS, stacks, quick);
    const count = quick ? QUICK_ROUNDS : ROUNDS;
    try {
      const traces: Record<string, Trace> = {};
      for (const [name, open] of TRANSFERS) {
        const [client, transfer] = await open(guest.peer);
        await transfer(WARM);
        traces[name] = await guest.cost(count, SEGMENTS, () => transfer(SEGMENTS), NEAR);
        client.abort();
      }
      // SYN to the accept handler, whose connection then stays.
      const connect = (): Promise<void> => new TcpClient(guest.peer, CONNECTIONS).connect(5000);
      return { ...traces, [CONNECTION]: await guest.cost(quick ? QUICK_OPENED : OPENED, 1, connect) };
    } finally {
      await guest.stop();
    }
  },
};

export const segments = measurement("counted", streams);
