/** The system calls of the model (mock.ts), as an application imports them. */
import assert from "node:assert/strict";
import { type Event, Socket } from "./mock-socket.ts";
import type { Kernel } from "./mock.ts";

/** What it says of the vmtable zone's size; blocks are never as short here. */
const ZONE_SIZE = 4 << 20;
const EAGAIN = -11;
const ESRCH = -3;
const ENOENT_EVENT = -3;
const EBADF = -9;
const EINVAL = -22;
const EPIPE = -32;
const SIGTERM = 15;
const STOP = 5;
const START = 4;
const SHUTDOWN = 3;

type Calls = Record<string, (...parameters: never[]) => number | bigint | undefined>;

/** All of them, each of which counts itself in `kernel.calls`. */
export function callsOf(kernel: Kernel): Calls {
  const send = (fd: number, at: number, length: number): number => {
    const socket = kernel.sockets.get(fd);
    if (socket === undefined) return EBADF;
    if (socket.end !== undefined && socket.end < 0) return socket.end;
    if (socket.shut) return EPIPE;
    const taken = Math.min(length, socket.room);
    if (taken < length) socket.wasShort = true;
    if (taken === 0 && length > 0) return EAGAIN;
    socket.room -= taken;
    socket.sent.push(kernel.bytes(at, taken));
    return taken;
  };
  const calls = {
    log: (_level: number, at: number, length: number): number =>
      kernel.log.push(kernel.bytes(at, length).toString("utf8")),
    socket: (_domain: number, type: number): number => kernel.install(new Socket(-1, type & 0xf)),
    bind: (fd: number, at: number): number => {
      (kernel.sockets.get(fd) as Socket).port = kernel.bytes(at, 16).readUInt16BE(2);
      return 0;
    },
    listen: (fd: number): number => {
      (kernel.sockets.get(fd) as Socket).listening = true;
      return 0;
    },
    send,
    sendto: (fd: number, at: number, length: number, _flags: number, address: number): number => {
      const socket = kernel.sockets.get(fd) as Socket;
      assert.equal(kernel.bytes(address, 16).readUInt16BE(2), socket.peerPort);
      return send(fd, at, length);
    },
    setsockopt: (fd: number): number => (kernel.sockets.has(fd) ? 0 : EBADF),
    shutdown: (fd: number, how: number): number => {
      assert.equal(how, 1);
      (kernel.sockets.get(fd) as Socket).shut = true;
      return 0;
    },
    close: (fd: number): number => {
      const socket = kernel.sockets.get(fd);
      if (socket === undefined) return EBADF;
      for (const event of socket.events) kernel.events.delete(event.jid);
      socket.closed = true;
      kernel.sockets.delete(fd);
      return 0;
    },
    sockasync_accept: (fd: number, _at: number, _length: number, _flags: number, handler: number): number =>
      kernel.register("accept", fd, handler),
    sockasync_read: (fd: number, _flags: number, handler: number): number =>
      kernel.register("read", fd, handler),
    sockasync_close: (fd: number, _flags: number, handler: number): number =>
      kernel.register("close", fd, handler),
    sockasync_sock: (fd: number, _flags: number, handler: number): number =>
      kernel.register("sock", fd, handler),
    evtimer: (interval: bigint, period: bigint, _flags: number, handler: number): number => {
      const jid = kernel.register("timer", -1, handler);
      const event = kernel.events.get(jid) as Event;
      event.expires = kernel.time + interval;
      event.period = period;
      return jid;
    },
    evctl: (jid: number, operation: number): number => {
      const event = kernel.events.get(jid);
      if (event === undefined) return ENOENT_EVENT;
      assert.ok(operation === STOP || operation === START || operation === SHUTDOWN);
      if (operation === SHUTDOWN) kernel.events.delete(jid);
      else event.stopped = operation === STOP;
      return 0;
    },
    vmtable_keep: (data: number): number => {
      if (kernel.handling?.block !== data || kernel.handling.kept) return EINVAL;
      kernel.handling.kept = true;
      return 0;
    },
    vmtable_free: (data: number): number => {
      assert.notEqual(kernel.handling?.block === data && !kernel.handling.kept, true);
      kernel.release(data);
      return 0;
    },
    sysinfo: (at: number, length: number): number => {
      const memory = Buffer.from(kernel.memory.buffer);
      memory.writeBigUInt64LE(1n << 16n, at);
      memory.writeBigUInt64LE(kernel.time, at + 8);
      memory.writeBigUInt64LE(2n, at + 16);
      return Math.min(length, 24);
    },
    processinfo: (pid: number, at: number, length: number): number => {
      if (pid !== 0 && pid !== 3) return ESRCH;
      const memory = Buffer.from(kernel.memory.buffer);
      memory.writeBigUInt64LE(BigInt(ZONE_SIZE), at + 80);
      if (pid === 0) return length;
      memory.writeInt32LE(pid, at);
      memory.writeUInt32LE(3, at + 8);
      memory.writeBigUInt64LE(7n, at + 40);
      memory.write("other", at + 128, "latin1");
      return length;
    },
    enter_keepalive: (): number => {
      kernel.dispatch();
      kernel.script();
      return -4;
    },
    sigtake: (): number => SIGTERM,
  };
  const counted: Calls = {};
  for (const [name, call] of Object.entries(calls)) {
    counted[name] = (...parameters: never[]) => {
      kernel.calls.set(name, (kernel.calls.get(name) ?? 0) + 1);
      return (call as (...parameters: never[]) => number)(...parameters);
    };
  }
  return counted;
}
