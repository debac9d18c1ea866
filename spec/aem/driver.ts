/** What the specs of AEM do again and again: register, dispatch and look at the arguments, let time pass. */
import {
  EVENT_CLOSE,
  EVENT_READ,
  EVENT_SK,
  EVENT_SOCK,
  EVENT_TIMER,
  EventStatistics,
  EVJOBSTAT,
  EVTBLINIT,
  STATISTICS_SIZE,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_evtimer } from "../../aem/evtimer";
import { extraPool } from "../../aem/extra";
import { eventPool } from "../../aem/jids";
import { messagePool } from "../../aem/jobs/message";
import {
  sys_sockasync_close,
  sys_sockasync_read,
  sys_sockasync_sk,
  sys_sockasync_sock,
} from "../../aem/sockasync";
import { upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { WINDOW_BASE } from "../../kernel/memory/layout";
import { translate } from "../../kernel/memory/paging";
import { currentProcess, Process, SHORTAGE_KINDS } from "../../kernel/process/process";
import { WAKE_STATE } from "../../kernel/scheduler/wait";
import { now } from "../../kernel/time/clock";
import { nextTimer, runTimers } from "../../kernel/time/timers";
import { growMemory } from "../arena";
import * as fake from "../fake";
import { nextHandler, FakeSocket, handlerOf, HANDLER_CODE, pattern, setUpMachine } from "./machine";

/** 64 KiB that the spec uses as an application's memory. */
export let user: u32 = 0;
export let statistics: EventStatistics = changetype<EventStatistics>(0);

export function setUp(network: bool = false): void {
  setUpMachine(network);
  user = <u32>growMemory(131072, 8);
  statistics = changetype<EventStatistics>(<usize>user + 4096);
}

/** After each test: nothing may be left of it. */
export function expectNothingLeft(): void {
  sys_evctl(0, EVTBLINIT, 0);
  nextHandler();
  const process = currentProcess();
  expect<u32>(process.eventCount).toBe(0, "events left");
  expect<u32>(process.keepaliveEvents).toBe(0, "keepalive events left");
  expect<u32>(eventPool().inUse).toBe(0, "events in the pool");
  expect<u32>(extraPool().inUse).toBe(0, "extras in the pool");
  expect<u32>(process.vmtable.blocks).toBe(0, "blocks left");
  expect<u32>(process.vmtable.badFrees).toBe(0, "blocks freed that were not there");
  expect<u32>(process.waitingCount).toBe(0, "events that wait");
  expect<u32>(process.heldCount).toBe(0, "events that are held");
  expect<u32>(process.messageBytes).toBe(0, "bytes of messages");
  expect<u32>(messagePool().inUse).toBe(0, "messages left");
  expect<bool>(
    process.pending.isEmpty &&
      process.events.isEmpty &&
      starvedCount(process) == 0 &&
      process.work.isEmpty &&
      process.held.isEmpty,
  ).toBe(true, "lists");
}

/** Queues of starved events of the process that are not empty. */
export function starvedCount(process: Process): i32 {
  let count = 0;
  for (let what: u32 = 0; what < SHORTAGE_KINDS; what++)
    count += i32(!process.starved(what).isEmpty) + i32(!process.unreported(what).isEmpty);
  return count;
}

/** The next handler has to be this type's. */
export function expectHandler(type: u32, what: string): void {
  expect<u32>(<u32>nextHandler()).toBe(HANDLER_CODE + type, what);
}

export function expectNone(what: string): void {
  expect<u32>(<u32>nextHandler()).toBe(0, what);
}

export function readStatistics(jid: i32): void {
  statistics.size = STATISTICS_SIZE;
  expect<i32>(sys_evctl(jid, EVJOBSTAT, <u32>changetype<usize>(statistics))).toBe(0, "EVJOBSTAT");
  expect<u64>(statistics.activations).toBe(
    statistics.handled + statistics.coalesced + statistics.filtered + statistics.cleaned + statistics.waiting,
    "the sum",
  );
}

/** Kernel address of what stands at an address of the vmtable zone; the next page stands elsewhere. */
export function zone(address: u32): usize {
  return translate(currentProcess().pageTables, WINDOW_BASE + <u64>address);
}

/** The data of the read handler that was called are the stream's from `position` on. */
export function expectData(position: u32, length: u32, what: string): void {
  expect<u32>(upcallArgument4).toBe(length, what);
  expect<i32>(wrongBytes(position, length)).toBe(0, "bytes that differ");
}

export function wrongBytes(position: u32, length: u32): i32 {
  let wrong = 0;
  for (let i: u32 = 0; i < length; i++)
    if (load<u8>(zone(upcallArgument3 + i)) != pattern(position + i)) wrong++;
  return wrong;
}

export function expectRead(position: u32, length: u32, what: string): void {
  expectHandler(EVENT_READ, what);
  expectData(position, length, what);
}

/** Time passes, and the timer interrupt comes once, at its end. */
export function timePasses(nanoseconds: u64): void {
  fake.advance(nanoseconds);
  while (nextTimer() <= now()) runTimers(now());
}

export function transition(socket: FakeSocket, old: u32, state: u32): void {
  socket.wake(WAKE_STATE, (old << 8) | state);
}

export function onRead(fd: i32, flags: u32 = 0): i32 {
  return sys_sockasync_read(fd, flags, handlerOf(EVENT_READ));
}
export function onClose(fd: i32, flags: u32 = 0): i32 {
  return sys_sockasync_close(fd, flags, handlerOf(EVENT_CLOSE));
}
export function onState(fd: i32, flags: u32 = 0): i32 {
  return sys_sockasync_sk(fd, flags, handlerOf(EVENT_SK));
}
export function onSock(fd: i32, flags: u32 = 0): i32 {
  return sys_sockasync_sock(fd, flags, handlerOf(EVENT_SOCK));
}
export function onTimer(interval: u64, period: u64, flags: u32 = 0): i32 {
  return sys_evtimer(interval, period, flags, handlerOf(EVENT_TIMER));
}
