/**
 * IPv6 (RFC 8200), ICMPv6 (RFC 4443) and neighbour discovery (RFC 4861) as bytes.
 *
 * Addresses are text as RFC 5952 has it ("fe80::2"): `canonical` makes it of any other form. Encoders fill in lengths and checksums; decoders report a
 * checksum as a flag.
 */
import { isIPv6 } from "node:net";
import { fold, sum16 } from "./ipv4.ts";

export const ETHERTYPE_IPV6 = 0x86dd;
export const NEXT_ICMPV6 = 58;
export const NEXT_FRAGMENT = 44;
export const ECHO_REQUEST = 128;
export const ECHO_REPLY = 129;
export const MLD2_REPORT = 143;
export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;
/** Bits of the first byte behind the header of a neighbour advertisement. */
export const NA_ROUTER = 0x80;
export const NA_SOLICITED = 0x40;
export const NA_OVERRIDE = 0x20;

export interface Ipv6Packet {
  source: string;
  destination: string;
  next: number;
  payload: Buffer;
  hopLimit?: number;
  trafficClass?: number;
}

export interface Icmpv6Message {
  type: number;
  code: number;
  /** What follows the first four bytes. */
  body: Buffer;
  checksumOk?: boolean;
}

/** The 16 bytes of an address. Throws for what is none: the argument is the test's own. */
export function bytesOf(text: string): Buffer {
  if (!isIPv6(text)) throw new RangeError(`not an IPv6 address: ${text}`);
  const [left = "", right] = text.split("::");
  const groups = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const before = groups(left);
  const after = right === undefined ? [] : groups(right);
  const bytes = Buffer.alloc(16);
  for (const [index, group] of before.entries()) bytes.writeUInt16BE(group, 2 * index);
  for (const [index, group] of after.entries()) bytes.writeUInt16BE(group, 2 * (8 - after.length + index));
  return bytes;
}

export function textOf(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16));
  let gap = { start: 8, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === "0") length++;
    if (length > gap.length) gap = { start, length };
  }
  if (gap.start === 8) return groups.join(":");
  return `${groups.slice(0, gap.start).join(":")}::${groups.slice(gap.start + gap.length).join(":")}`;
}

export function canonical(text: string): string {
  return textOf(bytesOf(text));
}

/** ff02::1:ffXX:XXXX of an address. */
export function solicitedNode(address: string): string {
  const bytes = bytesOf("ff02::1:ff00:0");
  bytesOf(address).copy(bytes, 13, 13);
  return textOf(bytes);
}

/** The link address that packets to a group have. */
export function groupMac(address: string): string {
  return `33:33:${bytesOf(address)
    .subarray(12)
    .toString("hex")
    .replace(/..(?!$)/g, "$&:")}`;
}

export function pseudoSum6(source: string, destination: string, next: number, length: number): number {
  return sum16(bytesOf(source)) + sum16(bytesOf(destination)) + length + next;
}

export function encodeIpv6(packet: Ipv6Packet): Buffer {
  const bytes = Buffer.alloc(40 + packet.payload.length);
  bytes.writeUInt16BE(0x6000 | ((packet.trafficClass ?? 0) << 4), 0);
  bytes.writeUInt16BE(packet.payload.length, 4);
  bytes[6] = packet.next;
  bytes[7] = packet.hopLimit ?? 64;
  bytesOf(packet.source).copy(bytes, 8);
  bytesOf(packet.destination).copy(bytes, 24);
  packet.payload.copy(bytes, 40);
  return bytes;
}

export function decodeIpv6(bytes: Buffer): Ipv6Packet | undefined {
  if (bytes.length < 40 || (bytes[0] as number) >> 4 !== 6) return undefined;
  const length = bytes.readUInt16BE(4);
  if (length > bytes.length - 40) return undefined;
  return {
    next: bytes[6] as number,
    hopLimit: bytes[7] as number,
    trafficClass: (bytes.readUInt16BE(0) >> 4) & 255,
    source: textOf(bytes.subarray(8, 24)),
    destination: textOf(bytes.subarray(24, 40)),
    payload: bytes.subarray(40, 40 + length),
  };
}

export function encodeIcmpv6(source: string, destination: string, message: Icmpv6Message): Buffer {
  const bytes = Buffer.concat([Buffer.from([message.type, message.code, 0, 0]), message.body]);
  bytes.writeUInt16BE(fold(sum16(bytes, pseudoSum6(source, destination, NEXT_ICMPV6, bytes.length))), 2);
  return bytes;
}

