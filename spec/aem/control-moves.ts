/** What can happen in a random run of evctl (control-random.spec.ts), but for handlers. */
import {
  BUFFER_STRUCT_SIZE,
  BUFFER_WAIT,
  BUFFERS_PER_EVENT,
  EVENT_ACCEPT,
  EVENT_READ,
  EVENT_SK,
  EVENT_SOCK,
  EVENT_TIMER,
  EventBuffer,
  EventFilter,
  EVJOBALLOCATOR,
  EVJOBBUFFER,
  EVJOBCLEAN,
  EVJOBFILTER,
  EVJOBHANDLER,
  EVJOBHISTOGRAM,
  EVJOBRETRY,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  EVJOBTIMEOUT,
  FILTER_SIZE,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_sockasync_accept } from "../../aem/sockasync";
import { POLLIN, POLLOUT } from "../../kernel/scheduler/wait";
import { now } from "../../kernel/time/clock";
import { sys_close } from "../../net/socket/calls";
import { chance } from "../chance";
import { hasEnded } from "./control-dispatch";
import { anyOf, nextPiece, PIECE, Slot, slots, SPREAD } from "./control-model";
import { onRead, onSock, onState, onTimer, transition, user } from "./driver";
import {
  ALLOCATOR,
  establish,
  finish,
  handlerOf,
  newDatagram,
  newListener,
  newStream,
  NO_END,
  open,
  otherHandlerOf,
  receive,
  receiveDatagram,
  recycle,
} from "./machine";

const SLOTS: i32 = 12;

export function register(): void {
  if (slots.length >= SLOTS) return;
  const kind = chance(6);
  if (kind == 5) {
    const jid = onTimer(<u64>chance(2_000_000), 1 + <u64>chance(900_000));
    slots.push(new Slot(EVENT_TIMER, null, -1, jid));
    return;
  }
  const socket = kind == 0 ? newListener() : kind == 1 ? newDatagram() : newStream();
  socket.spread = SPREAD;
  if (chance(3) == 0) socket.buffer = 300 + chance(2000);
  const fd = open(socket);
  let jid: i32;
  let type: u32;
  if (kind == 0) {
    type = EVENT_ACCEPT;
    jid = sys_sockasync_accept(fd, 0, 0, 0, handlerOf(EVENT_ACCEPT));
  } else if (kind <= 2) {
    type = EVENT_READ;
    jid = onRead(fd);
  } else if (kind == 3) {
    type = EVENT_SK;
    jid = onState(fd);
  } else {
    type = EVENT_SOCK;
    jid = onSock(fd);
  }
  assert(jid > 0, "registration");
  slots.push(new Slot(type, socket, fd, jid));
}

export function end(index: i32): void {
  const slot = slots[index];
  slots.splice(index, 1);
  hasEnded(slot);
  if (slot.socket === null || chance(2) == 0)
    assert(sys_evctl(slot.jid, EVJOBSHTDN, SHUTDOWN_DROP) == 0, "end");
  if (slot.socket !== null) {
    assert(sys_close(slot.fd) == 0, "close");
    recycle(slot.socket!);
  }
}

export function occur(): void {
  const slot = anyOf();
  if (slot === null || slot.socket === null) return;
  const socket = slot.socket!;
  if (slot.type == EVENT_ACCEPT) {
    for (let i = chance(4); i > 0; i--) if (socket.waiting < 50) establish(socket);
  } else if (slot.type == EVENT_SK) {
    const state = 1 + ((slot.state + 1 + chance(9)) % 11);
    if (state == slot.state || slot.states.length >= 15) return;
    const alone = slot.states.length == 0;
    if (alone && !slot.wants(state)) slot.filtered++;
    else slot.states.push((slot.state << 4) | state);
    transition(socket, slot.state, state);
    slot.state = state;
  } else if (slot.type == EVENT_SOCK) {
    const bits = chance(2) == 0 ? POLLIN : POLLOUT;
    socket.bits = chance(4) == 0 ? 0 : POLLIN | POLLOUT;
    if (slot.mask != 0 && (slot.mask & bits) == 0) slot.filtered++;
    socket.wake(bits, 0);
  } else if (slot.datagram) {
    for (let i = chance(45); i > 0; i--) if (socket.waiting < 60) receiveDatagram(socket, chance(1473));
  } else if (socket.end == NO_END) {
    const there = socket.came - socket.went;
    if (chance(60) == 0) finish(socket);
    else if (there < socket.buffer)
      receive(socket, 1 + chance(min(socket.buffer - there, chance(5) == 0 ? 20000 : 600)));
  }
}

