/** The model of spec/aem/random.spec.ts: the sockets that are open, what it knows of each event, and which handler runs. */
import { EVF_ONESHOT, EVJOBLOOKUP } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_close } from "../../net/socket/calls";
import { seedChance } from "../chance";
import { FakeSocket, recycle } from "./machine";

export const SOCKETS: i32 = 24;

/** An open socket of the process. */
export class Opened {
  /** Datagrams that came, in order of `serial`; what sk events must see. */
  state: u32 = 7;
  constructor(
    public socket: FakeSocket,
    public fd: i32,
  ) {}
}

/** What the model knows of an event. */
export class Known {
  oneshot: bool = false;
  stopped: bool = false;
  /** Shut down with delivery: calls that may still come. */
  draining: bool = false;
  ended: i32 = 0;
  /** Transitions that its handler has not seen: old << 4 | new. */
  states: u32[] = [];
  constructor(
    public jid: i32,
    public type: u32,
    public opened: Opened | null,
  ) {}
}

export let sockets: Opened[] = [];
export let known = new Map<i32, Known>();
export let jids: i32[] = [];

/** Jids that have ended. */
export let past: i32[] = [];
let handling: Known | null = null;
export let kept: u32[] = [];

/** The application keeps every n-th block. */
export let keepEvery: u32 = 3;

export function remember(jid: i32, type: u32, opened: Opened | null, flags: u32): void {
  assert(jid > 0, "registration failed");
  assert(!known.has(jid), "a jid was given out twice");
  const event = new Known(jid, type, opened);
  event.oneshot = (flags & EVF_ONESHOT) != 0;
  known.set(jid, event);
  jids.push(jid);
}

export function forget(event: Known): void {
  known.delete(event.jid);
  jids.splice(jids.indexOf(event.jid), 1);
  past.push(event.jid);
  if (past.length > 100) past.shift();
  if (handling === event) handling = null;
}

export function beginRound(seed: u32): void {
  seedChance(seed);
  keepEvery = 1 + (seed & 3);
}

/** The event's handler runs from now on. */
export function handlerBegins(event: Known): void {
  handling = event;
}

/** The handler that ran has returned: its event, unless that has ended meanwhile. */
export function handlerEnds(): Known | null {
  const event = handling;
  handling = null;
  return event;
}

export function stateOf(event: Known): i32 {
  return sys_evctl(event.jid, EVJOBLOOKUP, 0);
}

export function closeSocket(index: i32): void {
  const opened = sockets[index];
  sockets.splice(index, 1);
  for (let i = jids.length - 1; i >= 0; i--) {
    const event = known.get(jids[i]);
    if (event.opened === opened) forget(event);
  }
  assert(sys_close(opened.fd) == 0, "close");
  recycle(opened.socket);
}
