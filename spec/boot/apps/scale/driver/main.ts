/**
 * A guard timer for each subscriber, from one to a million of them (AEM 3.3.1). For each number it measures what each path costs, then
 * it does what is longest: many timers due at once, a fork that inherits a million, the end of all events, its own end with a million.
 *
 *     row cost PATH NUMBER MEDIAN MOST      instructions, without those of reading the clock
 */
import {
  CLOCK_MONOTONIC,
  CLOCK_TSC,
  EVJOBLOOKUP,
  EVF_THREAD,
  EVJOBSHTDN,
  EVTBLINIT,
  SYSTEM_INFORMATION_SIZE,
  SystemInformation,
  clock_gettime,
  evctl,
  evpost,
  exit,
  nanosleep,
  onMessage,
  onTimer,
  PROCESS_INFORMATION_SIZE,
  ProcessInformation,
  processinfo,
  processNamed,
  setTimeout,
  sysinfo,
  waitpid,
  fork,
  FORK_EVENTS,
} from "../../../../../sdk";
import { row } from "../../report";
import {
  PHASE_DUE,
  PHASE_END_ALL,
  PHASE_EXIT,
  PHASE_FORK,
  PHASE_FORK_FAILS,
  PHASE_NONE,
  PHASE_PORT,
  PHASE_QUIET,
  PHASE_REGISTER,
  PHASE_THREADS,
} from "../phases";

const MOST: i32 = 1_000_000;
const DUE: i32 = 100_000;
const SAMPLES: i32 = 101;
const MILLISECOND: i64 = 1_000_000;
/** Guard times are from ten minutes to an hour more: none runs out here. */
const GUARD: i64 = 600_000 * MILLISECOND;
const SPREAD: i64 = 3600 * MILLISECOND;
/** How long a timer is that is waited for. */
const SHORT: i64 = 200_000;

const REGISTER: i32 = 1;
const END: i32 = 2;
const LOOKUP: i32 = 3;
const START: i32 = 4;
const ACTIVATE: i32 = 5;
const INTERRUPT: i32 = 6;

/** Number of the type in `processinfo`. */
const TIMER_TYPE: u32 = 5;

const information = changetype<ProcessInformation>(memory.data(256, 8));
const values = memory.data(1024, 8);
const word = memory.data(8, 8);
const system = changetype<SystemInformation>(memory.data(256, 8));

let urgent: i32 = 0;
/** Jids, and how many there are. */
let jids: usize = 0;
let count: i32 = 0;
/** Cost of reading the clock. */
let overhead: i64 = 0;
let message: i32 = 0;
let began: i64 = 0;
let reached: i64 = 0;
let expirations: i32 = 0;

function guard(jid: i32, overrun: i32): void {}

function arrived(jid: i32, from: i32, data: usize, length: i32): void {
  if (length >= 0) reached = clock_gettime(CLOCK_TSC);
}

function expired(jid: i32, overrun: i32): void {
  reached = clock_gettime(CLOCK_TSC);
  sysinfo(changetype<usize>(system), SYSTEM_INFORMATION_SIZE);
  expirations++;
}

function dueTogether(jid: i32, overrun: i32): void {
  expirations++;
}

function enter(phase: i32): void {
  store<i32>(word, phase);
  evpost(urgent, PHASE_PORT, word, 4);
}

function register(): void {
  const jid = onTimer(GUARD + <i64>count * SPREAD, 0, guard);
  if (jid < 0) row("failed", jid, count);
  store<i32>(jids + ((<usize>count) << 2), jid);
  count++;
}

function sample(index: i32, cost: i64): void {
  // Insertion into what is sorted already.
  let at = index;
  while (at > 0 && load<i64>(values + ((<usize>(at - 1)) << 3)) > cost) {
    store<i64>(values + ((<usize>at) << 3), load<i64>(values + ((<usize>(at - 1)) << 3)));
    at--;
  }
  store<i64>(values + ((<usize>at) << 3), cost);
}

function median(): i64 {
  return load<i64>(values + ((<usize>(SAMPLES >> 1)) << 3));
}

function tell(path: i32, number: i32): void {
  row(
    "cost",
    path,
    number,
    median() - overhead,
    load<i64>(values + ((<usize>(SAMPLES - 1)) << 3)) - overhead,
  );
}

function operation(path: i32, index: i32): void {
  if (path == REGISTER) register();
  else if (path == END) {
    count--;
    const jid = load<i32>(jids + ((<usize>count) << 2));
    if (evctl(jid, EVJOBSHTDN, 0) != 0) row("failed", path, jid);
  } else if (path == LOOKUP) {
    const jid = load<i32>(jids + ((<usize>((<u32>index * 7919) % <u32>count)) << 2));
    if (evctl(jid, EVJOBLOOKUP, 0) != 1) row("failed", path, jid);
  } else if (path == START) setTimeout(message, <u64>GUARD);
}