function filter(slot: Slot): void {
  const f = changetype<EventFilter>(<usize>user);
  memory.fill(user, 0, FILTER_SIZE);
  f.size = FILTER_SIZE;
  let network: u32 = 0;
  if (slot.type == EVENT_ACCEPT || slot.datagram) {
    // Addresses go round by 2^20: one of 16, or one half of them.
    f.prefix = 96 + (chance(2) == 0 ? 12 : 9);
    network = 0x0a000000 + chance(16) * SPREAD;
    store<u64>(f.address, bswap<u64>(0xffff_0000_0000 | network), 8);
  } else if (slot.stream) f.least = chance(1500);
  else if (slot.type == EVENT_SK) f.mask = (chance(0x800) << 1) & 0xffe;
  else if (slot.type == EVENT_SOCK) f.mask = chance(2) == 0 ? POLLIN : POLLOUT;
  else return;
  if (chance(4) == 0) {
    assert(sys_evctl(slot.jid, EVJOBFILTER, 0) == 0, "no filter");
    slot.mask = slot.network = slot.networkMask = slot.least = 0;
    return;
  }
  assert(sys_evctl(slot.jid, EVJOBFILTER, user) == 0, "filter");
  slot.mask = f.mask;
  slot.networkMask = f.prefix == 0 ? 0 : u32.MAX_VALUE << (128 - f.prefix);
  slot.network = network & slot.networkMask;
  slot.least = f.least;
}

function clean(slot: Slot): void {
  const dropped = sys_evctl(slot.jid, EVJOBCLEAN, 0);
  assert(dropped >= 0, "clean");
  if (slot.type == EVENT_SK) assert(dropped >= slot.states.length, "transitions that were dropped");
  slot.states = [];
  if (slot.socket !== null) {
    const socket = slot.socket!;
    if (slot.datagram || slot.type == EVENT_ACCEPT) {
      assert(<u32>dropped >= socket.serial - slot.serial && socket.waiting == 0, "dropped");
      slot.serial = socket.serial;
    } else if (slot.stream) {
      assert(socket.went == socket.came, "data that are left");
      assert(dropped != 0 || slot.taken == socket.went, "dropped and not counted");
      slot.taken = socket.went;
    }
  }
  slot.cleaned += dropped;
}

function giveBuffer(slot: Slot): void {
  if (slot.type != EVENT_READ) return;
  const b = changetype<EventBuffer>(<usize>user);
  b.size = BUFFER_STRUCT_SIZE;
  const none = chance(6) == 0;
  b.length = none ? 0 : 1 + chance(chance(3) == 0 ? PIECE : 600);
  b.address = none ? 0 : nextPiece();
  b.flags = chance(4) == 0 ? BUFFER_WAIT : 0;
  const flags = b.flags;
  const address = b.address;
  const length = b.length;
  const result = sys_evctl(slot.jid, EVJOBBUFFER, user);
  if (slot.addresses.length >= <i32>BUFFERS_PER_EVENT && !none) {
    assert(result < 0, "more buffers than there may be");
    return;
  }
  assert(result == 0, "buffer");
  slot.buffersOnly = flags != 0;
  if (none) return;
  slot.addresses.push(address);
  slot.lengths.push(length);
}

export function control(): void {
  const slot = anyOf();
  if (slot === null) return;
  const jid = slot.jid;
  switch (chance(12)) {
    case 0:
      assert(sys_evctl(jid, EVJOBSTOP, 0) == 0, "stop");
      slot.stopped = true;
      break;
    case 1:
    case 2:
      assert(sys_evctl(jid, EVJOBSTART, 0) == 0, "start");
      slot.stopped = false;
      break;
    case 3:
    case 4:
      filter(slot);
      break;
    case 5:
      if (slot.type == EVENT_TIMER) break;
      slot.timeout = chance(4) == 0 ? 0 : 1 + <u64>chance(3_000_000);
      slot.since = now();
      store<u64>(user, slot.timeout);
      assert(sys_evctl(jid, EVJOBTIMEOUT, user) == 0, "time-out");
      break;
    case 6:
      clean(slot);
      break;
    case 7:
      slot.other = !slot.other;
      assert(
        sys_evctl(jid, EVJOBHANDLER, slot.other ? otherHandlerOf(slot.type) : handlerOf(slot.type)) == 0,
        "handler",
      );
      break;
    case 8:
    case 9:
      giveBuffer(slot);
      break;
    case 10:
      if (slot.type != EVENT_READ) break;
      slot.allocator = chance(3) != 0;
      assert(sys_evctl(jid, EVJOBALLOCATOR, slot.allocator ? ALLOCATOR : 0) == 0, "allocator");
      break;
    default:
      if (chance(2) == 0) assert(sys_evctl(jid, EVJOBHISTOGRAM, chance(2)) == 0, "histogram");
      else assert(sys_evctl(jid, EVJOBRETRY, 0) == 0, "retry");
  }
}
