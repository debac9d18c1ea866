/**
 * A model of what the DNS resolver has around it: the system calls that it makes, handlers that run at the end of any of them, a clock, and a network
 * with two servers behind it that lose, delay, forge, damage and refuse. All of it is decided by one seeded generator.
 */
import assert from "node:assert/strict";
import { A, type DnsQuestion, decodeQuestion, encodeResponse, SOA } from "../wire/dns.ts";

const ESRCH = -3;
const EAGAIN = -11;
const EINPROGRESS = -115;
const ECONNREFUSED = -111;
const STREAM = 1;
const POLLIN = 1;
const POLLOUT = 4;
const POLLERR = 8;
const SECOND = 1_000_000_000n;
const AF_INET6 = 10;
/** Offsets in what netinfo writes (docs/aem-calls.md). */
const NAME_SERVER_COUNT = 44;
const FIRST_NAME_SERVER = 72;
/** In front of an IPv4 address in the form of IPv6. */
const MAPPED = Buffer.from("00000000000000000000ffff", "hex");
const SHUT_DOWN = 3;
/** The servers, of each version one. */
const SERVERS = [
  Buffer.concat([MAPPED, Buffer.from("0a000203", "hex")]),
  Buffer.from("20010db8000000010000000000000053", "hex"),
];

type Handler = (...parameters: number[]) => void;

interface Socket {
  domain: number;
  stream: boolean;
  received: Buffer[];
  /** Of a stream: connected; ended, or failed. */
  ready: boolean;
  end: number | undefined;
  sent: Buffer;
}

interface Event {
  type: "read" | "sock" | "timer";
  fd: number;
  handler: Handler;
  due: bigint;
  period: bigint;
  /** Something has changed (sock); the end was told (read). */
  flag: boolean;
}

/** The address that the servers know of a name `nNUMBER.test`; undefined: there is no such name. */
export function addressOf(number: number): number | undefined {
  return number % 7 === 3 ? undefined : 0x0a000000 + number;
}

export class World {
  now = SECOND;
  /** 0: nothing goes wrong, and calls take no time. */
  trouble = 1;
  readonly sockets = new Map<number, Socket>();
  readonly events = new Map<number, Event>();
  mostSockets = 0;
  handling = false;
  private memory!: WebAssembly.Memory;
  private table!: WebAssembly.Table;
  private block = 0;
  private lastJid = 0;
  private readonly coming: { at: bigint; run: () => void }[] = [];

  constructor(private readonly random: () => number) {}

