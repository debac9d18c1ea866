/**
 * What routers say (RFC 4861, 6.3): who they are, which prefixes are on this link, its MTU, and our hop limit; and the solicitations that ask them.
 *
 * Both lists are short, and what comes beyond them is left out and counted: a flood of invented routers keeps those that we have. Redirects are ignored, and
 * so are the times that routers suggest for reachability: ours are the defaults.
 */
import { now } from "../kernel/time/clock";
import { Timer, timerPrepare, timerStart, timerStop } from "../kernel/time/timers";
import { networkCounters } from "./counters";
import { IpAddress } from "./flow";
import { linkIsUp, networkInterface } from "./interface";
import { learnNeighbourOf, sendRouterSolicitation } from "./neighbour-discovery";
import { advertisedNameServer } from "./name-servers";
import { FOREVER } from "./own-addresses";
import { isGroup, isLinkLocal, samePrefix } from "./scope";
import { prefixForAddresses } from "./slaac";
import {
  ND_ADVERTISEMENT_OF_ROUTER_LENGTH,
  ND_OPTION_MTU,
  ND_OPTION_PREFIX,
  ND_OPTION_RDNSS,
  ND_OPTION_UNIT,
  ND_PREFIX_LENGTH,
  ndFindOption,
  PREFIX_AUTONOMOUS,
  PREFIX_ON_LINK,
} from "./wire/icmpv6";
import { IPV6_MTU_MINIMUM, loadAddress } from "./wire/ipv6";

/** Routers and prefixes that are kept. */
export const ROUTERS: u32 = 4;
export const PREFIXES: u32 = 4;
/** Solicitations, and the time between them in ns (RFC 4861, 10). */
export const SOLICITATIONS: u32 = 3;
export const SOLICITATION_TIME: u64 = 4_000_000_000;
export const HOP_LIMIT_DEFAULT: u32 = 64;

/** Prefixes and lists of name servers of one message that are looked at, and name servers of one list. */
const LISTS_LIMIT: u32 = 8;
const NAME_SERVERS_LIMIT: u32 = 4;
const SECOND: u64 = 1_000_000_000;
/** A lifetime in seconds that never ends. */
const INFINITE: u32 = 0xffff_ffff;

/** A router, with its address; or a prefix, with its length. Free when its time is over. */
@unmanaged
class Entry extends IpAddress {
  /** ns since boot. */
  until: u64;
  prefixLength: u64;
}

const ENTRY_SIZE: usize = offsetof<Entry>();
const TIMER_OFFSET: usize = ENTRY_SIZE * (ROUTERS + PREFIXES + 1);
/** Bytes of storage for initializeRouters. */
export const ROUTERS_STORAGE: usize = TIMER_OFFSET + offsetof<Timer>();

let table: usize = 0;
let timer: Timer = changetype<Timer>(0);
/** Solicitations sent since the link came up. */
let solicited: u32 = 0;
/** The router that is tried first. */
let first: u32 = 0;
let mtu: u32 = 0;
/** Hop limit of what we send, as routers want it. */
export let hopLimit6: u32 = HOP_LIMIT_DEFAULT;

/** Once at boot. `storage`: ROUTERS_STORAGE bytes, 8-aligned. */
export function initializeRouters(storage: usize): void {
  memory.fill(storage, 0, ROUTERS_STORAGE);
  table = storage;
  timer = changetype<Timer>(storage + TIMER_OFFSET);
  timerPrepare(timer, onTimer.index);
  solicited = 0;
  first = 0;
  mtu = 0;
  hopLimit6 = HOP_LIMIT_DEFAULT;
}

// @ts-ignore: decorator
@inline
function router(index: u32): Entry {
  return changetype<Entry>(table + <usize>index * ENTRY_SIZE);
}

// @ts-ignore: decorator
@inline
function prefix(index: u32): Entry {
  return changetype<Entry>(table + <usize>(ROUTERS + index) * ENTRY_SIZE);
}

/** Where an address of a message is read. */
// @ts-ignore: decorator
@inline
function read(): Entry {
  return changetype<Entry>(table + <usize>(ROUTERS + PREFIXES) * ENTRY_SIZE);
}

// ---- What the network layer asks ----

/** Largest IPv6 packet of this link, in bytes. */
export function linkMtu6(): u32 {
  const most = networkInterface().mtu;
  return mtu == 0 ? most : min(mtu, most);
}

/** Whether a prefix of this link covers `address`. Link-local addresses always are on the link, and are not asked for here. */
export function isOnLink6(address: IpAddress): bool {
  const time = now();
  for (let i: u32 = 0; i < PREFIXES; i++) {
    const entry = prefix(i);
    if (entry.until > time && samePrefix(entry, address, <u32>entry.prefixLength)) return true;
  }
  return false;
}

/** The router for everything else; null: there is none. */
export function defaultRouter(): IpAddress | null {
  const time = now();
  for (let i: u32 = 0; i < ROUTERS; i++) {
    const entry = router((first + i) % ROUTERS);
    if (entry.until > time) return entry;
  }
  return null;
}

