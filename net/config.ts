/**
 * The kernel command line's network options:
 *
 *     ip=dhcp
 *     ip=ADDRESS/PREFIX[,gw=ADDRESS]      for example ip=10.0.2.15/24,gw=10.0.2.2
 *     dns=ADDRESS[,ADDRESS]               for example dns=10.0.2.3
 */
import { EINVAL } from "../kernel/errno";
import { LOG_ERROR, logBytes, logEnd, logStart, logText } from "../kernel/console";
import { isUnicast, setAddress } from "./interface";
import { fixNameServers } from "./name-servers";

/** Results: an address was set; the caller shall call dhcpStart. Negative: an error, which was logged. */
export const IP_STATIC: i32 = 1;
export const IP_DHCP: i32 = 2;

const COMMA: u32 = 0x2c;
const DOT: u32 = 0x2e;
const SLASH: u32 = 0x2f;
/** "dhcp" and "gw=", as bytes in memory order. */
const DHCP: u32 = 0x7063_6864;
const GW0: u32 = 0x3d_7767;

/** What is still to be read. */
let position: usize = 0;
let end: usize = 0;
/** The number or address that was read last. */
let value: u32 = 0;

/** Acts on what stands behind "ip=": IP_DHCP, IP_STATIC, or -EINVAL and nothing changed. */
export function parseIpOption(address: usize, length: u32): i32 {
  position = address;
  end = address + length;
  if (end - position == 4 && load<u32>(position) == DHCP) return IP_DHCP;
  if (!readAddress()) return refuse(address, length, "an address is wanted, or dhcp");
  const own = value;
  if (!readByte(SLASH) || !readNumber(32) || value == 0) {
    return refuse(address, length, "a prefix length of 1 to 32 is wanted, as in 10.0.2.15/24");
  }
  const netmask: u32 = 0xffff_ffff << (32 - value);
  let gateway: u32 = 0;
  if (position != end) {
    if (!readByte(COMMA) || !readGateway()) {
      return refuse(address, length, "only ,gw=ADDRESS can follow");
    }
    if (!readAddress() || position != end || value == 0) {
      return refuse(address, length, "the gateway is not an address");
    }
    gateway = value;
  }
  if (own == 0 || !setAddress(own, netmask, gateway)) {
    return refuse(address, length, "address, prefix length and gateway do not fit");
  }
  return IP_STATIC;
}

/** Acts on what stands behind "dns=": 0, or -EINVAL and nothing changed. */
export function parseDnsOption(address: usize, length: u32): i32 {
  position = address;
  end = address + length;
  const reason = "one or two addresses are wanted, as in 10.0.2.3,10.0.2.4";
  if (!readAddress() || !isUnicast(value)) return refuse(address, length, reason);
  const first = value;
  value = 0;
  if (position != end) {
    if (!readByte(COMMA) || !readAddress() || position != end || !isUnicast(value))
      return refuse(address, length, reason);
  }
  fixNameServers(first, value);
  return 0;
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

/** "gw=" */
function readGateway(): bool {
  if (end - position < 3 || ((<u32>load<u16>(position)) | ((<u32>load<u8>(position, 2)) << 16)) != GW0)
    return false;
  position += 3;
  return true;
}

function readByte(byte: u32): bool {
  if (position == end || <u32>load<u8>(position) != byte) return false;
  position++;
  return true;
}

/** A decimal number without leading zeros, up to `limit`, into `value`. */
function readNumber(limit: u32): bool {
  const start = position;
  value = 0;
  while (position != end) {
    const digit = <u32>load<u8>(position) - 0x30;
    if (digit > 9) break;
    if (position != start && value == 0) return false;
    value = value * 10 + digit;
    if (value > limit) return false;
    position++;
  }
  return position != start;
}

/** Four numbers with dots between them, into `value`. */
function readAddress(): bool {
  let address: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    if ((i != 0 && !readByte(DOT)) || !readNumber(255)) return false;
    address = (address << 8) | value;
  }
  value = address;
  return true;
}
