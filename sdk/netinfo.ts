/**
 * What `netinfo` writes: how this machine is attached to the network, now: DHCP may change it, and `onLink` (sdk/system.ts) tells of the link.
 * Addresses are IPv4 in host order, as those of `sockaddr_in`: 10.0.2.15 is 0x0A00020F; 0: there is none. New fields are added at the
 * end only: a kernel that knows fewer writes fewer bytes, so clear the struct first.
 */

/** Bits of `state`: there is a network device; its link is up. */
export const NETWORK_DEVICE: u32 = 1;
export const NETWORK_LINK_UP: u32 = 2;


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
  /** DNS servers: from `dns=` of the kernel command line, else from DHCP. */
  nameServer0: u32;
  nameServer1: u32;
}

/** Bytes of the fields known here. */
export const NETWORK_INFORMATION_SIZE: i32 = offsetof<NetworkInformation>();

/** Writes up to `length` bytes of a NetworkInformation. Returns the bytes that it wrote. -EFAULT, -EINVAL: negative length. */
// @ts-ignore: decorator
@external("aemos", "netinfo") export declare function netinfo(buffer: usize, length: i32): i32;
