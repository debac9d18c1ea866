/**
 * Translation between the versions of IP (in the manner of RFC 7915), for a peer that knows IPv4 only: what it says to the guest goes on the wire in IPv6, and what the guest answers
 * comes back as IPv4. A wrong checksum stays as wrong as it was.
 *
 * The peer's own address may have one of IPv6, and its addresses in 10.9.0.0/16 have such in which they stand: 10.9.1.2 is 2001:db8:0:1::a09:102.
 */
import {
  type Ipv4Packet,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  decodeIpv4,
  fold,
  pseudoSum,
} from "./ipv4.ts";
import {
  type Ipv6Packet,
  bytesOf,
  encodeIcmpv6,
  encodeIpv6,
  NEXT_ICMPV6,
  pseudoSum6,
  textOf,
} from "./ipv6.ts";

export interface Translation {
  /** The guest's address. */
  guest: string;
  /** The peer's own; without it what has that address is left alone. */
  own?: string;
  /** Only what has this port at the peer's end. */
  port?: number;
}

/** 10.9.0.0/16. */
export const TRANSLATED_NET = 0x0a09_0000;
const NET_PREFIX = bytesOf("2001:db8:0:1::").subarray(0, 12);
const DONT_FRAGMENT = 0x4000;
/** An IPv4 header, and the bytes behind it that an error quotes. */
const QUOTED = 28;

export class Translator {
  constructor(
    private readonly peer: { address: number; guest: number },
    private readonly rules: Translation,
  ) {}

  /** Whether an IPv6 address is one of the peer's in 10.9.0.0/16. */
  isOurs(address: string): boolean {
    return inNet(address) !== undefined;
  }

  /** A packet of the peer's to the guest, as it goes on the wire; undefined: as it is. */
  toIpv6(bytes: Buffer): Buffer | undefined {
    const ip = decodeIpv4(bytes);
    if (!ip || ip.destination !== this.peer.guest) return undefined;
    if (ip.protocol === PROTOCOL_ICMP) return this.errorToIpv6(ip);
    const source = this.wide(ip.source);
    if (source === undefined || !isTransport(ip.protocol)) return undefined;
    const payload = Buffer.from(ip.payload);
    if (this.rules.port !== undefined && payload.readUInt16BE(0) !== this.rules.port) return undefined;
    const { guest } = this.rules;
    const before = pseudoSum(ip.source, ip.destination, ip.protocol, payload.length);
    correct(payload, ip.protocol, before, pseudoSum6(source, guest, ip.protocol, payload.length));
    const fields = { trafficClass: ip.tos ?? 0, hopLimit: ip.ttl ?? 64 };
    return encodeIpv6({ source, destination: guest, next: ip.protocol, payload, ...fields });
  }

  /** A packet of the guest's to the peer; undefined: it stays as it is. */
  toIpv4(packet: Ipv6Packet): Ipv4Packet | undefined {
    const { guest } = this.rules;
    const destination = this.narrow(packet.destination);
    if (packet.source !== guest || destination === undefined || !isTransport(packet.next)) return undefined;
    const payload = Buffer.from(packet.payload);
    const before = pseudoSum6(guest, packet.destination, packet.next, payload.length);
    const after = pseudoSum(this.peer.guest, destination, packet.next, payload.length);
    correct(payload, packet.next, before, after);
    return {
      ...{ source: this.peer.guest, destination, protocol: packet.next, payload },
      ...{ tos: packet.trafficClass ?? 0, ttl: packet.hopLimit ?? 64, fragment: DONT_FRAGMENT },
    };
  }

  /** An error about a packet of the guest's that went to one of the translated addresses. */
  private errorToIpv6({ payload }: Ipv4Packet): Buffer | undefined {
    const quoted = payload.subarray(8);
    if (quoted.length < QUOTED) return undefined;
    const destination = this.wide(quoted.readUInt32BE(16));
    const error = translatedError(payload[0] as number, payload[1] as number);
    if (destination === undefined || error === undefined) return undefined;
    const { guest } = this.rules;
    const [type, code, rest] = error;
    const word = Buffer.alloc(4);
    word.writeUInt32BE(rest);
    const next = quoted[9] as number;
    const packet = encodeIpv6({ source: guest, destination, next, payload: quoted.subarray(20) });
    // As long as it was.
    packet.writeUInt16BE(quoted.readUInt16BE(2) - 20, 4);
    const message = { type, code, body: Buffer.concat([word, packet]) };
    const body = encodeIcmpv6(destination, guest, message);
    return encodeIpv6({ source: destination, destination: guest, next: NEXT_ICMPV6, payload: body });
  }

  private wide(address: number): string | undefined {
    if (address === this.peer.address) return this.rules.own;
    if ((address & 0xffff0000) !== TRANSLATED_NET) return undefined;
    const low = Buffer.alloc(4);
    low.writeUInt32BE(address);
    return textOf(Buffer.concat([NET_PREFIX, low]));
  }

  private narrow(address: string): number | undefined {
    return address === this.rules.own ? this.peer.address : inNet(address);
  }
}

function inNet(address: string): number | undefined {
  const bytes = bytesOf(address);
  const low = bytes.readUInt32BE(12);
  return bytes.subarray(0, 12).equals(NET_PREFIX) && (low & 0xffff0000) === TRANSLATED_NET ? low : undefined;
}

function isTransport(protocol: number): boolean {
  return protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP;
}

/** Type, code and second word (RFC 7915, 4.2); undefined: there is no such error, or what it says is not the same (the MTU of a path). */
function translatedError(type: number, code: number): [number, number, number] | undefined {
  if (type === 11) return [3, code, 0];
  if (type === 12) return [4, 0, 0];
  if (type !== 3) return undefined;
  // The pointer is at the next header.
  if (code === 2) return [4, 1, 6];
  if (code === 3) return [1, 4, 0];
  if (code === 0 || code === 1) return [1, 0, 0];
  return code === 13 ? [1, 1, 0] : undefined;
}

/** Corrects the checksum of a transport header for another pseudo header (RFC 1624). */
function correct(payload: Buffer, protocol: number, before: number, after: number): void {
  const at = protocol === PROTOCOL_TCP ? 16 : 6;
  if (payload.length < at + 2) return;
  // HC' = ~(~HC + ~m + m'); fold() complements.
  const removed = fold(before);
  payload.writeUInt16BE(fold((~payload.readUInt16BE(at) & 0xffff) + removed + after), at);
}
