/**
 * The kernel command line's network options:
 *
 *     ip=dhcp
 *     ip=ADDRESS/PREFIX[,gw=ADDRESS]      for example ip=10.0.2.15/24,gw=10.0.2.2
 *     dns=ADDRESS[,ADDRESS...]            up to four, of both versions, for example dns=10.0.2.3,2001:db8::53
 */
import { Endpoint, IpAddress } from "./flow";
import { setAddress } from "./interface";
import { isHost } from "./ip";
import { fixNameServer, NAME_SERVERS, unfixNameServers } from "./name-servers";
import {
  atEnd,
  COMMA,
  isLeft,
  openOption,
  refuseOption,
  SLASH,
  takeAddress,
  takeAddress4,
  takeByte,
  takeGateway,
  takeNumber,
  value,
} from "./option-reader";

/** Results: an address was set; the caller shall call dhcpStart. Negative: an error, which was logged. */
export const IP_STATIC: i32 = 1;
export const IP_DHCP: i32 = 2;

/** Bytes of storage for parseDnsOption: an address. */
export const CONFIG_STORAGE: usize = offsetof<Endpoint>();

/** "dhcp", as bytes in memory order. */
const DHCP: u32 = 0x7063_6864;

/** Acts on what stands behind "ip=": IP_DHCP, IP_STATIC, or -EINVAL and nothing changed. */
export function parseIpOption(address: usize, length: u32): i32 {
  openOption(address, length);
  if (isLeft(DHCP, 4)) return IP_DHCP;
  if (!takeAddress4()) return refuseOption("an address is wanted, or dhcp");
  const own = value;
  if (!takeByte(SLASH) || !takeNumber(32) || value == 0) {
    return refuseOption("a prefix length of 1 to 32 is wanted, as in 10.0.2.15/24");
  }
  const netmask: u32 = 0xffff_ffff << (32 - value);
  let gateway: u32 = 0;
  if (!atEnd()) {
    if (!takeGateway()) return refuseOption("only ,gw=ADDRESS can follow");
    if (!takeAddress4() || !atEnd() || value == 0) return refuseOption("the gateway is not an address");
    gateway = value;
  }
  if (own == 0 || !setAddress(own, netmask, gateway)) {
    return refuseOption("address, prefix length and gateway do not fit");
  }
  return IP_STATIC;
}

/** Acts on what stands behind "dns=": 0, or -EINVAL and nothing changed. `storage`: CONFIG_STORAGE bytes, to read into. */
export function parseDnsOption(address: usize, length: u32, storage: usize): i32 {
  const scratch = changetype<IpAddress>(storage);
  openOption(address, length);
  if (!takeServers(scratch, false)) {
    return refuseOption("one to four addresses are wanted, as in 10.0.2.3,2001:db8::53");
  }
  openOption(address, length);
  unfixNameServers();
  takeServers(scratch, true);
  return 0;
}

/** Reads the list, and makes its addresses the name servers when `use` says so. False: it is none. */
function takeServers(scratch: IpAddress, use: bool): bool {
  let count: u32 = 0;
  do {
    if (count++ == NAME_SERVERS || !takeAddress(scratch) || !isHost(scratch)) return false;
    if (use) fixNameServer(scratch);
  } while (takeByte(COMMA));
  return atEnd();
}