/** Of a packet that has no extension header, or a hop-by-hop one. */
export function decodeIcmpv6(packet: Ipv6Packet): Icmpv6Message | undefined {
  const skip = packet.next === 0 ? 8 * ((packet.payload[1] ?? 0) + 1) : 0;
  const next = packet.next === 0 ? packet.payload[0] : packet.next;
  const bytes = packet.payload.subarray(skip);
  if (next !== NEXT_ICMPV6 || bytes.length < 8) return undefined;
  const sum = pseudoSum6(packet.source, packet.destination, NEXT_ICMPV6, bytes.length);
  return {
    type: bytes[0] as number,
    code: bytes[1] as number,
    body: bytes.subarray(4),
    checksumOk: fold(sum16(bytes, sum)) === 0,
  };
}

/** A fragment header (RFC 8200, 4.5) and what is behind it. `offset`: in bytes, a multiple of 8. */
export function fragmentPayload(
  next: number,
  identification: number,
  offset: number,
  more: boolean,
  payload: Buffer,
): Buffer {
  const header = Buffer.from([next, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt16BE(offset | Number(more), 2);
  header.writeUInt32BE(identification >>> 0, 4);
  return Buffer.concat([header, payload]);
}

/** A packet in fragments of `size` bytes of payload. */
export function fragments(packet: Ipv6Packet, identification: number, size: number): Ipv6Packet[] {
  const { next, payload } = packet;
  const list: Ipv6Packet[] = [];
  for (let offset = 0; offset < payload.length; offset += size) {
    const part = payload.subarray(offset, offset + size);
    const more = offset + size < payload.length;
    list.push({
      ...packet,
      next: NEXT_FRAGMENT,
      payload: fragmentPayload(next, identification, offset, more, part),
    });
  }
  return list;
}

/** Puts fragments together that came in order; undefined: one is missing, or they are of several packets. */
export function reassembled(list: readonly Ipv6Packet[]): Ipv6Packet | undefined {
  const [first] = list;
  if (!first) return undefined;
  let length = 0;
  for (const [i, { payload }] of list.entries()) {
    const place = payload.readUInt16BE(2);
    if (payload.readUInt32BE(4) !== first.payload.readUInt32BE(4) || place >> 3 !== length >> 3)
      return undefined;
    if ((place & 1) !== Number(i < list.length - 1)) return undefined;
    length += payload.length - 8;
  }
  const payload = Buffer.concat(list.map((each) => each.payload.subarray(8)));
  return { ...first, next: first.payload[0] as number, payload };
}

/** The address that a neighbour message is about. */
export function targetOf(message: Icmpv6Message): string {
  return message.body.length < 20 ? "::" : textOf(message.body.subarray(4, 20));
}

// ---- Options of neighbour discovery ----

/** 1: source, 2: target link address. */
export function linkOption(kind: 1 | 2, mac: string): Buffer {
  return Buffer.concat([Buffer.from([kind, 1]), Buffer.from(mac.replaceAll(":", ""), "hex")]);
}

export interface Prefix {
  prefix: string;
  bits?: number;
  /** 0x80: on this link; 0x40: make addresses from it. */
  flags?: number;
  valid?: number;
  preferred?: number;
}

export function prefixOption({
  prefix,
  bits = 64,
  flags = 0xc0,
  valid = 86400,
  preferred = 14400,
}: Prefix): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.set([3, 4, bits, flags]);
  bytes.writeUInt32BE(valid, 4);
  bytes.writeUInt32BE(preferred, 8);
  bytesOf(prefix).copy(bytes, 16);
  return bytes;
}

/** Name servers (RFC 8106). */
export function nameServersOption(addresses: readonly string[], lifetime = 600): Buffer {
  const head = Buffer.from([25, 1 + 2 * addresses.length, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(lifetime, 4);
  return Buffer.concat([head, ...addresses.map(bytesOf)]);
}

/** Body of a router advertisement: hop limit 64, and `lifetime` in seconds. */
export function advertisementBody(lifetime: number, options: readonly Buffer[]): Buffer {
  const fixed = Buffer.alloc(12);
  fixed[0] = 64;
  fixed.writeUInt16BE(lifetime, 2);
  return Buffer.concat([fixed, ...options]);
}

/** Body of a solicitation or advertisement of a neighbour. */
export function neighbourBody(flags: number, target: string, options: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([flags, 0, 0, 0]), bytesOf(target), ...options]);
}
