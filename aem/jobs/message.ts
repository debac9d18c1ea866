/**
 * The job of message events. Source: a message port of the process, which other processes post to (aem/evpost.ts). Each event that listens
 * on the port has a queue of its own, first in, first out, and gets every message, in a vmtable block of its own (AEM 3.6.5).
 *
 *     sender's memory ── one copy ──► vmtable block of the receiver        aem/transfer.ts
 *                                        ▲
 *     event ──► record ──► record ──► …  (block, length, sender)           at most MESSAGE_QUEUE, from a kernel pool
 *
 * The ports of all processes are in one table with a keyed hash (sipHash: a process cannot aim at a bucket). A bucket is a list of the
 * events' waiters, so a port needs no memory and cannot fail to come to be. Its number is in `event.object`. Of the ports that were named of late it is
 * known which bucket they have, each in the place that a plain sum names: 10 instructions, where the keyed hash takes 220.
 */
import { ENOMEM, ENOSPC } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import { Link } from "../../kernel/list";
import { Pool } from "../../kernel/memory/pool";
import { vmtableAllocate, vmtableClaim, vmtableFree, vmtableLend } from "../../kernel/memory/vmtable";
import { LIMIT_SYSTEM_EVENTS, reportLimit } from "../../kernel/process/limits";
import { currentProcess, findProcess, Process } from "../../kernel/process/process";
import { sipHash } from "../../kernel/random";
import { currentThread } from "../../kernel/scheduler/running";
import { Thread } from "../../kernel/scheduler/thread";
import { Waiter, WaitQueue, WAKE_SYSTEM } from "../../kernel/scheduler/wait";
import { EVENT_MESSAGE, EVENTS_PER_PORT, MESSAGE_QUEUE, PRIORITY_DEFAULT } from "../abi";
import { again, countActivations, makePending } from "../activation";
import { retryOwn } from "../queue";
import { Event } from "../event";
import { refuse } from "../evsystem";
import { defineSystemJob, DELIVERED, EMPTY, noFrame, setPlainDeliverer, shortage } from "../job";
import { copyFromProcess } from "../transfer";

/** Buckets, a power of two, and most message events in the system: a chain is short whatever is registered. */
const BUCKETS: u32 = 2048;
export const MESSAGE_EVENTS: u32 = 8192;
const BUCKET_SIZE: usize = offsetof<WaitQueue>();
/** Places for ports that were named of late, a power of two. */
const RECENT: u32 = 64;

/** A message that waits, or is being posted. */
@unmanaged
export class Message {
  /** The next one of its queue, or of the same post. */
  next: Message;
  /** User address of its block in the receiver's vmtable; 0: no bytes. */
  block: usize;
  length: u32;
  /** The sender's pid. */
  from: i32;
  /** While it is being posted: the event that it is for. */
  jid: i32;
  /** While it is being posted: the receiver's, whose `pid` may have become another one's. */
  pid: i32;
  serial: u64;
}


@unmanaged
class RecentPort {
  /** 0: none. */
  pid: i32;
  port: u32;
  bucket: WaitQueue;
}

const RECENT_SIZE: usize = <usize>RECENT * offsetof<RecentPort>();
/** Bytes that `defineMessage` needs. */
export const MESSAGE_STORAGE: usize =
  ((offsetof<Pool>() + 7) & ~7) + <usize>BUCKETS * BUCKET_SIZE + RECENT_SIZE;

let pool: Pool = changetype<Pool>(0);
let buckets: usize = 0;
let recent: usize = 0;
let events: u32 = 0;

/** `storage`: MESSAGE_STORAGE bytes, 8-aligned; `messages`: most that may wait in the whole system. */
export function defineMessage(storage: usize, messages: u32): void {
  pool = changetype<Pool>(storage);
  pool.initialize(offsetof<Message>(), messages);
  buckets = storage + ((offsetof<Pool>() + 7) & ~7);
  for (let i: u32 = 0; i < BUCKETS; i++) changetype<WaitQueue>(buckets + <usize>i * BUCKET_SIZE).initialize();
  recent = buckets + <usize>BUCKETS * BUCKET_SIZE;
  memory.fill(recent, 0, RECENT_SIZE);
  events = 0;
  defineSystemJob(
    EVENT_MESSAGE,
    deliver.index,
    occurred.index,
    WAKE_SYSTEM,
    check.index,
    attach.index,
    detach.index,
    PRIORITY_DEFAULT,
  );
  setPlainDeliverer(EVENT_MESSAGE, deliverOnly.index);
}

