/**
 * Messages against a simple model: each event of a port gets every message, in order, with its bytes; what is refused stays with the
 * sender; what is shut down is dropped; in the end all blocks and records are back.
 */
import {
  EVENT_ACCEPT,
  EVENT_TYPES,
  EVENT_MESSAGE,
  EVENT_TIMER,
  EVENTS_PER_PORT,
  EVF_ONESHOT,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  EVTBLINIT,
  MESSAGE_LIMIT,
  MESSAGE_QUEUE,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_evpost } from "../../aem/evpost";
import { sys_evsystem } from "../../aem/evsystem";
import { messagePool } from "../../aem/jobs/message";
import { sys_vmtable_free, sys_vmtable_keep } from "../../aem/vmtable";
import { EAGAIN, ECONNREFUSED, EDQUOT, EFAULT, EINVAL, EMSGSIZE, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument2, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { currentProcess, Process } from "../../kernel/process/process";
import { setVector } from "../../kernel/interrupts/vectors";
import { freeFrameCount } from "../../kernel/memory/frames";
import { endProcess } from "../../kernel/process/end";
import { wakeThread } from "../../kernel/scheduler/wake";
import { eventOfJid } from "../../aem/jids";
import { Message, newMessage, queueMessage } from "../../aem/jobs/message";
import { unregister } from "../../aem/registry";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  onTimer,
  readStatistics,
  setUp,
  statistics,
  user,
  zone,
} from "./driver";
import { handlerOf, HANDLER_CODE, leaveBy, newProcess, nextHandler, switchTo } from "./machine";
import { endNow, reapAll } from "../reap";

const NOWHERE: u32 = 0xff00_0000;

function listen(port: u32, flags: u32 = 0): i32 {
  return sys_evsystem(EVENT_MESSAGE, port, flags, handlerOf(EVENT_MESSAGE));
}

/** The application fills its buffer with what `seed` names, and posts `length` bytes of it. */
function post(pid: i32, to: u32, seed: u32, length: u32): i32 {
  for (let i: u32 = 0; i < length; i++) store<u8>(user + i, byteOf(seed, i));
  return sys_evpost(pid, to, user, length);
}

function byteOf(seed: u32, at: u32): u8 {
  return <u8>(seed * 31 + at * 7 + (at >> 8));
}

/** Bytes of the message that was delivered which are not those. */
function wrong(seed: u32, length: u32): u32 {
  if (upcallArgument4 != length) return u32.MAX_VALUE;
  if (length == 0) return upcallArgument3;
  let count: u32 = 0;
  for (let i: u32 = 0; i < length; i++) if (load<u8>(zone(upcallArgument3 + i)) != byteOf(seed, i)) count++;
  return count;
}

/** Another process comes to run, as if this one were blocked inside of a handler. */
function goTo(process: Process): void {
  const left = currentProcess();
  const handling = left.thread.handling;
  if (handling == 0) left.thread.handling = 1;
  switchTo(process);
  left.thread.handling = handling;
}

beforeAll(() => {
  setUp();
});

