/** Messages between two processes in random order, against a model of who is to get them. */
import {
  EVENT_MESSAGE,
  EVENTS_PER_PORT,
  EVF_ONESHOT,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  EVTBLINIT,
  MESSAGE_QUEUE,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { messagePool } from "../../aem/jobs/message";
import { sys_vmtable_free, sys_vmtable_keep } from "../../aem/vmtable";
import { EAGAIN, ECONNREFUSED, EDQUOT, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument2, upcallArgument3 } from "../../kernel/glue";
import { currentProcess, Process } from "../../kernel/process/process";
import { chance, seedChance } from "../chance";
import { expectNothingLeft, setUp } from "./driver";
import { HANDLER_CODE, newProcess, nextHandler } from "./machine";
import { endNow } from "../reap";
import { goTo, listen, post, wrong } from "./messages";

beforeAll(() => {
  setUp();
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