/** The pool of messages that wait: limit, in use, peak, failures. */
export function messagePool(): Pool {
  return pool;
}

// ---- Ports ----

/** The list in which the events stand that listen on `port` of process `pid`, among others. */
// @ts-ignore: decorator
@inline
export function bucketOf(pid: i32, port: u32): WaitQueue {
  const place = changetype<RecentPort>(
    recent + <usize>((<u32>pid + port) & (RECENT - 1)) * offsetof<RecentPort>(),
  );
  if (place.pid != pid || place.port != port) findBucket(place, pid, port);
  return place.bucket;
}

function findBucket(place: RecentPort, pid: i32, port: u32): void {
  const hash = <u32>sipHash(<u64>pid, <u64>port);
  place.pid = pid;
  place.port = port;
  place.bucket = changetype<WaitQueue>(buckets + <usize>(hash & (BUCKETS - 1)) * BUCKET_SIZE);
}

/** The next event behind `link` in that list, which is a member or the head, that takes messages on the port; null: there is none. */
export function nextListener(head: WaitQueue, link: Link, process: Process, port: u32): Event | null {
  link = link.next;
  while (changetype<usize>(link) != changetype<usize>(head)) {
    const event = changetype<Event>(link);
    // An event that drains takes nothing more: its mask says so.
    if (
      event.object == port &&
      changetype<usize>(event.process) == changetype<usize>(process) &&
      (event.waiter.mask & WAKE_SYSTEM) != 0
    )
      return event;
    link = link.next;
  }
  return null;
}

function check(process: Process, port: u32): i32 {
  const head = bucketOf(process.pid, port);
  let listeners: u32 = 0;
  let event = nextListener(head, head, process, port);
  while (event !== null) {
    listeners++;
    event = nextListener(head, event, process, port);
  }
  if (listeners >= EVENTS_PER_PORT) return refuse(process, EVENTS_PER_PORT);
  if (events < MESSAGE_EVENTS) return 0;
  reportLimit(process, LIMIT_SYSTEM_EVENTS, MESSAGE_EVENTS);
  return -ENOSPC;
}

function attach(event: Event, port: u32): void {
  event.object = port;
  bucketOf(event.process.pid, port).append(event.waiter);
  events++;
}

function detach(event: Event): void {
  events--;
  dropMessages(event, MESSAGE_QUEUE);
}

/** Drops the first of what waits at the event, `most` messages at most: how many that was. */
export function dropMessages(event: Event, most: u32): u32 {
  const process = event.process;
  const count = min(event.count, most);
  let freed = false;
  for (let n = count; n != 0; n--) freed = releaseMessage(process, takeFirst(event)) || freed;
  if (freed) retryOwn(process);
  return count;
}

// ---- Queues ----

/** A record of the current process's, without a block; null at the limit of the system, or without frames. */
// @ts-ignore: decorator
@inline
export function newMessage(length: u32): Message | null {
  const address = pool.allocateRaw();
  if (address == 0) return null;
  const message = changetype<Message>(address);
  message.block = 0;
  message.length = length;
  message.from = currentProcess().pid;
  return message;
}

/** Finds the bytes of a message to `process`, at least 1, a block: it waits in it, and is not the application's yet. False: there is none. */
export function lendBlock(process: Process, message: Message, bytes: u32): bool {
  const vmtable = process.vmtable;
  const block = vmtableAllocate(vmtable, bytes);
  if (block == 0) return false;
  message.block = block;
  process.messageBytes += vmtableLend(vmtable, block);
  return true;
}

/** The message waits no more; its block is still in use. */
function claimBlock(process: Process, message: Message): void {
  process.messageBytes -= vmtableClaim(process.vmtable, message.block);
}

