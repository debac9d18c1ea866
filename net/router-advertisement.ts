/**
 * Router advertisements (RFC 4861, 6.3.4): who is a router, and with which preference (RFC 4191); parameters of the link; prefixes (RFC 4862, 5.5.3); name servers (RFC 8106).
 *
 *     4: hop limit    5: flags, of which two bits are the preference    6: lifetime, s    8: reachable time, ms    12: retransmission timer, ms    16: options
 *
 * Routes to other nets than the default (RFC 4191, 2.3) are not looked at.
 */
import { networkCounters } from "./counters";
import { Endpoint, IpAddress } from "./flow";
import { adviseLink, adviseMtu } from "./link-parameters";
import { advertisedNameServer } from "./name-servers";
import { learnNeighbourOf } from "./neighbour-discovery";
import {
  endOf,
  PREFERENCE_HIGH,
  PREFERENCE_LOW,
  PREFERENCE_MEDIUM,
  routerAdvertises,
  setPrefix,
} from "./routers";
import { isGroup, isLinkLocal } from "./scope";
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
import { loadAddress } from "./wire/ipv6";

/** Prefixes and lists of name servers of one message that are looked at, and name servers of one list. */
const LISTS_LIMIT: u32 = 8;
const NAME_SERVERS_LIMIT: u32 = 4;

/** Bytes of storage for initializeAdvertisements: an address. */
export const ADVERTISEMENTS_STORAGE: usize = offsetof<Endpoint>();

/** Where an address of a message is read. */
let read: IpAddress = changetype<IpAddress>(0);

/** Once at boot. `storage`: ADVERTISEMENTS_STORAGE bytes, 8-aligned. */
export function initializeAdvertisements(storage: usize): void {
  memory.fill(storage, 0, ADVERTISEMENTS_STORAGE);
  read = changetype<IpAddress>(storage);
}

/** A sound router advertisement of `length` bytes at `message` from `source`: its options have lengths, its hop limit was 255. */
export function advertisementArrives(source: IpAddress, message: usize, length: u32): void {
  const counters = networkCounters();
  if (!isLinkLocal(source) || length < ND_ADVERTISEMENT_OF_ROUTER_LENGTH) {
    counters.ndMalformed++;
    return;
  }
  counters.ndAdvertisements++;
  adviseLink(load<u8>(message, 4), bswap<u32>(load<u32>(message, 8)), bswap<u32>(load<u32>(message, 12)));
  const lifetime = <u32>bswap<u16>(load<u16>(message, 6));
  routerAdvertises(source, endOf(lifetime), preferenceOf(<u32>load<u8>(message, 5)));
  const options = message + ND_ADVERTISEMENT_OF_ROUTER_LENGTH;
  const bytes = length - ND_ADVERTISEMENT_OF_ROUTER_LENGTH;
  learnNeighbourOf(source, options, bytes);
  const mtuOption = ndFindOption(options, bytes, ND_OPTION_MTU, ND_OPTION_UNIT);
  if (mtuOption != 0) adviseMtu(bswap<u32>(load<u32>(mtuOption, 4)));
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

/** Two bits of the flags, as a signed number (RFC 4191, 2.2): 01 is high, 11 low; 10 is reserved, and counts as 00. */
function preferenceOf(flags: u32): u32 {
  const bits = (flags >> 3) & 3;
  return bits == 1 ? PREFERENCE_HIGH : bits == 3 ? PREFERENCE_LOW : PREFERENCE_MEDIUM;
}

/** Prefix information (RFC 4861, 4.6.2): length, flags, valid and preferred lifetime, the prefix. */
function prefixArrives(option: usize): void {
  const bits = <u32>load<u8>(option, 2);
  const flags = <u32>load<u8>(option, 3);
  const valid = bswap<u32>(load<u32>(option, 4));
  const preferred = bswap<u32>(load<u32>(option, 8));
  loadAddress(read, option + 16);
  if (bits > 128 || isLinkLocal(read) || isGroup(read) || read.high == 0) return;
  if (flags & PREFIX_ON_LINK) setPrefix(read, bits, endOf(valid));
  if (flags & PREFIX_AUTONOMOUS) prefixForAddresses(read, bits, valid, preferred);
}

/** RFC 8106, 5.1: a lifetime, and addresses. */
function nameServersArrive(option: usize, size: u32): void {
  const until = endOf(bswap<u32>(load<u32>(option, 4)));
  for (let at: u32 = 8; at + 16 <= size && at < 8 + 16 * NAME_SERVERS_LIMIT; at += 16) {
    loadAddress(read, option + at);
    advertisedNameServer(read, until);
  }
}
