/**
 * The model of spec/aem/sharing-random.spec.ts: each event gets all bytes, or datagrams, from its registration on, in order, once, at its own pace; the socket holds exactly
 * what somebody has still to be given; and in the end nothing is left behind.
 */
import {
  EVENT_READ,
  EventBuffer,
  EventFilter,
  EVJOBBUFFER,
  EVJOBCLEAN,
  EVJOBFILTER,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  EVF_ONESHOT,
  READ_LIMIT,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { eventOfJid } from "../../aem/jids";
import { ahead as aheadOf, isShared } from "../../aem/jobs/shared";
import { sys_vmtable_free, sys_vmtable_keep } from "../../aem/vmtable";
import { EAGAIN, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { VMTABLE_BASE } from "../../kernel/memory/layout";
import { currentProcess } from "../../kernel/process/process";
import { sys_recv } from "../../net/socket/calls-receive";
import { SOCKADDR_SIZE } from "../../net/socket/sockaddr";
import { Socket } from "../../net/socket/socket";
import { chance } from "../chance";
import { onRead, readStatistics, timePasses, user } from "./driver";
import { HANDLER_CODE, nextHandler, settle } from "./machine";
import {
  connection,
  DONTWAIT,
  lengths,
  own,
  queueEnd,
  scratch,
  send,
  sendDatagram,
  sent,
  server,
  socketOf,
  udp,
  wrong,
} from "./sharing";

/** As many as a model has at once. */
const LISTENERS: i32 = 6;

/** A read event as the model knows it. */
class Listener {
  stopped: bool = false;
  draining: bool = false;
  ended: bool = false;
  /** Position behind its last byte, or number of datagrams that it has had. */
  position: u32;
  /** Buffers that it has been given: addresses. */
  buffers: u32[] = [];
  constructor(
    readonly jid: i32,
    position: u32,
    readonly oneshot: bool,
  ) {
    this.position = position;
  }
}

export let listeners: Listener[] = [];
let handling: Listener | null = null;
let kept: u32[] = [];

let head: u32 = 0;

/** Over all seeds. */
export let delivered = 0;
export let ahead = 0;
export let held = 0;

/** A run begins, with sockets that are open. */
export function beginRun(): void {
  head = 0;
  listeners = [];
  handling = null;
  kept = [];
}

/** And ends, before they are closed. */
export function endRun(): void {
  freeKept(u32.MAX_VALUE);
  listeners = [];
  handling = null;
}

export function countAnew(): void {
  delivered = ahead = held = 0;
}

/** Where the next one begins: with what none has had. */
function foremost(): u32 {
  let most = head;
  for (let i = 0; i < listeners.length; i++) if (!listeners[i].ended) most = max(most, listeners[i].position);
  return most;
}

function slowest(): u32 {
  let least = u32.MAX_VALUE;
  for (let i = 0; i < listeners.length; i++)
    if (!listeners[i].ended) least = min(least, listeners[i].position);
  return least == u32.MAX_VALUE ? head : least;
}

function forget(listener: Listener): void {
  head = slowest();
  const index = listeners.indexOf(listener);
  if (index >= 0) listeners.splice(index, 1);
  head = max(head, slowest());
}

function register(): void {
  if (listeners.length >= LISTENERS) return;
  const oneshot = chance(8) == 0;
  const position = foremost();
  const jid = onRead(server, oneshot ? EVF_ONESHOT : 0);
  assert(jid > 0, "register");
  listeners.push(new Listener(jid, position, oneshot));
}

function returned(): void {
  const listener = handling;
  handling = null;
  if (listener === null) return;
  if (sys_evctl(listener.jid, EVJOBLOOKUP, 0) == -ESRCH) forget(listener);
  else assert(!listener.oneshot, "a oneshot event has returned and goes on");
}

export function dispatch(stream: bool): bool {
  const code = <u32>nextHandler();
  returned();
  // Those that drain end, too, without a call, when others have left them nothing.
  for (let i = listeners.length - 1; i >= 0; i--) {
    if (listeners[i].draining && sys_evctl(listeners[i].jid, EVJOBLOOKUP, 0) == -ESRCH) forget(listeners[i]);
  }
  if (code == 0) return false;
  assert(code == HANDLER_CODE + EVENT_READ, "the handler of another type");
  for (let i = 0; i < listeners.length; i++)
    if (listeners[i].jid == <i32>upcallArgument1) handling = listeners[i];
  assert(handling !== null, "delivered to an event that has ended");
  const listener = handling!;
  assert(!listener.stopped && !listener.ended, "delivered to one that is stopped, or has told the end");
  delivered++;
  const length = <i32>upcallArgument4;
  const data = upcallArgument3;
  if (data == 0) {
    assert(stream && length == 0, "an error");
    assert(listener.position == sent, "the end before the data");
    listener.ended = true;
    return true;
  }
  if (stream) {
    assert(length > 0 && <u32>length <= READ_LIMIT, "length");
    assert(listener.position + length <= sent, "more than was sent");
    assert(wrong(data, listener.position, length) == 0, "bytes of a stream");
    listener.position += length;
  } else {
    assert(listener.position < sent, "more datagrams than were sent");
    assert(<u32>length == lengths[listener.position], "length of a datagram");
    assert(wrong(data, 251 * listener.position, length) == 0, "bytes of a datagram");
    listener.position++;
  }
  if (listener.position > slowest()) ahead++;
  const from = stream ? data : data - SOCKADDR_SIZE;
  if (data < <u32>VMTABLE_BASE) assert(listener.buffers.shift() == from, "another buffer");
  else if (chance(6) == 0) {
    assert(sys_vmtable_keep(data) == 0, "keep");
    kept.push(data);
  }
  return true;
}

function control(stream: bool): void {
  if (listeners.length == 0) return;
  const listener = listeners[chance(listeners.length)];
  if (listener.draining || sys_evctl(listener.jid, EVJOBLOOKUP, 0) < 0) return;
  const what = chance(12);
  if (what < 2) {
    sys_evctl(listener.jid, EVJOBSTOP, 0);
    listener.stopped = true;
  } else if (what < 6) {
    sys_evctl(listener.jid, EVJOBSTART, 0);
    listener.stopped = false;
  } else if (what == 6) {
    assert(sys_evctl(listener.jid, EVJOBSHTDN, SHUTDOWN_DROP) == 0, "shut down");
    forget(listener);
  } else if (what == 7) {
    assert(sys_evctl(listener.jid, EVJOBSHTDN, SHUTDOWN_DELIVER) == 0, "shut down");
    listener.stopped = false;
    if (sys_evctl(listener.jid, EVJOBLOOKUP, 0) == -ESRCH) forget(listener);
    else listener.draining = true;
  } else if (what == 8) {
    // Room that this makes may bring more in at once, which is not dropped.
    const all = queueEnd(stream);
    assert(sys_evctl(listener.jid, EVJOBCLEAN, 0) >= 0, "clean");
    listener.position = all;
  } else if (what == 9 && listener.buffers.length < 4) {
    const buffer = changetype<EventBuffer>(<usize>scratch);
    buffer.size = 16;
    buffer.address = own;
    buffer.length = 2048;
    buffer.flags = 0;
    assert(sys_evctl(listener.jid, EVJOBBUFFER, scratch) == 0, "buffer");
    listener.buffers.push(own);
  } else if (what == 10 && stream) {
    const filter = changetype<EventFilter>(<usize>scratch);
    memory.fill(scratch, 0, 20);
    filter.size = 20;
    filter.least = chance(3) == 0 ? 0 : chance(6000);
    assert(sys_evctl(listener.jid, EVJOBFILTER, scratch) == 0, "filter");
  } else readStatistics(listener.jid);
}

/** A recv takes what the slowest has not had yet, from all. */
function receive(stream: bool): void {
  head = slowest();
  const limit = 1 + chance(4000);
  const length = sys_recv(server, user + 4096, limit, DONTWAIT);
  if (length == -EAGAIN) {
    assert(head == queueEnd(stream), "recv found nothing");
    return;
  }
  assert(length > 0, "recv");
  if (stream) assert(wrong(user + 4096, head, length) == 0, "recv");
  else assert(wrong(user + 4096, 251 * head, length) == 0, "recv of a datagram");
  head += stream ? length : 1;
  for (let i = 0; i < listeners.length; i++)
    if (!listeners[i].ended) listeners[i].position = max(listeners[i].position, head);
}

/** The socket holds what somebody has still to be given, not more and not less. */
function checkQueue(stream: bool): void {
  head = slowest();
  const there = stream ? connection().receivedBytes : udp().received.count;
  assert(there == queueEnd(stream) - head, "what the socket holds");
  const socket = changetype<Socket>(socketOf(server));
  for (let i = 0; isShared(socket) && i < listeners.length; i++) {
    const event = eventOfJid(currentProcess(), listeners[i].jid);
    if (event === null || listeners[i].ended) continue;
    assert(head + aheadOf(event, socket) == listeners[i].position, "position of an event");
  }
  if (stream && connection().receivedBytes > 60000) held++;
}

export function freeKept(count: u32): void {
  for (; count > 0 && kept.length > 0; count--) {
    const index = chance(kept.length);
    assert(sys_vmtable_free(kept[index]) == 0, "free");
    kept.splice(index, 1);
  }
}

export function step(stream: bool): void {
  const what = chance(100);
  if (what < 30) {
    // Some are longer than a packet: they come in fragments, and stand in several buffers.
    if (!stream) held += i32(!sendDatagram(1 + chance(chance(8) == 0 ? 3900 : 1400)));
    else send(chance(3) == 0 ? 1 + chance(20000) : 1 + chance(900));
  } else if (what < 80) dispatch(stream);
  else if (what < 85) register();
  else if (what < 93) control(stream);
  else if (what < 94) receive(stream);
  else freeKept(2);
  checkQueue(stream);
}

/** Nothing stops, keeps or holds back any more: each gets what is left. */
export function finish(stream: bool): void {
  returned();
  const filter = changetype<EventFilter>(<usize>scratch);
  for (let i = 0; i < listeners.length; i++) {
    if (listeners[i].draining) continue;
    sys_evctl(listeners[i].jid, EVJOBSTART, 0);
    listeners[i].stopped = false;
    memory.fill(scratch, 0, 20);
    filter.size = 20;
    sys_evctl(listeners[i].jid, EVJOBFILTER, scratch);
  }
  freeKept(u32.MAX_VALUE);
  for (let idle = 0; idle < 3;) {
    idle = dispatch(stream) ? 0 : idle + 1;
    freeKept(1);
    settle();
    checkQueue(stream);
  }
  timePasses(500_000_000);
  settle();
  while (dispatch(stream)) freeKept(1);
}