describe("3.1.1 message events", () => {
  afterEach(() => {
    expectNothingLeft();
  });

  it("are posted to by pid and port, and come with sender, bytes and length", () => {
    const pid = currentProcess().pid;
    const jid = listen(7);
    expect<i32>(post(pid, 7, 1, 300)).toBe(0);
    expect<i32>(post(pid, 7, 2, 0)).toBe(0, "no bytes");
    expectHandler(EVENT_MESSAGE, "the first");
    expect<i32>(<i32>upcallArgument1).toBe(jid);
    expect<i32>(<i32>upcallArgument2).toBe(pid);
    expect<u32>(wrong(1, 300)).toBe(0);
    expectHandler(EVENT_MESSAGE, "the second");
    expect<u32>(wrong(2, 0)).toBe(0);
    expectNone("no more");
    readStatistics(jid);
    expect<u64>(statistics.activations).toBe(2);
    expect<u64>(statistics.handled).toBe(2);
  });

  it("are posted to by jid within the process", () => {
    const jid = listen(7);
    expect<i32>(post(0, jid, 5, 64)).toBe(0);
    expectHandler(EVENT_MESSAGE, "it");
    expect<u32>(wrong(5, 64)).toBe(0);
    const timer = onTimer(1000, 0);
    expect<i32>(post(0, timer, 5, 64)).toBe(-EINVAL, "an event of another type");
    expect<i32>(post(0, 12345, 5, 64)).toBe(-ESRCH, "no event");
  });

  it("say what is wrong with a call", () => {
    const pid = currentProcess().pid;
    listen(7);
    expect<i32>(post(60, 7, 0, 1)).toBe(-ESRCH, "no process");
    expect<i32>(post(-1, 7, 0, 1)).toBe(-ESRCH, "no pid");
    expect<i32>(post(pid, 8, 0, 1)).toBe(-ECONNREFUSED, "no port");
    expect<i32>(sys_evpost(pid, 7, user, MESSAGE_LIMIT + 1)).toBe(-EMSGSIZE);
    expect<i32>(sys_evpost(pid, 7, user, -1)).toBe(-EINVAL);
    expect<i32>(sys_evpost(pid, 7, NOWHERE, 8)).toBe(-EFAULT);
    expect<i32>(listen(7, 1 << 31)).toBe(-EINVAL, "a flag");
    expect<i32>(sys_evsystem(EVENT_MESSAGE, 9, 0, handlerOf(EVENT_TIMER))).toBe(
      -EINVAL,
      "a handler of another type",
    );
    for (let type: u32 = EVENT_ACCEPT; type <= EVENT_TIMER; type++)
      expect<i32>(sys_evsystem(type, 0, 0, handlerOf(type))).toBe(-EINVAL, "a type with a call of its own");
    expect<i32>(sys_evsystem(EVENT_TYPES, 0, 0, 1)).toBe(-EINVAL, "no type");
    expectNone("nothing was posted");
  });

  it("3.6.5 give every listener of the port the message, in a block of its own", () => {
    const pid = currentProcess().pid;
    const jids: i32[] = [];
    for (let i: u32 = 0; i < EVENTS_PER_PORT; i++) jids.push(listen(7));
    expect<i32>(listen(7)).toBe(-EDQUOT, "one more");
    const other = listen(8);
    expect<i32>(post(pid, 7, 9, 100)).toBe(0);
    let blocks: u32[] = [];
    for (let i = 0; i < jids.length; i++) {
      expectHandler(EVENT_MESSAGE, "a listener");
      expect<i32>(<i32>upcallArgument1).toBe(jids[i]);
      expect<u32>(wrong(9, 100)).toBe(0);
      sys_vmtable_keep(upcallArgument3);
      expect<bool>(blocks.includes(upcallArgument3)).toBe(false, "a block twice");
      blocks.push(upcallArgument3);
    }
    expectNone("no other port");
    for (let i = 0; i < blocks.length; i++) expect<i32>(sys_vmtable_free(blocks[i])).toBe(0);
    readStatistics(other);
    expect<u64>(statistics.activations).toBe(0);
  });

  it("3.5.1 at a full queue all listeners are refused alike, and what is refused can be posted later", () => {
    const pid = currentProcess().pid;
    const full = listen(7);
    for (let i: u32 = 0; i < MESSAGE_QUEUE; i++) expect<i32>(post(pid, 7, i, 8)).toBe(0);
    const empty = listen(7);
    expect<i32>(post(pid, 7, MESSAGE_QUEUE, 8)).toBe(-EAGAIN);
    readStatistics(empty);
    expect<u64>(statistics.activations).toBe(0, "nobody has it");
    expectHandler(EVENT_MESSAGE, "the oldest");
    expect<u32>(wrong(0, 8)).toBe(0);
    expect<i32>(post(pid, 7, MESSAGE_QUEUE, 8)).toBe(0, "now there is room");
    for (let i: u32 = 1; i <= MESSAGE_QUEUE; i++) {
      // The other listener's turn is among them.
      do expectHandler(EVENT_MESSAGE, "in order");
      while (<i32>upcallArgument1 == empty);
      expect<i32>(<i32>upcallArgument1).toBe(full);
      expect<u32>(wrong(i, 8)).toBe(0, "order");
    }
  });

  it("leave half of the vmtable to others", () => {
    const process = currentProcess();
    const most = <u32>(process.vmtable.size >> 1);
    listen(7);
    expect<i32>(sys_evpost(process.pid, 7, user, most + 1)).toBe(-EMSGSIZE, "more than could ever wait");
    expect<i32>(post(process.pid, 7, 0, most)).toBe(0);
    expect<i32>(post(process.pid, 7, 0, 1)).toBe(-EAGAIN);
    expect<u32>(process.vmtable.bytesInUse).toBe(most);
    expectHandler(EVENT_MESSAGE, "it");
    expect<i32>(post(process.pid, 7, 0, 1)).toBe(0, "what a handler has does not wait");
    expectHandler(EVENT_MESSAGE, "the next");
  });

  it("stop, start, and shut down as other events do", () => {
    const pid = currentProcess().pid;
    const jid = listen(7);
    sys_evctl(jid, EVJOBSTOP, 0);
    for (let i: u32 = 0; i < 3; i++) post(pid, 7, i, 10);
    expectNone("it is stopped");
    readStatistics(jid);
    expect<u32>(statistics.waiting).toBe(3);
    sys_evctl(jid, EVJOBSTART, 0);
    expectHandler(EVENT_MESSAGE, "the first");
    expect<u32>(wrong(0, 10)).toBe(0);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    expect<i32>(post(pid, 7, 9, 10)).toBe(-ECONNREFUSED, "it takes nothing more");
    for (let i: u32 = 1; i < 3; i++) {
      expectHandler(EVENT_MESSAGE, "the rest");
      expect<u32>(wrong(i, 10)).toBe(0);
    }
    expectNone("it has ended");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });
});

