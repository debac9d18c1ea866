/** Requests in the manner of AEM: `resolve` registers one, and its handler is called, once, when there is an answer. */
import { EVF_PRIORITY, onTimer } from "../aem";
import { EAGAIN, EINVAL } from "../errno";
import { beginQuery, findLeader, IS_KNOWN, MUST_ASK, newQuery } from "./begin";
import { askNext, finish, startTicking, tellLater } from "./course";
import { TYPE_A } from "./message";
import { Query, QUERY_FOLLOWING, QUERY_READY, releaseQuery } from "./query";
import { dnsStatistics } from "./statistics";

/**
 * The answer to request `id`: `count` addresses at `addresses`, which are the handler's until it returns: of TYPE_A 4 bytes each, numbers as
 * `sockaddr_in.address` takes them; of TYPE_AAAA 16 bytes each, as on the wire. Or `count` is a negative errno: see `resolve`.
 */
export type ResolveHandler = (id: i32, addresses: usize, count: i32) => void;

/**
 * Asks for the addresses of a name; an address in text (inet_pton) has itself. The request's number, > 0, which the handler gets (it may be called before this returns, but never within another
 * handler); or a negative errno, and the handler is not called: -EINVAL: no name; -EDESTADDRREQ: no server is known; -EAGAIN: there are
 * QUERY_LIMIT requests; else what sockets, registrations and sending may return.
 *
 * The handler gets, if not addresses: -ENOENT: there is no such name; -ENODATA: it has no address of this type; or why the last
 * attempt with the last server failed: -ETIMEDOUT, -ECONNREFUSED, …; -EIO: with an error, or an answer that makes no sense; -ELOOP: too many
 * aliases; -EMSGSIZE: too long an answer. `flags`: EVF_PRIORITY of the events, or 0.
 */
export function resolve(name: string, handler: ResolveHandler, type: u32 = TYPE_A, flags: i32 = 0): i32 {
  return request(changetype<usize>(name), name.length, 2, handler.index, type, flags);
}

/** The same for a name of `length` octets at `name`. */
export function resolveName(
  name: usize,
  length: i32,
  handler: ResolveHandler,
  type: u32 = TYPE_A,
  flags: i32 = 0,
): i32 {
  return request(name, length, 1, handler.index, type, flags);
}

function request(name: usize, length: i32, width: usize, handler: u32, type: u32, flags: i32): i32 {
  if ((flags & ~EVF_PRIORITY(0x7e)) != 0) return -EINVAL;
  const query = newQuery(name, length, width, type);
  if (query === null) return -EAGAIN;
  const id = query.id;
  query.handler = handler;
  query.flags = flags;
  let result = startTicking();
  if (result >= 0) result = beginQuery(query);
  if (result == MUST_ASK) return askFirst(query, id);
  if (result == IS_KNOWN) {
    query.state = QUERY_READY;
    // Should this fail, the timer that ticks sees to it.
    onTimer(0, 0, tellLater, flags);
    return id;
  }
  releaseQuery(query);
  return result;
}

function askFirst(query: Query, id: i32): i32 {
  const leader = findLeader(query);
  if (leader !== null) {
    dnsStatistics().joined++;
    query.leader = leader.id;
    query.state = QUERY_FOLLOWING;
    return id;
  }
  const error = askNext(query);
  if (error >= 0) return id;
  finish(query, error);
  releaseQuery(query);
  return error;
}
