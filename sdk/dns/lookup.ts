/**
 * A request that is waited for: for main code, and for handlers and threads that may block. It has the cache in common with `resolve`, and its place
 * among the QUERY_LIMIT requests; it waits by `poll` on its own socket, so that it ends inside of a handler, too, where no other handler runs.
 */
import { CLOCK_MONOTONIC, clock_gettime } from "../calls";
import { EAGAIN, EINTR, EIO, ETIMEDOUT } from "../errno";
import { poll } from "../poll";
import { MSG_DONTWAIT, POLLIN, POLLOUT, recv, SOCK_DGRAM, SOCK_STREAM } from "../socket";
import { beginQuery, IS_KNOWN, MUST_ASK, newQuery, settle } from "./begin";
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
import { TYPE_A } from "./message";
import { Query, releaseQuery, STREAM_LIMIT, streamBlocks } from "./query";

/**
 * The addresses of a name, or of an address in text (inet_pton): up to `limit` of them are written to `addresses` (see ResolveHandler), and their number is returned. Blocks: for as long as
 * the servers take, or 7 s for each of them, handlers run meanwhile. Else a negative errno: all those that `resolve` and its handler know, and
 * -EINTR: a signal.
 */
export function lookup(name: string, addresses: usize, limit: i32, type: u32 = TYPE_A): i32 {
  return wait(changetype<usize>(name), name.length, 2, addresses, limit, type);
}

/** The same for a name of `length` octets at `name`. */
export function lookupName(name: usize, length: i32, addresses: usize, limit: i32, type: u32 = TYPE_A): i32 {
  return wait(name, length, 1, addresses, limit, type);
}

function wait(name: usize, length: i32, width: usize, addresses: usize, limit: i32, type: u32): i32 {
  const query = newQuery(name, length, width, type);
  if (query === null) return -EAGAIN;
  let result = beginQuery(query);
  if (result == IS_KNOWN) result = query.result;
  else if (result == MUST_ASK) {
    result = askAll(query);
    settle(query, result);
  }
  if (result > 0) {
    result = min(result, max(limit, 0));
    memory.copy(addresses, query.addresses, (<usize>result) << (type == TYPE_A ? 2 : 4));
  }
  releaseQuery(query);
  return result;
}

/** Attempt after attempt. How many addresses there are, or a negative errno. */
function askAll(query: Query): i32 {
  query.block = streamBlocks.take();
  while (nextAttempt(query)) {
    let outcome = attempt(query, SOCK_DGRAM);
    if (outcome == ATTEMPT_CUT) outcome = attempt(query, SOCK_STREAM);
    if (outcome == ATTEMPT_DONE) return query.result;
    if (outcome == -EINTR) return outcome;
    failAttempt(query, outcome);
  }
  return query.error;
}

function attempt(query: Query, type: i32): i32 {
  let outcome = openSocket(query, type);
  if (outcome >= 0 && type == SOCK_STREAM) outcome = awaitReady(query, POLLOUT);
  if (outcome >= 0) outcome = ask(query);
  while (outcome == ATTEMPT_WAITS) {
    outcome = awaitReady(query, POLLIN);
    if (outcome >= 0) outcome = receive(query);
  }
  closeSocket(query);
  return outcome;
}

/** Waits until the socket is ready, or has failed: 0. -ETIMEDOUT, -EINTR. */
function awaitReady(query: Query, events: i32): i32 {
  const left = query.deadline - clock_gettime(CLOCK_MONOTONIC);
  if (left <= 0) return -ETIMEDOUT;
  query.pollFd = query.fd;
  query.pollEvents = events;
  const ready = poll(changetype<usize>(query) + offsetof<Query>("pollFd"), 1, <i32>(left / 1_000_000) + 1);
  if (ready < 0) return ready;
  return ready == 0 ? -ETIMEDOUT : 0;
}

/** Takes what has come: as takeDatagram. */
function receive(query: Query): i32 {
  const place = query.block + query.received;
  const length = recv(query.fd, place, STREAM_LIMIT + 2 - query.received, MSG_DONTWAIT);
  if (length == -EAGAIN) return ATTEMPT_WAITS;
  if (length < 0) return length;
  if (query.overTcp == 0) return takeDatagram(query, place, length);
  return length == 0 ? -EIO : takeStream(query, place, length);
}
