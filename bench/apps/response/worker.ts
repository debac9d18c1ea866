/**
 * A server of requests that only compute, SERVICE nanoseconds each: messages on port 1, each with the time at which it was posted and that at which its load ends. How long after the
 * posting each was done is kept until all loads are over, in the order of the loads: a message without times ends one, and another, behind the last, asks for the rows.
 *
 *     row response PRIORITY DONE INTIME P50 P99 P999     a load: requests done, those that were before it ended, and microseconds from the posting to the end
 *     row service PRIORITY LEAST                         the shortest time of one, in nanoseconds
 */
import { CLOCK_MONOTONIC, EVF_PRIORITY, clock_gettime, enter_keepalive, onMessage } from "../../../sdk";
import { row } from "../../../spec/boot/apps/report";
import { LOADS, SERVICE } from "./work";

/** Requests of one load that there is room for: the processor can do 7,500, and what waits at its end. */
const MOST: i32 = 16_384;
/** Requests that are done to find out how many turns one takes. */
const TRIALS: i32 = 20;

const taken = new StaticArray<u32>(LOADS * MOST);
const done = new StaticArray<i32>(LOADS);
const inTime = new StaticArray<i32>(LOADS);
let phase: i32 = 0;
let level: i32 = 0;
let turns: i32 = 1000;
let service: i64 = i64.MAX_VALUE;
let ended: i64 = 0;
let state: u32 = 2463534242;

/** Nanoseconds that it took; it ended at `ended`. */
function work(): i64 {
  const begin = clock_gettime(CLOCK_MONOTONIC);
  let x = state;
  for (let i = 0; i < turns; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
  }
  state = x;
  ended = clock_gettime(CLOCK_MONOTONIC);
  return ended - begin;
}

/** As many turns as take SERVICE: by the shortest of some, which nothing interrupted. */
function calibrate(): void {
  for (let trial = 0; trial < 3; trial++) {
    let least = i64.MAX_VALUE;
    for (let i = 0; i < TRIALS; i++) least = min(least, work());
    turns = <i32>((<i64>turns * SERVICE) / least);
  }
}

/** Microseconds within which `part` in a thousand of a load were done. */
function percentile(sorted: StaticArray<u32>, part: i32): i64 {
  return sorted.length == 0 ? 0 : unchecked(sorted[(sorted.length * part + 999) / 1000 - 1]);
}

function report(): void {
  for (let load = 0; load < LOADS; load++) {
    const count = unchecked(done[load]);
    const own = taken.slice<StaticArray<u32>>(load * MOST, load * MOST + count).sort();
    row(
      "response",
      level,
      count,
      unchecked(inTime[load]),
      percentile(own, 500),
      percentile(own, 990),
      percentile(own, 999),
    );
  }
  row("service", level, service);
}

function received(jid: i32, from: i32, data: usize, length: i32): void {
  if (length < 16) {
    if (phase < LOADS) phase++;
    else report();
    return;
  }
  const posted = load<i64>(data);
  const loadEnd = load<i64>(data, 8);
  service = min(service, work());
  const count = unchecked(done[phase]);
  // More than there can be: an index out of range ends the application.
  taken[phase * MOST + count] = <u32>((ended - posted) / 1000);
  unchecked((done[phase] = count + 1));
  if (ended <= loadEnd) unchecked(inTime[phase]++);
}

export function serve(priority: i32): i32 {
  level = priority;
  calibrate();
  onMessage(1, received, EVF_PRIORITY(priority));
  return enter_keepalive();
}
