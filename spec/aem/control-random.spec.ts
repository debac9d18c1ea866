/**
 * Random sequences of what evctl can do, with occurrences, time and handlers in between, against a simple model: after every step the
 * sum of the statistics holds, and handled, filtered and cleaned are what the model says; nothing is lost, and what is
 * delivered passes the filter, goes where it should, and to the right handler.
 *
 * What happens between one nextHandler() and the next happens "inside" what the first one called: a handler, or an allocator.
 */
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
  EVJOBSTAT,
  EVJOBSTOP,
  EVJOBTIMEOUT,
  FILTER_SIZE,
  SHUTDOWN_DROP,
  STATISTICS_SIZE,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { Event } from "../../aem/event";
import { sys_sockasync_accept } from "../../aem/sockasync";
import { ETIMEDOUT } from "../../kernel/errno";
import {
  upcallArgument1,
  upcallArgument2,
  upcallArgument3,
  upcallArgument4,
  upcallArgument5,
} from "../../kernel/glue";
import { VMTABLE_BASE } from "../../kernel/memory/layout";
import { HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { currentThread } from "../../kernel/scheduler/running";
import { POLLIN, POLLOUT } from "../../kernel/scheduler/wait";
import { MILLISECOND, now } from "../../kernel/time/clock";
import { TIMER_TICK } from "../../kernel/time/timers";
import { sys_close } from "../../net/socket/calls";
import { SOCK_DGRAM } from "../../net/socket/socket";
import { growMemory } from "../arena";
import { chance, seedChance } from "../chance";
import {
  expectNothingLeft,
  onRead,
  onSock,
  onState,
  onTimer,
  setUp,
  statistics,
  timePasses,
  transition,
  user,
  zone,
} from "./driver";
import {
  ALLOCATOR,
  ALLOCATOR_CODE,
  establish,
  FakeSocket,
  finish,
  HANDLER_CODE,
  handlerOf,
  newDatagram,
  newListener,
  newStream,
  nextHandler,
  NO_END,
  open,
  OTHER_CODE,
  otherHandlerOf,
  pattern,
  receive,
  receiveDatagram,
  recycle,
} from "./machine";

const SLOTS: i32 = 12;
/** Between the addresses of two peers in succession. */
const SPREAD: u32 = 1 << 20;

/** One event, and the socket that only it listens to. */
class Slot {
  stopped: bool = false;
  other: bool = false;
  ended: bool = false;
  // Filter.
  mask: u32 = 0;
  network: u32 = 0;
  networkMask: u32 = 0;
  least: u32 = 0;
  /** 0: none; and since when it runs. */
  timeout: u64 = 0;
  since: u64 = 0;
  // What the statistics have to say.
  handled: u64 = 0;
  filtered: u64 = 0;
  cleaned: u64 = 0;
  /** Transitions that were not seen: old << 4 | new. */
  states: u32[] = [];
  state: u32 = 7;
  /** Datagrams or connections that have left their queue. */
  serial: u32 = 0;
  taken: u32 = 0;
  // Own memory.
  addresses: u32[] = [];
  lengths: u32[] = [];
  buffersOnly: bool = false;
  allocator: bool = false;
  constructor(
    public type: u32,
    public socket: FakeSocket | null,
    public fd: i32,
    public jid: i32,
  ) {}

  get datagram(): bool {
    return this.type == EVENT_READ && this.socket!.type == SOCK_DGRAM;
  }
  get stream(): bool {
    return this.type == EVENT_READ && !this.datagram;
  }
  passes(address: u32): bool {
    return (address & this.networkMask) == this.network;
  }
  wants(state: u32): bool {
    return this.mask == 0 || ((this.mask >> state) & 1) != 0;
  }
  /** Bytes that wait are too few, and more may come. */
  get heldBack(): bool {
    const socket = this.socket!;
    const there = socket.received - this.taken;
    return socket.end == NO_END && there < this.least && socket.buffer >= this.least;
  }
}

let slots: Slot[] = [];
/** Whose allocator runs, and what it was asked for; it may have ended meanwhile. */
let allocating: bool = false;
let asking: Slot | null = null;
let asked: u32 = 0;
/** The application's memory: pieces of it go round. */
let own: u32 = 0;
let piece: u32 = 0;
const PIECES: u32 = 64;
const PIECE: u32 = 16640;
/** What was called, by kind. */
let calls = 0;
let timeouts = 0;
let allocations = 0;
let ownDeliveries = 0;
let filteredTotal: u64 = 0;
let cleanedTotal: u64 = 0;

function anyOf(): Slot | null {
  return slots.length == 0 ? null : slots[chance(slots.length)];
}
function bySlot(jid: i32): Slot {
  for (let i = 0; i < slots.length; i++) if (slots[i].jid == jid) return slots[i];
  assert(false, "delivered to an event that has ended");
  return slots[0];
}
function nextPiece(): u32 {
  return own + (piece++ % PIECES) * PIECE;
}

// ---- What can happen ----

function register(): void {
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

function end(index: i32): void {
  const slot = slots[index];
  slots.splice(index, 1);
  if (asking === slot) asking = null;
  if (slot.socket === null || chance(2) == 0)
    assert(sys_evctl(slot.jid, EVJOBSHTDN, SHUTDOWN_DROP) == 0, "end");
  if (slot.socket !== null) {
    assert(sys_close(slot.fd) == 0, "close");
    recycle(slot.socket!);
  }
}

function occur(): void {
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
    const there = socket.received - socket.taken;
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
      assert(socket.taken == socket.received, "data that are left");
      assert(dropped != 0 || slot.taken == socket.taken, "dropped and not counted");
      slot.taken = socket.taken;
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

function control(): void {
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

// ---- Dispatch, and what has to hold then ----

/** What the allocator returns. `generous`: always memory. */
function allocatorResult(generous: bool): u32 {
  const slot = asking;
  const kind = generous ? 2 : chance(6);
  if (kind == 0) return 0;
  if (kind == 1) return <u32>VMTABLE_BASE + chance(100);
  const address = nextPiece();
  if (slot !== null) {
    slot.addresses.push(address);
    slot.lengths.push(asked);
  }
  return address;
}

function dispatch(generous: bool = false): bool {
  let result: u32 = 0xdeadbeef;
  if (allocating) {
    result = allocatorResult(generous);
    allocating = false;
    asking = null;
  }
  const code = <u32>nextHandler(result);
  if (code == 0) return false;
  if (code == ALLOCATOR_CODE) {
    allocating = true;
    asked = upcallArgument1;
    asking = bySlot(changetype<Event>(currentThread().handling).jid);
    assert(asking!.allocator && asking!.addresses.length == 0 && !asking!.stopped, "asked without need");
    assert(asking!.datagram || !asking!.heldBack, "asked for too little");
    allocations++;
    return true;
  }
  calls++;
  const slot = bySlot(<i32>upcallArgument1);
  assert(code == (slot.other ? OTHER_CODE : HANDLER_CODE) + slot.type, "another handler");
  assert(!slot.stopped, "delivered to a stopped event");
  assert(slot.type == EVENT_TIMER || <i32>upcallArgument2 == slot.fd, "descriptor");
  slot.handled++;
  if (isTimeout(slot)) {
    assert(slot.timeout != 0 && now() - slot.since >= slot.timeout, "a time-out that is early");
    timeouts++;
  } else if (slot.type == EVENT_ACCEPT) checkAccept(slot);
  else if (slot.type == EVENT_SK) checkState(slot);
  else if (slot.datagram) checkDatagram(slot);
  else if (slot.type == EVENT_READ) checkStream(slot);
  else if (slot.type == EVENT_SOCK)
    assert(upcallArgument3 != 0 && (slot.mask == 0 || (upcallArgument3 & ~slot.mask) == 0), "bits");
  slot.since = now();
  return true;
}

function isTimeout(slot: Slot): bool {
  if (slot.type == EVENT_SK) return upcallArgument3 == upcallArgument4;
  if (slot.type == EVENT_ACCEPT) return <i32>upcallArgument3 == -ETIMEDOUT;
  return slot.type != EVENT_TIMER && <i32>upcallArgument4 == -ETIMEDOUT;
}

function checkAccept(slot: Slot): void {
  const fd = <i32>upcallArgument3;
  const connection = changetype<FakeSocket>(handleObject(currentProcess(), fd, HANDLE_SOCKET));
  assert(changetype<usize>(connection) != 0 && slot.passes(connection.flow.remote.ipv4), "passes");
  assert(sys_close(fd) == 0, "close");
  recycle(connection);
  leaveQueue(slot, 1);
}

function checkState(slot: Slot): void {
  while (slot.states.length > 0 && !slot.wants(slot.states[0] & 15)) {
    slot.states.shift();
    slot.filtered++;
  }
  assert(slot.states.length > 0, "a transition that was not");
  assert(slot.states.shift() == ((upcallArgument3 << 4) | upcallArgument4), "order of transitions");
}

function sameBytes(data: usize, position: u32, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) if (load<u8>(data + i) != pattern(position + i)) return false;
  return true;
}

/** Where the data stand: in the first buffer, if there is one; returns whether. */
function isOwn(slot: Slot, address: u32, bytes: u32): bool {
  if (address >= <u32>VMTABLE_BASE) return false;
  assert(slot.addresses.length > 0, "in no buffer");
  assert(address == slot.addresses.shift(), "in another buffer");
  assert(bytes <= slot.lengths.shift(), "longer than the buffer");
  ownDeliveries++;
  return true;
}

function checkDatagram(slot: Slot): void {
  const data = upcallArgument3;
  const length = upcallArgument4;
  const serial = slot.socket!.serial - 1;
  const from = upcallArgument5;
  assert(from + 16 == data, "sender in front");
  const mine = from < <u32>VMTABLE_BASE;
  if (!mine && slot.addresses.length > 0) assert(slot.lengths[0] < length + 16, "passed over a buffer");
  if (!mine && slot.addresses.length == 0) assert(!slot.buffersOnly && !slot.allocator, "in the vmtable");
  isOwn(slot, from, length + 16);
  const place = mine ? <usize>from : zone(from);
  assert(sameBytes(place + 16, serial, length), "data");
  const sender = bswap<u32>(load<u32>(place, 4));
  assert(sender == 0x0a000003 + SPREAD * serial && slot.passes(sender), "sender");
  leaveQueue(slot, 1);
}

/** Datagrams or connections have left their queue, the last `delivered` of them to the handler: the others were filtered. */
function leaveQueue(slot: Slot, delivered: u32): void {
  const base: u32 = slot.type == EVENT_ACCEPT ? 0x0a000002 : 0x0a000003;
  const gone = slot.socket!.serial;
  while (slot.serial + delivered < gone) {
    assert(!slot.passes(base + SPREAD * slot.serial), "one that passes was dropped");
    slot.filtered++;
    slot.serial++;
  }
  slot.serial = gone;
}

function checkStream(slot: Slot): void {
  const socket = slot.socket!;
  const length = <i32>upcallArgument4;
  if (length == 0) {
    assert(socket.end == 0 && slot.taken == socket.received && !slot.ended, "end");
    slot.ended = true;
    return;
  }
  assert(length > 0, "an error that was not");
  assert(!slot.heldBack, "delivered too little");
  const mine = upcallArgument3 < <u32>VMTABLE_BASE;
  if (!mine) assert(slot.addresses.length == 0 && !slot.allocator && !slot.buffersOnly, "in the vmtable");
  isOwn(slot, upcallArgument3, length);
  assert(sameBytes(mine ? <usize>upcallArgument3 : zone(upcallArgument3), slot.taken, length), "data");
  slot.taken += length;
  assert(slot.taken == socket.taken, "data that were lost");
}

// ---- After every step ----

function check(): void {
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i];
    statistics.size = STATISTICS_SIZE;
    assert(sys_evctl(slot.jid, EVJOBSTAT, <u32>changetype<usize>(statistics)) == 0, "stat");
    if (slot.type == EVENT_ACCEPT || slot.datagram) leaveQueue(slot, 0);
    if (slot.type == EVENT_SK) {
      // Those that were skipped without a call; a time-out may wait beside them.
      while (slot.filtered < statistics.filtered && slot.states.length > 0) {
        assert(!slot.wants(slot.states.shift() & 15), "a transition was lost");
        slot.filtered++;
      }
      const waiting = <i32>statistics.waiting - slot.states.length;
      assert(waiting == 0 || waiting == 1, "transitions that wait");
    } else assert(statistics.waiting <= 2, "waiting");
    // Bits that a younger filter took away at delivery are the kernel's to know.
    if (slot.type == EVENT_SOCK && statistics.filtered > slot.filtered) {
      assert(slot.mask != 0, "filtered without a filter");
      slot.filtered = statistics.filtered;
    }
    if (statistics.waiting == 0) checkIdle(slot);
    assert(statistics.handled == slot.handled, "handled");
    assert(statistics.filtered == slot.filtered, "filtered");
    assert(statistics.cleaned == slot.cleaned, "cleaned");
    assert(statistics.coalesced < 0x80000000, "coalesced less than nothing");
    assert(
      statistics.activations ==
        statistics.handled +
          statistics.coalesced +
          statistics.filtered +
          statistics.cleaned +
          statistics.waiting,
      "the sum",
    );
  }
}

/** Nothing waits for the handler: then there must be nothing that ought to. */
function checkIdle(slot: Slot): void {
  if (slot.type == EVENT_ACCEPT || slot.datagram) assert(slot.socket!.waiting == 0, "forgotten in the queue");
  if (!slot.stream) return;
  const socket = slot.socket!;
  assert(slot.taken == socket.received || slot.heldBack, "data that were forgotten");
  assert(slot.ended == (socket.end != NO_END), "an end that was forgotten");
}

/** Lets everything come to rest, and looks for what was lost. */
function settle(): void {
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i];
    sys_evctl(slot.jid, EVJOBSTART, 0);
    slot.stopped = false;
    if (slot.buffersOnly) {
      const b = changetype<EventBuffer>(<usize>user);
      b.size = BUFFER_STRUCT_SIZE;
      b.address = b.length = b.flags = 0;
      assert(sys_evctl(slot.jid, EVJOBBUFFER, user) == 0, "no longer to wait");
      slot.buffersOnly = false;
    }
    sys_evctl(slot.jid, EVJOBRETRY, 0);
  }
  while (dispatch(true)) check();
  check();
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i];
    if (slot.socket === null) continue;
    const socket = slot.socket!;
    assert(slot.states.length == 0, "transitions were lost");
    if (slot.type == EVENT_ACCEPT || slot.datagram) assert(socket.waiting == 0, "lost in the queue");
    else if (slot.stream) {
      assert(socket.taken == socket.received || slot.heldBack, "data were lost");
      assert(slot.ended == (socket.end != NO_END), "the end was lost");
    }
  }
  // Everybody who has a time-out, and can still be called, is called for it, once.
  let due = 0;
  for (let i = 0; i < slots.length; i++) if (slots[i].timeout != 0 && !slots[i].ended) due++;
  const before = timeouts;
  timePasses(3 * MILLISECOND + 2 * TIMER_TICK);
  while (dispatch(true)) check();
  assert(timeouts - before == due, "time-outs that were lost");
}

