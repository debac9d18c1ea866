/** Addresses of sockets: Linux's sockaddr_in and sockaddr_in6. */

export const AF_INET: i32 = 2;
export const AF_INET6: i32 = 10;

/** Bytes of a sockaddr_in. */
export const SOCKADDR_SIZE: i32 = 16;

/** Linux's sockaddr_in: 16 bytes. `port` and `address` read and write host order: 10.0.2.15 is 0x0A00020F. */
@unmanaged
export class sockaddr_in {
  family: u16;
  private portNetwork: u16;
  private addressNetwork: u32;
  private zero: u64;


  @inline get port(): u32 {
    return bswap<u16>(this.portNetwork);
  }


  @inline set port(value: u32) {
    this.portNetwork = bswap<u16>(<u16>value);
  }


  @inline get address(): u32 {
    return bswap<u32>(this.addressNetwork);
  }


  @inline set address(value: u32) {
    this.addressNetwork = bswap<u32>(value);
  }
}

/** Bytes of a sockaddr_in6. A read handler's `data` begin 32 bytes behind it. */
export const SOCKADDR6_SIZE: i32 = 28;

/**
 * Linux's sockaddr_in6: 28 bytes. `port`, `high` and `low` read and write host order: fe80::1 is high 0xFE80_0000_0000_0000, low 1. There is
 * one interface, and the kernel does not look at the scope.
 */
@unmanaged
export class sockaddr_in6 {
  family: u16;
  private portNetwork: u16;
  private flowLabel: u32;
  private address0: u32;
  private address1: u32;
  private address2: u32;
  private address3: u32;
  scope: u32;


  @inline get port(): u32 {
    return bswap<u16>(this.portNetwork);
  }


  @inline set port(value: u32) {
    this.portNetwork = bswap<u16>(<u16>value);
  }

  /** The first eight bytes of the address. */
  @inline get high(): u64 {
    return bswap<u64>(load<u64>(changetype<usize>(this), 8));
  }


  @inline set high(value: u64) {
    store<u64>(changetype<usize>(this), bswap<u64>(value), 8);
  }

  /** The last eight. */
  @inline get low(): u64 {
    return bswap<u64>(load<u64>(changetype<usize>(this), 16));
  }


  @inline set low(value: u64) {
    store<u64>(changetype<usize>(this), bswap<u64>(value), 16);
  }

  /** The address is ::ffff:a.b.c.d: the peer is of IPv4. */
  @inline get isIpv4(): bool {
    return this.high == 0 && this.low >> 32 == 0xffff;
  }
}

/** Fills in `destination` (16 bytes). */
export function setAddress(destination: usize, address: u32, port: u32): void {
  memory.fill(destination, 0, SOCKADDR_SIZE);
  const name = changetype<sockaddr_in>(destination);
  name.family = <u16>AF_INET;
  name.address = address;
  name.port = port;
}

/** Fills in `destination` (28 bytes) with an address of IPv6; both halves 0: ::. */
export function setAddress6(destination: usize, high: u64, low: u64, port: u32): void {
  memory.fill(destination, 0, SOCKADDR6_SIZE);
  const name = changetype<sockaddr_in6>(destination);
  name.family = <u16>AF_INET6;
  name.high = high;
  name.low = low;
  name.port = port;
}

/** Bytes of the sockaddr at `address`, by its family: what `sendto` wants to hear of the `from` of a read handler. */
export function sockaddrSize(address: usize): i32 {
  return <i32>load<u16>(address) == AF_INET6 ? SOCKADDR6_SIZE : SOCKADDR_SIZE;
}
