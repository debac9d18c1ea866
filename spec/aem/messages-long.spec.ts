/** Long messages, which are copied in pieces: what may happen between two of them. */
import { EVENT_MESSAGE, MESSAGE_QUEUE } from "../../aem/abi";
import { sys_evpost } from "../../aem/evpost";
import { messagePool } from "../../aem/jobs/message";
import { EAGAIN, ECONNREFUSED, ESRCH } from "../../kernel/errno";
import { upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { currentProcess, Process } from "../../kernel/process/process";
import { setVector } from "../../kernel/interrupts/vectors";
import { freeFrameCount } from "../../kernel/memory/frames";
import { endProcess } from "../../kernel/process/end";
import { wakeThread } from "../../kernel/scheduler/wake";
import { eventOfJid } from "../../aem/jids";
import { newMessage, queueMessage } from "../../aem/jobs/message";
import { unregister } from "../../aem/unregister";
import * as fake from "../fake";
import { expectHandler, expectNone, setUp, user, zone } from "./driver";
import { leaveBy, newProcess, switchTo } from "./machine";
import { endNow, reapAll } from "../reap";
import { byteOf, listen, post } from "./messages";

beforeAll(() => {
  setUp();
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
  for (let i: u32 = 0; i < MESSAGE_QUEUE; i++) queueMessage(eventOfJid(target, port)!, newMessage(0)!);
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
