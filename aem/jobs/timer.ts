/**
 * The job of evtimer. A periodic timer is due at first + n * period, whenever its handler ran: it does not drift. Expirations that come
 * before the handler has run are one call, and `overrun` says how many beyond the one.
 *
 * Those of a period below LEAST_PERIOD come together, as many as make one: the processor would have time for nothing else, and what an interrupt does is
 * charged to nobody. (Linux's KVM: min_timer_period_us.)
 */
import { setUpcallArguments } from "../../kernel/glue";
import { Timer, timerRestart, timersTime, timerStartAt } from "../../kernel/time/timers";
import { EVENT_TIMER } from "../abi";
import { countActivations, makePending } from "../activation";
import { Event } from "../event";
import { defineJob, DELIVERED, EMPTY } from "../job";

/** So far apart, in ns, are the moments at which one timer is looked at, at least as long as it is looked at in time. */
export const LEAST_PERIOD: u64 = 50_000;
/** Largest overrun that is told. */
const MOST: u32 = 0x7fff_ffff;

export function defineTimer(): void {
  defineJob(EVENT_TIMER, deliver.index, expired.index, 0, 0);
}

/** (Re)starts the timer of a timer event. */
export function startTimer(event: Event, expires: u64): void {
  timerStartAt(event, expires, event.priority);
}

function expired(timer: Timer): void {
  const event = changetype<Event>(timer);
  const period = event.data;
  if (period >= LEAST_PERIOD) {
    count(event, 1);
    timerRestart(timer, nextOf(event, period));
  } else expiredShort(event, period);
  makePending(event);
}

/** Of a timer that has expired: when it does so next. What it is late by already is counted. */
// @ts-ignore: decorator
@inline
function nextOf(event: Event, period: u64): u64 {
  const next = event.expires + period;
  const time = timersTime;
  if (next > time) return next;
  // Late by whole periods: interrupts were off.
  const missed = (time - next) / period + 1;
  count(event, missed);
  return next + missed * period;
}

/** One without a period, or with a short one. */
function expiredShort(event: Event, period: u64): void {
  count(event, 1 + event.object);
  if (period == 0) return;
  const together = (LEAST_PERIOD - 1) / period;
  event.object = <usize>together;
  timerRestart(event, nextOf(event, period) + together * period);
}

// @ts-ignore: decorator
@inline
function count(event: Event, times: u64): void {
  event.count = <u32>min<u64>(<u64>event.count + times, MOST + 1);
  countActivations(event, <u32>times);
}

function deliver(event: Event): i32 {
  const count = event.count;
  if (count == 0) return EMPTY;
  event.count = 0;
  setUpcallArguments(<u32>event.jid, count - 1, 0, 0, 0);
  return DELIVERED;
}
