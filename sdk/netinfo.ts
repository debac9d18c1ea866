/**
 * What `netinfo` writes: how this machine is attached to the network, now: DHCP and routers may change it, and `onLink` (sdk/system.ts) tells of the link.
 * Fields of IPv4 are in host order, as those of `sockaddr_in`: 10.0.2.15 is 0x0A00020F; 0: there is none. New fields are added at the
 * end only: a kernel that knows fewer writes fewer bytes, so clear the struct first.
 */

/** Bits of `state`: there is a network device; its link is up. */
export const NETWORK_DEVICE: u32 = 1;
export const NETWORK_LINK_UP: u32 = 2;

/**
 * States of an address of IPv6 (RFC 4862): it is found out whether another host has it; it is used; another host has it, so it is not; it is used for old conversations
 * only.
 */
export const NETWORK_ADDRESS_TENTATIVE: u32 = 1;
export const NETWORK_ADDRESS_VALID: u32 = 2;
export const NETWORK_ADDRESS_DUPLICATE: u32 = 3;
export const NETWORK_ADDRESS_DEPRECATED: u32 = 4;

/** Most name servers, and addresses of IPv6. */
export const NETWORK_NAME_SERVERS: u32 = 4;
export const NETWORK_ADDRESSES: u32 = 4;

/** An address of either version, as on the wire; one of IPv4 is ::ffff:a.b.c.d. */
@unmanaged
export class NetworkAddress {
  private high0: u64;
  private low0: u64;

  /** Its halves as `setAddress6` takes them; both 0: there is none. */
  @inline get high(): u64 {
    return bswap<u64>(this.high0);
  }


  @inline get low(): u64 {
    return bswap<u64>(this.low0);
  }


  @inline get isIpv4(): bool {
    return this.high0 == 0 && this.low >> 32 == 0xffff;
  }

  /** As `setAddress` takes it, of one that is of IPv4. */
  @inline get ipv4(): u32 {
    return <u32>this.low;
  }
}

/** One of this machine's addresses of IPv6. */
@unmanaged
export class InterfaceAddress extends NetworkAddress {
  /** Bits that all on this link have in common with it; 0: no others do. */
  prefixLength: u32;
  /** NETWORK_ADDRESS_*. */
  state: u32;
}


@unmanaged
export class NetworkInformation {
  /** NETWORK_* bits. */
  state: u32;
  /** Largest IPv4 packet, in bytes. */
  mtu: u32;
  /** The device's MAC address as it stands in memory: its first four bytes, and the last two. */
  hardware0: u32;
  hardware4: u32;
  address: u32;
  netmask: u32;
  gateway: u32;
  /** Broadcast address of the net. */
  broadcast: u32;
  /** The first two of the name servers that have an address of IPv4. */
  nameServer0: u32;
  nameServer1: u32;
  /** Largest IPv6 packet, in bytes; 0: there is no IPv6. */
  mtu6: u32;
  /** How many name servers there are, and addresses of IPv6. */
  nameServerCount: u32;
  address6Count: u32;
  private unused: u32;

  /** The router for IPv6. */
  @inline get router6(): NetworkAddress {
    return changetype<NetworkAddress>(changetype<usize>(this) + ROUTER6);
  }

  /** Name server 0 .. nameServerCount - 1, in the order in which they are to be asked: from `dns=` of the kernel command line, else from DHCP and then from routers. */
  @inline nameServer(index: u32): NetworkAddress {
    return changetype<NetworkAddress>(changetype<usize>(this) + SERVERS + <usize>index * 16);
  }

  /** Address 0 .. address6Count - 1; the first is the link-local one. */
  @inline address6(index: u32): InterfaceAddress {
    return changetype<InterfaceAddress>(
      changetype<usize>(this) + ADDRESSES + <usize>index * offsetof<InterfaceAddress>(),
    );
  }
}

const ROUTER6: usize = offsetof<NetworkInformation>();
const SERVERS: usize = ROUTER6 + offsetof<NetworkAddress>();
const ADDRESSES: usize = SERVERS + offsetof<NetworkAddress>() * NETWORK_NAME_SERVERS;

/** Bytes of the fields known here. */
export const NETWORK_INFORMATION_SIZE: i32 = <i32>(
  (ADDRESSES + offsetof<InterfaceAddress>() * NETWORK_ADDRESSES)
);

/** Writes up to `length` bytes of a NetworkInformation. Returns the bytes that it wrote. -EFAULT, -EINVAL: negative length. */
// @ts-ignore: decorator
@external("aemos", "netinfo") export declare function netinfo(buffer: usize, length: i32): i32;
