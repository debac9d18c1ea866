/**
 * Options of a DHCP message (RFC 2132), read with strict bounds: an option that runs out of the message, or whose length is not what its
 * code demands, makes the whole message malformed. Of an option that comes twice the first counts. A missing end option is tolerated;
 * option overload (52) is not followed: what stands in the sname and file fields is not read.
 */
import {
  DHCP_OPTION_DNS,
  DHCP_OPTION_END,
  DHCP_OPTION_LEASE,
  DHCP_OPTION_NETMASK,
  DHCP_OPTION_PAD,
  DHCP_OPTION_ROUTER,
  DHCP_OPTION_SERVER,
  DHCP_OPTION_T1,
  DHCP_OPTION_T2,
  DHCP_OPTION_TYPE,
} from "./wire/dhcp";

/** What a message says; 0 where it says nothing. Addresses in host order, times in seconds. */
@unmanaged
export class DhcpOptions {
  type: u32;
  server: u32;
  netmask: u32;
  router: u32;
  lease: u32;
  t1: u32;
  t2: u32;
  /** The first two of the list. */
  nameServer0: u32;
  nameServer1: u32;

  /** Reads `length` bytes of options at `address`. False: malformed. */
  parse(address: usize, length: u32): bool {
    memory.fill(changetype<usize>(this), 0, offsetof<DhcpOptions>());
    const end = address + length;
    while (address < end) {
      const code = <u32>load<u8>(address++);
      if (code == DHCP_OPTION_PAD) continue;
      if (code == DHCP_OPTION_END) return true;
      if (address == end) return false;
      const size = <u32>load<u8>(address++);
      if (size > <u32>(end - address)) return false;
      if (!this.take(code, address, size)) return false;
      address += size;
    }
    return true;
  }

  private take(code: u32, address: usize, size: u32): bool {
    if (code == DHCP_OPTION_TYPE) {
      if (size != 1) return false;
      if (this.type == 0) this.type = load<u8>(address);
      return true;
    }
    const field = fieldOf(code);
    if (field == 0) return true;
    // These two are lists, in the order of preference.
    const list = code == DHCP_OPTION_ROUTER || code == DHCP_OPTION_DNS;
    if (list ? size == 0 || (size & 3) != 0 : size != 4) return false;
    const place = changetype<usize>(this) + field;
    if (load<u32>(place) != 0) return true;
    store<u32>(place, bswap<u32>(load<u32>(address)));
    if (code == DHCP_OPTION_DNS && size > 4) this.nameServer1 = bswap<u32>(load<u32>(address, 4));
    return true;
  }
}

/** Offset of the field of an option with addresses or a time; 0: one that we do not use. */
function fieldOf(code: u32): usize {
  switch (code) {
    case DHCP_OPTION_NETMASK:
      return offsetof<DhcpOptions>("netmask");
    case DHCP_OPTION_ROUTER:
      return offsetof<DhcpOptions>("router");
    case DHCP_OPTION_DNS:
      return offsetof<DhcpOptions>("nameServer0");
    case DHCP_OPTION_LEASE:
      return offsetof<DhcpOptions>("lease");
    case DHCP_OPTION_SERVER:
      return offsetof<DhcpOptions>("server");
    case DHCP_OPTION_T1:
      return offsetof<DhcpOptions>("t1");
    case DHCP_OPTION_T2:
      return offsetof<DhcpOptions>("t2");
    default:
      return 0;
  }
}
