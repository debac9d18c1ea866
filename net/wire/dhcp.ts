/**
 * DHCP message (RFC 2131, 2), a BOOTP message with options (RFC 2132).
 *
 *     0    4     8      10      12       16       20       24       28       44      108    236      240
 *     ├────┼─────┼──────┼───────┼────────┼────────┼────────┼────────┼────────┼───────┼──────┼────────┼─────────
 *     │op… │ xid │ secs │ flags │ ciaddr │ yiaddr │ siaddr │ giaddr │ chaddr │ sname │ file │ cookie │ options
 *     └────┴─────┴──────┴───────┴────────┴────────┴────────┴────────┴────────┴───────┴──────┴────────┴─────────
 */

/** Bytes ahead of the options, with the magic cookie. */
export const DHCP_HEADER: u32 = 240;
export const DHCP_SERVER_PORT: u32 = 67;
export const DHCP_CLIENT_PORT: u32 = 68;

export const DHCPDISCOVER: u32 = 1;
export const DHCPOFFER: u32 = 2;
export const DHCPREQUEST: u32 = 3;
export const DHCPACK: u32 = 5;
export const DHCPNAK: u32 = 6;

export const DHCP_OPTION_PAD: u32 = 0;
export const DHCP_OPTION_NETMASK: u32 = 1;
export const DHCP_OPTION_ROUTER: u32 = 3;
export const DHCP_OPTION_DNS: u32 = 6;
export const DHCP_OPTION_REQUESTED: u32 = 50;
export const DHCP_OPTION_LEASE: u32 = 51;
export const DHCP_OPTION_TYPE: u32 = 53;
export const DHCP_OPTION_SERVER: u32 = 54;
export const DHCP_OPTION_PARAMETERS: u32 = 55;
export const DHCP_OPTION_MAX_SIZE: u32 = 57;
export const DHCP_OPTION_T1: u32 = 58;
export const DHCP_OPTION_T2: u32 = 59;
export const DHCP_OPTION_CLIENT_ID: u32 = 61;
export const DHCP_OPTION_END: u32 = 255;

const BOOTREQUEST_ETHERNET: u32 = 0x0006_0101; // op 1, htype 1, hlen 6, hops 0
const BOOTREPLY_ETHERNET: u32 = 0x0006_0102; // op 2
const COOKIE: u32 = 0x6353_8263; // 99, 130, 83, 99 in memory order
const FLAG_BROADCAST: u16 = 0x0080; // 0x8000 in memory order


@unmanaged
export class DhcpMessage {
  /** True when `length` bytes at `address` are a BOOTREPLY for Ethernet with the cookie. */
  static check(address: usize, length: u32): bool {
    if (length < DHCP_HEADER) return false;
    // hops (the highest byte) may be anything.
    if ((load<u32>(address) & 0x00ff_ffff) != BOOTREPLY_ETHERNET) return false;
    return load<u32>(address, 236) == COOKIE;
  }

  /** Writes the fixed part of a request for a client without an address yet; all other fields are 0. */
  formatRequest(xid: u32, seconds: u32, a0: u32, a4: u16): void {
    const address = changetype<usize>(this);
    memory.fill(address, 0, DHCP_HEADER);
    store<u32>(address, BOOTREQUEST_ETHERNET);
    store<u32>(address, xid, 4);
    store<u16>(address, bswap<u16>(<u16>seconds), 8);
    store<u32>(address, a0, 28);
    store<u16>(address, a4, 32);
    store<u32>(address, COOKIE, 236);
  }

  /** Asks the server to answer by broadcast: an address that is not set yet receives no unicast. */
  @inline askBroadcast(): void {
    store<u16>(changetype<usize>(this), FLAG_BROADCAST, 10);
  }
  /** A number that the client chose; compared, never computed with, so memory order serves. */
  @inline get xid(): u32 {
    return load<u32>(changetype<usize>(this), 4);
  }


  @inline set clientAddress(value: u32) {
    store<u32>(changetype<usize>(this), bswap<u32>(value), 12);
  }


  @inline get clientAddress(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 12));
  }


  @inline get yourAddress(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 16));
  }


  @inline get hardware0(): u32 {
    return load<u32>(changetype<usize>(this), 28);
  }


  @inline get hardware4(): u16 {
    return load<u16>(changetype<usize>(this), 32);
  }
}