describe("3.4.2 messages of another process", () => {
  it("are copied into a process that does not run, which then has them", () => {
    const receiver = currentProcess();
    const sender = newProcess();
    listen(40);
    goTo(sender);
    for (let i: u32 = 0; i < 20; i++) expect<i32>(post(receiver.pid, 40, i, i * 100)).toBe(0);
    expect<i32>(post(sender.pid, 40, 0, 1)).toBe(-ECONNREFUSED, "a port belongs to its process");
    goTo(receiver);
    for (let i: u32 = 0; i < 20; i++) {
      expectHandler(EVENT_MESSAGE, "one");
      expect<i32>(<i32>upcallArgument2).toBe(sender.pid);
      expect<u32>(wrong(i, i * 100)).toBe(0);
    }
    expectNone("no more");
    expectNothingLeft();
    endNow(sender, 0);
  });

  it("go with a receiver that ends, and its pid is unknown then", () => {
    const receiver = newProcess();
    const sender = currentProcess();
    goTo(receiver);
    listen(41);
    goTo(sender);
    for (let i: u32 = 0; i < 5; i++) expect<i32>(post(receiver.pid, 41, i, 1000)).toBe(0);
    expect<u32>(messagePool().inUse).toBe(5);
    const pid = receiver.pid;
    endNow(receiver, 0);
    expect<u32>(messagePool().inUse).toBe(0, "records left");
    expect<i32>(post(pid, 41, 0, 1)).toBe(-ESRCH);
  });
});

// ---- Random ----

class Waiting {
  constructor(
    public seed: u32,
    public length: u32,
    public from: i32,
  ) {}
}

class Listener {
  queue: Waiting[] = [];
  stopped: bool = false;
  draining: bool = false;
  oneshot: bool = false;
  constructor(
    public jid: i32,
    public port: u32,
  ) {}
}

let listeners: Listener[] = [];
let handling: Listener | null = null;
let kept: u32[] = [];
let posted = 0;
let refused = 0;
let delivered = 0;
let seeds: u32 = 0;

function forget(listener: Listener): void {
  listeners.splice(listeners.indexOf(listener), 1);
  if (handling === listener) handling = null;
}

function takesOn(port: u32): Listener[] {
  const found: Listener[] = [];
  for (let i = 0; i < listeners.length; i++)
    if (listeners[i].port == port && !listeners[i].draining) found.push(listeners[i]);
  return found;
}

function register(): void {
  const port = chance(6);
  const flags: u32 = chance(6) == 0 ? EVF_ONESHOT : 0;
  const there = takesOn(port).length;
  const jid = listen(port, flags);
  if (there == <i32>EVENTS_PER_PORT) {
    assert(jid == -EDQUOT, "a listener too many");
    return;
  }
  assert(jid > 0, "registration");
  const listener = new Listener(jid, port);
  listener.oneshot = flags != 0;
  listeners.push(listener);
}