/** Gives a message of `process` back that has not been queued, or is to be dropped. */
export function freeMessage(process: Process, message: Message): void {
  // Others may wait for that memory.
  if (releaseMessage(process, message)) retryOwn(process);
}

/** The same without a word to those who wait for memory. Whether it had a block. */
function releaseMessage(process: Process, message: Message): bool {
  const block = message.block;
  if (block != 0) {
    claimBlock(process, message);
    vmtableFree(process.vmtable, block);
  }
  pool.release(changetype<usize>(message));
  return block != 0;
}

/** Whom a message that is being posted is for; null: it is no more, and the message's block has gone with it. */
export function receiverOf(message: Message): Process | null {
  const process = findProcess(message.pid);
  return process !== null && process.serial == message.serial ? process : null;
}

/** What the thread is about to post is not posted: `error`. */
export function abandonPost(thread: Thread, error: i32): i32 {
  while (thread.posting != 0) {
    const message = changetype<Message>(thread.posting);
    thread.posting = changetype<usize>(message.next);
    const receiver = receiverOf(message);
    if (receiver === null) pool.release(changetype<usize>(message));
    else freeMessage(receiver, message);
  }
  return error;
}


@inline
export function queueHasRoom(event: Event): bool {
  return event.count < MESSAGE_QUEUE;
}

/** Puts a message behind those that wait at the event, which has room, and activates it. */
export function queueMessage(event: Event, message: Message): void {
  const address = <u64>changetype<usize>(message);
  if (event.count == 0) event.data = address | (address << 32);
  else {
    changetype<Message>(<usize>(event.data >> 32)).next = message;
    event.data = (event.data & 0xffff_ffff) | (address << 32);
  }
  event.count++;
  countActivations(event, 1);
  makePending(event);
}

/** Of an event that has messages. */
function takeFirst(event: Event): Message {
  const message = changetype<Message>(<usize>(<u32>event.data));
  event.data = (event.data & 0xffff_ffff_0000_0000) | (<u64>changetype<usize>(message.next));
  event.count--;
  return message;
}

/** Ports wake nobody: who posts looks for the listeners and hands each its message (evpost.ts). */
function occurred(waiter: Waiter, events: u32, detail: u32): void {}

/** Of an event whose handler the process runs itself: the usual case, that one message waits, in 33 instructions less. */
function deliverOnly(event: Event): i32 {
  if (event.count != 1) return deliver(event);
  const message = firstMessage(event);
  event.count = 0;
  if (message.block != 0) claimBlock(currentProcess(), message);
  handOut(event, message, message.block);
  pool.release(changetype<usize>(message));
  return DELIVERED;
}

function deliver(event: Event): i32 {
  if (event.count == 0) return EMPTY;
  const receiver = event.process;
  if (changetype<usize>(currentProcess()) != changetype<usize>(receiver))
    return deliverToClone(event, receiver);
  const message = takeFirst(event);
  if (message.block != 0) claimBlock(receiver, message);
  handOut(event, message, message.block);
  pool.release(changetype<usize>(message));
  if (event.count != 0) again(event);
  return DELIVERED;
}

/** The bytes are in the memory of the process that this one is a clone of. */
function deliverToClone(event: Event, receiver: Process): i32 {
  const first = firstMessage(event);
  let own: usize = 0;
  if (first.block != 0) {
    const vmtable = currentProcess().vmtable;
    own = vmtableAllocate(vmtable, first.length);
    if (own == 0) return shortage(ENOMEM, first.length);
    if (copyFromProcess(receiver, first.block, own, first.length) < 0) {
      vmtableFree(vmtable, own);
      return noFrame();
    }
  }
  const message = takeFirst(event);
  handOut(event, message, own);
  freeMessage(receiver, message);
  if (event.count != 0) again(event);
  return DELIVERED;
}

/** The handler gets the message, its bytes at `data`. */
// @ts-ignore: decorator
@inline
function handOut(event: Event, message: Message, data: usize): void {
  currentThread().block = data;
  setUpcallArguments(<u32>event.jid, <u32>message.from, <u32>data, message.length, 0);
}


@inline
function firstMessage(event: Event): Message {
  return changetype<Message>(<usize>(<u32>event.data));
}
