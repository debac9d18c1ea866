/**
 * Addresses without a server (RFC 4862): the link-local one, those of routers' prefixes, and the question whether somebody has them already.
 *
 * The interface identifier is the modified EUI-64 of the link address (RFC 4291, appendix A), and not the opaque one of RFC 7217: that one needs a secret that
 * outlives a boot, and this machine has nowhere to keep it. A server shall have the same address after each boot. There is one identifier, then, and an address
 * that another host has is not used (RFC 4862, 5.4.5).
 */
import {
  LOG_INFO,
  LOG_WARNING,
  logAddress6,
  logEnd,
  logStart,
  logText,
  logUnsigned,
} from "../kernel/console";
import { random32, random64 } from "../kernel/random";
import { now, SECOND } from "../kernel/time/clock";
import { Timer, timerPrepare, timerStart, timerStop } from "../kernel/time/timers";
import { networkCounters } from "./counters";
import { IpAddress } from "./flow";
import { hasDevice, linkIsUp, networkFlush, networkInterface } from "./interface";
import { retryTime6 } from "./link-parameters";
import { mldReport } from "./mld";
import { sendProbe } from "./neighbour-discovery";
import {
  ADDRESS_DUPLICATE,
  ADDRESS_NONE,
  ADDRESS_TENTATIVE,
  ADDRESS_VALID,
  FOREVER,
  findOwn,
  freeOwn,
  OWN_ADDRESSES,
  OwnAddress,
  ownAddress,
} from "./own-addresses";
import { endOf, solicitRouters } from "./routers";
import { interfaceIdentifier, setLinkLocal } from "./scope";

/** Solicitations for an address that nobody answers (RFC 4862, 5.1); after each the retransmission timer runs. */
const PROBES: u32 = 1;
/** The first one waits for up to so long, in ns, so that hosts that start together do not ask together (RFC 4862, 5.4.2). */
const DELAY_LIMIT: u32 = 1_000_000_000;
const PREFIX_BITS: u32 = 64;
/** Seconds below which nobody can shorten the life of an address (RFC 4862, 5.5.3 e). */
const TWO_HOURS: u32 = 7200;
/** The timer looks after a lifetime once a day, at least. */
const DAY: u64 = 86_400 * SECOND;

let started: bool = false;

/** Once at boot, after the addresses. */
export function initializeSlaac(): void {
  started = false;
  for (let i: u32 = 0; i < OWN_ADDRESSES; i++) timerPrepare(ownAddress(i).timer, onTimer.index);
}

/** Begins, with the link-local address. Nothing happens without a device. */
export function startIpv6(): void {
  if (!hasDevice()) return;
  started = true;
  const device = networkInterface().device;
  const own = ownAddress(0);
  setLinkLocal(own, interfaceIdentifier(device.address0, device.address4));
  own.prefixLength = PREFIX_BITS;
  own.automatic = 0;
  own.preferredUntil = FOREVER;
  own.validUntil = FOREVER;
  begin(own);
}

/** Whether there is IPv6: nothing of it comes in or goes out before. */
// @ts-ignore: decorator
@inline
export function hasIpv6(): bool {
  return started;
}

/** The link came up: it may be another one, with other hosts. */
export function slaacLinkUp(): void {
  for (let i: u32 = 0; i < OWN_ADDRESSES; i++) {
    if (ownAddress(i).state != ADDRESS_NONE) begin(ownAddress(i));
  }
}

/** An address that stays. False: there are too many. */
export function addAddress(address: IpAddress, prefixLength: u32): bool {
  const own = freeOwn();
  if (own === null) return false;
  own.copyAddress(address);
  own.prefixLength = prefixLength;
  own.automatic = 0;
  own.preferredUntil = FOREVER;
  own.validUntil = FOREVER;
  begin(own);
  return true;
}

// ---- Duplicate address detection (RFC 4862, 5.4) ----

function begin(own: OwnAddress): void {
  own.state = ADDRESS_TENTATIVE;
  own.probes = 0;
  own.nonce = random64() >> 16;
  timerStart(own.timer, now() + (random32() % DELAY_LIMIT));
}

function onTimer(timer: Timer): void {
  const own = OwnAddress.ofTimer(timer);
  if (own.state == ADDRESS_TENTATIVE) {
    // Without a link nobody could answer. It begins again when it comes up.
    if (!linkIsUp()) return;
    if (own.probes < PROBES) {
      if (own.probes == 0) mldReport();
      own.probes++;
      sendProbe(own);
      timerStart(timer, now() + retryTime6);
    } else {
      isUnique(own);
    }
  } else if (own.state != ADDRESS_NONE) {
    if (now() >= own.validUntil) end(own);
    else watch(own);
  }
}

function isUnique(own: OwnAddress): void {
  own.state = ADDRESS_VALID;
  watch(own);
  report(LOG_INFO, "address ", own, "");
  // Who watches groups does not believe a report that came from :: (RFC 3590, 4).
  mldReport();
  if (own === ownAddress(0)) solicitRouters();
  networkFlush();
}

/** Somebody has the address, or wants it at the same time. */
export function duplicateFound(own: OwnAddress): void {
  own.state = ADDRESS_DUPLICATE;
  networkCounters().ndDuplicates++;
  report(LOG_WARNING, "another host has ", own, ": not used");
  watch(own);
}

function end(own: OwnAddress): void {
  report(LOG_INFO, "the life of ", own, " is over");
  timerStop(own.timer);
  own.state = ADDRESS_NONE;
}

function report(level: i32, before: string, own: OwnAddress, after: string): void {
  if (!logStart(level, "ipv6")) return;
  logText(before);
  logAddress6(own.high, own.low);
  if (own.prefixLength != 0 && own.state == ADDRESS_VALID) {
    logText("/");
    logUnsigned(own.prefixLength);
  }
  logText(after);
  logEnd();
}

function watch(own: OwnAddress): void {
  if (own.validUntil == FOREVER) timerStop(own.timer);
  else timerStart(own.timer, min(own.validUntil, now() + DAY));
}

// ---- Addresses from prefixes (RFC 4862, 5.5.3) ----

/** A router says that addresses shall be made from `prefix`; lifetimes in seconds. */
export function prefixForAddresses(prefix: IpAddress, bits: u32, valid: u32, preferred: u32): void {
  const identifier = ownAddress(0).low;
  if (bits != PREFIX_BITS || preferred > valid || ownAddress(0).state == ADDRESS_DUPLICATE) {
    networkCounters().ndIgnored++;
    return;
  }
  // The rest of the prefix is ours to choose.
  prefix.low = identifier;
  const found = findOwn(prefix);
  if (found !== null) {
    if (found.automatic != 0) renew(found, valid, preferred);
    return;
  }
  if (valid == 0) return;
  const own = freeOwn();
  if (own === null) {
    networkCounters().ndNoRoom++;
    return;
  }
  own.copyAddress(prefix);
  own.prefixLength = bits;
  own.automatic = 1;
  own.preferredUntil = endOf(preferred);
  own.validUntil = endOf(valid);
  begin(own);
}

/** Lifetimes change; but nobody who is on the link can take an address away from one moment to the next. */
function renew(own: OwnAddress, valid: u32, preferred: u32): void {
  own.preferredUntil = endOf(preferred);
  const until = endOf(valid);
  const limit = endOf(TWO_HOURS);
  if (valid > TWO_HOURS || until > own.validUntil) own.validUntil = until;
  else if (own.validUntil > limit) own.validUntil = limit;
  if (own.state != ADDRESS_TENTATIVE) watch(own);
}
