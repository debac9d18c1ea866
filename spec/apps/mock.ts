/**
 * The system calls that the applications make, as a model in memory: sockets without a network, events with the semantics of
 * docs/aem-calls.md, a clock that the test moves. A test runs while the application is in enter_keepalive: `run` calls main, and
 * main's enter_keepalive calls the test.
 *
 * Here is what delivers events; mock-calls.ts has the calls, mock-socket.ts the sockets.
 */
import assert from "node:assert/strict";
import { callsOf } from "./mock-calls.ts";
import { Client, type Event, type Handler, Socket, type Type } from "./mock-socket.ts";

const EBADF = -9;
const EINVAL = -22;
const READ_LIMIT = 16384;
const POLLOUT = 4;
const POLLERR = 8;
/** Pages of the model's vmtable zone, which it puts above the application's own memory. */
const ZONE_PAGES = 128;
const BLOCK = 16384 + 16;

export class Kernel {
  readonly log: string[] = [];
  /** Calls made, by name. */
  readonly calls = new Map<string, number>();
  readonly sockets = new Map<number, Socket>();
  readonly events = new Map<number, Event>();
  memory!: WebAssembly.Memory;
  private table!: WebAssembly.Table;
  private lastJid = 0;
  time = 0n;
  script: () => void = () => undefined;
  handling: { block: number; kept: boolean } | undefined;
  private readonly freeBlocks: number[] = [];
  private blocks = 0;

  /** Runs the application's main; `script` is what happens meanwhile. Returns main's result. */
  run(module: WebAssembly.Module, script: () => void): number {
    this.script = script;
    const known = callsOf(this) as Record<string, WebAssembly.ImportValue>;
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
  release(block: number): void {
    Buffer.from(this.memory.buffer).fill(0xdd, block, block + BLOCK);
    this.freeBlocks.push(block);
    this.blocks--;
  }

  install(socket: Socket): number {
    let fd = 0;
    while (this.sockets.has(fd)) fd++;
    socket.fd = fd;
    this.sockets.set(fd, socket);
    return fd;
  }

  register(type: Type, fd: number, index: number): number {
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

  bytes(at: number, length: number): Buffer {
    assert.ok(at >= 0 && length >= 0 && at + length <= this.memory.buffer.byteLength, "outside the memory");
    return Buffer.from(Buffer.from(this.memory.buffer, at, length));
  }
}
