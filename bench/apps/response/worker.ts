/**
 * A server of requests that only compute, WORK turns each: messages on port 1, each with the time at which it was posted. It keeps how long after that each was done. A message without
 * a time asks for what was kept, which begins anew:
 *
 *     row response PRIORITY DONE P50 P99 P999 SERVICE     in microseconds; SERVICE: the shortest time of one, in nanoseconds
 */
import { CLOCK_MONOTONIC, EVF_PRIORITY, clock_gettime, enter_keepalive, onMessage } from "../../../sdk";
import { row } from "../../../spec/boot/apps/report";

/** Turns of the work: some 200,000 instructions. */
const WORK: i32 = 18_000;
/** Microseconds that are told apart; what takes longer counts as so many. */
const MOST: i32 = 262_143;
const counts = memory.data(1_048_576, 8);

let level: i32 = 0;
let done: i32 = 0;
let service: i64 = i64.MAX_VALUE;
let state: u32 = 2463534242;

function work(): void {
  let x = state;
  for (let i = 0; i < WORK; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
  }
  state = x;
}

/** Microseconds within which `part` in a thousand were done. */
function percentile(part: i32): i64 {
  const wanted = (<i64>done * part + 999) / 1000;
  let seen: i64 = 0;
  for (let at = 0; at <= MOST; at++) {
    seen += load<u32>(counts + ((<usize>at) << 2));
    if (seen >= wanted) return at;
  }
  return MOST;
}

function received(jid: i32, from: i32, data: usize, length: i32): void {
  if (length < 8) {
    if (done > 0) row("response", level, done, percentile(500), percentile(990), percentile(999), service);
    else row("response", level, 0, 0, 0, 0, 0);
    memory.fill(counts, 0, 1_048_576);
    done = 0;
    return;
  }
  const posted = load<i64>(data);
  const begin = clock_gettime(CLOCK_MONOTONIC);
  work();
  const end = clock_gettime(CLOCK_MONOTONIC);
  service = min(service, end - begin);
  const bucket = counts + ((<usize>min<i64>((end - posted) / 1000, MOST)) << 2);
  store<u32>(bucket, load<u32>(bucket) + 1);
  done++;
}

export function serve(priority: i32): i32 {
  level = priority;
  onMessage(1, received, EVF_PRIORITY(priority));
  return enter_keepalive();
}
