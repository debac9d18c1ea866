/**
 * The routers of the link and the prefixes that are on it (RFC 4861, 5.1), and the solicitations that ask for them (6.3.7). What routers say is read in
 * net/router-advertisement.ts.
 *
 * Both lists are short, and what comes beyond them is left out and counted: a flood of invented routers keeps those that we have. Redirects are ignored.
 *
 * Of the routers the one with the highest preference is used (RFC 4191, 3.2), but one that has not answered only when there is no other, until it advertises itself again. When none
 * answers, they are tried in turn.
 */
import { now, SECOND } from "../kernel/time/clock";
import { Timer, timerPrepare, timerStart, timerStop } from "../kernel/time/timers";
import { networkCounters } from "./counters";
import { IpAddress } from "./flow";
import { linkIsUp } from "./interface";
import { sendRouterSolicitation } from "./neighbour-discovery";
import { FOREVER } from "./own-addresses";
import { samePrefix } from "./scope";

/** Routers and prefixes that are kept. */
export const ROUTERS: u32 = 4;
export const PREFIXES: u32 = 4;
/** Solicitations, and the time between them in ns (RFC 4861, 10). */
export const SOLICITATIONS: u32 = 3;
export const SOLICITATION_TIME: u64 = 4_000_000_000;
/** Preferences of routers. */
export const PREFERENCE_LOW: u32 = 0;
export const PREFERENCE_MEDIUM: u32 = 1;
export const PREFERENCE_HIGH: u32 = 2;

/** A lifetime in seconds that never ends. */
const INFINITE: u32 = 0xffff_ffff;

/** A router, with its address; or a prefix, with its length. Free when its time is over. */
@unmanaged
class Entry extends IpAddress {
  /** ns since boot. */
  until: u64;
  /** Of a router: when it did not answer, in ns since boot; 0: it does, as far as is known. */
  failed: u64;
  /** Of a prefix: its bits. */
  prefixLength: u32;
  /** Of a router: PREFERENCE_*. */
  preference: u32;
}

const ENTRY_SIZE: usize = offsetof<Entry>();
const TIMER_OFFSET: usize = ENTRY_SIZE * (ROUTERS + PREFIXES);
/** Bytes of storage for initializeRouters. */
export const ROUTERS_STORAGE: usize = TIMER_OFFSET + offsetof<Timer>();

let table: usize = 0;
let timer: Timer = changetype<Timer>(0);
/** Solicitations sent since the link came up. */
let solicited: u32 = 0;

/** Once at boot. `storage`: ROUTERS_STORAGE bytes, 8-aligned. */
export function initializeRouters(storage: usize): void {
  memory.fill(storage, 0, ROUTERS_STORAGE);
  table = storage;
  timer = changetype<Timer>(storage + TIMER_OFFSET);
  timerPrepare(timer, onTimer.index);
  solicited = 0;
}

/** Router `index`; from ROUTERS on the prefixes. */
// @ts-ignore: decorator
@inline
function entryAt(index: u32): Entry {
  return changetype<Entry>(table + <usize>index * ENTRY_SIZE);
}

// ---- What the network layer asks ----

/** Whether a prefix of this link covers `address`. Link-local addresses always are on the link, and are not asked for here. */
export function isOnLink6(address: IpAddress): bool {
  const time = now();
  for (let i: u32 = ROUTERS; i < ROUTERS + PREFIXES; i++) {
    const entry = entryAt(i);
    if (entry.until > time && samePrefix(entry, address, entry.prefixLength)) return true;
  }
  return false;
}

/** The router for everything else; null: there is none. */
export function defaultRouter(): IpAddress | null {
  return chosenRouter();
}

function chosenRouter(): Entry | null {
  const time = now();
  let best: Entry | null = null;
  for (let i: u32 = 0; i < ROUTERS; i++) {
    const entry = entryAt(i);
    if (entry.until > time && (best === null || isBetter(entry, best))) best = entry;
  }
  return best;
}

/** One that answers goes before one that does not; of those that do the preference counts, of the others who was tried the longest ago. */
function isBetter(a: Entry, b: Entry): bool {
  if (a.failed != 0 || b.failed != 0) return a.failed < b.failed;
  return a.preference > b.preference;
}

/** A neighbour does not answer: if it is the router in use, the next one is tried (RFC 4861, 6.3.6). */
export function routerFailed(address: IpAddress): void {
  const present = chosenRouter();
  if (present !== null && present.same(address)) present.failed = now();
}

/** A router says that it is one, until `until` (ns since boot); 0: that it is none any more. */
export function routerAdvertises(address: IpAddress, until: u64, preference: u32): void {
  // Who is none has answered no question for one (RFC 4861, 6.3.7).
  if (until != 0) timerStop(timer);
  const entry = setEntry(0, ROUTERS, address, 128, until);
  if (entry === null) return;
  entry.preference = preference;
  entry.failed = 0;
}

/** A router of the command line. */
export function fixRouter(address: IpAddress): void {
  routerAdvertises(address, FOREVER, PREFERENCE_MEDIUM);
}

/** A neighbour that may have been a router is none. */
export function routerGone(address: IpAddress): void {
  setEntry(0, ROUTERS, address, 128, 0);
}

/** A prefix of `bits` (0..128) is on this link until `until`. */
export function setPrefix(address: IpAddress, bits: u32, until: u64): void {
  setEntry(ROUTERS, PREFIXES, address, bits, until);
}

/** The entry among `count` from `from` on; null: there is no room, or no need. */
function setEntry(from: u32, count: u32, address: IpAddress, bits: u32, until: u64): Entry | null {
  const time = now();
  let free: Entry | null = null;
  for (let i: u32 = from; i < from + count; i++) {
    const entry = entryAt(i);
    const here = entry.until > time;
    if (here && entry.prefixLength == bits && samePrefix(entry, address, bits)) {
      // What the command line says stays.
      if (entry.until != FOREVER) entry.until = until;
      return entry;
    }
    if (!here && free === null) free = entry;
  }
  if (until <= time) return null;
  if (free === null) {
    networkCounters().ndNoRoom++;
    return null;
  }
  free.copyAddress(address);
  free.prefixLength = bits;
  free.until = until;
  return free;
}

/** The end of a lifetime in seconds; 0: it is over. */
export function endOf(seconds: u32): u64 {
  if (seconds == 0) return 0;
  return seconds == INFINITE ? FOREVER - 1 : now() + seconds * SECOND;
}

// ---- Solicitations (RFC 4861, 6.3.7) ----

/** The link is up and has an address: the routers are asked. */
export function solicitRouters(): void {
  solicited = 0;
  onTimer(timer);
}

function onTimer(timer: Timer): void {
  if (solicited >= SOLICITATIONS || !linkIsUp()) return;
  solicited++;
  sendRouterSolicitation();
  timerStart(timer, now() + SOLICITATION_TIME);
}
