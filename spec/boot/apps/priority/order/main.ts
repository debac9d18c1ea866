/**
 * The order of dispatch (spec/boot/aem/priorities.test.ts): 64 events of many priorities are activated in one handler, so that all of
 * them wait; their handlers tell the order. Some get their priority at registration, some later, some while they wait.
 */
import {
  EVF_ONESHOT,
  EVJOBPRIO,
  EventStatistics,
  STATISTICS_SIZE,
  eventStatistics,
  evctl,
  evpost,
  exit,
  nanosleep,
  onMessage,
  onTimer,
} from "../../../../../sdk";
import { prioritized } from "../../identity";
import { row } from "../../report";

const EVENTS: i32 = 64;
const FIRST_PORT: i32 = 100;
const statistics = memory.data(200, 8);
const jids = memory.data(256);
let seed: u32 = 20261;

function random(below: u32): u32 {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed % below;
}

function jid(index: i32): i32 {
  return load<i32>(jids + ((<usize>index) << 2));
}

function priorityOf(index: i32): i32 {
  eventStatistics(jid(index), statistics);
  return changetype<EventStatistics>(statistics).priority;
}

function called(jid: i32, from: i32, data: usize, length: i32): void {
  row("called", load<i32>(data));
}

/** The rows say what was done, in order: index and the priority that the event has from then on. */
function trigger(timer: i32, overrun: i32): void {
  for (let n: i32 = 0; n < EVENTS; n++) {
    // 37 and 64 have no common divisor: each index once.
    const index = (n * 37 + 11) % EVENTS;
    store<i32>(statistics, index);
    row("activated", index, evpost(0, jid(index), statistics, 4), priorityOf(index));
  }
  for (let index: i32 = 0; index < EVENTS; index += 5) {
    const priority = <i32>random(64);
    row("moved", index, evctl(jid(index), EVJOBPRIO, priority), priorityOf(index), priority);
  }
}

export function main(): i32 {
  for (let index: i32 = 0; index < EVENTS; index++) {
    // Few levels, so that several events share one.
    const priority = <i32>(index % 3 == 0 ? random(64) : random(4) * 21);
    const later = index % 4 == 1;
    const none = index % 8 == 3;
    const found = onMessage(FIRST_PORT + index, called, none || later ? 0 : prioritized(priority));
    store<i32>(jids + ((<usize>index) << 2), found);
    row("registered", index, none || later ? -1 : priority, priorityOf(index));
    if (later) row("changed", index, evctl(found, EVJOBPRIO, priority), priority, priorityOf(index));
  }
  row("refused", evctl(jid(0), EVJOBPRIO, 64), evctl(jid(0), EVJOBPRIO, -1), onMessage(1, called, 65 << 8));
  onTimer(1_000_000, 0, trigger, EVF_ONESHOT | prioritized(63));
  nanosleep(20_000_000);
  exit(0);
  return 0;
}
