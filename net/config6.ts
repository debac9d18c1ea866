/**
 * The kernel command line's option for IPv6:
 *
 *     ip6=off
 *     ip6=auto                             as without it: a link-local address, and those that routers give prefixes for
 *     ip6=ADDRESS/PREFIX[,gw=ADDRESS]      beside those, for example ip6=2001:db8::2/64,gw=2001:db8::1
 */
import { Endpoint, IpAddress } from "./flow";
import {
  atEnd,
  isLeft,
  openOption,
  refuseOption,
  SLASH,
  takeAddress6,
  takeByte,
  takeGateway,
  takeNumber,
  value,
} from "./option-reader";
import { FOREVER } from "./own-addresses";
import { fixRouter, setPrefix } from "./routers";
import { isHost6, isLinkLocal, samePrefix } from "./scope";
import { addAddress } from "./slaac";

/** Results: IPv6 is wanted, or not. Negative: an error, which was logged. */
export const IP6_ON: i32 = 1;
export const IP6_OFF: i32 = 2;

/** "auto" and "off", as bytes in memory order. */
const AUTO: u32 = 0x6f74_7561;
const OFF: u32 = 0x66_666f;

/** Bytes of storage for parseIp6Option: two addresses. */
export const CONFIG6_STORAGE: usize = offsetof<Endpoint>() * 2;

/** Acts on what stands behind "ip6=": IP6_*, or -EINVAL and nothing changed. `storage`: CONFIG6_STORAGE bytes, to read into. */
export function parseIp6Option(address: usize, length: u32, storage: usize): i32 {
  openOption(address, length);
  if (isLeft(AUTO, 4)) return IP6_ON;
  if (isLeft(OFF, 3)) return IP6_OFF;
  const own = changetype<IpAddress>(storage);
  const gateway = changetype<IpAddress>(storage + offsetof<Endpoint>());
  if (!takeAddress6(own)) return refuseOption("an address is wanted, or auto, or off");
  if (!takeByte(SLASH) || !takeNumber(128) || value == 0) {
    return refuseOption("a prefix length of 1 to 128 is wanted, as in 2001:db8::2/64");
  }
  const bits = value;
  const routed = !atEnd();
  if (routed) {
    if (!takeGateway()) return refuseOption("only ,gw=ADDRESS can follow");
    if (!takeAddress6(gateway) || !atEnd()) return refuseOption("the gateway is not an address");
  }
  const fits = !routed || (isHost6(gateway) && !gateway.same(own) && isNear(gateway, own, bits));
  if (!isHost6(own) || isLinkLocal(own) || !fits) {
    return refuseOption("address, prefix length and gateway do not fit");
  }
  addAddress(own, bits);
  setPrefix(own, bits, FOREVER);
  if (routed) fixRouter(gateway);
  return IP6_ON;
}

function isNear(gateway: IpAddress, own: IpAddress, bits: u32): bool {
  return isLinkLocal(gateway) || samePrefix(gateway, own, bits);
}
