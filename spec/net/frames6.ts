/** IPv6 for specs: a stack whose frames are recorded, and frames for it, which are filled in layer by layer in the scratch frame of frames.ts. */
import { setLogLevel } from "../../kernel/console";
import { SECOND } from "../../kernel/time/clock";
import { checksumAdd, internetChecksum, pseudoHeaderSum } from "../../net/checksum";
import { Endpoint, Flow, FLOW_SIZE } from "../../net/flow";
import { startIpv6 } from "../../net/slaac";
import { ETHERNET_HEADER, EthernetHeader, ETHERTYPE_IPV6 } from "../../net/wire/ethernet";
import { ICMP_HEADER, IcmpHeader } from "../../net/wire/icmp";
import { IPV6_HEADER, Ipv6Header, loadAddress, storeAddress } from "../../net/wire/ipv6";
import * as frames from "./frames";
import { FRAME, NETWORK } from "./frames";
import * as link from "./link";

/** fe80::/64, and 2001:db8:0:1::/64. */
export const LINK_LOCAL: u64 = 0xfe80_0000_0000_0000;
export const PREFIX: u64 = 0x2001_0db8_0000_0001;
/** Interface identifiers of the stack (02:00:00:00:00:01), and of the peer (02:00:00:00:00:02). */
export const OWN_ID: u64 = 0xff_fe00_0001;
export const PEER_ID: u64 = 0xff_fe00_0002;
/** ff02::1, and the solicited-node group of OWN_ID. */
export const GROUP: u64 = 0xff02_0000_0000_0000;
export const OWN_GROUP_LOW: u64 = 0x0001_ff00_0001;

export const TRANSPORT6: usize = NETWORK + IPV6_HEADER;

const storage = new StaticArray<u64>(64);
let nextEnd: u32 = 0;
const flow = new StaticArray<u64>(6);

/** An address as an argument of a call: good until seven more have been made. */
export function address6(high: u64, low: u64, port: u32 = 0): Endpoint {
  nextEnd = (nextEnd + 1) & 7;
  const it = changetype<Endpoint>(changetype<usize>(storage) + nextEnd * offsetof<Flow>("remote0"));
  it.high = high;
  it.low = low;
  it.port = port;
  return it;
}

/** A frame that the stack has sent. */
export class Sent {
  constructor(public bytes: StaticArray<u8>) {}

  get frame(): usize {
    return changetype<usize>(this.bytes);
  }
  get network(): Ipv6Header {
    return changetype<Ipv6Header>(this.frame + ETHERNET_HEADER);
  }
  get isIpv6(): bool {
    return changetype<EthernetHeader>(this.frame).type == ETHERTYPE_IPV6;
  }
  /** Behind the IPv6 header, and behind a hop-by-hop header. */
  get transport(): usize {
    return this.frame + ETHERNET_HEADER + IPV6_HEADER + (this.network.nextHeader == 0 ? 8 : 0);
  }
  get transportLength(): u32 {
    return <u32>(this.frame + this.bytes.length - this.transport);
  }
  /** Type of its ICMPv6 message; 0: it has none. */
  get type(): u32 {
    if (!this.isIpv6) return 0;
    const next = this.network.nextHeader == 0 ? <u32>load<u8>(this.transport - 8) : this.network.nextHeader;
    return next == 58 ? <u32>load<u8>(this.transport) : 0;
  }
  get icmp(): IcmpHeader {
    return changetype<IcmpHeader>(this.transport);
  }
  get source(): Endpoint {
    const it = address6(0, 0);
    this.network.loadSource(it);
    return it;
  }
  get destination(): Endpoint {
    const it = address6(0, 0);
    this.network.loadDestination(it);
    return it;
  }
  /** What a neighbour message is about. */
  get target(): Endpoint {
    const it = address6(0, 0);
    loadAddress(it, this.transport + ICMP_HEADER);
    return it;
  }
  /** Checksum of its ICMPv6 message. */
  get isSound(): bool {
    const it = changetype<Flow>(changetype<usize>(flow));
    this.network.loadSource(it.local);
    this.network.loadDestination(it.remote);
    const sum = pseudoHeaderSum(it, 58, this.transportLength);
    return internetChecksum(checksumAdd(this.transport, this.transportLength, sum)) == 0;
  }
}

export let sent: Sent[] = [];

function record(frame: usize, length: u32): void {
  const bytes = new StaticArray<u8>(length);
  memory.copy(changetype<usize>(bytes), frame, length);
  sent.push(new Sent(bytes));
}

export function forgetSent(): void {
  sent = [];
}

/** ICMPv6 messages of a type that were sent. */
export function countOf(type: u32): u32 {
  let count: u32 = 0;
  for (let i = 0; i < sent.length; i++) if (sent[i].type == type) count++;
  return count;
}

/** The last one. */
export function lastOf(type: u32): Sent {
  for (let i = sent.length - 1; i >= 0; i--) if (sent[i].type == type) return sent[i];
  assert(false, "none was sent");
  return sent[0];
}

