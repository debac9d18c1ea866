/**
 * The DNS servers that the network or the command line has named, of both versions, for applications (net/netinfo.ts): the kernel itself resolves no names.
 *
 * Those of the lease come first, then those of routers (RFC 8106, 5.3.1), each of these until its time is over. NAME_SERVERS are told; of routers' so many are kept, and
 * what is there stays: a flood of invented ones drives out none. What the command line says (`dns=`) takes the place of both.
 *
 *     ├ of the command line, or of the lease ┼ of routers ┤
 */
import { now } from "../kernel/time/clock";
import { networkCounters } from "./counters";
import { IpAddress } from "./flow";
import { isUnicast } from "./interface";
import { isHost6 } from "./scope";

/** Servers that are told, and that are kept of each origin. */
export const NAME_SERVERS: u32 = 4;


@unmanaged
class NameServer extends IpAddress {
  /** ns since boot; 0: there is none. */
  until: u64;
}

const SERVER_SIZE: usize = offsetof<NameServer>();
/** Bytes of storage for initializeNameServers. */
export const NAME_SERVERS_STORAGE: usize = SERVER_SIZE * NAME_SERVERS * 2;

let table: usize = 0;
/** Of those ahead of the routers', how many there are, and that they are of the command line. */
let configured: u32 = 0;
let fixed: bool = false;

/** Once at boot. `storage`: NAME_SERVERS_STORAGE bytes, 8-aligned. */
export function initializeNameServers(storage: usize): void {
  memory.fill(storage, 0, NAME_SERVERS_STORAGE);
  table = storage;
  configured = 0;
  fixed = false;
}

// @ts-ignore: decorator
@inline
function place(index: u32): NameServer {
  return changetype<NameServer>(table + <usize>index * SERVER_SIZE);
}

/** Server 0, 1, … in the order in which they are to be asked; null: there are no more. */
export function nameServer(index: u32): IpAddress | null {
  if (index >= NAME_SERVERS) return null;
  if (index < configured) return place(index);
  if (fixed) return null;
  const time = now();
  let left = index - configured;
  for (let i = NAME_SERVERS; i < 2 * NAME_SERVERS; i++) {
    if (place(i).until > time && left-- == 0) return place(i);
  }
  return null;
}

/** IPv4 address, in host order, of the server 0, 1, … among those that have one; 0: there are no more. */
export function nameServer4(index: u32): u32 {
  for (let i: u32 = 0; i < NAME_SERVERS; i++) {
    const server = nameServer(i);
    if (server !== null && server.isMapped && index-- == 0) return server.ipv4;
  }
  return 0;
}

// ---- Of the command line ----

/** There are none of the command line any more. */
export function unfixNameServers(): void {
  configured = 0;
  fixed = false;
}

/** One more server that holds until the next boot; there is room for NAME_SERVERS. */
export function fixNameServer(address: IpAddress): void {
  if (!fixed) configured = 0;
  fixed = true;
  add(address);
}

function add(address: IpAddress): void {
  for (let i: u32 = 0; i < configured; i++) if (place(i).same(address)) return;
  if (configured < NAME_SERVERS) place(configured++).copyAddress(address);
}

// ---- Of the network ----

/** Servers of a lease, in host order, 0 for none; what no host can have is left out. */
export function learnNameServers(one: u32, two: u32): void {
  if (fixed) return;
  configured = 0;
  addIpv4(one);
  addIpv4(two);
}

function addIpv4(address: u32): void {
  if (!isUnicast(address)) return;
  const server = place(configured);
  server.ipv4 = address;
  if (configured == 0 || !server.same(place(0))) configured++;
}

/** A server of a router's, until `until` (ns since boot); in the past: none any more. */
export function advertisedNameServer(address: IpAddress, until: u64): void {
  if (!isHost6(address)) return;
  const time = now();
  let free: NameServer | null = null;
  for (let i = NAME_SERVERS; i < 2 * NAME_SERVERS; i++) {
    const server = place(i);
    if (server.until > time) {
      if (!server.same(address)) continue;
      server.until = until;
      return;
    }
    if (free === null) free = server;
  }
  if (until <= time) return;
  if (free === null) {
    networkCounters().ndNoRoom++;
    return;
  }
  free.copyAddress(address);
  free.until = until;
}
