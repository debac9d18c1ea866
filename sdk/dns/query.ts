/**
 * Requests under way: their struct and their table. Table and cache are taken from the heap when the first request is made, and once.
 */
import { getpid } from "../calls";
import { Pool } from "../pool";
import { NETWORK_NAME_SERVERS, NetworkAddress } from "../netinfo";
import { close } from "../socket";
import { CACHE_STORAGE, initializeCache } from "./cache";
import { ADDRESSES_SIZE, QUESTION_LIMIT } from "./message";

/** Requests at once, of `resolve` and `lookup` together. */
export const QUERY_LIMIT: u32 = 32;
/** Octets of the longest answer that is taken over TCP. */
export const STREAM_LIMIT: u32 = 4096;

/** Bytes of the addresses of all servers. */
export const SERVERS_SIZE: usize = offsetof<NetworkAddress>() * NETWORK_NAME_SERVERS;

// ---- States of a request ----

export const QUERY_FREE: u32 = 0;
/** Sockets are made for it; nobody else touches it. */
export const QUERY_OPENING: u32 = 1;
/** An answer may come, over UDP or TCP. */
export const QUERY_ASKING: u32 = 2;
/** A TCP connection is being made. */
export const QUERY_CONNECTING: u32 = 3;
/** Another one asks for the same: `leader`. */
export const QUERY_FOLLOWING: u32 = 4;
/** Its handler has to be called. */
export const QUERY_READY: u32 = 5;
/** Its handler runs. */
export const QUERY_TELLING: u32 = 6;


@unmanaged
export class Query {
  /** When the attempt has failed; nanoseconds since boot. */
  deadline: i64;
  /** QUERY_*. */
  state: u32;
  id: i32;
  /** Index of a ResolveHandler; 0: a blocking call's request, which no event touches. */
  handler: u32;
  /** Of its events: EVF_PRIORITY. */
  flags: i32;
  /** Id of the request that asks for this one as well. */
  leader: i32;
  /** How many servers there are, and with which one the attempts begin. */
  servers: u32;
  first: u32;
  /** Attempts begun, and the server of the present one. */
  attempt: u32;
  server: u32;
  /** Counts the sockets that it has had: whoever makes a call knows by it whether the request is the same after it. */
  serial: u32;
  /** -1: none. */
  fd: i32;
  /** 1: the present attempt is over TCP. */
  overTcp: u32;
  /** A block of `streamBlocks` or 0, and the octets in it. */
  block: usize;
  received: u32;
  /** Messages that came to the present socket and were no answer. */
  strays: u32;
  /** What ended the last attempt: a negative errno. */
  error: i32;
  /** Octets of the question, behind the two with its length that TCP wants. */
  asked: u32;
  type: u32;
  /** AF_INET, AF_INET6: an address stands in the place of a name, and its octets in `addresses`; else 0. */
  literal: i32;
  nameSize: u32;
  /** How many addresses there are, or a negative errno; seconds for which that may be kept. */
  result: i32;
  ttl: u32;
  /** A struct pollfd. */
  pollFd: i32;
  pollEvents: u32;


  @inline get addresses(): usize {
    return changetype<usize>(this) + ADDRESSES;
  }
  /** Addresses of the servers, as netinfo has them. */
  @inline get serverAddresses(): usize {
    return changetype<usize>(this) + SERVERS;
  }
  /** In small letters. */
  @inline get name(): usize {
    return changetype<usize>(this) + NAME;
  }
  /** The length of the question, as TCP wants it, and the question. */
  @inline get framed(): usize {
    return changetype<usize>(this) + FRAMED;
  }


  @inline get question(): usize {
    return changetype<usize>(this) + FRAMED + 2;
  }
  /** Random numbers for one question. */
  @inline get noise(): usize {
    return changetype<usize>(this) + NOISE;
  }
}

const ADDRESSES: usize = (offsetof<Query>() + 7) & ~7;
const SERVERS: usize = ADDRESSES + ADDRESSES_SIZE;
const NAME: usize = SERVERS + SERVERS_SIZE;
const FRAMED: usize = NAME + 256;
const NOISE: usize = (FRAMED + 2 + <usize>QUESTION_LIMIT + 7) & ~7;
/** Two octets for the number of the question, and a bit for each octet of a name. */
export const NOISE_SIZE: i32 = 34;
const QUERY_SIZE: usize = NOISE + 40;
const POOL_SIZE: usize = (offsetof<Pool>() + 7) & ~7;

let table: usize = 0;
let owner: i32 = 0;
let lastId: i32 = 0;
/** Blocks for answers over TCP: made when they are needed. */
export let streamBlocks: Pool = changetype<Pool>(0);

// @ts-ignore: decorator
@inline
export function queryAt(index: u32): Query {
  return changetype<Query>(table + <usize>index * QUERY_SIZE);
}

/** The process whose requests stand in the table, as far as has been looked. */
// @ts-ignore: decorator
@inline
export function queryOwner(): i32 {
  return owner;
}

/** Whether the table is this process's: that of a child still has the requests of its parent, which are not the child's. */
export function ownsQueries(): bool {
  return table != 0 && getpid() == owner;
}

/** In a child, takes the requests of its parent out. A blocking call of the parent's stays: in the child it goes on as well. False: there was nothing to do. */
export function adoptQueries(): bool {
  const pid = getpid();
  if (pid == owner) return false;
  owner = pid;
  for (let i: u32 = 0; i < QUERY_LIMIT; i++) {
    const query = queryAt(i);
    if (query.state == QUERY_FREE || query.handler == 0) continue;
    const fd = query.fd;
    releaseQuery(query);
    if (fd >= 0) close(fd);
  }
  return true;
}

function makeTable(): void {
  table = heap.alloc(QUERY_SIZE * QUERY_LIMIT + CACHE_STORAGE + POOL_SIZE);
  memory.fill(table, 0, QUERY_SIZE * QUERY_LIMIT);
  initializeCache(table + QUERY_SIZE * QUERY_LIMIT);
  streamBlocks = changetype<Pool>(table + QUERY_SIZE * QUERY_LIMIT + CACHE_STORAGE);
  streamBlocks.initialize(<usize>STREAM_LIMIT + 2, QUERY_LIMIT);
}

/** A request in the state OPENING, or null at the limit. */
export function takeQuery(): Query | null {
  if (table == 0) makeTable();
  for (let i: u32 = 0; i < QUERY_LIMIT; i++) {
    const query = queryAt(i);
    if (query.state != QUERY_FREE) continue;
    const serial = query.serial + 1;
    memory.fill(changetype<usize>(query), 0, ADDRESSES);
    query.serial = serial;
    query.state = QUERY_OPENING;
    query.fd = -1;
    query.id = lastId = lastId == i32.MAX_VALUE ? 1 : lastId + 1;
    return query;
  }
  return null;
}

/** Its socket is closed. */
export function releaseQuery(query: Query): void {
  streamBlocks.give(query.block);
  query.block = 0;
  query.fd = -1;
  query.state = QUERY_FREE;
}
