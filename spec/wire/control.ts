/**
 * Socket calls inside of the guest, asked for over UDP: the other end of spec/boot/apps/wire, which has the form of the datagrams. Every
 * socket there is non-blocking.
 */
import type { Peer } from "./peer.ts";
import { PATIENCE } from "./patience.ts";

const CONTROL_PORT = 2200;
/** Milliseconds after which a request is sent again; the guest makes the call once. */
const AGAIN = 300;

/** Numbers of the calls, as in spec/boot/apps/wire/calls.ts. */
const CALLS = {
  socket: 1,
  bind: 2,
  listen: 3,
  accept: 4,
  connect: 5,
  send: 6,
  recv: 7,
  shutdown: 8,
  close: 9,
  getsockopt: 10,
  setsockopt: 11,
  poll: 12,
  states: 13,
} as const;

const ERRORS: Record<number, string> = {
  9: "EBADF",
  11: "EAGAIN",
  22: "EINVAL",
  32: "EPIPE",
  38: "ENOSYS",
  90: "EMSGSIZE",
  92: "ENOPROTOOPT",
  95: "EOPNOTSUPP",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  101: "ENETUNREACH",
  103: "ECONNABORTED",
  104: "ECONNRESET",
  105: "ENOBUFS",
  106: "EISCONN",
  107: "ENOTCONN",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  113: "EHOSTUNREACH",
  114: "EALREADY",
  115: "EINPROGRESS",
};

/** Names of the states by number (sdk/aem.ts); 0 is none. */
export const STATES =
  "- ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING".split(
    " ",
  );

/** Result of a call as scenarios write it: a number, or "-EAGAIN". */
export function resultText(result: number): string {
  return result < 0 && ERRORS[-result] !== undefined ? `-${ERRORS[-result]}` : String(result);
}

export interface Answer {
  /** 0 or positive, or a negative errno of the guest. */
  result: number;
  data: Buffer;
}

export class Control {
  private readonly port: number;
  private number = 0;
  private guestPort = 3000;

  constructor(readonly peer: Peer) {
    this.port = peer.port();
  }

  /** A TCP port of the guest that no scenario has had yet. */
  freshPort(): number {
    return this.guestPort++;
  }

  /** Asks for the call and waits for its answer; rejects when there is none within `ms`. */
  async call(
    name: keyof typeof CALLS,
    [a = 0, b = 0, c = 0]: readonly number[] = [],
    data: Buffer = Buffer.alloc(0),
    ms = PATIENCE,
  ): Promise<Answer> {
    const number = ++this.number;
    const header = Buffer.alloc(20);
    header.writeUInt32LE(number, 0);
    header.writeUInt32LE(CALLS[name], 4);
    for (const [i, value] of [a, b, c].entries()) header.writeInt32LE(value | 0, 8 + 4 * i);
    const payload = Buffer.concat([header, data]);
    const send = (): void =>
      this.peer.sendUdp({ sourcePort: this.port, destinationPort: CONTROL_PORT, payload });
    const answer = this.peer.waitFor(`answer to the call ${name}`, ms, ({ udp }) =>
      udp?.sourcePort === CONTROL_PORT &&
      udp.destinationPort === this.port &&
      udp.checksumOk &&
      udp.payload.length >= 8 &&
      udp.payload.readUInt32LE(0) === number
        ? udp.payload
        : undefined,
    );
    const again = setInterval(send, AGAIN);
    send();
    try {
      const bytes = await answer;
      return { result: bytes.readInt32LE(4), data: Buffer.from(bytes.subarray(8)) };
    } finally {
      clearInterval(again);
    }
  }

  /** The states that a socket has gone through since it was made, by name. */
  async states(fd: number): Promise<string[]> {
    const { data } = await this.call("states", [fd]);
    return [...data].map((state) => STATES[state] ?? String(state));
  }
}
