/** For the specs of evctl: filters, time-outs, and what the statistics have to say. */
import { EVENT_ACCEPT, EventFilter, EVJOBFILTER, EVJOBTIMEOUT, FILTER_SIZE } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_sockasync_accept } from "../../aem/sockasync";
import { readStatistics, statistics, user } from "./driver";
import { FakeSocket, handlerOf, open } from "./machine";

export function onAccept(listener: FakeSocket): i32 {
  return sys_sockasync_accept(open(listener), 0, 0, 0, handlerOf(EVENT_ACCEPT));
}
export function setFilter(jid: i32, mask: u32, address: u32, prefix: u32, least: u32): i32 {
  const filter = changetype<EventFilter>(<usize>user);
  filter.size = FILTER_SIZE;
  filter.mask = mask;
  store<u64>(filter.address, 0);
  store<u64>(filter.address, address == 0 ? 0 : bswap<u64>(0xffff_0000_0000 | address), 8);
  filter.prefix = prefix == 0 ? 0 : prefix + 96;
  filter.least = least;
  return sys_evctl(jid, EVJOBFILTER, user);
}
export function setFilter6(jid: i32, high: u64, low: u64, prefix: u32): i32 {
  const filter = changetype<EventFilter>(<usize>user);
  memory.fill(user, 0, FILTER_SIZE);
  filter.size = FILTER_SIZE;
  store<u64>(filter.address, bswap<u64>(high));
  store<u64>(filter.address, bswap<u64>(low), 8);
  filter.prefix = prefix;
  return sys_evctl(jid, EVJOBFILTER, user);
}
export function setTimeout(jid: i32, nanoseconds: u64): i32 {
  store<u64>(user, nanoseconds);
  return sys_evctl(jid, EVJOBTIMEOUT, user);
}
export function expectCounts(jid: i32, handled: u64, coalesced: u64, filtered: u64, cleaned: u64): void {
  readStatistics(jid);
  expect<u64>(statistics.handled).toBe(handled, "handled");
  expect<u64>(statistics.coalesced).toBe(coalesced, "coalesced");
  expect<u64>(statistics.filtered).toBe(filtered, "filtered");
  expect<u64>(statistics.cleaned).toBe(cleaned, "cleaned");
}
