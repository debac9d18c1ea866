/** What has to hold when a handler or an allocator is called in a random run of evctl (control-random.spec.ts). */
import { EVENT_ACCEPT, EVENT_READ, EVENT_SK, EVENT_SOCK, EVENT_TIMER } from "../../aem/abi";
import { Event } from "../../aem/event";
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
import { now } from "../../kernel/time/clock";
import { sys_close } from "../../net/socket/calls";
import { chance } from "../chance";
import { nextPiece, Slot, slots, SPREAD } from "./control-model";
import { zone } from "./driver";
import {
  ALLOCATOR_CODE,
  FakeSocket,
  HANDLER_CODE,
  nextHandler,
  OTHER_CODE,
  pattern,
  recycle,
} from "./machine";

/** Whose allocator runs, and what it was asked for; it may have ended meanwhile. */
let allocating: bool = false;
let asking: Slot | null = null;
let asked: u32 = 0;

/** What was called, by kind. */
export let calls = 0;
export let timeouts = 0;
export let allocations = 0;
export let ownDeliveries = 0;

function bySlot(jid: i32): Slot {
  for (let i = 0; i < slots.length; i++) if (slots[i].jid == jid) return slots[i];
  assert(false, "delivered to an event that has ended");
  return slots[0];
}

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

/** The allocator may run for it. */
export function hasEnded(slot: Slot): void {
  if (asking === slot) asking = null;
}

export function dispatch(generous: bool = false): bool {
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
export function leaveQueue(slot: Slot, delivered: u32): void {
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
    assert(socket.end == 0 && slot.taken == socket.came && !slot.ended, "end");
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
  assert(slot.taken == socket.went, "data that were lost");
}
