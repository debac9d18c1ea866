/**
 * The course of a request that nobody waits for: answers are read events on the sockets of the attempts, and one timer looks for attempts whose time is
 * over, as long as there are any requests.
 *
 * Handlers may run at the end of any call, those below among them. So a request that is worked on is OPENING, which no handler touches, and what a
 * request waits for is written down before the call that may bring it.
 */
import { evctl, EVJOBSHTDN, onRead, onSock, onTimer, SHUTDOWN_DROP } from "../aem";
import { CLOCK_MONOTONIC, clock_gettime } from "../calls";
import { ECONNREFUSED, EIO, ETIMEDOUT } from "../errno";
import { POLLERR, POLLHUP, POLLOUT, SOCK_DGRAM, SOCK_STREAM } from "../socket";
import { settle } from "./begin";
import {
  ask,
  ATTEMPT_CUT,
  ATTEMPT_DONE,
  ATTEMPT_WAITS,
  closeSocket,
  failAttempt,
  nextAttempt,
  openSocket,
  takeDatagram,
  takeStream,
} from "./exchange";
import { ADDRESSES_SIZE } from "./message";
import {
  ownsQueries,
  Query,
  QUERY_ASKING,
  QUERY_CONNECTING,
  QUERY_FOLLOWING,
  QUERY_FREE,
  QUERY_LIMIT,
  QUERY_OPENING,
  QUERY_READY,
  QUERY_TELLING,
  queryAt,
  queryOwner,
  releaseQuery,
  streamBlocks,
} from "./query";

/** Nanoseconds between looks at the deadlines. */
const TICK: i64 = 100_000_000;

/** The timer's jid; 0: there is none. */
let ticking: i32 = 0;
/** The process whose timer that is. */
let tickOwner: i32 = 0;

/** Sees to it that there is the timer. 0 or more, or the errno of its registration. */
export function startTicking(): i32 {
  if (tickOwner != queryOwner()) {
    tickOwner = queryOwner();
    ticking = 0;
  }
  if (ticking != 0) return 0;
  const jid = onTimer(TICK, TICK, tick);
  if (ticking != 0) {
    // A handler that ran within the call has begun a request, and this.
    if (jid > 0) evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
    return 0;
  }
  if (jid > 0) ticking = jid;
  return jid;
}

/** Begins the next attempt, over UDP, that can be begun. 0, and the request is no longer the caller's; or why there is none. */
export function askNext(query: Query): i32 {
  query.state = QUERY_OPENING;
  while (nextAttempt(query)) {
    let error = openSocket(query, SOCK_DGRAM);
    if (error >= 0) error = onRead(query.fd, answered, query.flags);
    if (error >= 0) error = ask(query);
    if (error >= 0) return 0;
    query.state = QUERY_OPENING;
    closeSocket(query);
    failAttempt(query, error);
  }
  return query.error;
}

/** The attempt goes on over TCP, with the same server. 0 or a negative errno. */
function askOverTcp(query: Query): i32 {
  query.state = QUERY_OPENING;
  closeSocket(query);
  if (query.block == 0) query.block = streamBlocks.take();
  const error = openSocket(query, SOCK_STREAM);
  if (error < 0) return error;
  query.state = QUERY_CONNECTING;
  return onSock(query.fd, connected, query.flags);
}

// ---- Handlers ----

function queryOf(fd: i32): Query | null {
  if (!ownsQueries()) return null;
  for (let i: u32 = 0; i < QUERY_LIMIT; i++) {
    const query = queryAt(i);
    const waits = query.state == QUERY_ASKING || query.state == QUERY_CONNECTING;
    if (waits && query.fd == fd && query.handler != 0) return query;
  }
  return null;
}

function answered(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  const query = queryOf(fd);
  if (query === null) return;
  let outcome = length < 0 ? length : -EIO;
  if (length >= 0 && from != 0) outcome = takeDatagram(query, data, length);
  else if (length > 0) outcome = takeStream(query, data, length);
  proceed(query, outcome);
  tellAll();
}

/** What the socket of a TCP connection reports: it is there, or has failed. */
function connected(jid: i32, fd: i32, events: i32, error: i32): void {
  const query = queryOf(fd);
  if (query === null || query.state != QUERY_CONNECTING) return;
  let outcome = error;
  if (error == 0) {
    if ((events & (POLLERR | POLLHUP)) != 0) outcome = -ECONNREFUSED;
    else if ((events & POLLOUT) == 0) return;
    else {
      evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
      outcome = onRead(fd, answered, query.flags);
      if (outcome > 0) outcome = ask(query);
    }
  }
  proceed(query, outcome);
  tellAll();
}

function tick(jid: i32, overrun: i32): void {
  if (jid != ticking || !ownsQueries()) {
    // A second one, or a copy of the parent's; but with none known, this may be the one that is just being registered.
    if (ticking != 0) evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
    return;
  }
  const now = clock_gettime(CLOCK_MONOTONIC);
  for (let i: u32 = 0; i < QUERY_LIMIT; i++) {
    const query = queryAt(i);
    const waits = query.state == QUERY_ASKING || query.state == QUERY_CONNECTING;
    if (waits && query.handler != 0 && now >= query.deadline) proceed(query, -ETIMEDOUT);
  }
  tellAll();
  for (let i: u32 = 0; i < QUERY_LIMIT; i++) {
    const query = queryAt(i);
    if (query.state != QUERY_FREE && query.handler != 0) return;
  }
  ticking = 0;
  evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
}

export function tellLater(jid: i32, overrun: i32): void {
  if (ownsQueries()) tellAll();
}

// ---- The course of a request ----

/** Does what follows from the outcome of an attempt. Only handlers call this. */
function proceed(query: Query, outcome: i32): void {
  if (outcome == ATTEMPT_WAITS) return;
  if (outcome == ATTEMPT_DONE) return finish(query, query.result);
  if (outcome == ATTEMPT_CUT) {
    outcome = askOverTcp(query);
    if (outcome >= 0) return;
  }
  query.state = QUERY_OPENING;
  closeSocket(query);
  failAttempt(query, outcome);
  const error = askNext(query);
  if (error < 0) finish(query, error);
}

/** The request has its result, and so have those that wait for it. */
export function finish(query: Query, result: i32): void {
  query.state = QUERY_OPENING;
  closeSocket(query);
  settle(query, result);
  for (let i: u32 = 0; i < QUERY_LIMIT; i++) {
    const other = queryAt(i);
    if (other.state != QUERY_FOLLOWING || other.leader != query.id) continue;
    other.result = result;
    memory.copy(other.addresses, query.addresses, ADDRESSES_SIZE);
    other.state = QUERY_READY;
  }
  query.state = QUERY_READY;
}

/** Calls the handlers of all requests that have a result. */
function tellAll(): void {
  for (let i: u32 = 0; i < QUERY_LIMIT; i++) {
    const query = queryAt(i);
    if (query.state != QUERY_READY || query.handler == 0) continue;
    query.state = QUERY_TELLING;
    call_indirect<void>(query.handler, query.id, query.addresses, query.result);
    releaseQuery(query);
  }
}
