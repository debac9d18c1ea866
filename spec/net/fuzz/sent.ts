/**
 * What the stack under test sends: checked, for it must never send what is wrong, whatever came in; and remembered, so that the grammar can speak to its connections, quote its
 * packets, and answer its questions.
 */
import { checksumAdd, checksumFold, pseudoHeaderSum } from "../../../net/checksum";
import { Flow, mapped } from "../../../net/flow";
import { isBroadcast, isUnicast } from "../../../net/interface";
import { Ipv4Header } from "../../../net/wire/ipv4";
import { Ipv6Header } from "../../../net/wire/ipv6";
import { TcpHeader } from "../../../net/wire/tcp";
import { chance } from "../../chance";
import { answerSolicitation } from "./neighbours";
import { mirrorHook, OWN, OWN0, OWN4 } from "../link";

const last = new StaticArray<u8>(4096);
let lastLength: u32 = 0;
let lastVersion: u32 = 4;

/** Address, length and version of the last packet that was sent. */
export function lastSent(): usize {
  return changetype<usize>(last);
}
export function lastSentLength(): u32 {
  return lastLength;
}
export function lastSentVersion(): u32 {
  return lastVersion;
}

/** Transaction of the last DHCP message, as it stands there, and whether it was a request: the server's answer has to fit. */
export let dhcpTransaction: u32 = 0;
export let dhcpRequested: bool = false;

/** Address that the frames' VLAN has; negative: no tag. */
let vlan: i32 = -1;

/** A connection of the stack, from what it has sent. */
export class Known {
  remoteHigh: u64 = 0;
  remoteLow: u64 = 0;
  localHigh: u64 = 0;
  localLow: u64 = 0;
  remotePort: u32 = 0;
  localPort: u32 = 0;
  /** First number of what was sent last, the number behind all that was sent, and the one that is expected of the peer. */
  start: u32 = 0;
  end: u32 = 0;
  expected: u32 = 0;
  /** Flags of the last segment. */
  flags: u32 = 0;
  hasStamps: bool = false;
  /** Its last timestamp, the one of the peer that it has echoed, and how much the peer's have grown by since. */
  stamp: u32 = 0;
  echoed: u32 = 0;
  clock: u32 = 0;
}

const MOST: i32 = 64;
let known: Known[] = [];
let oldest: i32 = 0;

/** One of them, rather one that has spoken lately; null: there is none. */
export function chosen(): Known | null {
  if (known.length == 0) return null;
  return known[chance(known.length)];
}

export function forgetSent(tag: i32): void {
  lastLength = 0;
  lastVersion = 4;
  known = [];
  oldest = 0;
  vlan = tag;
  dhcpTransaction = 0;
  dhcpRequested = false;
}

const flow = new StaticArray<u64>(6);

/** The ends of the packet in `ends`. */
function ends(): Flow {
  return changetype<Flow>(changetype<usize>(flow));
}

function remember(header: TcpHeader, bytes: u32): void {
  const it = ends();
  let one: Known | null = null;
  for (let i = 0; i < known.length; i++) {
    const k = known[i];
    if (
      k.remotePort == header.destinationPort &&
      k.localPort == header.sourcePort &&
      k.remoteLow == it.remote.low &&
      k.remoteHigh == it.remote.high
    )
      one = k;
  }
  if (one === null) {
    one = new Known();
    if (known.length < MOST) known.push(one);
    else {
      known[oldest] = one;
      oldest = (oldest + 1) % MOST;
    }
    one.remoteHigh = it.remote.high;
    one.remoteLow = it.remote.low;
    one.localHigh = it.local.high;
    one.localLow = it.local.low;
    one.remotePort = header.destinationPort;
    one.localPort = header.sourcePort;
  }
  const flags = header.flags;
  const length = bytes - header.headerLength + (flags & 1) + ((flags >> 1) & 1);
  const end = header.sequence + length;
  if (<i32>(end - one.end) > 0 || (flags & 2) != 0) one.end = end;
  one.start = header.sequence;
  one.expected = header.acknowledgement;
  one.flags = flags;
  one.hasStamps = false;
  const options = changetype<usize>(header) + 20;
  const all = header.headerLength - 20;
  for (let at: u32 = 0; at + 12 <= all; at += 4) {
    if (load<u32>(options + at) != 0x0a08_0101) continue;
    one.hasStamps = true;
    one.stamp = bswap<u32>(load<u32>(options + at, 4));
    one.echoed = bswap<u32>(load<u32>(options + at, 8));
    break;
  }
}

/** The hook of the link (spec/net/link.ts). Traps on a frame that is wrong. */
export function look(frame: usize, length: u32): void {
  assert(length >= 34 && length <= 1518, "length of a frame");
  assert(load<u32>(frame, 6) == OWN0 && load<u16>(frame, 10) == OWN4, "source of a frame");
  if (vlan >= 0) {
    assert(load<u16>(frame, 12) == 0x0081 && load<u16>(frame, 14) == bswap<u16>(<u16>vlan), "tag of a frame");
    memory.copy(frame + 12, frame + 16, length - 16);
    length -= 4;
  }
  const type = load<u16>(frame, 12);
  if (type == 0x0608) {
    // Not every question is answered.
    if (chance(16) != 0) mirrorHook(frame, length);
  } else if (type == 0x0008) look4(frame + 14, length - 14);
  else {
    assert(type == 0xdd86, "type of a frame");
    look6(frame + 14, length - 14);
  }
}

