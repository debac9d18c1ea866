/**
 * The way out of IPv6 packets (RFC 8200; RFC 4861, 5.2) over one interface. What is too long for one packet is sent by net/fragment-output.ts.
 */
import { EINVAL, ENETDOWN, ENETUNREACH } from "../kernel/errno";
import { PacketBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { ethernetOutput, readyForLink } from "./ethernet";
import { Endpoint, IpAddress } from "./flow";
import { cutDatagram, FRAGMENT_HEADERS6, nextIdentification6 } from "./fragment";
import { sendFragments } from "./fragment-output";
import { linkIsUp } from "./interface";
import { packetLimit } from "./ip";
import { hopLimit6, linkMtu6 } from "./link-parameters";
import { loopbackOutput } from "./loopback";
import { neighbourDoubt, neighbourIsKnown, neighbourOutput } from "./neighbours";
import { chooseSource6, isOwn6 } from "./own-addresses";
import { defaultRouter, isOnLink6 } from "./routers";
import { isGroup, isHost6, isLinkLocal, isLoopback6 } from "./scope";
import { LET_INTERRUPTS_IN, MAY_FRAGMENT, TTL_DEFAULT } from "./service";
import { ETHERTYPE_IPV6 } from "./wire/ethernet";
import {
  EXTENSION_HEADER,
  FRAGMENT_MORE,
  FragmentHeader,
  IPV6_HEADER,
  IPV6_PAYLOAD_MAXIMUM,
  Ipv6Header,
  NEXT_FRAGMENT,
} from "./wire/ipv6";

const ADDRESS_SIZE: usize = offsetof<Endpoint>();
/** Bytes of storage for initializeIpv6Output. */
export const IPV6_OUTPUT_STORAGE: usize = ADDRESS_SIZE * 3;

/** The source that was chosen for a packet; and the addresses of a fragment, as its header has them. */
let chosen: IpAddress = changetype<IpAddress>(0);
let sender: IpAddress = changetype<IpAddress>(0);
let receiver: IpAddress = changetype<IpAddress>(0);

/** Once at boot. `storage`: IPV6_OUTPUT_STORAGE bytes, 8-aligned. */
export function initializeIpv6Output(storage: usize): void {
  memory.fill(storage, 0, IPV6_OUTPUT_STORAGE);
  chosen = changetype<IpAddress>(storage);
  sender = changetype<IpAddress>(storage + ADDRESS_SIZE);
  receiver = changetype<IpAddress>(storage + ADDRESS_SIZE * 2);
}

/**
 * Sends the transport packet in `buffer`, which it borrows; headers are pushed in front. `from`: one of our addresses, or :: for the one that
 * fits. `service`: see net/service.ts; of its hop limits TTL_DEFAULT stands for the one that routers tell. 0 when it was sent or waits for its neighbour, else -EMSGSIZE, -ENETUNREACH, -ENETDOWN, -EINVAL (::1 to another
 * host), or -ENOBUFS.
 */
export function ipv6Output(
  buffer: PacketBuffer,
  from: IpAddress,
  to: IpAddress,
  protocol: u32,
  service: u32,
): i32 {
  if (from.isAny) {
    if (!chooseSource6(chosen, to)) {
      networkCounters().ipNoRoute++;
      return -ENETUNREACH;
    }
    from = chosen;
  }
  return ipv6Send(buffer, from, to, protocol, service);
}

/** The same, with `from` as the source whatever it is: :: while there is no address. */
export function ipv6Send(
  buffer: PacketBuffer,
  from: IpAddress,
  to: IpAddress,
  protocol: u32,
  service: u32,
): i32 {
  let length = buffer.length;
  if (buffer.more !== null || length + IPV6_HEADER > linkMtu6()) {
    // What is for the device to cut goes as it is, if its segments are not too long: none is longer than the first, of which the headers are.
    if (buffer.segmentSize == 0 || length + IPV6_HEADER > linkMtu6())
      return sendLong(buffer, from, to, protocol, service);
    length = buffer.wholeLength;
  } else if ((service & MAY_FRAGMENT) != 0 && length + IPV6_HEADER > packetLimit(to)) {
    return sendLong(buffer, from, to, protocol, service);
  }
  pushHeader(buffer, length, from, to, protocol, service);
  return transmit(buffer, from, to);
}

/** As ipv6Send, for what is too long for one packet. */
function sendLong(buffer: PacketBuffer, from: IpAddress, to: IpAddress, protocol: u32, service: u32): i32 {
  const result = cutDatagram(buffer, service, IPV6_PAYLOAD_MAXIMUM, packetLimit(to), FRAGMENT_HEADERS6);
  if (result != 0) return result;
  const fragment = changetype<FragmentHeader>(buffer.push(EXTENSION_HEADER));
  fragment.nextHeader = protocol;
  fragment.place = FRAGMENT_MORE;
  fragment.identification = nextIdentification6(from, to);
  pushHeader(buffer, buffer.length, from, to, NEXT_FRAGMENT, service);
  return sendFragments(buffer, (service & LET_INTERRUPTS_IN) != 0);
}

/** For fragment-output.ts: sends a fragment, with its headers in front; borrows it. */
export function ipv6SendFragment(buffer: PacketBuffer): i32 {
  const header = changetype<Ipv6Header>(buffer.data);
  header.loadSource(sender);
  header.loadDestination(receiver);
  return transmit(buffer, sender, receiver);
}

/** Whether a packet, with its header in front, would have to wait for the link address of its neighbour. */
export function ipv6MustWait(buffer: PacketBuffer): bool {
  changetype<Ipv6Header>(buffer.data).loadDestination(receiver);
  if (isOwn6(receiver) || isGroup(receiver) || !linkIsUp()) return false;
  const hop = nextHop6(receiver);
  return hop !== null && !neighbourIsKnown(hop.high, hop.low);
}

/** Puts the header in front of `length` bytes. */
// @ts-ignore: decorator
@inline
function pushHeader(
  buffer: PacketBuffer,
  length: u32,
  from: IpAddress,
  to: IpAddress,
  protocol: u32,
  service: u32,
): void {
  const header = changetype<Ipv6Header>(buffer.push(IPV6_HEADER));
  header.setFirstWord((service >> 8) & 255);
  header.payloadLength = length;
  header.nextHeader = protocol;
  const hopLimit = service & 255;
  header.hopLimit = hopLimit == TTL_DEFAULT ? hopLimit6 : hopLimit;
  header.storeSource(from);
  header.storeDestination(to);
}

/** Sends a packet that fits into one frame, with its header in front; borrows the buffer. */
// @ts-ignore: decorator
@inline
function transmit(buffer: PacketBuffer, from: IpAddress, to: IpAddress): i32 {
  const counters = networkCounters();
  counters.ip6Sent++;
  if (isOwn6(to)) return loopbackOutput(buffer);
  if (isLoopback6(from)) return -EINVAL;
  if (!readyForLink(buffer)) return -ENETDOWN;
  if (isGroup(to)) {
    // 33:33 and the low 32 bits (RFC 2464, 7).
    const low = bswap<u32>(<u32>to.low);
    return ethernetOutput(buffer, 0x3333 | (low << 16), <u16>(low >> 16), ETHERTYPE_IPV6);
  }
  const hop = nextHop6(to);
  if (hop !== null) return neighbourOutput(buffer, hop.high, hop.low);
  counters.ipNoRoute++;
  return -ENETUNREACH;
}

/** The neighbour to which packets to another host go: `to` itself, or a router; null: there is no way. */
function nextHop6(to: IpAddress): IpAddress | null {
  if (!isHost6(to)) return null;
  return isLinkLocal(to) || isOnLink6(to) ? to : defaultRouter();
}

/** What is sent to `to` does not seem to arrive: the neighbour on the way is asked for again (RFC 4861, 7.3.1). */
export function ipv6Doubt(to: IpAddress): void {
  if (isOwn6(to)) return;
  const hop = nextHop6(to);
  if (hop !== null) neighbourDoubt(hop.high, hop.low);
}

/** Whether packets to `to` have a way out. */
export function hasRoute6(to: IpAddress): bool {
  return isOwn6(to) || isGroup(to) || nextHop6(to) !== null;
}
