/** For the specs of addresses without a server: routers that advertise prefixes, and what becomes of our addresses. */
import { CONFIG6_STORAGE, parseIp6Option } from "../../net/config6";
import { ADDRESS_NONE, findOwn } from "../../net/own-addresses";
import { growMemory } from "../arena";
import { address6, deliver6, OWN_ID, prefixOption, routerAdvertisement } from "./frames6";

const option6 = growMemory(CONFIG6_STORAGE, 8);

export function own(high: u64): u32 {
  const found = findOwn(address6(high, OWN_ID));
  return found === null ? ADDRESS_NONE : found.state;
}

/** A router advertisement with one prefix. */
export function advertisePrefix(high: u64, bits: u32, flags: u32, valid: u32, preferred: u32): void {
  prefixOption(routerAdvertisement(1800, 32), high, bits, flags, valid, preferred);
  deliver6();
}

/** Acts on an option given as a string. */
export function option(text: string): i32 {
  const bytes = String.UTF8.encode(text);
  return parseIp6Option(changetype<usize>(bytes), bytes.byteLength, option6);
}
