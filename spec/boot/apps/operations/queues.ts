/** The queue of a process (AEM 3.6.1): by priority, and first in, first out within one. */
import {
  EVJOBPRIO,
  EVJOBSHTDN,
  CLOCK_MONOTONIC,
  clock_gettime,
  evctl,
  nanosleep,
  onMessage,
  onTimer,
  evpost,
} from "../../../../sdk";
import { row } from "../report";
import { MILLISECOND, await_, look, note, noted } from "./trace";

const jids = memory.data(64, 8);
const word = memory.data(8, 8);

function message(jid: i32, from: i32, data: usize, length: i32): void {
  note(load<u8>(data));
}

function post(index: i32): void {
  store<u8>(word, <u8>(index + 1));
  evpost(0, load<i32>(jids + (index << 2)), word, 1);
}

/** In a handler, so that all of them wait. Registered at 10, 20, 30, 20, 10; posted in that order, and the first one twice. */
function congest(jid: i32, overrun: i32): void {
  for (let i = 0; i < 5; i++) post(i);
  post(0);
  row("waiting", look().pending);
  // The one of 10 that was registered last overtakes all.
  evctl(load<i32>(jids + 16), EVJOBPRIO, 40);
}

let expirations: i32 = 0;

function expired(jid: i32, overrun: i32): void {
  expirations += 1 + overrun;
  note(overrun > 0 ? 2 : 1);
}

/** A timer goes on while nothing can be called: its expirations wait with it, and are one call. */
function coalesce(jid: i32, overrun: i32): void {
  const timer = onTimer(MILLISECOND, MILLISECOND, expired);
  const end = clock_gettime(CLOCK_MONOTONIC) + 20 * MILLISECOND;
  while (clock_gettime(CLOCK_MONOTONIC) < end) {}
  row("congested", expirations, look().pending);
  store<i32>(jids, timer);
}

export function queues(): void {
  for (let i = 0; i < 5; i++) {
    const priority = i == 0 || i == 4 ? 10 : i == 2 ? 30 : 20;
    store<i32>(jids + (i << 2), onMessage(10 + i, message, (priority + 1) << 8));
  }
  onTimer(MILLISECOND, 0, congest);
  await_(6);
  row("order", noted());
  for (let i = 0; i < 5; i++) evctl(load<i32>(jids + (i << 2)), EVJOBSHTDN, 0);
  onTimer(MILLISECOND, 0, coalesce);
  await_(1);
  nanosleep(MILLISECOND);
  evctl(load<i32>(jids), EVJOBSHTDN, 0);
  row("coalesced", expirations >= 19 ? 1 : 0, noted() >= 2 ? 1 : 0);
}