function send(receiver: Process, sender: Process): void {
  const kind = chance(10);
  const length = kind == 0 ? 0 : kind < 8 ? chance(600) : chance(<u32>(receiver.vmtable.size >> 1));
  const seed = ++seeds;
  const byJid = sender === receiver && listeners.length > 0 && chance(4) == 0;
  const one = byJid ? listeners[chance(listeners.length)] : null;
  const port = chance(7);
  const targets = one === null ? takesOn(port) : one.draining ? [] : [one];
  let full = false;
  for (let i = 0; i < targets.length; i++) if (targets[i].queue.length >= <i32>MESSAGE_QUEUE) full = true;
  const shortages = receiver.vmtable.failures + messagePool().failures;
  const budget = receiver.messageBytes + length * targets.length;
  const blocks = receiver.vmtable.blocks;
  const result = one === null ? post(receiver.pid, port, seed, length) : post(0, one.jid, seed, length);
  if (targets.length == 0) {
    assert(result == -ECONNREFUSED, "nobody listens");
    return;
  }
  if (result == 0) {
    assert(!full, "posted to a full queue");
    for (let i = 0; i < targets.length; i++) targets[i].queue.push(new Waiting(seed, length, sender.pid));
    posted += targets.length;
    return;
  }
  assert(result == -EAGAIN, "refused for another reason");
  refused++;
  assert(receiver.vmtable.blocks == blocks, "a refused message left a block");
  // Blocks are rounded up: a post to several can meet the budget a little earlier than their bytes.
  assert(
    full ||
      receiver.vmtable.failures + messagePool().failures > shortages ||
      budget * 2 > <u32>(receiver.vmtable.size >> 1),
    "refused without a reason",
  );
}

function returned(): void {
  const listener = handling;
  handling = null;
  if (listener === null) return;
  if (listener.oneshot || (listener.draining && listener.queue.length == 0)) forget(listener);
}

function dispatch(): bool {
  returned();
  const code = <u32>nextHandler();
  if (code == 0) return false;
  assert(code == HANDLER_CODE + EVENT_MESSAGE, "the handler of another type");
  for (let i = 0; i < listeners.length; i++)
    if (listeners[i].jid == <i32>upcallArgument1) handling = listeners[i];
  const listener = handling;
  assert(listener !== null, "delivered to an event that has ended");
  assert(!listener!.stopped && listener!.queue.length > 0, "delivered what was not posted");
  const message = listener!.queue.shift();
  assert(<i32>upcallArgument2 == message.from, "sender");
  assert(wrong(message.seed, message.length) == 0, "order or bytes");
  delivered++;
  if (message.length != 0 && chance(4) == 0) {
    assert(sys_vmtable_keep(upcallArgument3) == 0, "keep");
    kept.push(upcallArgument3);
  }
  return true;
}

function control(): void {
  if (listeners.length == 0) return;
  const listener = listeners[chance(listeners.length)];
  if (listener.draining) return;
  const what = chance(6);
  if (what == 0) {
    sys_evctl(listener.jid, EVJOBSTOP, 0);
    listener.stopped = true;
  } else if (what < 4) {
    sys_evctl(listener.jid, EVJOBSTART, 0);
    listener.stopped = false;
  } else if (what == 4) {
    assert(sys_evctl(listener.jid, EVJOBSHTDN, SHUTDOWN_DROP) == 0, "shut down");
    posted -= listener.queue.length;
    forget(listener);
  } else {
    assert(sys_evctl(listener.jid, EVJOBSHTDN, SHUTDOWN_DELIVER) == 0, "shut down");
    listener.stopped = false;
    if (listener.queue.length == 0 && sys_evctl(listener.jid, EVJOBLOOKUP, 0) == -ESRCH) forget(listener);
    else listener.draining = true;
  }
}

function freeKept(count: u32): void {
  for (; count > 0 && kept.length > 0; count--) {
    const index = chance(kept.length);
    assert(sys_vmtable_free(kept[index]) == 0, "free");
    kept.splice(index, 1);
  }
}

function settle(): void {
  for (let i = 0; i < listeners.length; i++) {
    if (!listeners[i].draining) sys_evctl(listeners[i].jid, EVJOBSTART, 0);
    listeners[i].stopped = false;
  }
  while (dispatch()) freeKept(1);
  for (let i = 0; i < listeners.length; i++) assert(listeners[i].queue.length == 0, "a message was lost");
  freeKept(u32.MAX_VALUE);
}

