/** Sockets of UDP over the link of link.ts, for specs: what arrives, what is sent, and what a waiter hears. */
import { setLogLevel } from "../../kernel/console";
import { POLLERR, POLLIN, POLLRDHUP, WAKE_GONE, Waiter } from "../../kernel/scheduler/wait";
import { allocateBuffer, BUFFER_HEADROOM, PacketBuffer, releaseBuffer } from "../../net/buffer";
import { Socket, SOCKET_REUSE } from "../../net/socket/socket";
import { udpCreate, udpSend } from "../../net/socket/udp";
import { ARP_REPLY } from "../../net/wire/arp";
import { growMemory } from "../arena";
import { endpoint } from "./addresses";
import * as frames from "./frames";
import { deliver } from "./frames";
import * as link from "./link";
import { OWN, PEER, PEER4 } from "./link";
import { bind, close } from "./socket-operations";

export const LOOPBACK: u32 = 0x7f00_0001;

/** The frame that was sent last. */
const last = new StaticArray<u8>(4096);
export const LAST: usize = changetype<usize>(last);
export let lastLength: u32 = 0;

function record(frame: usize, length: u32): void {
  memory.copy(LAST, frame, length);
  lastLength = length;
}

let waiter: Waiter = changetype<Waiter>(0);
/** What the waiter of `watch` has heard: POLL* and WAKE_*. */
export let woken: u32 = 0;

function onWake(waiter: Waiter, events: u32, detail: u32): void {
  woken |= events;
  if ((events & WAKE_GONE) != 0) waiter.remove();
}

/** Before each test: a new stack, whose peer's link address is not known. */
export function bootUdp(): void {
  link.bootStack(1000, 7);
  setLogLevel(0);
  link.setHook(record.index);
  if (changetype<usize>(waiter) == 0) waiter = changetype<Waiter>(growMemory(offsetof<Waiter>(), 8));
  forgetWoken();
}

/** `woken` begins anew with the socket: one can be watched. */
export function watch(s: Socket): void {
  waiter.prepare(onWake.index, POLLIN | POLLERR | POLLRDHUP);
  s.append(waiter);
}

export function forgetWoken(): void {
  woken = 0;
}

export function create(): Socket {
  return changetype<Socket>(changetype<usize>(udpCreate()));
}

export function bound(address: u32, port: u32): Socket {
  const socket = create();
  assert(bind(socket, address, port) == 0, "bind");
  return socket;
}

/** SO_REUSEADDR. */
export function reuse(s: Socket): void {
  s.flags |= SOCKET_REUSE;
  call_indirect<void>(s.protocol.shared, s);
}

/** Sends `payload` bytes, 1, 2, …; 0 or a negative errno. */
export function sendTo(s: Socket, address: u32, port: u32, payload: u32): i32 {
  const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
  buffer.length = payload;
  for (let i: u32 = 0; i < payload; i++) store<u8>(buffer.data + i, <u8>(i + 1));
  const result = udpSend(s, endpoint(address, port), buffer);
  releaseBuffer(buffer);
  return result;
}

/** PEER's link address is known from now on. */
export function resolvePeer(): void {
  const socket = create();
  sendTo(socket, PEER, 9, 1);
  frames.arp(ARP_REPLY, PEER, PEER4, OWN);
  deliver();
  close(socket);
}

/** A datagram arrives. */
export function datagram(source: u32, sourcePort: u32, destination: u32, port: u32, payload: u32): void {
  frames.udp(source, sourcePort, destination, port, payload);
  deliver();
}