function round(seed: u32, steps: i32): void {
  seedChance(seed);
  for (let step = 0; step < steps; step++) {
    const what = chance(100);
    if (what < 28) occur();
    else if (what < 58) dispatch();
    else if (what < 82) control();
    else if (what < 88) register();
    else if (what < 97) timePasses(<u64>chance(600_000));
    else if (what < 99) {
      if (slots.length > 4) end(chance(slots.length));
    } else if (chance(10) == 0) settle();
    check();
  }
  settle();
  for (let i = 0; i < slots.length; i++) {
    filteredTotal += slots[i].filtered;
    cleanedTotal += slots[i].cleaned;
  }
  while (slots.length > 0) end(slots.length - 1);
  dispatch();
}

beforeAll(() => {
  setUp();
  own = <u32>growMemory(PIECES * PIECE, 8);
});

describe("random control", () => {
  it("keeps the sum, and loses nothing that it was not told to", () => {
    for (let seed: u32 = 1; seed <= 24; seed++) round(seed, 2000);
    expect<i32>(calls).toBeGreaterThan(10000);
    expect<i32>(timeouts).toBeGreaterThan(500);
    expect<i32>(allocations).toBeGreaterThan(200);
    expect<i32>(ownDeliveries).toBeGreaterThan(400);
    expect<u64>(filteredTotal).toBeGreaterThan(1000);
    expect<u64>(cleanedTotal).toBeGreaterThan(300);
    expectNothingLeft();
  });
});
