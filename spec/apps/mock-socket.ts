/** Sockets of the model (mock.ts), their events, and the other end of a connection, which a test holds. */

export type Type = "accept" | "read" | "close" | "sock" | "timer";
export type Handler = (...parameters: number[]) => void;

export interface Event {
  jid: number;
  type: Type;
  socket: Socket | undefined;
  handler: Handler;
  stopped: boolean;
  /** Sock: something has changed since. Timer: expirations that are due. */
  occurred: number;
  ended: boolean;
  expires: bigint;
  period: bigint;
}

export class Socket {
  port = 0;
  listening = false;
  events: Event[] = [];
  /** What has come and was not read; a datagram each for UDP. */
  received: Buffer[] = [];
  /** How it ended: 0 or a negative errno. */
  end: number | undefined;
  sent: Buffer[] = [];
  /** Octets that `send` still takes. */
  room = Number.POSITIVE_INFINITY;
  wasShort = false;
  shut = false;
  closed = false;
  waiting: Socket[] = [];
  peerPort = 0;
  constructor(
    public fd: number,
    readonly type: number,
  ) {}
}

/** The other end of a connection. */
export class Client {
  constructor(
    private readonly kernel: { dispatch(): void },
    readonly socket: Socket,
  ) {}

  send(data: string | Buffer): this {
    this.socket.received.push(typeof data === "string" ? Buffer.from(data, "latin1") : data);
    this.kernel.dispatch();
    return this;
  }
  /** Ends the stream: 0, or a negative errno for a reset. */
  end(how = 0): this {
    this.socket.end = how;
    if (how < 0) {
      this.socket.received = [];
      this.changed();
    }
    this.kernel.dispatch();
    return this;
  }
  /** Lets the application send so many octets more. */
  allow(octets: number): this {
    this.socket.room = octets;
    if (octets > 0 && this.socket.wasShort) {
      this.socket.wasShort = false;
      this.changed();
    }
    this.kernel.dispatch();
    return this;
  }
  /** Everything that has come from the application since the last time. */
  take(): Buffer {
    const all = Buffer.concat(this.socket.sent);
    this.socket.sent = [];
    return all;
  }
  text(): string {
    return this.take().toString("utf8");
  }
  get closed(): boolean {
    return this.socket.closed;
  }
  /** The application has ended its direction. */
  get finished(): boolean {
    return this.socket.closed || this.socket.shut;
  }
  private changed(): void {
    for (const event of this.socket.events) if (event.type === "sock") event.occurred++;
  }
}
