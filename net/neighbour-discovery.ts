/**
 * Neighbour discovery on the link (RFC 4861, 7): solicitations and advertisements; those of routers go on to net/router-advertisement.ts, addresses that turn out to be
 * another's to net/slaac.ts. The states of a neighbour are in net/neighbours.ts.
 *
 * Whatever comes must have the hop limit 255, so be from this link, options with lengths, and no extension header: fragments of it are a way around guards
 * (RFC 6980), and nobody sends others. Beyond the RFC: a solicitation from an address that is not on this link is ignored, and "solicited" is believed only
 * when a question of ours is outstanding.
 */
import { LOG_WARNING, logAddress6, logEnd, logStart, logText } from "../kernel/console";
import { allocateBuffer, BUFFER_HEADROOM, PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { Endpoint, IpAddress } from "./flow";
import { heard, sendIcmpv6, talk } from "./icmpv6";
import { linkIsUp, networkInterface } from "./interface";
import { Neighbour, neighbourFind } from "./neighbour-cache";
import {
  NEIGHBOUR_INCOMPLETE,
  NEIGHBOUR_PROBE,
  NEIGHBOUR_REACHABLE,
  neighbourAnswers,
  neighbourDoubted,
  neighbourLearnt,
  neighbourMoved,
} from "./neighbours";
import { ADDRESS_TENTATIVE, ADDRESS_VALID, chooseSource6, findOwn, OwnAddress } from "./own-addresses";
import { advertisementArrives } from "./router-advertisement";
import { isOnLink6, routerGone } from "./routers";
import { ALL_NODES, ALL_ROUTERS, isGroup, isLinkLocal, setLinkGroup, solicitedNode } from "./scope";
import { duplicateFound } from "./slaac";
import { isGroupAddress } from "./wire/ethernet";
import { ICMP_HEADER, IcmpHeader } from "./wire/icmp";
import {
  NA_OVERRIDE,
  NA_ROUTER,
  NA_SOLICITED,
  ND_ADVERTISEMENT,
  ND_ADVERTISEMENT_OF_ROUTER_LENGTH,
  ND_HOP_LIMIT,
  ND_NEIGHBOUR_LENGTH,
  ND_OPTION_NONCE,
  ND_OPTION_SOURCE_LINK,
  ND_OPTION_TARGET_LINK,
  ND_OPTION_UNIT,
  ND_ROUTER_ADVERTISEMENT,
  ND_ROUTER_SOLICITATION,
  ND_SOLICITATION,
  ND_SOLICITATION_OF_ROUTERS_LENGTH,
  ndFindOption,
  ndOptionsAreSound,
} from "./wire/icmpv6";
import { IPV6_HEADER, Ipv6Header, loadAddress, storeAddress } from "./wire/ipv6";

/** Bytes of storage for initializeDiscovery. */
export const DISCOVERY_STORAGE: usize = offsetof<Endpoint>();

/** Whom a message is about. */
let target: IpAddress = changetype<IpAddress>(0);

/** Once at boot. `storage`: DISCOVERY_STORAGE bytes, 8-aligned. */
export function initializeDiscovery(storage: usize): void {
  memory.fill(storage, 0, DISCOVERY_STORAGE);
  target = changetype<IpAddress>(storage);
}

// ---- Output ----

/** For neighbours.ts: asks for the link address of `entry`; the neighbour itself while it has one (PROBE), else the link. */
export function solicitNeighbour(entry: Neighbour): void {
  const address = entry.address;
  if (!chooseSource6(talk.local, address)) return;
  if (entry.state == NEIGHBOUR_PROBE) talk.remote.copyAddress(address);
  else setLinkGroup(talk.remote, solicitedNode(address));
  networkCounters().arpRequestsSent++;
  sendMessage(ND_SOLICITATION, 0, address, ND_OPTION_SOURCE_LINK);
}

/** Asks whether anybody has the address that we want (RFC 4862, 5.4.2). */
export function sendProbe(own: OwnAddress): void {
  talk.local.high = 0;
  talk.local.low = 0;
  setLinkGroup(talk.remote, solicitedNode(own));
  sendMessage(ND_SOLICITATION, 0, own, ND_OPTION_NONCE, own.nonce);
}

/** Says that `address`, which is ours, is here: to `to`, or to all. */
function advertise(address: IpAddress, to: IpAddress | null): void {
  talk.local.copyAddress(address);
  let flags = NA_OVERRIDE;
  if (to !== null) {
    talk.remote.copyAddress(to);
    flags |= NA_SOLICITED;
  } else {
    setLinkGroup(talk.remote, ALL_NODES);
  }
  networkCounters().arpRepliesSent++;
  sendMessage(ND_ADVERTISEMENT, flags, address, ND_OPTION_TARGET_LINK);
}

/** Asks the routers of the link for what they have to say (RFC 4861, 4.1). */
export function sendRouterSolicitation(): void {
  setLinkGroup(talk.remote, ALL_ROUTERS);
  if (chooseSource6(talk.local, talk.remote)) {
    sendMessage(ND_ROUTER_SOLICITATION, 0, null, ND_OPTION_SOURCE_LINK);
  }
}

/** Sends a message between the ends of `talk` with one option: a nonce, or our link address. */
function sendMessage(type: u32, flags: u32, about: IpAddress | null, option: u32, nonce: u64 = 0): void {
  if (!linkIsUp()) return;
  const buffer = allocateBuffer(BUFFER_HEADROOM);
  if (buffer === null) {
    networkCounters().ipNoBuffer++;
    return;
  }
  const header = changetype<IcmpHeader>(buffer.data);
  header.type = type;
  header.code = 0;
  header.rest = flags;
  let length = ICMP_HEADER;
  if (about !== null) {
    storeAddress(buffer.data + length, about);
    length = ND_NEIGHBOUR_LENGTH;
  }
  const place = buffer.data + length;
  store<u16>(place, <u16>(option | (1 << 8)));
  if (option == ND_OPTION_NONCE) {
    store<u32>(place, <u32>nonce, 2);
    store<u16>(place, <u16>(nonce >> 32), 6);
  } else {
    const device = networkInterface().device;
    store<u32>(place, device.address0, 2);
    store<u16>(place, device.address4, 6);
  }
  buffer.length = length + ND_OPTION_UNIT;
  sendIcmpv6(buffer, ND_HOP_LIMIT, false);
  releaseBuffer(buffer);
}

// ---- Input ----

/** A message of `type`, whose checksum is right and whose addresses are in `heard`; borrows the buffer. */
export function discoveryInput(buffer: PacketBuffer, type: u32): void {
  const counters = networkCounters();
  const network = changetype<Ipv6Header>(buffer.networkHeader);
  const message = buffer.data;
  const length = buffer.length;
  const fixed = fixedLength(type);
  if (
    fixed == 0 ||
    network.hopLimit != ND_HOP_LIMIT ||
    message != buffer.networkHeader + IPV6_HEADER ||
    changetype<IcmpHeader>(message).code != 0 ||
    length < fixed ||
    !ndOptionsAreSound(message + fixed, length - fixed)
  ) {
    // Redirects, and what asks routers, are not for us.
    if (fixed == 0 || type == ND_ROUTER_SOLICITATION) counters.icmpIgnored++;
    else counters.ndMalformed++;
    return;
  }
  if (type == ND_ROUTER_SOLICITATION) counters.icmpIgnored++;
  else if (type == ND_ROUTER_ADVERTISEMENT) advertisementArrives(heard.remote, message, length);
  else {
    loadAddress(target, message + ICMP_HEADER);
    if (isGroup(target)) counters.ndMalformed++;
    else if (type == ND_SOLICITATION) solicitationArrives(message + fixed, length - fixed);
    else neighbourAdvertises(changetype<IcmpHeader>(message).rest, message + fixed, length - fixed);
  }
}

/** Bytes ahead of a message's options; 0: a message that we do not know. */
function fixedLength(type: u32): u32 {
  if (type == ND_SOLICITATION || type == ND_ADVERTISEMENT) return ND_NEIGHBOUR_LENGTH;
  if (type == ND_ROUTER_ADVERTISEMENT) return ND_ADVERTISEMENT_OF_ROUTER_LENGTH;
  return type == ND_ROUTER_SOLICITATION ? ND_SOLICITATION_OF_ROUTERS_LENGTH : 0;
}

/** RFC 4861, 7.2.3; RFC 4862, 5.4.3. */
function solicitationArrives(options: usize, length: u32): void {
  const counters = networkCounters();
  const source = heard.remote;
  const probe = source.isAny;
  if (
    probe &&
    (!isGroup(heard.local) || ndFindOption(options, length, ND_OPTION_SOURCE_LINK, ND_OPTION_UNIT) != 0)
  ) {
    counters.ndMalformed++;
    return;
  }
  const own = findOwn(target);
  if (own === null) return;
  if (own.state == ADDRESS_TENTATIVE) {
    // Two hosts want it at the same time: none gets it. Our own question, sent back by a bridge, is known by its nonce.
    if (probe && !isOwnNonce(own, options, length)) duplicateFound(own);
    return;
  }
  if (own.state != ADDRESS_VALID) return;
  if (probe) {
    advertise(own, null);
    return;
  }
  if (!isLinkLocal(source) && !isOnLink6(source)) {
    counters.arpUnsolicited++;
    return;
  }
  learnNeighbourOf(source, options, length);
  advertise(own, source);
}

function isOwnNonce(own: OwnAddress, options: usize, length: u32): bool {
  const option = ndFindOption(options, length, ND_OPTION_NONCE, ND_OPTION_UNIT);
  if (option == 0) return false;
  return ((<u64>load<u32>(option, 2)) | ((<u64>load<u16>(option, 6)) << 32)) == own.nonce;
}

/** What a sender says of its own link address (RFC 4861, 6.3.4 and 7.2.3). */
export function learnNeighbourOf(source: IpAddress, options: usize, length: u32): void {
  const option = ndFindOption(options, length, ND_OPTION_SOURCE_LINK, ND_OPTION_UNIT);
  if (option == 0) return;
  const link0 = load<u32>(option, 2);
  const link4 = load<u16>(option, 6);
  if (isGroupAddress(link0)) {
    networkCounters().ndMalformed++;
    return;
  }
  const entry = neighbourFind(source.high, source.low);
  if (entry === null) neighbourLearnt(source.high, source.low, link0, link4);
  else if (entry.state == NEIGHBOUR_INCOMPLETE || entry.link0 != link0 || entry.link4 != link4) {
    neighbourMoved(entry, link0, link4);
  }
}

/** RFC 4861, 7.2.5. */
function neighbourAdvertises(flags: u32, options: usize, length: u32): void {
  const counters = networkCounters();
  if (isGroup(heard.local) && (flags & NA_SOLICITED) != 0) {
    counters.ndMalformed++;
    return;
  }
  const own = findOwn(target);
  if (own !== null) {
    if (own.state == ADDRESS_TENTATIVE) duplicateFound(own);
    else if (own.state == ADDRESS_VALID) conflict();
    return;
  }
  const entry = neighbourFind(target.high, target.low);
  if (entry === null || target.high == 0) {
    counters.arpUnsolicited++;
    return;
  }
  const option = ndFindOption(options, length, ND_OPTION_TARGET_LINK, ND_OPTION_UNIT);
  const link0 = option != 0 ? load<u32>(option, 2) : entry.link0;
  const link4 = option != 0 ? load<u16>(option, 6) : entry.link4;
  const incomplete = entry.state == NEIGHBOUR_INCOMPLETE;
  if (isGroupAddress(link0) || (incomplete && option == 0)) {
    counters.ndMalformed++;
    return;
  }
  const asked = incomplete || entry.state == NEIGHBOUR_PROBE;
  const same = !incomplete && entry.link0 == link0 && entry.link4 == link4;
  if (!incomplete && !same && (flags & NA_OVERRIDE) == 0) {
    // Another one that claims it, and does not insist: who it is now, our next packet asks.
    if (entry.state == NEIGHBOUR_REACHABLE) neighbourDoubted(entry);
    return;
  }
  if (asked && (flags & NA_SOLICITED) != 0) neighbourAnswers(entry, link0, link4);
  else if (!same) neighbourMoved(entry, link0, link4);
  if ((flags & NA_ROUTER) == 0) routerGone(target);
}

/** Someone else says that it has our address, after it was found to be free. */
function conflict(): void {
  networkCounters().arpConflicts++;
  if (logStart(LOG_WARNING, "ipv6")) {
    logText("address conflict: another host also uses ");
    logAddress6(target.high, target.low);
    logEnd();
  }
}