/** A neighbour does not answer: if it is the router in use, the next one is tried (RFC 4861, 6.3.6). */
export function routerFailed(address: IpAddress): void {
  const present = defaultRouter();
  if (present === null || !present.same(address)) return;
  first = (<u32>((changetype<usize>(present) - table) / ENTRY_SIZE) + 1) % ROUTERS;
}

/** A router until `until` (ns since boot); in the past: none any more. False: there are too many. */
export function setRouter(address: IpAddress, until: u64): bool {
  return setEntry(0, ROUTERS, address, 0, until);
}

/** The same for a prefix of `bits` (0..128) that is on this link. */
export function setPrefix(address: IpAddress, bits: u32, until: u64): bool {
  return setEntry(ROUTERS, PREFIXES, address, bits, until);
}

function setEntry(from: u32, count: u32, address: IpAddress, bits: u32, until: u64): bool {
  const time = now();
  let found: Entry | null = null;
  for (let i: u32 = 0; i < count; i++) {
    const entry = router(from + i);
    const here = entry.until > time;
    if (here && entry.prefixLength == bits && samePrefix(entry, address, from == 0 ? 128 : bits)) {
      // What the command line says stays.
      if (entry.until != FOREVER) entry.until = until;
      return true;
    }
    if (!here && found === null) found = entry;
  }
  if (until <= time) return true;
  if (found === null) {
    networkCounters().ndNoRoom++;
    return false;
  }
  found.copyAddress(address);
  found.prefixLength = bits;
  found.until = until;
  return true;
}

/** The end of a lifetime in seconds. */
export function endOf(seconds: u32): u64 {
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

// ---- Advertisements (RFC 4861, 6.3.4) ----

/** A sound router advertisement of `length` bytes at `message` from `source`: its options have lengths, its hop limit was 255. */
export function advertisementArrives(source: IpAddress, message: usize, length: u32): void {
  const counters = networkCounters();
  if (!isLinkLocal(source) || length < ND_ADVERTISEMENT_OF_ROUTER_LENGTH) {
    counters.ndMalformed++;
    return;
  }
  counters.ndAdvertisements++;
  timerStop(timer);
  const limit = <u32>load<u8>(message, 4);
  if (limit != 0) hopLimit6 = limit;
  const lifetime = <u32>bswap<u16>(load<u16>(message, 6));
  setRouter(source, lifetime == 0 ? 0 : endOf(lifetime));
  const options = message + ND_ADVERTISEMENT_OF_ROUTER_LENGTH;
  const bytes = length - ND_ADVERTISEMENT_OF_ROUTER_LENGTH;
  learnNeighbourOf(source, options, bytes);
  const mtuOption = ndFindOption(options, bytes, ND_OPTION_MTU, ND_OPTION_UNIT);
  if (mtuOption != 0) {
    const offered = bswap<u32>(load<u32>(mtuOption, 4));
    if (offered >= IPV6_MTU_MINIMUM && offered <= networkInterface().mtu) mtu = offered;
  }
  const end = options + bytes;
  let budget = LISTS_LIMIT;
  for (let option = options; option != end; option += (<usize>load<u8>(option, 1)) << 3) {
    const type = <u32>load<u8>(option);
    if (type != ND_OPTION_PREFIX && type != ND_OPTION_RDNSS) continue;
    if (budget-- == 0) return;
    const size = (<u32>load<u8>(option, 1)) << 3;
    if (type == ND_OPTION_RDNSS) nameServersArrive(option, size);
    else if (size == ND_PREFIX_LENGTH) prefixArrives(option);
  }
}

/** Prefix information (RFC 4861, 4.6.2): length, flags, valid and preferred lifetime, the prefix. */
function prefixArrives(option: usize): void {
  const bits = <u32>load<u8>(option, 2);
  const flags = <u32>load<u8>(option, 3);
  const valid = bswap<u32>(load<u32>(option, 4));
  const preferred = bswap<u32>(load<u32>(option, 8));
  const address = read();
  loadAddress(address, option + 16);
  if (bits > 128 || isLinkLocal(address) || isGroup(address) || address.high == 0) return;
  if (flags & PREFIX_ON_LINK) setPrefix(address, bits, valid == 0 ? 0 : endOf(valid));
  if (flags & PREFIX_AUTONOMOUS) prefixForAddresses(address, bits, valid, preferred);
}

/** RFC 8106, 5.1: a lifetime, and addresses. */
function nameServersArrive(option: usize, size: u32): void {
  const lifetime = bswap<u32>(load<u32>(option, 4));
  const until = lifetime == 0 ? 0 : endOf(lifetime);
  for (let at: u32 = 8; at + 16 <= size && at < 8 + 16 * NAME_SERVERS_LIMIT; at += 16) {
    loadAddress(read(), option + at);
    advertisedNameServer(read(), until);
  }
}
