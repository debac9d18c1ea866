/**
 * The extension headers of a packet (RFC 8200, 4): what stands between the IPv6 header and the transport's.
 *
 * Their number is bounded, and their options are: nobody needs more, and each costs us time (RFC 8504, 5.3). Routing headers of which a segment is
 * left are refused, type 0 among them (RFC 5095). Fragments that are the whole packet pass (RFC 6946), and a packet has one fragment header at most: one
 * inside of another is a way to make us put things together over and over.
 */
import { networkCounters } from "./counters";
import { ICMPV6_BAD_FIELD, ICMPV6_UNKNOWN_HEADER, ICMPV6_UNKNOWN_OPTION } from "./wire/icmpv6";
import {
  EXTENSION_HEADER,
  FRAGMENT_MORE,
  FRAGMENT_OFFSET,
  FragmentHeader,
  IPV6_HEADER,
  IPV6_NEXT_AT,
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

// @ts-ignore: decorator
@inline
function isExtension(next: u32): bool {
  return next == NEXT_HOP_BY_HOP || next == NEXT_DESTINATION || next == NEXT_ROUTING || next == NEXT_FRAGMENT;
}

/**
 * Goes through those of the received packet at `start`, of which `length` bytes are here. EXTENSIONS_*. `whole`: it was put together from
 * fragments, and its headers are those of the first of them.
 */
export function passExtensions(start: usize, length: u32, whole: bool): u32 {
  let next = changetype<Ipv6Header>(start).nextHeader;
  let namedAt: u32 = IPV6_NEXT_AT;
  let offset = IPV6_HEADER;
  let budget = EXTENSION_LIMIT;
  let fragmented = false;
  while (true) {
    transportProtocol = next;
    transportOffset = offset;
    transportNamedAt = namedAt;
    if (!isExtension(next)) return next == NEXT_NONE ? drop() : EXTENSIONS_PASS;
    // Hop-by-hop options come first, or not at all (RFC 8200, 4.1).
    if (next == NEXT_HOP_BY_HOP && offset != IPV6_HEADER) return problem(ICMPV6_UNKNOWN_HEADER, namedAt);
    if (budget-- == 0 || length - offset < EXTENSION_HEADER) return drop();
    const extension = start + offset;
    let size = EXTENSION_HEADER;
    if (next == NEXT_FRAGMENT) {
      if (fragmented) return drop();
      fragmented = true;
      const place = changetype<FragmentHeader>(extension).place;
      if (!whole && (place & (FRAGMENT_OFFSET | FRAGMENT_MORE)) != 0) return EXTENSIONS_FRAGMENT;
    } else {
      size += (<u32>load<u8>(extension, 1)) << 3;
      if (size > length - offset) return drop();
      if (next != NEXT_ROUTING) {
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

/**
 * Finds the transport's header in what is here of a packet, `length` bytes (IPV6_HEADER at least) at `start`: one that an error quotes, or a first fragment. No option is looked
 * at, nothing is counted. False: it is not in them, as in a fragment that is not the first.
 */
export function findTransport(start: usize, length: u32): bool {
  let next = changetype<Ipv6Header>(start).nextHeader;
  let offset = IPV6_HEADER;
  for (let budget = EXTENSION_LIMIT; isExtension(next); budget--) {
    if (budget == 0 || length - offset < EXTENSION_HEADER) return false;
    const extension = start + offset;
    let size = EXTENSION_HEADER;
    if (next != NEXT_FRAGMENT) size += (<u32>load<u8>(extension, 1)) << 3;
    else if ((changetype<FragmentHeader>(extension).place & FRAGMENT_OFFSET) != 0) return false;
    if (size > length - offset) return false;
    next = load<u8>(extension);
    offset += size;
  }
  transportProtocol = next;
  transportOffset = offset;
  return true;
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
