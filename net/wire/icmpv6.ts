/**
 * ICMPv6 messages (RFC 4443), whose header has the form of ICMP's (net/wire/icmp.ts), and what of neighbour discovery (RFC 4861) and MLD (RFC
 * 2710, RFC 3810) stands behind it.
 *
 *     ├───────────────┼───────────────┼───────────────────────────────┤
 *   0 │     type      │     code      │           checksum            │
 *   4 │  unused, or identifier and sequence number, or MTU, or flags  │
 *   8 │  target address; then options of 8 bytes each, or more        │
 *     └───────────────────────────────────────────────────────────────┘
 *
 *     option: type, length in units of 8 bytes (0: malformed), 6 bytes or more of its own
 */

export const ICMPV6_UNREACHABLE: u32 = 1;
export const ICMPV6_TOO_BIG: u32 = 2;
export const ICMPV6_TIME_EXCEEDED: u32 = 3;
export const ICMPV6_PARAMETER_PROBLEM: u32 = 4;
export const ICMPV6_ECHO: u32 = 128;
export const ICMPV6_ECHO_REPLY: u32 = 129;
export const MLD_QUERY: u32 = 130;
export const MLD_REPORT: u32 = 131;
export const ND_ROUTER_SOLICITATION: u32 = 133;
export const ND_ROUTER_ADVERTISEMENT: u32 = 134;
export const ND_SOLICITATION: u32 = 135;
export const ND_ADVERTISEMENT: u32 = 136;
export const ND_REDIRECT: u32 = 137;
export const MLD2_REPORT: u32 = 143;

/** Codes of ICMPV6_UNREACHABLE. */
export const ICMPV6_NO_ROUTE: u32 = 0;
export const ICMPV6_ADDRESS_UNREACHABLE: u32 = 3;
export const ICMPV6_PORT_UNREACHABLE: u32 = 4;
/** Codes of ICMPV6_PARAMETER_PROBLEM. */
export const ICMPV6_BAD_FIELD: u32 = 0;
export const ICMPV6_UNKNOWN_HEADER: u32 = 1;
export const ICMPV6_UNKNOWN_OPTION: u32 = 2;
/** A first fragment without all headers (RFC 7112, 5). */
export const ICMPV6_INCOMPLETE_HEADERS: u32 = 3;
/** Code of ICMPV6_TIME_EXCEEDED. */
export const ICMPV6_REASSEMBLY_TIME_EXCEEDED: u32 = 1;

/** Bytes ahead of the options of a neighbour solicitation or advertisement, and of the routers' messages. */
export const ND_NEIGHBOUR_LENGTH: u32 = 24;
export const ND_SOLICITATION_OF_ROUTERS_LENGTH: u32 = 8;
export const ND_ADVERTISEMENT_OF_ROUTER_LENGTH: u32 = 16;
/** Hop limit of all of neighbour discovery: what has passed a router has another one (RFC 4861, 3.1). */
export const ND_HOP_LIMIT: u32 = 255;

/** Flags of a neighbour advertisement, in the header's second word. */
export const NA_ROUTER: u32 = 0x8000_0000;
export const NA_SOLICITED: u32 = 0x4000_0000;
export const NA_OVERRIDE: u32 = 0x2000_0000;

export const ND_OPTION_SOURCE_LINK: u32 = 1;
export const ND_OPTION_TARGET_LINK: u32 = 2;
export const ND_OPTION_PREFIX: u32 = 3;
export const ND_OPTION_MTU: u32 = 5;
/** RFC 7527: whether a solicitation is our own one, come back. */
export const ND_OPTION_NONCE: u32 = 14;
/** RFC 8106: name servers. */
export const ND_OPTION_RDNSS: u32 = 25;

/** Bytes of an option with the link address of Ethernet, and of one with a nonce. */
export const ND_OPTION_UNIT: u32 = 8;
export const ND_PREFIX_LENGTH: u32 = 32;

/** Flags of a prefix information option: on this link, and to make addresses from. */
export const PREFIX_ON_LINK: u32 = 0x80;
export const PREFIX_AUTONOMOUS: u32 = 0x40;

/** Bytes of the option at `option`, of which `left` may be read; 0: malformed. */
// @ts-ignore: decorator
@inline
export function ndOptionLength(option: usize, left: usize): usize {
  if (left < ND_OPTION_UNIT) return 0;
  const length = (<usize>load<u8>(option, 1)) << 3;
  return length > left ? 0 : length;
}

/** Whether the `length` bytes at `options` are options, each with a length (RFC 4861, 6.1 and 7.1). At most 180 of them in a frame. */
export function ndOptionsAreSound(options: usize, length: u32): bool {
  const end = options + length;
  while (options != end) {
    const size = ndOptionLength(options, end - options);
    if (size == 0) return false;
    options += size;
  }
  return true;
}

/** The first option of `type` that is `size` bytes long, at least, among sound ones; 0: there is none. */
export function ndFindOption(options: usize, length: u32, type: u32, size: u32): usize {
  const end = options + length;
  while (options != end) {
    const bytes = (<usize>load<u8>(options, 1)) << 3;
    if (<u32>load<u8>(options) == type && bytes >= size) return options;
    options += bytes;
  }
  return 0;
}
