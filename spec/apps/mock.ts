/**
 * The system calls that the applications make, as a model in memory: sockets without a network, events with the semantics of
 * docs/aem-calls.md, a clock that the test moves. A test runs while the application is in enter_keepalive: `run` calls main, and
 * main's enter_keepalive calls the test.
 */
import assert from "node:assert/strict";

const EAGAIN = -11;
const ESRCH = -3;
const ENOENT_EVENT = -3;
const EBADF = -9;
const EINVAL = -22;
const EPIPE = -32;
const SIGTERM = 15;
const READ_LIMIT = 16384;
const STOP = 5;
const START = 4;
const SHUTDOWN = 3;
const POLLOUT = 4;
const POLLERR = 8;
/** Pages of the model's vmtable zone, which it puts above the application's own memory. */
const ZONE_PAGES = 128;
const BLOCK = 16384 + 16;

type Type = "accept" | "read" | "close" | "sock" | "timer";
type Handler = (...parameters: number[]) => void;

interface Event {
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

class Socket {
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
    private readonly kernel: Kernel,
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

export class Kernel {
  readonly log: string[] = [];
  /** Calls made, by name. */
  readonly calls = new Map<string, number>();
  private readonly sockets = new Map<number, Socket>();
  private readonly events = new Map<number, Event>();
  private memory!: WebAssembly.Memory;
  private table!: WebAssembly.Table;
  private lastJid = 0;
  private time = 0n;
  private script: () => void = () => undefined;
  private handling: { block: number; kept: boolean } | undefined;
  private readonly freeBlocks: number[] = [];
  private blocks = 0;

  /** Runs the application's main; `script` is what happens meanwhile. Returns main's result. */
  run(module: WebAssembly.Module, script: () => void): number {
    this.script = script;
    const known = this.imports() as Record<string, WebAssembly.ImportValue>;
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      assert.equal(from, "aemos");
      assert.ok(name in known, `the model has no ${name}`);
    }
    const instance = new WebAssembly.Instance(module, { aemos: known });
    this.memory = instance.exports["memory"] as WebAssembly.Memory;
    this.table = instance.exports["table"] as WebAssembly.Table;
    const zone = this.memory.grow(ZONE_PAGES) * 65536;
    for (let at = zone; at + BLOCK <= zone + ZONE_PAGES * 65536; at += BLOCK) this.freeBlocks.push(at);
    return (instance.exports["main"] as () => number)();
  }

  connect(port: number): Client {
    const listener = [...this.sockets.values()].find((socket) => socket.listening && socket.port === port);
    assert.ok(listener, `nobody listens on port ${port}`);
    const socket = new Socket(-1, 1);
    listener.waiting.push(socket);
    const client = new Client(this, socket);
    this.dispatch();
    return client;
  }

  /** A datagram to a port, from another; what has come back to that one since. */
  datagram(port: number, from: number, data: Buffer): Buffer[] {
    const socket = [...this.sockets.values()].find((each) => each.type === 2 && each.port === port);
    assert.ok(socket, `no UDP socket on port ${port}`);
    socket.peerPort = from;
    socket.sent = [];
    socket.received.push(data);
    this.dispatch();
    return socket.sent;
  }

  /** Moves the clock, timers running as it goes. */
  advance(seconds: number): void {
    for (let second = 0; second < seconds; second++) {
      this.time += 1_000_000_000n;
      for (const event of this.events.values()) {
        while (event.type === "timer" && event.expires <= this.time) {
          event.occurred++;
          event.expires += event.period;
        }
      }
      this.dispatch();
    }
  }

  get openSockets(): number {
    return this.sockets.size;
  }
  get openEvents(): number {
    return this.events.size;
  }
  /** Blocks of the zone in use. */
  get blocksInUse(): number {
    return this.blocks;
  }

  /** Runs handlers until there is nothing to deliver. */
  dispatch(): void {
    if (this.handling !== undefined) return;
    let busy = true;
    while (busy) {
      busy = false;
      for (const event of [...this.events.values()]) {
        if (this.events.has(event.jid) && !event.stopped && this.deliver(event)) busy = true;
      }
    }
  }

