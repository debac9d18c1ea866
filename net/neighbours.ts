/**
 * The neighbours on the link, of both versions of IP: how a packet comes to a link address, and whether that still holds (RFC 4861, 7.3; RFC 1122,
 * 2.3.2). What is asked and answered is in net/arp.ts and net/neighbour-discovery.ts.
 *
 *     (none) ──packet to send──> INCOMPLETE ──answer──> REACHABLE ──30 s, or doubt──> STALE
 *        └────it has spoken to us──────────────────────────────────────────────────> │
 *     REACHABLE <──answer── PROBE <──packet to send (which is sent at once)────────────┘     IPv6: by way of DELAY, for 5 s
 *     INCOMPLETE, PROBE ──three requests unanswered──> (none)
 *
 * DELAY is where RFC 4861 waits for news from above; with IPv4 the first question is a unicast, and is asked at once.
 */
import { now } from "../kernel/time/clock";
import { Timer, timerPrepare, timerStart, timerStop } from "../kernel/time/timers";
import { arpAsk } from "./arp";
import { PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { reportNeighbourGone } from "./errors";
import { ethernetOutput } from "./ethernet";
import { sendFragmentsLater } from "./fragment-output";
import { linkIsUp } from "./interface";
import { REACHABLE_TIME, reachableTime6, RETRY_TIME, retryTime6 } from "./link-parameters";
import {
  CLASS_LEARNED,
  CLASS_PENDING,
  CLASS_RESOLVED,
  initializeNeighbourCache,
  isLatest,
  Neighbour,
  neighbourFind,
  neighbourInsert,
  neighbourIsFree,
  neighbourMove,
  neighbourRemove,
  neighbourTouch,
  neighbourVictim,
} from "./neighbour-cache";
import { solicitNeighbour } from "./neighbour-discovery";
import { detachQueued, dropQueued, enqueue, initializeNeighbourQueues, takeQueued } from "./neighbour-queue";
import { routerFailed } from "./routers";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "./wire/ethernet";

export { NEIGHBOURS_STORAGE } from "./neighbour-cache";

export const NEIGHBOUR_INCOMPLETE: u8 = 1;
export const NEIGHBOUR_REACHABLE: u8 = 2;
export const NEIGHBOUR_STALE: u8 = 3;
export const NEIGHBOUR_PROBE: u8 = 4;
export const NEIGHBOUR_DELAY: u8 = 5;

/** Until a neighbour of IPv6 that is used is asked, in ns (RFC 4861, 10). How long an answer is believed, and the time between requests, are in net/link-parameters.ts. */
export const DELAY_TIME: u64 = 5_000_000_000;
/** Requests before we give up. */
export const NEIGHBOUR_TRIES: u32 = 3;

/** Once at boot. `storage`: NEIGHBOURS_STORAGE bytes. */
export function initializeNeighbours(storage: usize): void {
  initializeNeighbourQueues();
  initializeNeighbourCache(storage, prepareEntry.index);
}

function prepareEntry(entry: Neighbour): void {
  timerPrepare(entry.timer, onTimer.index);
}

// ---- Output ----

/**
 * Sends the IP packet in `buffer`, which it borrows, to the neighbour with the address `high`, `low`. 0 when it was sent or waits, or -ENOBUFS. The
 * link is up. A chain (net/fragment-output.ts) only to one that is not known yet.
 */
export function neighbourOutput(buffer: PacketBuffer, high: u64, low: u64): i32 {
  const entry = neighbourFind(high, low);
  if (entry !== null && entry.state == NEIGHBOUR_REACHABLE && isLatest(entry))
    return ethernetOutput(buffer, entry.link0, entry.link4, high == 0 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  // Not to be inlined, as in net/socket/tcp/send.ts.
  return call_indirect<i32>(anyOutput.index, buffer, high, low, entry);
}

/** The same to one that may not be known (`entry` is null then), or have to be asked, or was not the last that was sent to. */
function anyOutput(buffer: PacketBuffer, high: u64, low: u64, entry: Neighbour | null): i32 {
  if (entry === null) return startResolution(buffer, high, low);
  if (entry.state == NEIGHBOUR_INCOMPLETE) return enqueue(entry, buffer);
  if (entry.class == CLASS_RESOLVED) neighbourTouch(entry);
  else neighbourMove(entry, CLASS_RESOLVED);
  const link0 = entry.link0;
  const link4 = entry.link4;
  if (entry.state == NEIGHBOUR_STALE) used(entry);
  return ethernetOutput(buffer, link0, link4, high == 0 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
}

/** Whether packets to a neighbour leave at once: its link address is known. */
export function neighbourIsKnown(high: u64, low: u64): bool {
  const entry = neighbourFind(high, low);
  return entry !== null && entry.state != NEIGHBOUR_INCOMPLETE;
}

/** A packet goes to a link address that has not been confirmed for a while. */
function used(entry: Neighbour): void {
  entry.tries = 0;
  if (entry.isIpv4) {
    entry.state = NEIGHBOUR_PROBE;
    ask(entry);
    return;
  }
  entry.state = NEIGHBOUR_DELAY;
  timerStart(entry.timer, now() + DELAY_TIME);
}

function startResolution(buffer: PacketBuffer, high: u64, low: u64): i32 {
  // There always is one: no class is protected from PENDING.
  const entry = changetype<Neighbour>(changetype<usize>(makeRoom(CLASS_PENDING)));
  neighbourInsert(entry, high, low, CLASS_PENDING);
  entry.state = NEIGHBOUR_INCOMPLETE;
  entry.tries = 0;
  entry.doubted = 0;
  const result = enqueue(entry, buffer);
  ask(entry);
  return result;
}

/** A free entry for `class_`; null when none may be had. */
function makeRoom(class_: u32): Neighbour | null {
  const entry = neighbourVictim(class_);
  if (entry !== null && !neighbourIsFree(entry)) {
    const counters = networkCounters();
    counters.arpEvicted++;
    counters.arpQueueDropped += entry.queue.count;
    forget(entry);
  }
  return entry;
}

/** Drops what waits, and frees the entry. */
function forget(entry: Neighbour): void {
  timerStop(entry.timer);
  dropQueued(entry);
  neighbourRemove(entry);
}

// ---- Requests and their time-outs ----

/** Sends a request and starts the timer for the next. */
function ask(entry: Neighbour): void {
  entry.tries++;
  timerStart(entry.timer, now() + (entry.isIpv4 ? RETRY_TIME : retryTime6));
  if (entry.isIpv4) arpAsk(entry);
  else solicitNeighbour(entry);
}

function onTimer(timer: Timer): void {
  const entry = Neighbour.ofTimer(timer);
  const state = entry.state;
  if (state == NEIGHBOUR_REACHABLE) {
    entry.state = NEIGHBOUR_STALE;
  } else if (state == NEIGHBOUR_DELAY) {
    entry.state = NEIGHBOUR_PROBE;
    ask(entry);
  } else if (entry.tries < NEIGHBOUR_TRIES) {
    ask(entry);
  } else {
    fail(entry);
  }
}

/** Nobody answers: the senders of what waits are told "host unreachable". */
function fail(entry: Neighbour): void {
  // The entry goes first: what a transport does about the error may need one.
  networkCounters().arpUnresolved += entry.queue.count;
  let buffer = detachQueued(entry);
  if (!entry.isIpv4) routerFailed(entry.address);
  neighbourRemove(entry);
  while (buffer !== null) {
    const next: PacketBuffer | null = buffer.next;
    reportNeighbourGone(buffer);
    releaseBuffer(buffer);
    buffer = next;
  }
}

// ---- What arp.ts and neighbour-discovery.ts have learnt ----

/** `entry` has answered: its link address is what it says. Sends what waits. */
export function neighbourAnswers(entry: Neighbour, link0: u32, link4: u16): void {
  entry.link0 = link0;
  entry.link4 = link4;
  entry.state = NEIGHBOUR_REACHABLE;
  entry.doubted = 0;
  neighbourMove(entry, CLASS_RESOLVED);
  timerStart(entry.timer, now() + (entry.isIpv4 ? REACHABLE_TIME : reachableTime6()));
  sendQueued(entry);
}

/** Its link address is known, or another one than before; nothing says that it can be reached there. Sends what waits. */
export function neighbourMoved(entry: Neighbour, link0: u32, link4: u16): void {
  entry.link0 = link0;
  entry.link4 = link4;
  if (entry.state == NEIGHBOUR_INCOMPLETE) neighbourMove(entry, CLASS_RESOLVED);
  makeStale(entry);
  entry.doubted = 0;
  sendQueued(entry);
}

/** One of whom we knew nothing has spoken to us. */
export function neighbourLearnt(high: u64, low: u64, link0: u32, link4: u16): void {
  const entry = makeRoom(CLASS_LEARNED);
  if (entry === null) return;
  neighbourInsert(entry, high, low, CLASS_LEARNED);
  entry.link0 = link0;
  entry.link4 = link4;
  entry.state = NEIGHBOUR_STALE;
  entry.doubted = 0;
}

/** What is sent to this neighbour does not seem to arrive: the next packet to it asks for it again. */
export function neighbourDoubt(high: u64, low: u64): void {
  const entry = neighbourFind(high, low);
  if (entry === null || (entry.state != NEIGHBOUR_REACHABLE && entry.state != NEIGHBOUR_STALE)) return;
  neighbourDoubted(entry);
}

/** Nothing is sure of it any more: its next use asks, IPv4's the whole link. */
export function neighbourDoubted(entry: Neighbour): void {
  makeStale(entry);
  entry.doubted = 1;
}

function makeStale(entry: Neighbour): void {
  timerStop(entry.timer);
  entry.state = NEIGHBOUR_STALE;
}

function sendQueued(entry: Neighbour): void {
  let buffer = takeQueued(entry);
  while (buffer !== null) {
    // The first of them is a use of the address.
    if (entry.state == NEIGHBOUR_STALE) used(entry);
    if (buffer.more !== null) {
      // Too much for one step.
      sendFragmentsLater(buffer);
    } else {
      if (linkIsUp()) {
        ethernetOutput(buffer, entry.link0, entry.link4, entry.isIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
      }
      releaseBuffer(buffer);
    }
    buffer = takeQueued(entry);
  }
}
