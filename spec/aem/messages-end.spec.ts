/** The end of events at which messages wait: a few messages in one step, however many events there are. */
import {
  EVENT_MESSAGE,
  EVF_ONESHOT,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVTBLINIT,
  MESSAGE_QUEUE,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { eventOfJid } from "../../aem/jids";
import { messagePool } from "../../aem/jobs/message";
import { unregister } from "../../aem/unregister";
import { ECONNREFUSED, ESRCH } from "../../kernel/errno";
import { poll } from "../../kernel/hal";
import { setVector } from "../../kernel/interrupts/vectors";
import { endProcess, reapPoll } from "../../kernel/process/end";
import { currentProcess, Process } from "../../kernel/process/process";
import * as fake from "../fake";
import { expectHandler, expectNone, expectNothingLeft, setUp } from "./driver";
import { newProcess, switchTo } from "./machine";
import { goTo, listen, post } from "./messages";

const VECTOR: u32 = 0x50;
const LISTENERS: u32 = 7;
/** Messages that one step drops at most; and moments, more than there are steps. */
const STEP: u32 = 9;
const MOMENTS = 1000;

let interrupts = 0;
let mostDropped: u32 = 0;
let waited: u32 = 0;
let refused = 0;
let jid: i32 = 0;

/** How many have been dropped since the last time. */
function look(): void {
  const waiting = messagePool().inUse;
  mostDropped = max(mostDropped, waited - waiting);
  waited = waiting;
}

function count(argument: usize): void {
  interrupts++;
  look();
}

/** Somebody posts to the one that is being ended. */
function postMore(argument: usize): void {
  count(0);
  if (post(currentProcess().pid, 0, 1, 10) == -ECONNREFUSED) refused++;
}

function endEvent(argument: usize): void {
  count(0);
  unregister(eventOfJid(currentProcess(), jid)!);
}

let uncounted = 0;

/** Whether its only call counts still: else another one might begin. */
function countCall(argument: usize): void {
  count(0);
  if (eventOfJid(currentProcess(), jid)!.handlers == 0) uncounted++;
}

/** As many messages as an event takes, to each of some ports. */
function fill(process: Process, ports: u32, flags: u32 = 0): void {
  for (let port: u32 = 0; port < ports; port++) {
    jid = listen(port, flags);
    for (let n: u32 = 0; n < MESSAGE_QUEUE; n++)
      assert(post(process.pid, port, n, n & 1 ? 10 : 0) == 0, "posted");
  }
  interrupts = 0;
  refused = 0;
  mostDropped = 0;
  waited = messagePool().inUse;
}

function interruptWith(callback: u32, times: i32 = MOMENTS): void {
  setVector(VECTOR, callback, 0);
  for (let n = 0; n < times; n++) fake.queueInterrupt(VECTOR);
}

beforeAll(() => {
  setUp();
});

afterEach(() => {
  while (poll() >= 0) {}
  expectNothingLeft();
});

describe("3.3.1 the end of events with messages", () => {
  it("EVTBLINIT", () => {
    fill(currentProcess(), LISTENERS);
    interruptWith(count.index);
    expect<i32>(sys_evctl(0, EVTBLINIT, 0)).toBe(LISTENERS);
    look();
    expect<u32>(waited).toBe(0);
    expect<i32>(interrupts).toBeGreaterThan(<i32>((LISTENERS * MESSAGE_QUEUE) / STEP) - 1);
    expect<u32>(mostDropped).toBeLessThanOrEqual(STEP);
  });

  it("EVTBLINIT, while others post", () => {
    fill(currentProcess(), 1);
    interruptWith(postMore.index);
    expect<i32>(sys_evctl(0, EVTBLINIT, 0)).toBe(1);
    expect<i32>(refused).toBe(interrupts, "it takes nothing more");
    expect<i32>(interrupts).toBeGreaterThan(5);
  });

  it("EVJOBSHTDN", () => {
    fill(currentProcess(), 1);
    interruptWith(count.index);
    expect<i32>(sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP)).toBe(0);
    look();
    expect<u32>(waited).toBe(0);
    expect<u32>(mostDropped).toBeLessThanOrEqual(STEP);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });

  it("EVJOBSHTDN of one that ends meanwhile", () => {
    fill(currentProcess(), 1);
    interruptWith(endEvent.index, 1);
    expect<i32>(sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP)).toBe(0);
    expect<i32>(interrupts).toBe(1);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });

  it("of a one-shot one, behind its only call", () => {
    fill(currentProcess(), 1, EVF_ONESHOT);
    expectHandler(EVENT_MESSAGE, "its only call");
    look();
    uncounted = 0;
    interruptWith(countCall.index);
    expectNone("no other one");
    look();
    expect<i32>(uncounted).toBe(0, "it is under way until all of them are dropped");
    expect<u32>(waited).toBe(0);
    expect<i32>(interrupts).toBeGreaterThan(5);
    expect<u32>(mostDropped).toBeLessThanOrEqual(STEP);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });

  it("of the process", () => {
    const main = currentProcess();
    const process = newProcess();
    switchTo(process);
    fill(process, LISTENERS);
    goTo(main);
    endProcess(process, 0);
    while (reapPoll(0)) look();
    look();
    expect<u32>(waited).toBe(0);
    expect<u32>(mostDropped).toBeLessThanOrEqual(STEP);
  });
});