/** A stack with IPv6 whose link-local address has just begun. */
export function begin6(buffers: u32 = 400): void {
  link.bootStack(buffers, 77);
  setLogLevel(0);
  sent = [];
  link.setHook(record.index);
  startIpv6();
}

/** The same with the link-local address found to be free, and the routers asked for the first time. */
export function boot6(buffers: u32 = 400): void {
  begin6(buffers);
  link.run(2 * SECOND + SECOND / 10);
  sent = [];
}

/** The peer asks for us, and so says its link address. */
export function knowPeer(): void {
  neighbour(135, LINK_LOCAL, OWN_ID, 0, 1, link.PEER4);
  deliver6();
  sent = [];
}

// ---- Frames to the stack ----

/** A packet with `payload` bytes, whatever stands there, from the peer's link-local address to ours unless told otherwise. */
export function ipv6(next: u32, payload: u32): Ipv6Header {
  frames.ethernet(ETHERTYPE_IPV6);
  const header = changetype<Ipv6Header>(NETWORK);
  header.setFirstWord(0);
  header.payloadLength = payload;
  header.nextHeader = next;
  header.hopLimit = 255;
  header.storeSource(address6(LINK_LOCAL, PEER_ID));
  header.storeDestination(address6(LINK_LOCAL, OWN_ID));
  frames.setFrameLength(ETHERNET_HEADER + IPV6_HEADER + payload);
  return header;
}

export function from(high: u64, low: u64): void {
  changetype<Ipv6Header>(NETWORK).storeSource(address6(high, low));
}

/** For a group the frame is for one, too. */
export function to(high: u64, low: u64): void {
  changetype<Ipv6Header>(NETWORK).storeDestination(address6(high, low));
  if (high >> 56 != 0xff) return;
  const bytes = bswap<u32>(<u32>low);
  changetype<EthernetHeader>(FRAME).setDestination(0x3333 | (bytes << 16), <u16>(bytes >> 16));
}

/** An ICMPv6 message of `length` bytes at TRANSPORT6, zero but for its type. Its checksum is made by `deliver6`. */
export function icmpv6(type: u32, length: u32): IcmpHeader {
  ipv6(58, length);
  memory.fill(TRANSPORT6, 0, length);
  const header = changetype<IcmpHeader>(TRANSPORT6);
  header.type = type;
  return header;
}

/** A neighbour message about an address, with one option of `option` (0: none) with link address 02:00:00:00:<link4>. */
export function neighbour(type: u32, high: u64, low: u64, flags: u32, option: u32, link4: u16): void {
  icmpv6(type, option == 0 ? 24 : 32).rest = flags;
  storeAddress(TRANSPORT6 + 8, address6(high, low));
  if (option != 0) linkOption(TRANSPORT6 + 24, option, link4);
}

export function linkOption(at: usize, option: u32, link4: u16): void {
  store<u16>(at, <u16>(option | (1 << 8)));
  store<u32>(at, link.PEER0, 2);
  store<u16>(at, link4, 6);
}

/** A router advertisement from the peer to all nodes, with room for `options` bytes. */
export function routerAdvertisement(lifetime: u32, options: u32): usize {
  icmpv6(134, 16 + options);
  to(GROUP, 1);
  store<u8>(TRANSPORT6, 64, 4);
  store<u16>(TRANSPORT6, bswap<u16>(<u16>lifetime), 6);
  return TRANSPORT6 + 16;
}

/** A prefix information option (32 bytes). */
export function prefixOption(at: usize, high: u64, bits: u32, flags: u32, valid: u32, preferred: u32): void {
  store<u16>(at, 0x0403);
  store<u8>(at, <u8>bits, 2);
  store<u8>(at, <u8>flags, 3);
  store<u32>(at, bswap<u32>(valid), 4);
  store<u32>(at, bswap<u32>(preferred), 8);
  store<u32>(at, 0, 12);
  storeAddress(at + 16, address6(high, 0));
}

/** Makes the checksum of the transport's header, whose field is `offset` bytes into it. */
export function checksum6(protocol: u32, offset: u32): void {
  const network = changetype<Ipv6Header>(NETWORK);
  const it = changetype<Flow>(changetype<usize>(flow));
  network.loadSource(it.remote);
  network.loadDestination(it.local);
  const length = network.payloadLength;
  store<u16>(TRANSPORT6 + offset, 0);
  const sum = internetChecksum(checksumAdd(TRANSPORT6, length, pseudoHeaderSum(it, protocol, length)));
  store<u16>(TRANSPORT6 + offset, sum == 0 ? 0xffff : sum);
}

/** Hands the ICMPv6 message in. */
export function deliver6(): void {
  checksum6(58, 2);
  frames.deliver();
}

/** The router at the peer says that PREFIX is on the link and for addresses; the address is ours three seconds later. */
export function getGlobal(): void {
  prefixOption(routerAdvertisement(1800, 32), PREFIX, 64, 0xc0, 86400, 14400);
  deliver6();
  link.run(3 * SECOND);
  sent = [];
}
