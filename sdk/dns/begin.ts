/** The beginning and the end of a request: what can be said of a name without asking anybody, and what is remembered of an answer. */
import { CLOCK_MONOTONIC, clock_gettime } from "../calls";
import { EDESTADDRREQ, EINVAL, ENODATA } from "../errno";
import { netinfo, NETWORK_INFORMATION_SIZE, NetworkInformation } from "../netinfo";
import { readAddress } from "../inet";
import { AF_INET, AF_INET6, INADDR_LOOPBACK } from "../socket";
import { findCached, keepAnswer } from "./cache";
import { preferredServer } from "./exchange";
import { ADDRESSES_SIZE, TYPE_A, TYPE_AAAA } from "./message";
import { encodeName, endsInNumber, isLocalhost } from "./name";
import {
  adoptQueries,
  Query,
  QUERY_CONNECTING,
  QUERY_LIMIT,
  QUERY_OPENING,
  queryAt,
  SERVERS_SIZE,
  takeQuery,
} from "./query";
import { dnsStatistics } from "./statistics";

/** Results of `beginQuery`: it has to be asked for; the result is there. */
export const MUST_ASK: i32 = 0;
export const IS_KNOWN: i32 = 1;

/**
 * A place for a request for a name, `length` units of `width` bytes at `text`; null: there is none. The name is read before any call is made, for
 * a handler that runs meanwhile may have another use for the place where it stands.
 */
export function newQuery(text: usize, length: i32, width: usize, type: u32): Query | null {
  dnsStatistics().requests++;
  let query = takeQuery();
  // All places may be the parent's.
  if (query === null && adoptQueries()) query = takeQuery();
  if (query === null) {
    dnsStatistics().refused++;
    return null;
  }
  query.type = type;
  if (length >= 0 && (type == TYPE_A || type == TYPE_AAAA)) readText(query, text, length, width);
  adoptQueries();
  return query;
}

/** Reads an address, or else a name. */
function readText(query: Query, text: usize, length: u32, width: usize): void {
  if (readAddress(AF_INET, text, length, width, query.addresses)) query.literal = AF_INET;
  else if (readAddress(AF_INET6, text, length, width, query.addresses)) query.literal = AF_INET6;
  else query.nameSize = encodeName(text, length, width, query.name);
}

/**
 * Sees to what can be said without asking: MUST_ASK, IS_KNOWN, or -EINVAL: it is no name, or its type is not one that can be asked for;
 * -EDESTADDRREQ: no server is known.
 */
export function beginQuery(query: Query): i32 {
  if (query.literal != 0) return literal(query);
  if (query.nameSize == 0) return -EINVAL;
  const now = clock_gettime(CLOCK_MONOTONIC);
  // The place of the question is free as yet.
  const information = changetype<NetworkInformation>(query.framed);
  memory.fill(changetype<usize>(information), 0, NETWORK_INFORMATION_SIZE);
  netinfo(changetype<usize>(information), NETWORK_INFORMATION_SIZE);
  query.servers = information.nameServerCount;
  memory.copy(query.serverAddresses, changetype<usize>(information.nameServer(0)), SERVERS_SIZE);
  query.first = preferredServer();
  if (isLocalhost(query.name, query.nameSize)) return localhost(query);
  if (endsInNumber(query.name)) return -EINVAL;
  const entry = findCached(query.name, query.nameSize, query.type, now);
  if (entry !== null) {
    dnsStatistics().cached++;
    memory.copy(query.addresses, entry.addresses, ADDRESSES_SIZE);
    return known(query, entry.result);
  }
  return query.servers == 0 ? -EDESTADDRREQ : MUST_ASK;
}

function known(query: Query, result: i32): i32 {
  query.result = result;
  return IS_KNOWN;
}

function oneAddress(query: Query, address: u32): i32 {
  store<u32>(query.addresses, address);
  return known(query, 1);
}

/** An address has itself, and none of the other version. */
function literal(query: Query): i32 {
  if ((query.type == TYPE_A) != (query.literal == AF_INET)) return known(query, -ENODATA);
  return query.type == TYPE_A ? oneAddress(query, bswap<u32>(load<u32>(query.addresses))) : known(query, 1);
}

/** RFC 6761, 6.3: never asked for. */
function localhost(query: Query): i32 {
  if (query.type == TYPE_A) return oneAddress(query, INADDR_LOOPBACK);
  memory.fill(query.addresses, 0, 16);
  store<u8>(query.addresses, 1, 15);
  return known(query, 1);
}

/**
 * The request that asks for the same as `query` already, or null. Several questions for one name at a time would make a forged answer as many
 * times more likely to be taken (RFC 5452, 5).
 */
export function findLeader(query: Query): Query | null {
  for (let i: u32 = 0; i < QUERY_LIMIT; i++) {
    const other = queryAt(i);
    if (other === query || other.handler == 0) continue;
    if (other.state < QUERY_OPENING || other.state > QUERY_CONNECTING) continue;
    if (other.type != query.type || other.nameSize != query.nameSize) continue;
    if (memory.compare(other.name, query.name, query.nameSize) == 0) return other;
  }
  return null;
}

/** The request ends with `result`; what may be kept of it is. The caller has closed its socket. */
export function settle(query: Query, result: i32): void {
  query.result = result;
  if (result > 0 || query.ttl != 0) {
    const now = clock_gettime(CLOCK_MONOTONIC);
    keepAnswer(query.name, query.nameSize, query.type, result, query.addresses, query.ttl, now);
  }
  if (result < 0) dnsStatistics().failed++;
}