function look4(packet: usize, length: u32): void {
  const header = changetype<Ipv4Header>(packet);
  assert(load<u8>(packet) == 0x45 && header.totalLength == length, "header");
  assert(checksumFold(checksumAdd(packet, 20, 0)) == 0xffff, "checksum of the header");
  // Before there is an address only DHCP speaks; servers give others of this net (grammar.ts).
  assert(
    header.source >> 8 == OWN >> 8 || (header.source == 0 && header.protocol == 17),
    "source of a packet",
  );
  assert(header.ttl != 0, "time to live");
  const fragment = header.fragment;
  assert((fragment & 0x2000) == 0 || ((header.totalLength - 20) & 7) == 0, "length of a fragment");
  assert((fragment & 0x4000) == 0 || (fragment & 0x3fff) == 0, "a fragment that must not be one");
  memory.copy(changetype<usize>(last), packet, length);
  lastLength = length;
  lastVersion = 4;
  if ((fragment & 0x3fff) != 0) return;
  const it = ends();
  it.local.ipv4 = header.source;
  it.remote.ipv4 = header.destination;
  const transport = packet + 20;
  const bytes = length - 20;
  if (header.protocol != 1) return lookTransport(transport, bytes, header.protocol);
  assert(checksumFold(checksumAdd(transport, bytes, 0)) == 0xffff, "checksum of ICMP");
  const icmp = load<u8>(transport);
  assert(icmp == 0 || icmp == 3 || icmp == 11 || icmp == 12, "kind of ICMP message");
  if (icmp == 0) return;
  assert(bytes <= 556, "length of an error");
  const quoted = changetype<Ipv4Header>(transport + 8);
  assert(quoted.protocol != 1 && (quoted.fragment & 0x1fff) == 0, "what an error is about");
  assert(isUnicast(quoted.source) && !isBroadcast(quoted.source), "to whom an error goes");
}

function look6(packet: usize, length: u32): void {
  const header = changetype<Ipv6Header>(packet);
  assert(header.version == 6 && header.payloadLength == length - 40, "header of IPv6");
  assert(header.hopLimit != 0, "hop limit");
  const it = ends();
  header.loadSource(it.local);
  header.loadDestination(it.remote);
  assert(it.local.high >> 56 != 0xff && !(it.local.high == 0 && it.local.low == 1), "source of IPv6");
  assert(it.remote.high != 0, "destination of IPv6");
  memory.copy(changetype<usize>(last), packet, length);
  lastLength = length;
  lastVersion = 6;
  let transport = packet + 40;
  let next = header.nextHeader;
  if (next == 44) return;
  if (next == 0) {
    // Multicast listener reports have the router alert.
    next = load<u8>(transport);
    transport += 8;
    assert(next == 58, "hop-by-hop options");
  }
  const bytes = length - <u32>(transport - packet);
  const unnamed = it.local.high == 0;
  assert(!unnamed || (it.local.low == 0 && next == 58), "what is said without an address");
  if (next != 58) return lookTransport(transport, bytes, next);
  const sum = pseudoHeaderSum(it, 58, bytes);
  assert(checksumFold(checksumAdd(transport, bytes, sum)) == 0xffff, "checksum of ICMPv6");
  const type = <u32>load<u8>(transport);
  if (type < 128) {
    assert(type >= 1 && type <= 4 && length <= 1280, "an error of ICMPv6");
    const quoted = changetype<Ipv6Header>(transport + 8);
    quoted.loadSource(it.remote);
    assert(it.remote.high != 0 && it.remote.high >> 56 != 0xff, "to whom an error of ICMPv6 goes");
  } else if (type >= 133 && type <= 136) {
    assert(header.hopLimit == 255, "hop limit of discovery");
    if (type == 135) answerSolicitation(transport + 8, it.local);
  } else assert(type == 129 || type == 131 || type == 143, "kind of ICMPv6 message");
}

/** UDP or TCP between `ends`. The device of the link makes no checksums, so the stack has to. */
function lookTransport(transport: usize, bytes: u32, protocol: u32): void {
  const sum = pseudoHeaderSum(ends(), protocol, bytes);
  assert(checksumFold(checksumAdd(transport, bytes, sum)) == 0xffff, "checksum of a transport");
  if (protocol == 17 && load<u16>(transport, 2) == 0x4300 && bytes >= 248) {
    dhcpTransaction = load<u32>(transport + 8, 4);
    // The first option is the kind of message.
    dhcpRequested = load<u8>(transport + 8, 242) != 1;
  }
  if (protocol != 6) return;
  const tcp = changetype<TcpHeader>(transport);
  assert(tcp.headerLength >= 20 && tcp.headerLength <= bytes, "header of TCP");
  assert((tcp.flags & 3) != 3 && (tcp.flags & 6) != 6, "flags of TCP");
  if ((tcp.flags & 4) == 0) remember(tcp, bytes);
}