  private deliver(event: Event): boolean {
    const socket = event.socket;
    if (event.type === "timer") {
      if (event.occurred === 0) return false;
      const overrun = event.occurred - 1;
      event.occurred = 0;
      return this.call(event, 0, [overrun]);
    }
    if (socket === undefined) return false;
    if (event.type === "accept") {
      const next = socket.waiting.shift();
      if (next === undefined) return false;
      this.install(next);
      return this.call(event, 0, [socket.fd, next.fd]);
    }
    if (event.type === "sock") {
      if (event.occurred === 0) return false;
      event.occurred = 0;
      return this.call(event, 0, [
        socket.fd,
        socket.end !== undefined && socket.end < 0 ? POLLERR : POLLOUT,
        0,
      ]);
    }
    if (event.type === "close") {
      const reader = socket.events.some((each) => each.type === "read" && !each.ended);
      if (event.ended || socket.end === undefined || reader) return false;
      event.ended = true;
      return this.call(event, 0, [socket.fd, socket.end]);
    }
    return this.deliverRead(event, socket);
  }

  private deliverRead(event: Event, socket: Socket): boolean {
    if (socket.received.length === 0) {
      if (socket.end === undefined || event.ended) return false;
      event.ended = true;
      return this.call(event, 0, [socket.fd, 0, socket.end, 0]);
    }
    const block = this.freeBlocks.pop();
    if (block === undefined) return false;
    this.blocks++;
    const memory = Buffer.from(this.memory.buffer);
    if (socket.type === 2) {
      const data = socket.received.shift() as Buffer;
      memory.fill(0, block, block + 16);
      memory.writeUInt16LE(2, block);
      memory.writeUInt16BE(socket.peerPort, block + 2);
      memory.writeUInt32BE(0x0a000202, block + 4);
      data.copy(memory, block + 16);
      return this.call(event, block, [socket.fd, block + 16, data.length, block]);
    }
    const all = Buffer.concat(socket.received);
    const data = all.subarray(0, READ_LIMIT);
    socket.received = all.length > data.length ? [all.subarray(data.length)] : [];
    data.copy(memory, block);
    return this.call(event, block, [socket.fd, block, data.length, 0]);
  }

  private call(event: Event, block: number, parameters: number[]): boolean {
    assert.equal(this.handling, undefined, "handlers never nest");
    const current = { block, kept: false };
    this.handling = current;
    event.handler(event.jid, ...parameters);
    this.handling = undefined;
    if (block !== 0 && !current.kept) this.release(block);
    return true;
  }

  /** A block's contents are spoilt, so that whoever uses it after its time is found out. */
  private release(block: number): void {
    Buffer.from(this.memory.buffer).fill(0xdd, block, block + BLOCK);
    this.freeBlocks.push(block);
    this.blocks--;
  }

  private install(socket: Socket): number {
    let fd = 0;
    while (this.sockets.has(fd)) fd++;
    socket.fd = fd;
    this.sockets.set(fd, socket);
    return fd;
  }

  private register(type: Type, fd: number, index: number): number {
    const socket = this.sockets.get(fd);
    if (type !== "timer" && socket === undefined) return EBADF;
    const handler = this.table.get(index) as Handler | null;
    if (handler === null) return EINVAL;
    const jid = ++this.lastJid;
    const event: Event = {
      jid,
      type,
      socket,
      handler,
      stopped: false,
      occurred: 0,
      ended: false,
      expires: 0n,
      period: 0n,
    };
    this.events.set(jid, event);
    socket?.events.push(event);
    return jid;
  }

  private bytes(at: number, length: number): Buffer {
    assert.ok(at >= 0 && length >= 0 && at + length <= this.memory.buffer.byteLength, "outside the memory");
    return Buffer.from(Buffer.from(this.memory.buffer, at, length));
  }

