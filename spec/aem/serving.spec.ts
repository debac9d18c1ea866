/** A main thread in enter_keepalive waits for the next handler where it asks for it, and goes back into the call when that has something to return. */
import { EVENT_TIMER, EVF_KEEPALIVE, EVJOBSHTDN, SHUTDOWN_DROP } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_evtimer } from "../../aem/evtimer";
import { EINTR, ERESTART } from "../../kernel/errno";
import { VECTOR_TIMER } from "../../kernel/interrupts/apic";
import { setVector } from "../../kernel/interrupts/vectors";
import { SIGUSR1, sys_enter_keepalive, sys_kill, sys_sigtake } from "../../kernel/process/calls";
import { currentProcess } from "../../kernel/process/process";
import { currentThread } from "../../kernel/scheduler/running";
import { now } from "../../kernel/time/clock";
import { nextTimer, runTimers } from "../../kernel/time/timers";
import * as fake from "../fake";
import { expectNothingLeft, setUp } from "./driver";
import { handlerOf, nextHandler } from "./machine";

const PERIOD: u64 = 1_000_000;
const NO_VECTOR: u32 = 0x40;

let jid: i32 = 0;
let signal: bool = false;
let end: bool = false;
let idles: u32 = 0;

function idle(): u32 {
  idles++;
  if (signal) {
    signal = false;
    sys_kill(currentProcess().pid, SIGUSR1);
    return NO_VECTOR;
  }
  if (end) {
    end = false;
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
    return NO_VECTOR;
  }
  if (nextTimer() > now()) fake.advance(nextTimer() - now());
  return VECTOR_TIMER;
}

function timer(argument: usize): void {
  runTimers(now());
}

/** enter_keepalive has let the first handler run, and three more have been waited for in dispatch. */
function serveSome(): void {
  jid = sys_evtimer(PERIOD, PERIOD, EVF_KEEPALIVE, handlerOf(EVENT_TIMER));
  idles = 0;
  expect<i32>(sys_enter_keepalive()).toBe(-ERESTART);
  for (let call: u32 = 1; call <= 4; call++) {
    expect<bool>(nextHandler() != 0).toBe(true, "a handler");
    expect<u32>(idles).toBe(call);
    expect<u32>(currentThread().priority).toBe(32, "at the level of its event");
  }
}

describe("a process that only serves", () => {
  beforeAll(() => {
    setUp();
    setVector(VECTOR_TIMER, timer.index, 0);
    fake.onIdle(idle.index);
  });
  afterEach(expectNothingLeft);

  it("hears of a signal that comes while no handler runs", () => {
    serveSome();
    signal = true;
    expect<bool>(nextHandler() == 0).toBe(true, "back into the call");
    expect<i32>(sys_enter_keepalive()).toBe(-EINTR);
    expect<i32>(sys_sigtake()).toBe(SIGUSR1);
    expect<u32>(currentThread().serving).toBe(0);
    expect<bool>(nextHandler() == 0).toBe(true, "no other call waits for handlers");
  });

  it("hears of the end of the last event that keeps it", () => {
    serveSome();
    end = true;
    expect<bool>(nextHandler() == 0).toBe(true);
    expect<i32>(sys_enter_keepalive()).toBe(0);
    expect<u32>(currentThread().serving).toBe(0);
  });
});