describe("3.5.1 messages in random interleavings", () => {
  it("are first in first out for each event, none is lost, and every block goes back", () => {
    const receiver = currentProcess();
    const sender = newProcess();
    for (let seed: u32 = 1; seed <= 60; seed++) {
      seedChance(seed);
      for (let step = 0; step < 1500; step++) {
        const what = chance(100);
        if (what < 45) {
          const other = chance(2) == 0;
          if (other) goTo(sender);
          send(receiver, other ? sender : receiver);
          if (other) goTo(receiver);
        } else if (what < 85) dispatch();
        else if (what < 90) register();
        else if (what < 94) control();
        else freeKept(2);
      }
      settle();
      sys_evctl(0, EVTBLINIT, 0);
      nextHandler();
      listeners = [];
      handling = null;
      expectNothingLeft();
    }
    expect<i32>(delivered).toBeGreaterThan(10000);
    expect<i32>(refused).toBeGreaterThan(1000, "memory and queues were full at times");
    expect<u32>(receiver.vmtable.failures).toBeGreaterThan(100);
    endNow(sender, 0);
  });
});

const VECTOR: u32 = 0x50;
const LONG: u32 = 65536;
let interrupts = 0;
let target: Process = changetype<Process>(0);
let port: i32 = 0;
let first: Process = changetype<Process>(0);

// What an interrupt does in the middle.
function count(argument: usize): void {
  interrupts++;
}

function endTarget(argument: usize): void {
  interrupts++;
  endNow(target, 0);
  target = newProcess();
}

function endEvent(argument: usize): void {
  interrupts++;
  unregister(eventOfJid(target, port)!);
}

function fillQueue(argument: usize): void {
  interrupts++;
  for (let i: u32 = 0; i < MESSAGE_QUEUE; i++) queueMessage(eventOfJid(target, port)!, newMessage()!);
}

function endSender(argument: usize): void {
  interrupts++;
  wakeThread(first.thread, 63);
  endProcess(currentProcess(), 0);
}

/** A process that listens on port 9, and an interrupt between two pieces of what is posted to it. */
function listener(onInterrupt: u32): void {
  first = currentProcess();
  target = newProcess();
  switchTo(target);
  port = listen(9);
  switchTo(first);
  interrupts = 0;
  setVector(VECTOR, onInterrupt, 0);
  fake.queueInterrupt(VECTOR);
}

/** Nothing of the post is left. */
function expectNotPosted(): void {
  expect<i32>(interrupts).toBe(1, "in the middle of it");
  expect<u32>(messagePool().inUse).toBe(0);
  expect<u32>(target.messageBytes).toBe(0);
  expect<u32>(target.vmtable.blocks).toBe(0);
  expect<u32>(target.vmtable.lent).toBe(0);
}

describe("3.6.5 a long message", () => {
  it("is copied in pieces, between which interrupts get in", () => {
    listener(count.index);
    for (let i = 0; i < 2; i++) fake.queueInterrupt(VECTOR);
    expect<i32>(post(target.pid, 9, 3, LONG)).toBe(0);
    expect<i32>(interrupts).toBe(3);
    switchTo(target);
    expectHandler(EVENT_MESSAGE, "all of it");
    expect<u32>(upcallArgument4).toBe(LONG);
    let wrong = 0;
    for (let i: u32 = 0; i < LONG; i++) if (load<u8>(zone(upcallArgument3 + i)) != byteOf(3, i)) wrong++;
    expect<i32>(wrong).toBe(0);
    expectNone("one");
    switchTo(first);
    endNow(target, 0);
  });

  it("is nobody's when its receiver ends, also if another process has its number then", () => {
    const frames = freeFrameCount();
    listener(endTarget.index);
    const pid = target.pid;
    expect<i32>(post(pid, 9, 3, LONG)).toBe(-ESRCH);
    expect<i32>(target.pid).toBe(pid);
    expectNotPosted();
    endNow(target, 0);
    expect<u32>(freeFrameCount()).toBe(frames);
  });

  it("is not posted when its event has ended, nor when others have filled its queue", () => {
    listener(endEvent.index);
    expect<i32>(post(target.pid, 9, 3, LONG)).toBe(-ECONNREFUSED);
    expectNotPosted();
    endNow(target, 0);
    listener(fillQueue.index);
    expect<i32>(post(target.pid, 9, 3, LONG)).toBe(-EAGAIN);
    expect<u32>(target.vmtable.blocks).toBe(0);
    unregister(eventOfJid(target, port)!);
    expectNotPosted();
    endNow(target, 0);
  });

  it("is given back when its sender ends", () => {
    first = currentProcess();
    const sender = newProcess();
    switchTo(sender);
    switchTo(first);
    listener(endSender.index);
    switchTo(sender);
    leaveBy(() => {
      sys_evpost(target.pid, 9, user, LONG);
    });
    switchTo(first);
    reapAll();
    expectNotPosted();
    endNow(target, 0);
  });
});
