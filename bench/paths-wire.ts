/** Paths of the network on the frame wire, one operation after the other: each begins when nothing of the last one is left (tcp.ts). */
import { get, parseResponse } from "../spec/boot/client.ts";
import { DEFAULT_IMAGE } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import type { Burst } from "./bursts.ts";
import { type Figure, type Session, meanOf, medianOf } from "./figure.ts";
import { LATENCY_IMAGE } from "./instructions.ts";
import { CONNECTIONS, Counted, SEGMENTS, STREAMS, TRANSFERS, transferRounds, usual } from "./tcp.ts";

const ROUNDS = 15;
/** Of operations in which the driver does what it does for many frames at once every few times. */
const MANY = 24;
const LATENCY = 4000;
const ECHO = 7;
const BYTES = Buffer.alloc(64, "x");

/** Guest instructions of what `work` makes it do, the first time left out. */
async function rounds(guest: Counted, count: number, work: () => Promise<unknown>): Promise<Burst[][]> {
  const found: Burst[][] = [];
  for (let i = 0; i <= count; i++)
    found.push(
      await guest.during(async () => {
        await work();
      }),
    );
  return usual(found.slice(1));
}

/** From the only interrupt to the handler. */
function toHandler(guest: Counted, found: readonly Burst[][]): Figure {
  const clean = found.map((bursts) => bursts.filter(({ reached }) => (reached[0] as number) >= 0));
  return medianOf(
    clean.filter(([first]) => first?.interrupts === 1),
    guest,
    0,
  );
}

export const tcpHandler: Session = {
  paths: { "tcp.nic-to-handler": "interrupt to read handler, one byte" },
  exact: true,
  async measure(stacks) {
    const guest = await Counted.boot("path", LATENCY_IMAGE, ["main0x2Freceived"], stacks);
    try {
      const client = new TcpClient(guest.peer, LATENCY);
      await client.connect(5000);
      const found = await rounds(guest, ROUNDS, () => {
        client.send("x");
        return client.receive(5000);
      });
      client.abort();
      return { "tcp.nic-to-handler": toHandler(guest, found) };
    } finally {
      await guest.stop();
    }
  },
};

export const udpHandler: Session = {
  paths: { "udp.nic-to-handler": "interrupt to read handler, 64 bytes" },
  exact: true,
  async measure(stacks) {
    const guest = await Counted.boot(
      "path",
      DEFAULT_IMAGE,
      ["wrap_w2c_app__echo_apps0x2Fecho0x2Fudp0x2Fdatagram"],
      stacks,
    );
    try {
      const found = await rounds(guest, ROUNDS, () => guest.peer.askUdp(ECHO, BYTES));
      return { "udp.nic-to-handler": toHandler(guest, found) };
    } finally {
      await guest.stop();
    }
  },
};

const complete = (data: Buffer): boolean => parseResponse(data, false, false) !== undefined;

export const requests: Session = {
  paths: {
    "http.keepalive.wire": "GET / on a connection that stays, with the acknowledgement of the answer",
    "tcp.connect-request-close.wire": "SYN, GET /, close, to TIME-WAIT",
  },
  exact: true,
  async measure(stacks) {
    const guest = await Counted.boot("path", DEFAULT_IMAGE, [], stacks, true);
    try {
      const client = new TcpClient(guest.peer, 80);
      await client.connect(5000);
      const kept = await rounds(guest, MANY, () => {
        client.send(get("/"));
        return client.receive(5000, complete);
      });
      client.abort();
      const request = Buffer.from(get("/", "Connection: close"));
      const closed = await rounds(guest, MANY, () =>
        TcpClient.request(guest.peer, 80, request, 5000, complete),
      );
      return {
        "http.keepalive.wire": meanOf(kept, guest),
        "tcp.connect-request-close.wire": meanOf(closed, guest),
      };
    } finally {
      await guest.stop();
    }
  },
};

/** One segment of a transfer, as in tcp.ts. */
async function segment(guest: Counted, open: (typeof TRANSFERS)[number][1]): Promise<Figure> {
  const [client, transfer] = await open(guest.peer);
  const rounds = await transferRounds(guest, transfer);
  client.abort();
  return meanOf(rounds, guest, SEGMENTS);
}

export const segments: Session = {
  paths: {
    ...Object.fromEntries(TRANSFERS.map(([name, , what]) => [name, what])),
    "tcp.connection": "SYN to accept handler",
  },
  exact: true,
  async measure(stacks) {
    const guest = await Counted.boot("path", STREAMS, [], stacks, true);
    try {
      const figures: Record<string, Figure> = {};
      for (const [name, open] of TRANSFERS) figures[name] = await segment(guest, open);
      const found = await rounds(guest, ROUNDS, async () => {
        const client = new TcpClient(guest.peer, CONNECTIONS);
        await client.connect(5000);
      });
      return { ...figures, "tcp.connection": medianOf(found, guest) };
    } finally {
      await guest.stop();
    }
  },
};