  attach(exports: WebAssembly.Exports): void {
    this.memory = exports["memory"] as WebAssembly.Memory;
    this.table = exports["table"] as WebAssembly.Table;
    this.block = this.memory.grow(1) * 65536;
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private happens(probability: number): boolean {
    return this.random() < probability * this.trouble;
  }

  bytes(at: number, length: number): Buffer {
    return Buffer.from(this.memory.buffer, at, length);
  }

  /** Time passes: what was on its way arrives. */
  pass(nanoseconds: bigint): void {
    this.now += nanoseconds;
    this.coming.sort((a, b) => (a.at < b.at ? -1 : 1));
    while (this.coming[0] !== undefined && this.coming[0].at <= this.now) this.coming.shift()?.run();
  }

  /** Handlers run, in any order, until there is nothing to tell. */
  dispatch(): void {
    if (this.handling) return;
    for (let pending = this.pending(); pending.length > 0; pending = this.pending()) {
      const jid = pending[this.below(pending.length)] as number;
      this.handling = true;
      this.deliver(jid, this.events.get(jid) as Event);
      this.handling = false;
    }
  }

  private pending(): number[] {
    return [...this.events].flatMap(([jid, event]) => (this.isPending(event) ? [jid] : []));
  }

  private isPending(event: Event): boolean {
    if (event.type === "timer") return event.due <= this.now;
    const socket = this.sockets.get(event.fd) as Socket;
    if (event.type === "sock") return event.flag;
    return socket.received.length > 0 || (socket.end !== undefined && !event.flag);
  }

  private deliver(jid: number, event: Event): void {
    if (event.type === "timer") {
      event.due += event.period;
      event.handler(jid, 0);
      if (event.period === 0n) this.events.delete(jid);
      return;
    }
    const socket = this.sockets.get(event.fd) as Socket;
    if (event.type === "sock") {
      event.flag = false;
      event.handler(jid, event.fd, socket.end === undefined ? POLLOUT : POLLOUT | POLLERR, socket.end ?? 0);
      return;
    }
    const data = socket.received.shift();
    if (data === undefined) {
      event.flag = true;
      if (!socket.stream) [socket.end, event.flag] = [undefined, false];
      event.handler(jid, event.fd, 0, ECONNREFUSED, 0);
      return;
    }
    this.bytes(this.block, 65536).fill(0xdd);
    data.copy(this.bytes(this.block + 16, data.length));
    event.handler(jid, event.fd, this.block + 16, data.length, socket.stream ? 0 : this.block);
    this.bytes(this.block, 65536).fill(0xdd);
  }

  /** The end of a system call: others may have had the processor for long, and then handlers run. */
  private after(result: number): number {
    if (this.trouble > 0) this.pass(BigInt(this.random() < 0.02 ? this.below(3e9) : this.below(50_000)));
    this.dispatch();
    return result;
  }

  private later(nanoseconds: number, run: () => void): void {
    this.coming.push({ at: this.now + BigInt(nanoseconds), run });
  }

  private register(type: Event["type"], fd: number, index: number, interval = 0n, period = 0n): number {
    if (this.happens(0.005)) return this.after(-28);
    const handler = this.table.get(index) as Handler;
    const flag = type === "sock" && (this.sockets.get(fd) as Socket).ready;
    this.events.set(++this.lastJid, { type, fd, handler, due: this.now + interval, period, flag });
    return this.after(this.lastJid);
  }

  /** What a server does with a question. */
  private serve(fd: number, socket: Socket, question: DnsQuestion): void {
    const number = Number(question.name.slice(1, -5));
    const known = addressOf(number);
    const record = { name: question.name, type: A, data: Buffer.from([10, 0, number >> 8, number & 255]) };
    const lie = { name: question.name, type: A, data: Buffer.from([6, 6, 6, 6]) };
    const arrives = (bytes: Buffer, delay = this.below(20_000_000)): void =>
      this.later(delay, () => {
        // The socket may be another one meanwhile: then nothing is lost on it, for it is connected elsewhere.
        if (this.sockets.get(fd) === socket) socket.received.push(bytes);
      });
    if (!socket.stream && this.happens(0.1)) {
      for (let i = this.below(50); i > 0; i--)
        arrives(
          encodeResponse({ ...question, id: question.id ^ (1 + this.below(65535)) }, { answers: [lie] }),
        );
    }
    if (this.happens(0.15)) return;
    if (!socket.stream && this.happens(0.03)) {
      this.later(1000, () => void (socket.end = ECONNREFUSED));
      return;
    }
    const wrong = this.happens(0.1) ? 2 : 0;
    const authority = [{ name: "test", type: SOA, ttl: 60, data: 60 }];
    const truncated = !socket.stream && number % 5 === 4;
    let bytes = encodeResponse(question, {
      code: wrong || (known === undefined ? 3 : 0),
      truncated,
      answers: known === undefined || wrong || truncated ? [] : [record],
      authority: known === undefined && !wrong ? authority : [],
    });
    if (this.happens(0.03)) bytes = bytes.subarray(0, question.bytes.length + this.below(9));
    const delay = this.happens(0.1) ? this.below(4e9) : this.below(20_000_000);
    if (!socket.stream) return arrives(bytes, delay);
    const framed = Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
    const cut = this.below(framed.length);
    arrives(framed.subarray(0, cut), delay);
    arrives(framed.subarray(cut), delay + 1000);
    this.later(delay + 2000, () => void (socket.end = ECONNREFUSED));
  }

  calls(): Record<string, (...parameters: never[]) => number | bigint> {
    return {
      getpid: () => this.after(1),
      clock_gettime: () => {
        const { now } = this;
        this.after(0);
        return now;
      },
      getrandom: (at: number, length: number) => {
        for (let i = 0; i < length; i++) this.bytes(at + i, 1)[0] = this.below(256);
        return this.after(length);
      },
      netinfo: (at: number, length: number) => {
        const information = this.bytes(at, length).fill(0);
        information.writeUInt32LE(SERVERS.length, NAME_SERVER_COUNT);
        SERVERS.forEach((server, i) => server.copy(information, FIRST_NAME_SERVER + 16 * i));
        return this.after(length);
      },
      socket: (domain: number, type: number) => {
        if (this.happens(0.005)) return this.after(-24);
        let fd = 0;
        while (this.sockets.has(fd)) fd++;
        const stream = (type & 15) === STREAM;
        this.sockets.set(fd, {
          domain,
          stream,
          received: [],
          ready: !stream,
          end: undefined,
          sent: Buffer.alloc(0),
        });
        this.mostSockets = Math.max(this.mostSockets, this.sockets.size);
        return this.after(fd);
      },
      connect: (fd: number, at: number) => {
        const socket = this.sockets.get(fd) as Socket;
        assert.equal(this.bytes(at, 16).readUInt16BE(2), 53);
        const wide = socket.domain === AF_INET6;
        const name = this.bytes(at, wide ? 28 : 16);
        assert.equal(name.readUInt16LE(0), socket.domain);
        const address = wide ? name.subarray(8, 24) : Buffer.concat([MAPPED, name.subarray(4, 8)]);
        assert.ok(SERVERS.some((server) => server.equals(address)));
        if (this.happens(0.01)) return this.after(-101);
        if (!socket.stream) return this.after(0);
        this.later(this.below(20_000_000), () => {
          socket.ready = true;
          if (this.happens(0.1)) socket.end = ECONNREFUSED;
          if (this.sockets.get(fd) !== socket) return;
          for (const event of this.events.values())
            if (event.fd === fd && event.type === "sock") event.flag = true;
        });
        return this.after(EINPROGRESS);
      },
      send: (fd: number, at: number, length: number) => {
        const socket = this.sockets.get(fd) as Socket;
        assert.ok(socket, "sends on a socket that is not open");
        if (this.happens(0.01)) return this.after(-105);
        if (socket.end !== undefined) return this.after(socket.end);
        assert.ok(socket.ready, "sends on a socket that is not connected");
        const data = Buffer.from(this.bytes(at, length));
        if (socket.stream) assert.equal(data.readUInt16BE(0), length - 2);
        const question = decodeQuestion(socket.stream ? data.subarray(2) : data);
        assert.ok(question, "a question that is none");
        this.serve(fd, socket, question);
        return this.after(length);
      },
      recv: (fd: number, at: number, length: number) => {
        const socket = this.sockets.get(fd) as Socket;
        const data = socket.received.shift();
        if (data !== undefined) {
          const taken = Math.min(length, data.length);
          data.copy(this.bytes(at, taken), 0, 0, taken);
          return this.after(taken);
        }
        const { end } = socket;
        if (!socket.stream) socket.end = undefined;
        return this.after(end ?? EAGAIN);
      },
      poll: (at: number, count: number, timeout: number) => {
        assert.equal(count, 1);
        const socket = this.sockets.get(this.bytes(at, 8).readInt32LE(0)) as Socket;
        const wanted = this.bytes(at, 8).readUInt16LE(4);
        const until = this.now + BigInt(timeout) * 1_000_000n;
        while (this.now < until) {
          const readable = socket.received.length > 0 || socket.end !== undefined;
          if (wanted & POLLIN ? readable : socket.ready) return this.after(1);
          this.pass(5_000_000n);
          this.dispatch();
        }
        return this.after(0);
      },
      close: (fd: number) => {
        assert.ok(this.sockets.delete(fd), "closes what is not open");
        for (const [jid, event] of this.events)
          if (event.type !== "timer" && event.fd === fd) this.events.delete(jid);
        return this.after(0);
      },
      sockasync_read: (fd: number, _flags: number, handler: number) => this.register("read", fd, handler),
      sockasync_sock: (fd: number, _flags: number, handler: number) => this.register("sock", fd, handler),
      evtimer: (interval: bigint, period: bigint, _flags: number, handler: number) =>
        this.register("timer", -1, handler, interval, period),
      evctl: (jid: number, operation: number) => {
        assert.equal(operation, SHUT_DOWN);
        return this.after(this.events.delete(jid) ? 0 : ESRCH);
      },
      log: () => 0,
    };
  }
}
