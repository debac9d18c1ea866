/**
 * Addresses of both versions of IP, and the identity of a conversation, for everything above the network layer.
 *
 * An IPv4 address is held as an IPv4-mapped IPv6 address, ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). So there is one comparison, one keyed hash and
 * one table of connections, and the version matters in one place: net/ip.ts, where a packet leaves for, or a question goes to, one of the
 * two network layers.
 *
 * All numbers are in host order: 10.0.2.15 is low = 0x0000_FFFF_0A00_020F, and fe80::1 is high = 0xFE80_0000_0000_0000, low = 1.
 */
import { sipHash, sipHashLong } from "../kernel/random";

/** The upper half of `low` of every IPv4-mapped address, whose `high` is 0. */
const MAPPED: u64 = 0xffff_0000_0000;
/** 127.0.0.1. */
export const LOOPBACK_ADDRESS: u32 = 0x7f00_0001;

/** `low` of what stands for all of IPv6 and nothing of IPv4, in the place of :: (IPV6_V6ONLY). Nobody has this address. */
export const ALL_IPV6: u64 = 0xfffe_0000_0000;

/** `low` of an IPv4 address; its `high` is 0. */
// @ts-ignore: decorator
@inline
export function mapped(address: u32): u64 {
  return MAPPED | address;
}


@unmanaged
export class IpAddress {
  /** The first eight bytes of the address, and the last. */
  high: u64;
  low: u64;

  /** An IPv4 address. */
  @inline get isMapped(): bool {
    return this.high == 0 && this.low >> 32 == 0xffff;
  }

  /** As 0x0A00020F; of an address that is mapped, or of ::, which gives 0. */
  @inline get ipv4(): u32 {
    return <u32>this.low;
  }


  @inline set ipv4(address: u32) {
    this.high = 0;
    this.low = MAPPED | address;
  }

  /** 0.0.0.0 or ::, "none yet" or "all of ours". */
  @inline get isAny(): bool {
    return this.high == 0 && (this.low == MAPPED || this.low == 0 || this.low == ALL_IPV6);
  }


  @inline same(other: IpAddress): bool {
    return this.low == other.low && this.high == other.high;
  }

  /** As the address that a socket is bound to: does it take what is sent to `address`? 0.0.0.0 takes all of IPv4, :: takes all. */
  @inline covers(address: IpAddress): bool {
    return this.same(address) || (this.isAny && (this.low == 0 || (this.low == MAPPED) == address.isMapped));
  }


  @inline copyAddress(from: IpAddress): void {
    this.high = from.high;
    this.low = from.low;
  }

  /** ::, and with `only` that of IPv6 alone. */
  @inline setAny6(only: bool): void {
    this.high = 0;
    this.low = only ? ALL_IPV6 : 0;
  }

  /** 127.0.0.1 or ::1, of the version that it was. */
  @inline setLoopback(): void {
    this.low = this.isMapped ? MAPPED | LOOPBACK_ADDRESS : 1;
    this.high = 0;
  }
}

/** An address and a port: what a sockaddr says. */
@unmanaged
export class Endpoint extends IpAddress {
  /** 0..65535; 0: none. */
  port: u32;
  /** Always 0: the hash of a flow is over whole words. */
  private zero: u32;


  @inline copy(from: Endpoint): void {
    this.copyAddress(from);
    this.port = from.port;
  }

  /** An IPv4 endpoint. */
  @inline setIpv4(address: u32, port: u32): void {
    this.ipv4 = address;
    this.port = port;
  }
}

/** The two ends of a conversation, as this host sees them. Both are of the same version, or one is `::` still. */
@unmanaged
export class Flow {
  private local0: u64;
  private local1: u64;
  private local2: u64;
  private remote0: u64;
  private remote1: u64;
  private remote2: u64;


  @inline get local(): Endpoint {
    return changetype<Endpoint>(changetype<usize>(this));
  }


  @inline get remote(): Endpoint {
    return changetype<Endpoint>(changetype<usize>(this) + offsetof<Flow>("remote0"));
  }

  /** The same four-tuple. What differs most often is looked at first. */
  @inline same(other: Flow): bool {
    const local = this.local;
    const remote = this.remote;
    return (
      remote.port == other.remote.port &&
      remote.low == other.remote.low &&
      local.port == other.local.port &&
      local.low == other.local.low &&
      remote.high == other.remote.high &&
      local.high == other.local.high
    );
  }

  /** Of a new IPv6 socket: :: and no port at both ends. */
  @inline clearIpv6(): void {
    this.local.setAny6(false);
    this.local.port = 0;
    this.remote.copy(this.local);
  }

  /** Of a new IPv4 socket: 0.0.0.0 and no port at both ends. */
  @inline clearIpv4(): void {
    this.local.setIpv4(0, 0);
    this.remote.setIpv4(0, 0);
  }


  @inline copy(from: Flow): void {
    this.local.copy(from.local);
    this.remote.copy(from.remote);
  }
}

/** Bytes of a Flow, to be 8-aligned. */
export const FLOW_SIZE: usize = offsetof<Flow>();

/**
 * What the keyed hash is asked for: one flow, several unrelated numbers. Those of HASH_TABLE are two: the lower half is a flow's place in tables, the upper half the secret part of its initial
 * sequence number (RFC 6528). Peers are told the upper one, and may guess at the lower one by how long we take: as SipHash is a pseudo-random function, neither half says anything of the other.
 */
export const HASH_TABLE: u64 = 0;
export const HASH_TIMESTAMP: u64 = 1;
export const HASH_COOKIE: u64 = 2;
export const HASH_PORT: u64 = 3;

/**
 * 64 keyed pseudo-random bits for a flow and a purpose below 2^32. Those of IPv4 are hashed in their short form: a message of another length is
 * another message to SipHash, so the two kinds do not meet.
 */
// @ts-ignore: decorator
@inline
export function flowHash(flow: Flow, purpose: u64): u64 {
  const local = flow.local;
  const remote = flow.remote;
  if (remote.isMapped)
    return sipHash((local.low << 32) | remote.ipv4, (purpose << 32) | (local.port << 16) | remote.port);
  return wideHash(flow, purpose);
}

function wideHash(flow: Flow, purpose: u64): u64 {
  const second = changetype<usize>(flow) + sizeof<u64>();
  return sipHashLong(purpose, flow.local.high, second, <u32>(FLOW_SIZE / sizeof<u64>()) - 1);
}
