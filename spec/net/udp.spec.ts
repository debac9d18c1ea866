/** UDP sockets: who gets what, bounds, errors. */
import { setLogLevel } from "../../kernel/console";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, WAKE_GONE, Waiter } from "../../kernel/scheduler/wait";
import { growMemory } from "../arena";
import {
  allocateBuffer,
  BUFFER_HEADROOM,
  bufferPool,
  CHECKSUM_VALID,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import { checksumAdd, checksumFold } from "../../net/checksum";
import { networkCounters } from "../../net/counters";
import { setAddress } from "../../net/interface";
import { SHUT_RD, SHUT_WR, Socket } from "../../net/socket/socket";
import { udpCreate, udpDrops, udpSend } from "../../net/socket/udp";
import { UDP_QUEUE_BYTES, UDP_QUEUE_COUNT, udpQueued } from "../../net/socket/udp-calls";
import { EPHEMERAL_FIRST, udpPool } from "../../net/socket/udp-socket";
import { ARP_REPLY } from "../../net/wire/arp";
import { IcmpHeader } from "../../net/wire/icmp";
import { UdpHeader } from "../../net/wire/udp";
import * as frames from "./frames";
import { deliver, FRAME, TRANSPORT } from "./frames";
import * as link from "./link";
import { GATEWAY, NETMASK, OWN, PEER, PEER4 } from "./link";
import { endpoint, packed, pseudoHeaderSum } from "./addresses";

-11;

const LOOPBACK: u32 = 0x7f00_0001;
const AGAIN: i32 = -11;

const last = new StaticArray<u8>(4096);
const LAST: usize = changetype<usize>(last);
let lastLength: u32 = 0;

function record(frame: usize, length: u32): void {
  memory.copy(LAST, frame, length);
  lastLength = length;
}

let waiter: Waiter = changetype<Waiter>(0);
let woken: u32 = 0;
let wakes: u32 = 0;

function onWake(waiter: Waiter, events: u32, detail: u32): void {
  woken |= events;
  wakes++;
  if ((events & WAKE_GONE) != 0) waiter.remove();
}

function boot(): void {
  link.bootStack(1000, 7);
  setLogLevel(0);
  link.setHook(record.index);
  if (changetype<usize>(waiter) == 0) waiter = changetype<Waiter>(growMemory(offsetof<Waiter>(), 8));
  woken = wakes = 0;
}

function create(): Socket {
  return changetype<Socket>(changetype<usize>(udpCreate()));
}

function bound(address: u32, port: u32): Socket {
  const socket = create();
  assert(bind(socket, address, port) == 0, "bind");
  return socket;
}

function bind(s: Socket, address: u32, port: u32): i32 {
  return call_indirect<i32>(s.protocol.bind, s, endpoint(address, port));
}
function reuse(s: Socket): void {
  s.flags |= REUSE;
  call_indirect<void>(s.protocol.shared, s);
}
function connect(s: Socket, address: u32, port: u32): i32 {
  return call_indirect<i32>(s.protocol.connect, s, endpoint(address, port));
}
function poll(s: Socket): u32 {
  return call_indirect<u32>(s.protocol.poll, s);
}
function peek(s: Socket): usize {
  const head = s.received.head;
  return head === null ? 0 : head.data;
}
function peekLength(s: Socket): i32 {
  const head = s.received.head;
  return head !== null ? <i32>head.wholeLength : call_indirect<i32>(s.protocol.end, s);
}
function peekSource(s: Socket): u64 {
  return packed(s.received.head!.source);
}
function consume(s: Socket): void {
  call_indirect<void>(s.protocol.consume, s, <u32>0);
}
function shutdown(s: Socket, how: i32): i32 {
  return call_indirect<i32>(s.protocol.shutdown, s, how);
}
function close(s: Socket): void {
  call_indirect<void>(s.protocol.close, s);
}
function listen(s: Socket): void {
  waiter.prepare(onWake.index, POLLIN | POLLERR | POLLRDHUP);
  s.append(waiter);
}

function sendTo(s: Socket, address: u32, port: u32, payload: u32): i32 {
  const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
  buffer.length = payload;
  for (let i: u32 = 0; i < payload; i++) store<u8>(buffer.data + i, <u8>(i + 1));
  const result = udpSend(s, endpoint(address, port), buffer);
  releaseBuffer(buffer);
  return result;
}

function resolvePeer(): void {
  const socket = create();
  sendTo(socket, PEER, 9, 1);
  frames.arp(ARP_REPLY, PEER, PEER4, OWN);
  deliver();
  close(socket);
}

/** Which of the sockets has a datagram: bit i for the i-th. They are taken out. */
function takers(list: Socket[]): u32 {
  let mask: u32 = 0;
  for (let i = 0; i < list.length; i++) {
    if (peek(list[i]) == 0) continue;
    mask |= 1 << i;
    consume(list[i]);
  }
  return mask;
}

function datagram(source: u32, sourcePort: u32, destination: u32, port: u32, payload: u32): void {
  frames.udp(source, sourcePort, destination, port, payload);
  deliver();
}

/** SO_REUSEADDR and SO_BROADCAST; see net/socket/socket.ts. */
const REUSE: u32 = 128;
const MAY_BROADCAST: u32 = 256;

describe("udp", () => {
  beforeEach(boot);

  it("hands a datagram to the socket of its port, with its source", () => {
    const socket = bound(0, 7);
    listen(socket);
    expect<usize>(peek(socket)).toBe(0);
    expect<i32>(peekLength(socket)).toBe(AGAIN);
    expect<u32>(poll(socket)).toBe(POLLOUT);
    datagram(PEER, 4321, OWN, 7, 100);
    expect<u32>(woken).toBe(POLLIN);
    expect<u32>(poll(socket)).toBe(POLLIN | POLLOUT);
    expect<i32>(peekLength(socket)).toBe(100);
    expect<u64>(peekSource(socket)).toBe(((<u64>PEER) << 16) | 4321);
    expect<i32>(memory.compare(peek(socket), TRANSPORT + 8, 100)).toBe(0);
    consume(socket);
    expect<usize>(peek(socket)).toBe(0);
    // Empty ones count too; the order is kept.
    datagram(PEER, 1, OWN, 7, 0);
    datagram(PEER, 2, OWN, 7, 3);
    expect<bool>(peek(socket) != 0).toBe(true);
    expect<i32>(peekLength(socket)).toBe(0);
    consume(socket);
    expect<u64>(peekSource(socket) & 0xffff).toBe(2);
    close(socket);
    expect<u32>(woken & WAKE_GONE).toBe(WAKE_GONE);
    expect<u32>(bufferPool().inUse).toBe(0);
    expect<u32>(udpPool().inUse).toBe(0);
    expect<u32>(udpQueued()).toBe(0);
  });

  it("chooses by address, connection and port", () => {
    const any = bound(0, 1000);
    const own = bound(OWN, 2000);
    const loop = bound(LOOPBACK, 2000);
    const connected = bound(0, 3000);
    expect<i32>(connect(connected, PEER, 53)).toBe(0);
    const list: Socket[] = [any, own, loop, connected];
    datagram(PEER, 1, OWN, 1000, 4);
    expect<u32>(takers(list)).toBe(1);
    datagram(PEER, 1, 0xffff_ffff, 1000, 4);
    expect<u32>(takers(list)).toBe(1, "broadcasts go to sockets bound to any address");
    datagram(PEER, 1, 0xffff_ffff, 2000, 4);
    expect<u32>(takers(list)).toBe(0);
    datagram(PEER, 1, OWN, 2000, 4);
    expect<u32>(takers(list)).toBe(2);
    const sender = create();
    expect<i32>(sendTo(sender, LOOPBACK, 2000, 5)).toBe(0);
    link.run(0);
    expect<u32>(takers(list)).toBe(4);
    expect<i32>(sendTo(sender, OWN, 2000, 5)).toBe(0);
    link.run(0);
    expect<u32>(takers(list)).toBe(2);
    datagram(PEER, 53, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(8);
    datagram(PEER, 54, OWN, 3000, 4);
    datagram(PEER + 1, 53, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(0);
    datagram(PEER, 1, OWN, 4000, 4);
    expect<u64>(networkCounters().udpNoPort).toBe(4);
  });

  it("of sockets that share a name, one with that peer goes first, then the latest without any", () => {
    const list: Socket[] = [];
    for (let i: u32 = 0; i < 6; i++) {
      const socket = create();
      reuse(socket);
      expect<i32>(bind(socket, i == 0 ? 0 : OWN, 3000)).toBe(0);
      list.push(socket);
    }
    expect<i32>(connect(list[2], PEER, 53)).toBe(0);
    expect<i32>(connect(list[4], PEER, 54)).toBe(0);
    datagram(PEER, 53, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(1 << 2);
    datagram(PEER, 54, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(1 << 4);
    datagram(PEER, 55, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(1 << 5);
    // Another peer; and none.
    expect<i32>(connect(list[4], PEER, 55)).toBe(0);
    datagram(PEER, 54, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(1 << 5);
    datagram(PEER, 55, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(1 << 4);
    expect<i32>(connect(list[4], 0, 0)).toBe(0);
    datagram(PEER, 55, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(1 << 4, "the latest now");
    for (let i = 5; i > 0; i--) close(list[i]);
    datagram(PEER, 53, OWN, 3000, 4);
    expect<u32>(takers([list[0]])).toBe(1, "bound to every address");
    close(list[0]);
    datagram(PEER, 53, OWN, 3000, 4);
    expect<u64>(networkCounters().udpNoPort).toBe(1);
  });

  it("binds as it should", () => {
    const a = bound(0, 1000);
    const b = create();
    expect<i32>(bind(b, OWN, 1000)).toBe(-98);
    expect<i32>(bind(b, 0, 1000)).toBe(-98);
    expect<i32>(bind(b, PEER, 1001)).toBe(-99);
    expect<i32>(bind(b, 0xe000_0001, 1001)).toBe(-99);
    expect<i32>(bind(b, OWN, 1001)).toBe(0);
    expect<i32>(bind(b, OWN, 1002)).toBe(-22);
    const c = create();
    expect<i32>(bind(c, 0, 1001)).toBe(-98);
    expect<i32>(bind(c, LOOPBACK, 1001)).toBe(0);
    close(a);
    const d = create();
    expect<i32>(bind(d, 0, 1000)).toBe(0);
    expect<u32>(d.type).toBe(2);
  });

  it("gives out ephemeral ports at random, each once", () => {
    let wrong = 0;
    let ascending = 0;
    const seen = new Set<u32>();
    let before: u32 = 0;
    for (let i = 0; i < 60; i++) {
      const socket = bound(0, 0);
      const port = socket.flow.local.port;
      if (port < EPHEMERAL_FIRST || seen.has(port)) wrong++;
      if (port == before + 1) ascending++;
      before = port;
      seen.add(port);
    }
    expect<i32>(wrong).toBe(0);
    expect<i32>(ascending).toBeLessThan(5);
  });

  it("has a limit on sockets", () => {
    const list: Socket[] = [];
    for (let i = 0; i < 64; i++) list.push(create());
    expect<bool>(udpCreate() === null).toBe(true);
    for (let i = 0; i < 64; i++) close(list[i]);
    expect<u32>(udpPool().inUse).toBe(0);
    expect<bool>(udpCreate() !== null).toBe(true);
  });

  it("bounds the queue by count, by bytes, and all queues together", () => {
    const socket = bound(0, 7);
    for (let i: u32 = 0; i < UDP_QUEUE_COUNT + 10; i++) datagram(PEER, 1, OWN, 7, 4);
    expect<u64>(udpDrops(socket)).toBe(10);
    expect<u64>(networkCounters().udpQueueFull).toBe(10);
    const other = bound(0, 8);
    for (let i: u32 = 0; i < 100; i++) datagram(PEER, 1, OWN, 8, 4);
    expect<u32>(udpQueued()).toBe(200);
    expect<u32>(bufferPool().inUse).toBe(200);
    close(socket);
    close(other);
    const large = bound(0, 9);
    for (let i: u32 = 0; i < 120; i++) datagram(PEER, 1, OWN, 9, 1400);
    expect<u32>(udpQueued()).toBe(UDP_QUEUE_BYTES / 1400);
    consume(large);
    datagram(PEER, 1, OWN, 9, 1400);
    expect<u32>(udpQueued()).toBe(UDP_QUEUE_BYTES / 1400);
    close(large);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("drops what is malformed or damaged, takes what has no checksum", () => {
    const counters = networkCounters();
    const socket = bound(0, 7);
    for (let length: u32 = 0; length < 80; length++) {
      frames.udp(PEER, 1, OWN, 7, 40).length = length;
      frames.udpChecksum(PEER, OWN, length < 8 ? 8 : length > 48 ? 48 : length);
      deliver();
    }
    // 8 .. 48 fit in the packet.
    expect<u64>(counters.udpMalformed).toBe(80 - 41);
    for (let length: u32 = 0; length < 8; length++) {
      frames.ipv4(PEER, OWN, 17, length);
      deliver();
    }
    frames.udp(PEER, 1, OWN, 0, 40);
    deliver();
    expect<u64>(counters.udpMalformed).toBe(48);
    while (peek(socket) != 0) consume(socket);
    let taken = 0;
    for (let bit: u32 = 0; bit < 48 * 8; bit++) {
      frames.udp(PEER, 1, OWN, 7, 40);
      const place = TRANSPORT + (bit >> 3);
      store<u8>(place, load<u8>(place) ^ (<u8>((<u32>1) << (bit & 7))));
      deliver();
      if (peek(socket) != 0) {
        taken++;
        consume(socket);
      }
    }
    expect<i32>(taken).toBe(0);
    expect<u64>(counters.udpBadChecksum).toBeGreaterThan(340);
    frames.udp(PEER, 1, OWN, 7, 40).checksum = 0;
    deliver();
    expect<bool>(peek(socket) != 0).toBe(true);
    consume(socket);
    // The device has checked it: not checked again.
    frames.udp(PEER, 1, OWN, 7, 40).checksum = 0x1234;
    link.receiveNow(FRAME, frames.frameLength, CHECKSUM_VALID);
    expect<bool>(peek(socket) != 0).toBe(true);
    close(socket);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("trims to its own length", () => {
    const socket = bound(0, 7);
    frames.udp(PEER, 1, OWN, 7, 40).length = 20;
    frames.udpChecksum(PEER, OWN, 20);
    deliver();
    expect<i32>(peekLength(socket)).toBe(12);
  });

  it("sends right datagrams", () => {
    resolvePeer();
    const socket = bound(0, 7);
    let wrong = 0;
    for (let payload: u32 = 0; payload <= 1472; payload += 7) {
      if (sendTo(socket, PEER, 99, payload) != 0) wrong++;
      const header = changetype<UdpHeader>(LAST + 34);
      if (header.sourcePort != 7 || header.destinationPort != 99 || header.length != 8 + payload) wrong++;
      const sum = pseudoHeaderSum(OWN, PEER, 17, 8 + payload);
      if (checksumFold(checksumAdd(LAST + 34, 8 + payload, sum)) != 0xffff) wrong++;
      if (payload != 0 && load<u8>(LAST + 42) != 1) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    expect<i32>(sendTo(socket, PEER, 0, 1)).toBe(-22);
    expect<i32>(sendTo(socket, 0, 0, 1)).toBe(-89);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("says when it cannot be sent", () => {
    const socket = bound(OWN, 7);
    const other = create();
    setAddress(OWN, NETMASK, 0);
    expect<i32>(sendTo(other, 0x0808_0808, 53, 1)).toBe(-101);
    expect<i32>(connect(other, 0x0808_0808, 53)).toBe(-101);
    link.linkDevice().linkUp = 0;
    expect<i32>(sendTo(other, PEER, 53, 1)).toBe(-100);
    link.linkDevice().linkUp = 1;
    setAddress(OWN + 5, NETMASK, GATEWAY);
    expect<i32>(sendTo(socket, PEER, 53, 1)).toBe(-99);
  });

  it("connects, sends to the peer, connects elsewhere, and lets go", () => {
    resolvePeer();
    const socket = create();
    expect<i32>(connect(socket, PEER, 53)).toBe(0);
    expect<u32>(socket.flow.local.ipv4).toBe(OWN);
    expect<bool>(socket.flow.local.port >= EPHEMERAL_FIRST).toBe(true);
    expect<i32>(sendTo(socket, 0, 0, 3)).toBe(0);
    expect<u32>(changetype<UdpHeader>(LAST + 34).destinationPort).toBe(53);
    expect<i32>(connect(socket, LOOPBACK, 54)).toBe(0);
    expect<u32>(socket.flow.local.ipv4).toBe(LOOPBACK);
    expect<i32>(connect(socket, 0, 0)).toBe(0);
    expect<u32>(socket.flow.local.ipv4).toBe(0);
    expect<i32>(sendTo(socket, 0, 0, 3)).toBe(-89);
    expect<i32>(connect(socket, PEER, 0)).toBe(-22);
  });

  it("hears of errors about its datagrams, once, when it is connected", () => {
    resolvePeer();
    const socket = create();
    connect(socket, PEER, 53);
    listen(socket);
    const codes: u32[] = [3, 111, 2, 92, 1, 113, 0, 101, 4, 90];
    for (let i = 0; i < codes.length; i += 2) {
      sendTo(socket, 0, 0, 3);
      // The peer quotes what it got.
      const quoted = lastLength - 14;
      memory.copy(TRANSPORT + 8, LAST + 14, quoted);
      frames.ipv4(PEER, OWN, 1, 8 + quoted);
      const icmp = changetype<IcmpHeader>(TRANSPORT);
      icmp.type = 3;
      icmp.code = codes[i];
      icmp.rest = 0;
      icmp.checksum = 0;
      icmp.checksum = ~checksumFold(checksumAdd(TRANSPORT, 8 + quoted, 0));
      woken = 0;
      deliver();
      expect<u32>(woken & POLLERR).toBe(POLLERR);
      expect<u32>(poll(socket) & POLLERR).toBe(POLLERR);
      expect<i32>(peekLength(socket)).toBe(-(<i32>codes[i + 1]));
      expect<i32>(peekLength(socket)).toBe(AGAIN);
    }
    // From loopback: nobody is there.
    const other = create();
    connect(other, LOOPBACK, 99);
    expect<i32>(sendTo(other, 0, 0, 3)).toBe(0);
    link.run(0);
    expect<i32>(sendTo(other, 0, 0, 3)).toBe(-111);
    expect<i32>(sendTo(other, 0, 0, 3)).toBe(0);
    // Who is not connected cannot know which datagram it is about.
    const unconnected = create();
    expect<i32>(sendTo(unconnected, LOOPBACK, 99, 3)).toBe(0);
    link.run(0);
    expect<u32>(poll(unconnected)).toBe(POLLOUT);
    close(unconnected);
    // ARP gets no answer.
    const third = create();
    connect(third, PEER + 1, 99);
    sendTo(third, 0, 0, 3);
    link.run(5_000_000_000);
    expect<i32>(peekLength(third)).toBe(-113);
    close(socket);
    close(other);
    close(third);
    link.run(0);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("shuts down each direction", () => {
    const socket = create();
    expect<i32>(shutdown(socket, SHUT_RD)).toBe(-107);
    connect(socket, PEER, 53);
    datagram(PEER, 53, OWN, socket.flow.local.port, 10);
    expect<i32>(shutdown(socket, 5)).toBe(-22);
    expect<i32>(shutdown(socket, SHUT_RD)).toBe(0);
    expect<usize>(peek(socket)).toBe(0);
    expect<i32>(peekLength(socket)).toBe(0);
    expect<u32>(poll(socket)).toBe(POLLIN | POLLRDHUP | POLLOUT);
    datagram(PEER, 53, OWN, socket.flow.local.port, 10);
    expect<u32>(bufferPool().inUse).toBe(0);
    expect<i32>(shutdown(socket, SHUT_WR)).toBe(0);
    expect<i32>(sendTo(socket, 0, 0, 1)).toBe(-32);
    expect<u32>(poll(socket) & POLLHUP).toBe(POLLHUP);
  });

  it("talks to itself through the mirror over a bad link", () => {
    link.setHook(link.mirrorHook.index);
    link.setImpairments(50, 50, 200, 50, 1_000_000, 500_000);
    link.setHolding(true);
    const server = bound(0, 7);
    const socket = create();
    connect(socket, PEER, 7);
    let got = 0;
    let wrong = 0;
    for (let i = 0; i < 500; i++) {
      sendTo(socket, 0, 0, 100);
      link.run(2_000_000);
      while (peek(server) != 0) {
        got++;
        if (peekLength(server) != 100 || load<u8>(peek(server) + 99) != 100) wrong++;
        consume(server);
      }
    }
    expect<i32>(wrong).toBe(0);
    expect<i32>(got).toBeGreaterThan(400);
    expect<u32>(link.lost).toBeGreaterThan(5);
    expect<u32>(link.duplicated).toBeGreaterThan(5);
    expect<u32>(link.corrupted).toBeGreaterThan(5);
    expect<u32>(link.overwritten).toBe(0);
    link.run(10_000_000_000);
    close(server);
    close(socket);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("sends to all hosts only with SO_BROADCAST", () => {
    const s = bound(0, 4711);
    expect<i32>(sendTo(s, 0xffffffff, 9, 1)).toBe(-13);
    expect<i32>(sendTo(s, OWN | 0xff, 9, 1)).toBe(-13);
    s.flags |= MAY_BROADCAST;
    const before = networkCounters().ipSent;
    expect<i32>(sendTo(s, 0xffffffff, 9, 1)).toBe(0);
    expect<u64>(networkCounters().ipSent - before).toBe(1);
    close(s);
  });

  it("shares a port when both sockets allow it", () => {
    const a = bound(0, 4712);
    const b = create();
    expect<i32>(bind(b, OWN, 4712)).toBe(-98);
    reuse(b);
    expect<i32>(bind(b, OWN, 4712)).toBe(-98, "the other one does not want it");
    reuse(a);
    expect<i32>(bind(b, OWN, 4712)).toBe(0);
    close(a);
    close(b);
  });
});