function measureOperations(path: i32, number: i32): void {
  for (let i = 0; i < SAMPLES; i++) {
    const start = clock_gettime(CLOCK_TSC);
    operation(path, i);
    sample(i, clock_gettime(CLOCK_TSC) - start);
  }
  if (path == 0) overhead = median();
  else tell(path, number);
}

function measureActivation(number: i32): void {
  for (let i = 0; i < SAMPLES; i++) {
    const start = clock_gettime(CLOCK_TSC);
    evpost(0, message, 0, 0);
    sample(i, reached - start);
  }
  tell(ACTIVATE, number);
}

function measureInterrupt(number: i32): void {
  for (let i = 0; i < SAMPLES; i++) {
    expirations = 0;
    onTimer(SHORT, 0, expired);
    while (expirations == 0) nanosleep(MILLISECOND);
    sample(i, reached - system.interruptTsc);
  }
  tell(INTERRUPT, number);
}

function measure(number: i32): void {
  registerAll(number);
  measureOperations(0, number);
  measureOperations(REGISTER, number);
  measureOperations(END, number);
  measureOperations(LOOKUP, number);
  measureOperations(START, number);
  setTimeout(message, 0);
  measureActivation(number);
  measureInterrupt(number);
}

/** The first registration that asks for threads makes them all. */
function makeThreads(): void {
  enter(PHASE_THREADS);
  const jid = onTimer(GUARD, 0, guard, EVF_THREAD);
  nanosleep(30 * MILLISECOND);
  enter(PHASE_NONE);
  if (evctl(jid, EVJOBSHTDN, 0) != 0) row("failed", jid);
}

/** Timers that are due in one tick: all of them run, and the urgent process is on time. */
function dueAtOnce(): void {
  expirations = 0;
  const time = clock_gettime(CLOCK_MONOTONIC) + 400 * MILLISECOND;
  for (let i = 0; i < DUE; i++) onTimer(time - clock_gettime(CLOCK_MONOTONIC), 0, dueTogether);
  const left = time - clock_gettime(CLOCK_MONOTONIC);
  nanosleep(left - 5 * MILLISECOND);
  enter(PHASE_DUE);
  while (expirations < DUE) nanosleep(MILLISECOND);
  const took = clock_gettime(CLOCK_MONOTONIC) - time;
  enter(PHASE_NONE);
  row("due", expirations, left, took);
}

/** Guard timers of this process. */
function inherited(): i64 {
  processinfo(0, changetype<usize>(information), PROCESS_INFORMATION_SIZE);
  return information.eventsOfType(TIMER_TYPE);
}

function forkWithEvents(name: string): i32 {
  const start = clock_gettime(CLOCK_MONOTONIC);
  const pid = fork(FORK_EVENTS);
  if (pid != 0) row(name, count, pid > 0 ? 1 : pid, clock_gettime(CLOCK_MONOTONIC) - start);
  return pid;
}

/** The child, which has a million events of its own then, tries the same, and ends them all: there cannot be three million. */
function inherit(): void {
  enter(PHASE_FORK);
  const pid = forkWithEvents("fork");
  if (pid == 0) {
    row("inherited", inherited());
    enter(PHASE_FORK_FAILS);
    if (forkWithEvents("fork-fails") == 0) exit(1);
    endAll();
    exit(inherited() == 0 ? 0 : 2);
  }
  if (pid > 0) waitpid(pid, word, 0);
  if (pid <= 0 || load<i32>(word) != 0) row("failed", pid, load<i32>(word));
  enter(PHASE_NONE);
}

function endAll(): void {
  enter(PHASE_END_ALL);
  row("end-all", evctl(0, EVTBLINIT, 0));
  enter(PHASE_NONE);
}

function freeMemory(): i64 {
  sysinfo(changetype<usize>(system), SYSTEM_INFORMATION_SIZE);
  return system.memoryFree;
}

/** Tells what an event takes of memory where there are enough new ones to know it: no slot and no memory of an ended one is left then. */
function registerAll(number: i32): void {
  const before = freeMemory();
  const events = number - count;
  if (number == MOST) enter(PHASE_REGISTER);
  while (count < number) register();
  if (number != MOST) return;
  enter(PHASE_NONE);
  row("memory", events, (before - freeMemory()) / events);
}

export function main(): i32 {
  jids = (<usize>memory.grow(<i32>(((MOST + SAMPLES) << 2) >> 16) + 1)) << 16;
  while ((urgent = processNamed("urgent")) < 0) nanosleep(MILLISECOND);
  nanosleep(10 * MILLISECOND);
  message = onMessage(2, arrived);
  enter(PHASE_QUIET);
  nanosleep(30 * MILLISECOND);
  enter(PHASE_NONE);
  makeThreads();
  dueAtOnce();
  measure(1);
  measure(1000);
  measure(100_000);
  measure(MOST);
  inherit();
  enter(PHASE_EXIT);
  return 0;
}
