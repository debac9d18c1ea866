/** At the limits of its manifest: linear memory, the vmtable, the processor, workers and children (AEM 3.5.4). */
import {
  CLOCK_MONOTONIC,
  EVF_FORK,
  EVF_KEEPALIVE,
  EVF_NOCLDWAIT,
  EVF_THREAD,
  ProcessInformation,
  PROCESS_INFORMATION_SIZE,
  clock_gettime,
  enter_keepalive,
  evpost,
  fork,
  exit,
  nanosleep,
  onMessage,
  onTimer,
  processinfo,
  waitpid,
} from "../../../../sdk";
import { row } from "../report";

const MILLISECOND: i64 = 1_000_000;
const information = changetype<ProcessInformation>(memory.data(512, 8));
const cell = memory.data(8, 8);

let running: i32 = 0;
let most: i32 = 0;
let handled: i32 = 0;

/** Blocks: so another one could run, if there were another worker. */
function blocking(jid: i32, overrun: i32): void {
  running++;
  if (running > most) most = running;
  nanosleep(2 * MILLISECOND);
  running--;
  handled++;
}

function memoryLimits(): void {
  let pages = memory.size();
  while (memory.grow(1) >= 0) pages++;
  row("bounded-memory", pages, memory.grow(1));
}

function message(jid: i32, from: i32, data: usize, length: i32): void {}

/** A message takes no more than half of the vmtable. */
function vmtable(): void {
  const jid = onMessage(1, message);
  row("bounded-vmtable", evpost(0, jid, 0, 32768), evpost(0, jid, 0, 32769));
}

function executors(): void {
  for (let i = 0; i < 4; i++) onTimer(MILLISECOND, 0, blocking, EVF_THREAD | EVF_KEEPALIVE);
  row("bounded-threads", enter_keepalive(), handled, most);
  const first = fork(0);
  if (first == 0) {
    nanosleep(5 * MILLISECOND);
    exit(9);
  }
  const second = fork(0);
  const waited = waitpid(-1, cell, 0);
  const third = fork(0);
  if (third == 0) exit(0);
  row(
    "bounded-children",
    first > 0 ? 1 : first,
    second,
    waited == first ? 1 : 0,
    load<i32>(cell),
    third > 0 ? 1 : third,
  );
  waitpid(third, 0, 0);
}

/** Its own time and what passed meanwhile: it computes all along. */
function share(): void {
  processinfo(0, changetype<usize>(information), PROCESS_INFORMATION_SIZE);
  const used = information.cpuTime;
  const start = clock_gettime(CLOCK_MONOTONIC);
  while (clock_gettime(CLOCK_MONOTONIC) - start < 1000 * MILLISECOND) {}
  const passed = clock_gettime(CLOCK_MONOTONIC) - start;
  processinfo(0, changetype<usize>(information), PROCESS_INFORMATION_SIZE);
  row("bounded-share", information.cpuTime - used, passed);
}

export function main(): i32 {
  memoryLimits();
  vmtable();
  executors();
  share();
  row("bounded-done", 1);
  return 0;
}
