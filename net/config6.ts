/**
 * The kernel command line's option for IPv6:
 *
 *     ip6=off
 *     ip6=auto                             as without it: a link-local address, and those that routers give prefixes for
 *     ip6=ADDRESS/PREFIX[,gw=ADDRESS]      beside those, for example ip6=2001:db8::2/64,gw=2001:db8::1
 *
 * Addresses are written as in RFC 4291, 2.2, without the form that ends like IPv4.
 */
import { EINVAL } from "../kernel/errno";
import { LOG_ERROR, logBytes, logEnd, logStart, logText } from "../kernel/console";
import { Endpoint, IpAddress } from "./flow";
import { FOREVER } from "./own-addresses";
import { setPrefix, setRouter } from "./routers";
import { isHost6, isLinkLocal, samePrefix } from "./scope";
import { addAddress } from "./slaac";

/** Results: IPv6 is wanted, or not. Negative: an error, which was logged. */
export const IP6_ON: i32 = 1;
export const IP6_OFF: i32 = 2;

const COLON: u32 = 0x3a;
const SLASH: u32 = 0x2f;
/** "auto" and ",gw=", as bytes in memory order. */
const AUTO: u32 = 0x6f74_7561;
const COMMA_GW: u32 = 0x3d77_672c;
/** "off" */
const OFF: u32 = 0x66_666f;
const GROUPS: u32 = 8;

/** Bytes of storage for parseIp6Option: two addresses. */
export const CONFIG6_STORAGE: usize = offsetof<Endpoint>() * 2;

/** What is still to be read. */
let position: usize = 0;
let end: usize = 0;
/** The number that was read last. */
let value: u32 = 0;

/** Acts on what stands behind "ip6=": IP6_*, or -EINVAL and nothing changed. `storage`: CONFIG6_STORAGE bytes, to read into. */
export function parseIp6Option(address: usize, length: u32, storage: usize): i32 {
  position = address;
  end = address + length;
  if (length == 4 && load<u32>(position) == AUTO) return IP6_ON;
  if (length == 3 && ((<u32>load<u16>(position)) | ((<u32>load<u8>(position, 2)) << 16)) == OFF)
    return IP6_OFF;
  const own = changetype<IpAddress>(storage);
  const gateway = changetype<IpAddress>(storage + offsetof<Endpoint>());
  if (!readAddress(own)) return refuse(address, length, "an address is wanted, or auto, or off");
  if (!isByte(SLASH) || !readNumber(10, 128) || value == 0) {
    return refuse(address, length, "a prefix length of 1 to 128 is wanted, as in 2001:db8::2/64");
  }
  const bits = value;
  const routed = position != end;
  if (routed) {
    if (end - position < 4 || load<u32>(position) != COMMA_GW) {
      return refuse(address, length, "only ,gw=ADDRESS can follow");
    }
    position += 4;
    if (!readAddress(gateway) || position != end)
      return refuse(address, length, "the gateway is not an address");
  }
  const fits = !routed || (isHost6(gateway) && !gateway.same(own) && isNear(gateway, own, bits));
  if (!isHost6(own) || isLinkLocal(own) || !fits) {
    return refuse(address, length, "address, prefix length and gateway do not fit");
  }
  addAddress(own, bits);
  setPrefix(own, bits, FOREVER);
  if (routed) setRouter(gateway, FOREVER);
  return IP6_ON;
}

function isNear(gateway: IpAddress, own: IpAddress, bits: u32): bool {
  return isLinkLocal(gateway) || samePrefix(gateway, own, bits);
}

function refuse(address: usize, length: u32, reason: string): i32 {
  if (logStart(LOG_ERROR, "net")) {
    logText("option ");
    logBytes(address, length < 64 ? length : 64);
    logText(": ");
    logText(reason);
    logEnd();
  }
  return -EINVAL;
}

/** Takes `byte`, if it is the next one. */
function isByte(byte: u32): bool {
  if (position == end || <u32>load<u8>(position) != byte) return false;
  position++;
  return true;
}

/** A number in base 10 or 16, up to `limit`, into `value`. */
function readNumber(base: u32, limit: u32): bool {
  const start = position;
  value = 0;
  while (position != end) {
    const digit = digitOf(<u32>load<u8>(position));
    if (digit >= base) break;
    value = value * base + digit;
    if (value > limit) return false;
    position++;
  }
  return position != start;
}

function digitOf(c: u32): u32 {
  if (c - 0x30 < 10) return c - 0x30;
  const letter = (c | 0x20) - 0x61;
  return letter < 6 ? letter + 10 : 16;
}

/** Eight groups, or fewer and one "::" in the place of the others, which are zero. */
function readAddress(to: IpAddress): bool {
  let count: u32 = 0;
  /** Groups ahead of "::". */
  let gap = GROUPS;
  to.high = 0;
  to.low = 0;
  while (count < GROUPS) {
    if (isByte(COLON)) {
      if (isByte(COLON)) {
        if (gap != GROUPS) return false;
        gap = count;
        if (position == end || digitOf(<u32>load<u8>(position)) > 15) break;
      } else if (count == 0 || gap == count) {
        return false;
      }
    } else if (count != 0) {
      break;
    }
    const start = position;
    if (!readNumber(16, 0xffff) || position - start > 4) return false;
    // From the right, so that the last one always is the lowest.
    to.high = (to.high << 16) | (to.low >> 48);
    to.low = (to.low << 16) | value;
    count++;
  }
  if (gap == GROUPS) return count == GROUPS;
  if (count == GROUPS) return false;
  openGap(to, gap, count);
  return true;
}

/** `count` groups stand at the right; those from the `gap`th on stay there, the others go to the left. */
function openGap(to: IpAddress, gap: u32, count: u32): void {
  for (let i: u32 = 0; i < gap; i++) {
    const group = groupOf(to, GROUPS - count + i);
    setGroup(to, GROUPS - count + i, 0);
    setGroup(to, i, group);
  }
}

function shiftOf(index: u32): u64 {
  return <u64>((3 - (index & 3)) << 4);
}

function groupOf(address: IpAddress, index: u32): u64 {
  return ((index < 4 ? address.high : address.low) >> shiftOf(index)) & 0xffff;
}

function setGroup(address: IpAddress, index: u32, group: u64): void {
  const cleared = ~((<u64>0xffff) << shiftOf(index));
  const set = group << shiftOf(index);
  if (index < 4) address.high = (address.high & cleared) | set;
  else address.low = (address.low & cleared) | set;
}
