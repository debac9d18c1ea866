/**
 * What routers say of the link for all of its hosts (RFC 4861, 6.3.2): hop limit, MTU, and the times of neighbour discovery. They are advice of whoever is on the link, so each is kept
 * within bounds in which IPv6 works.
 */
import { random32 } from "../kernel/random";
import { MILLISECOND } from "../kernel/time/clock";
import { networkInterface } from "./interface";
import { IPV6_MTU_MINIMUM } from "./wire/ipv6";

/** Where nobody says anything (RFC 4861, 10); times in ns. */
export const HOP_LIMIT_DEFAULT: u32 = 64;
export const REACHABLE_TIME: u64 = 30_000_000_000;
export const RETRY_TIME: u64 = 1_000_000_000;

/** Bounds of what is believed, in ms: less asks all the time, more never finds out that a neighbour has gone (RFC 4861, 6.2.1 has the hour). */
const REACHABLE_LEAST: u32 = 1_000;
const REACHABLE_MOST: u32 = 3_600_000;
const RETRY_LEAST: u32 = 100;
const RETRY_MOST: u32 = 10_000;

/** Hop limit of what we send. */
export let hopLimit6: u32 = HOP_LIMIT_DEFAULT;
/** Between questions to a neighbour, in ns. */
export let retryTime6: u64 = RETRY_TIME;
/** How long an answer is believed, in ms, on average. */
let reachableBase: u64 = REACHABLE_TIME / MILLISECOND;
/** 0: none was said. */
let mtu: u32 = 0;

/** Once at boot. */
export function initializeLinkParameters(): void {
  hopLimit6 = HOP_LIMIT_DEFAULT;
  retryTime6 = RETRY_TIME;
  reachableBase = REACHABLE_TIME / MILLISECOND;
  mtu = 0;
}

/** Largest IPv6 packet of this link, in bytes. */
export function linkMtu6(): u32 {
  const most = networkInterface().mtu;
  return mtu == 0 ? most : min(mtu, most);
}

/** How long an answer is believed, in ns: from half to one and a half of what is said, at random, so that hosts do not ask together (RFC 4861, 6.3.2). */
export function reachableTime6(): u64 {
  return (reachableBase / 2 + ((reachableBase * <u64>random32()) >> 32)) * MILLISECOND;
}

/** Hop limit, and times in ms, of an advertisement; 0: it does not say. */
export function adviseLink(hopLimit: u32, reachable: u32, retry: u32): void {
  if (hopLimit != 0) hopLimit6 = hopLimit;
  if (reachable != 0) reachableBase = min(max(reachable, REACHABLE_LEAST), REACHABLE_MOST);
  if (retry != 0) retryTime6 = <u64>min(max(retry, RETRY_LEAST), RETRY_MOST) * MILLISECOND;
}

/** An MTU option, in bytes. What cannot be is not believed. */
export function adviseMtu(offered: u32): void {
  if (offered >= IPV6_MTU_MINIMUM && offered <= networkInterface().mtu) mtu = offered;
}