  private imports(): Record<string, (...parameters: never[]) => number | bigint | undefined> {
    const send = (fd: number, at: number, length: number): number => {
      const socket = this.sockets.get(fd);
      if (socket === undefined) return EBADF;
      if (socket.end !== undefined && socket.end < 0) return socket.end;
      if (socket.shut) return EPIPE;
      const taken = Math.min(length, socket.room);
      if (taken < length) socket.wasShort = true;
      if (taken === 0 && length > 0) return EAGAIN;
      socket.room -= taken;
      socket.sent.push(this.bytes(at, taken));
      return taken;
    };
    const calls = {
      log: (_level: number, at: number, length: number): number =>
        this.log.push(this.bytes(at, length).toString("utf8")),
      socket: (_domain: number, type: number): number => this.install(new Socket(-1, type & 0xf)),
      bind: (fd: number, at: number): number => {
        (this.sockets.get(fd) as Socket).port = this.bytes(at, 16).readUInt16BE(2);
        return 0;
      },
      listen: (fd: number): number => {
        (this.sockets.get(fd) as Socket).listening = true;
        return 0;
      },
      send,
      sendto: (fd: number, at: number, length: number, _flags: number, address: number): number => {
        const socket = this.sockets.get(fd) as Socket;
        assert.equal(this.bytes(address, 16).readUInt16BE(2), socket.peerPort);
        return send(fd, at, length);
      },
      setsockopt: (fd: number): number => (this.sockets.has(fd) ? 0 : EBADF),
      shutdown: (fd: number, how: number): number => {
        assert.equal(how, 1);
        (this.sockets.get(fd) as Socket).shut = true;
        return 0;
      },
      close: (fd: number): number => {
        const socket = this.sockets.get(fd);
        if (socket === undefined) return EBADF;
        for (const event of socket.events) this.events.delete(event.jid);
        socket.closed = true;
        this.sockets.delete(fd);
        return 0;
      },
      sockasync_accept: (fd: number, _at: number, _length: number, _flags: number, handler: number): number =>
        this.register("accept", fd, handler),
      sockasync_read: (fd: number, _flags: number, handler: number): number =>
        this.register("read", fd, handler),
      sockasync_close: (fd: number, _flags: number, handler: number): number =>
        this.register("close", fd, handler),
      sockasync_sock: (fd: number, _flags: number, handler: number): number =>
        this.register("sock", fd, handler),
      evtimer: (interval: bigint, period: bigint, _flags: number, handler: number): number => {
        const jid = this.register("timer", -1, handler);
        const event = this.events.get(jid) as Event;
        event.expires = this.time + interval;
        event.period = period;
        return jid;
      },
      evctl: (jid: number, operation: number): number => {
        const event = this.events.get(jid);
        if (event === undefined) return ENOENT_EVENT;
        assert.ok(operation === STOP || operation === START || operation === SHUTDOWN);
        if (operation === SHUTDOWN) this.events.delete(jid);
        else event.stopped = operation === STOP;
        return 0;
      },
      vmtable_keep: (data: number): number => {
        if (this.handling?.block !== data || this.handling.kept) return EINVAL;
        this.handling.kept = true;
        return 0;
      },
      vmtable_free: (data: number): number => {
        assert.notEqual(this.handling?.block === data && !this.handling.kept, true);
        this.release(data);
        return 0;
      },
      sysinfo: (at: number, length: number): number => {
        const memory = Buffer.from(this.memory.buffer);
        memory.writeBigUInt64LE(1n << 16n, at);
        memory.writeBigUInt64LE(this.time, at + 8);
        memory.writeBigUInt64LE(2n, at + 16);
        return Math.min(length, 24);
      },
      processinfo: (pid: number, at: number, length: number): number => {
        if (pid !== 3) return ESRCH;
        const memory = Buffer.from(this.memory.buffer);
        memory.writeInt32LE(pid, at);
        memory.writeUInt32LE(3, at + 8);
        memory.writeBigUInt64LE(7n, at + 40);
        memory.write("other", at + 128, "latin1");
        return length;
      },
      enter_keepalive: (): number => {
        this.dispatch();
        this.script();
        return -4;
      },
      sigtake: (): number => SIGTERM,
    };
    const counted: Record<string, (...parameters: never[]) => number | bigint | undefined> = {};
    for (const [name, call] of Object.entries(calls)) {
      counted[name] = (...parameters: never[]) => {
        this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
        return (call as (...parameters: never[]) => number)(...parameters);
      };
    }
    return counted;
  }
}
