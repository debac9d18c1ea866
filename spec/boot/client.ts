/** TCP, HTTP and UDP clients of the boot tests, over the host's own network stack: every wait is bounded. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type Socket, connect as netConnect } from "node:net";
import { PATIENCE } from "../wire/patience.ts";

/** A TCP connection to 127.0.0.1 whose input is collected. */
export class Connection {
  private chunks: Buffer[] = [];
  /** Bytes received so far and not taken. */
  length = 0;
  ended = false;
  error: Error | undefined;
  private readonly waiting = new Set<() => void>();

  constructor(readonly socket: Socket) {
    const wake = (): void => {
      for (const check of [...this.waiting]) check();
    };
    socket.on("data", (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.length += chunk.length;
      wake();
    });
    socket.on("end", () => {
      this.ended = true;
      wake();
    });
    socket.on("error", (error) => {
      this.error = error;
      wake();
    });
    socket.on("close", () => {
      this.ended = true;
      wake();
    });
  }

  static async open(port: number, ms = PATIENCE): Promise<Connection> {
    const socket = netConnect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    socket.on("error", () => {});
    const timer = setTimeout(
      () => socket.destroy(new Error(`no connection to port ${port} within ${ms} ms`)),
      ms,
    );
    try {
      await once(socket, "connect");
    } finally {
      clearTimeout(timer);
    }
    return new Connection(socket);
  }

  /** All that has come and was not taken. */
  peek(): Buffer {
    if (this.chunks.length !== 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0] as Buffer;
  }

  /** Takes the first `count` bytes. */
  take(count: number): Buffer {
    const all = this.peek();
    this.chunks = [all.subarray(count)];
    this.length = all.length - count;
    return all.subarray(0, count);
  }

  /** Waits until `ready`, or the end; rejects after `ms` or on an error. */
  until(what: string, ready: () => boolean, ms = PATIENCE): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        this.waiting.delete(check);
        settle();
      };
      const check = (): void => {
        if (ready()) done(resolve);
        else if (this.error)
          done(() => reject(new Error(`${what}: ${this.error?.message} (${this.seen()})`)));
        else if (this.ended) done(() => reject(new Error(`${what}: connection ended (${this.seen()})`)));
      };
      const timer = setTimeout(
        () => done(() => reject(new Error(`${what}: not within ${ms} ms (${this.seen()})`))),
        ms,
      );
      this.waiting.add(check);
      check();
    });
  }

  /** Exactly `count` bytes. */
  async read(count: number, ms?: number): Promise<Buffer> {
    await this.until(`${count} bytes`, () => this.length >= count, ms);
    return this.take(count);
  }

  /** Everything up to the end of the stream. */
  async readToEnd(ms?: number): Promise<Buffer> {
    await this.until("end of stream", () => this.ended, ms);
    return this.take(this.length);
  }

  /** The next HTTP response. `head`: it answers a HEAD request. */
  async response(head = false, ms?: number): Promise<Response> {
    let found: Response | undefined;
    const complete = (): boolean => {
      found = parseResponse(this.peek(), head, this.ended);
      return found !== undefined;
    };
    await this.until("HTTP response", complete, ms);
    this.take((found as Response).bytes);
    return found as Response;
  }

  /** Writes, and waits while the socket's buffer is full. */
  async write(data: Buffer | string): Promise<void> {
    if (!this.socket.write(data)) await once(this.socket, "drain");
  }

  destroy(): void {
    this.socket.destroy();
  }

  private seen(): string {
    const start = this.peek().subarray(0, 200).toString("latin1");
    return `${this.length} bytes received: ${JSON.stringify(start)}`;
  }
}

export interface Response {
  status: number;
  reason: string;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: Buffer;
  /** Bytes of the whole response. */
  bytes: number;
}

/** A whole response at the start of `data`, or undefined when it is not all there. Throws when it is not HTTP. */
export function parseResponse(data: Buffer, head: boolean, ended: boolean): Response | undefined {
  const end = data.indexOf("\r\n\r\n");
  if (end < 0) {
    if (data.length >= 5 && !data.subarray(0, 5).equals(Buffer.from("HTTP/"))) {
      throw new Error(`not an HTTP response: ${JSON.stringify(data.subarray(0, 80).toString("latin1"))}`);
    }
    return undefined;
  }
  const [first, ...lines] = data.subarray(0, end).toString("latin1").split("\r\n");
  const match = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(first as string);
  if (!match) throw new Error(`not a status line: ${JSON.stringify(first)}`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (!field) throw new Error(`not a field line: ${JSON.stringify(line)}`);
    headers[(field[1] as string).toLowerCase()] = field[2] as string;
  }
  const status = Number(match[1]);
  const start = end + 4;
  const length = headers["content-length"];
  const none = head || status === 204 || status === 304 || status < 200;
  if (!none && length === undefined && !ended) return undefined;
  const size = none ? 0 : length === undefined ? data.length - start : Number(length);
  if (data.length < start + size) return undefined;
  const body = Buffer.from(data.subarray(start, start + size));
  return { status, reason: match[2] as string, headers, body, bytes: start + size };
}

/** One request on a connection of its own. */
export async function request(port: number, text: string, ms?: number): Promise<Response> {
  const connection = await Connection.open(port);
  try {
    await connection.write(text);
    return await connection.response(text.startsWith("HEAD "), ms);
  } finally {
    connection.destroy();
  }
}

/** GET with what a request has to have. */
export function get(path: string, ...fields: string[]): string {
  return `${["GET", path, "HTTP/1.1"].join(" ")}\r\n${["Host: aemos", ...fields].join("\r\n")}\r\n\r\n`;
}

export interface Stats {
  requests: number;
  badRequests: number;
  uptimeSeconds: number;
  connections: { open: number; total: number };
  kernel: Record<string, number>;
  processes: {
    pid: number;
    name: string;
    state: string;
    events: number;
    descriptors: number;
    memory: number;
    vmtable: { used: number; peak: number; size: number; failures: number };
  }[];
  processesOmitted: number;
}

/** /stats, parsed. */
export async function stats(port: number): Promise<Stats> {
  const response = await request(port, get("/stats"));
  return JSON.parse(response.body.toString()) as Stats;
}

/** Sends a datagram and waits for its answer; again every 500 ms. */
export async function askUdp(port: number, payload: Buffer, ms = PATIENCE): Promise<Buffer> {
  const socket = createSocket("udp4");
  const send = (): void => socket.send(payload, port, "127.0.0.1");
  const again = setInterval(send, 500);
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer to ${payload.length} bytes within ${ms} ms`)), ms);
    });
    send();
    const [answer] = (await Promise.race([once(socket, "message"), late])) as [Buffer];
    return answer;
  } finally {
    clearInterval(again);
    clearTimeout(timer);
    socket.close();
  }
}

/**
 * Connections that may be opened at the same moment through QEMU's user network: it listens with a backlog of 1, and the
 * host's TCP makes the others wait a second, or resets them.
 */
export const HOST_WIDTH = 2;

/** Runs `work` for each number below `count`, at most `width` at once. */
export async function inParallel(
  count: number,
  width: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
}
