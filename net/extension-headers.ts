/**
 * The extension headers of a received packet (RFC 8200, 4): what stands between the IPv6 header and the transport's.
 *
 * Their number is bounded, and their options are: nobody needs more, and each costs us time (RFC 8504, 5.3). Routing headers of which a segment is
 * left are refused, type 0 among them (RFC 5095). Fragments that are the whole packet (RFC 6946) pass.
 */
import { PacketBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { ICMPV6_BAD_FIELD, ICMPV6_UNKNOWN_HEADER, ICMPV6_UNKNOWN_OPTION } from "./wire/icmpv6";
import {
  EXTENSION_HEADER,
  IPV6_HEADER,
  Ipv6Header,
  NEXT_DESTINATION,
  NEXT_FRAGMENT,
  NEXT_HOP_BY_HOP,
  NEXT_NONE,
  NEXT_ROUTING,
} from "./wire/ipv6";

/** Extension headers of a packet, and options that are no padding in each of them. */
export const EXTENSION_LIMIT: u32 = 8;
export const OPTION_LIMIT: u32 = 8;

/** What becomes of the packet. REFUSED: its sender is told, GROUP_REFUSED: also if the packet was for a group. */
export const EXTENSIONS_PASS: u32 = 0;
export const EXTENSIONS_DROP: u32 = 1;
export const EXTENSIONS_REFUSED: u32 = 2;
export const EXTENSIONS_GROUP_REFUSED: u32 = 3;
/** A fragment, whose header is at `transportOffset`. */
export const EXTENSIONS_FRAGMENT: u32 = 4;

const FRAGMENT_MASK: u16 = 0xfff9;
const OPTION_PAD1: u32 = 0;
const OPTION_PADN: u32 = 1;

/** PASS: the transport, where its header begins, and where the field is that names it, in bytes from the IPv6 header on. */
export let transportProtocol: u32 = 0;
export let transportOffset: u32 = 0;
export let transportNamedAt: u32 = 0;
/** REFUSED: code and pointer of the parameter problem. */
export let problemCode: u32 = 0;
export let problemPointer: u32 = 0;

function problem(code: u32, pointer: u32): u32 {
  networkCounters().ip6BadExtension++;
  problemCode = code;
  problemPointer = pointer;
  return EXTENSIONS_REFUSED;
}

function drop(): u32 {
  networkCounters().ip6BadExtension++;
  return EXTENSIONS_DROP;
}

/** Goes through those of the packet in `buffer`, at its IPv6 header, whose length is exact. EXTENSIONS_*. */
export function passExtensions(buffer: PacketBuffer, header: Ipv6Header): u32 {
  const start = buffer.data;
  const length = buffer.length;
  let next = header.nextHeader;
  let namedAt: u32 = 6;
  let offset = IPV6_HEADER;
  let budget = EXTENSION_LIMIT;
  while (true) {
    transportProtocol = next;
    transportOffset = offset;
    transportNamedAt = namedAt;
    const options = next == NEXT_HOP_BY_HOP || next == NEXT_DESTINATION;
    if (!options && next != NEXT_ROUTING && next != NEXT_FRAGMENT) {
      return next == NEXT_NONE ? drop() : EXTENSIONS_PASS;
    }
    // Hop-by-hop options come first, or not at all (RFC 8200, 4.1).
    if (next == NEXT_HOP_BY_HOP && offset != IPV6_HEADER) return problem(ICMPV6_UNKNOWN_HEADER, namedAt);
    if (budget-- == 0 || length - offset < EXTENSION_HEADER) return drop();
    const extension = start + offset;
    let size = EXTENSION_HEADER;
    if (next == NEXT_FRAGMENT) {
      // Offset and "more fragments"; the two bits between them are reserved.
      if ((bswap<u16>(load<u16>(extension, 2)) & FRAGMENT_MASK) != 0) return EXTENSIONS_FRAGMENT;
    } else {
      size += (<u32>load<u8>(extension, 1)) << 3;
      if (size > length - offset) return drop();
      if (options) {
        const result = passOptions(extension, size, offset);
        if (result != EXTENSIONS_PASS) return result;
      } else if (load<u8>(extension, 3) != 0) {
        // Segments are left: it wants to be sent on.
        networkCounters().ipSourceRoute++;
        return problem(ICMPV6_BAD_FIELD, offset + 2);
      }
    }
    next = load<u8>(extension);
    namedAt = offset;
    offset += size;
  }
}

/** The options of one header (RFC 8200, 4.2): none of them means anything to us, and each says what that means. */
function passOptions(extension: usize, size: u32, offset: u32): u32 {
  let budget = OPTION_LIMIT;
  let at: u32 = 2;
  while (at < size) {
    const type = <u32>load<u8>(extension + at);
    if (type == OPTION_PAD1) {
      at++;
      continue;
    }
    if (size - at < 2) return drop();
    const bytes = <u32>load<u8>(extension + at, 1) + 2;
    if (bytes > size - at) return drop();
    if (type != OPTION_PADN) {
      if (budget-- == 0) return drop();
      const action = type >> 6;
      if (action == 1) return drop();
      if (action != 0) {
        problem(ICMPV6_UNKNOWN_OPTION, offset + at);
        return action == 2 ? EXTENSIONS_GROUP_REFUSED : EXTENSIONS_REFUSED;
      }
    }
    at += bytes;
  }
  return EXTENSIONS_PASS;
}
