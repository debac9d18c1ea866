/**
 * TCP options: end, no-operation and maximum segment size (RFC 9293, 3.1), window scale and timestamps (RFC 7323), selective
 * acknowledgement (RFC 2018), user time-out (RFC 5482). Others are stepped over. A length that leaves the header is an error: the segment is
 * dropped.
 */
import { PacketBuffer } from "../../buffer";
import { TCP_HEADER } from "../../wire/tcp";

const KIND_END: u32 = 0;
const KIND_NOP: u32 = 1;
const KIND_MSS: u32 = 2;
const KIND_WINDOW_SCALE: u32 = 3;
const KIND_SACK_PERMITTED: u32 = 4;
const KIND_SACK: u32 = 5;
const KIND_TIMESTAMPS: u32 = 8;
const KIND_USER_TIMEOUT: u32 = 28;

/** No window scale option. */
export const NO_SCALE: u32 = 255;
/** RFC 7323, 2.3: a larger shift counts as this one. */
export const SCALE_MAXIMUM: u32 = 14;
/** Bytes of the timestamps option with the two no-operations that align it. */
export const TIMESTAMPS_LENGTH: u32 = 12;
/** Bytes of options that a header can have. */
export const OPTIONS_LIMIT: u32 = 40;
/** Blocks that fit into one header. */
export const SACK_BLOCKS: u32 = 4;


@unmanaged
export class SegmentOptions {
  /** Maximum segment size; 0 when not said. These three are of a SYN only, and mean nothing without. */
  mss: u32;
  /** Shift, at most SCALE_MAXIMUM; NO_SCALE when not said. */
  scale: u32;
  sackPermitted: bool;
  hasTimestamps: bool;
  timestampValue: u32;
  timestampEcho: u32;
  /** Blocks of selective acknowledgement: how many, at most SACK_BLOCKS, and where they stand in the header, in network order. */
  sackCount: u32;
  sackBlocks: usize;
  /** User time-out, as it stands in the option (failure.ts); 0 when not said. */
  userTimeout: u32;
}

/** `address`: the TCP header of `headerLength` bytes. MSS and window scale count on a SYN only. False: malformed. */
// @ts-ignore: decorator
@inline
export function parseOptions(options: SegmentOptions, address: usize, headerLength: u32, syn: bool): bool {
  if (syn) {
    options.mss = 0;
    options.scale = NO_SCALE;
    options.sackPermitted = false;
  }
  options.hasTimestamps = false;
  options.sackCount = 0;
  options.userTimeout = 0;
  // What every segment of an established connection carries: nothing, or NOP NOP timestamps, in one comparison.
  if (headerLength == TCP_HEADER) return true;
  const first = address + TCP_HEADER;
  if (headerLength == TCP_HEADER + TIMESTAMPS_LENGTH && load<u32>(first) == 0x0a080101) {
    readTimestamps(options, first + 4);
    return true;
  }
  return parseEach(options, first, address + headerLength, syn);
}

/** The same of the options from `option` to `end`. */
function parseEach(options: SegmentOptions, option: usize, end: usize, syn: bool): bool {
  while (option < end) {
    const kind = <u32>load<u8>(option);
    if (kind == KIND_END) break;
    if (kind == KIND_NOP) {
      option++;
      continue;
    }
    if (end - option < 2) return false;
    const length = <u32>load<u8>(option, 1);
    if (length < 2 || length > <u32>(end - option)) return false;
    if (kind == KIND_TIMESTAMPS) {
      if (length == 10) readTimestamps(options, option + 2);
    } else if (kind == KIND_SACK) {
      if (length >= 10 && (length & 7) == 2) {
        options.sackCount = (length - 2) / 8;
        options.sackBlocks = option + 2;
      }
    } else if (kind == KIND_USER_TIMEOUT) {
      if (length == 4) options.userTimeout = bswap<u16>(load<u16>(option, 2));
    } else if (syn) {
      if (kind == KIND_MSS && length == 4) options.mss = bswap<u16>(load<u16>(option, 2));
      else if (kind == KIND_WINDOW_SCALE && length == 3)
        options.scale = min(<u32>load<u8>(option, 2), SCALE_MAXIMUM);
      else if (kind == KIND_SACK_PERMITTED && length == 2) options.sackPermitted = true;
    }
    option += length;
  }
  return true;
}

// @ts-ignore: decorator
@inline
function readTimestamps(options: SegmentOptions, address: usize): void {
  options.hasTimestamps = true;
  options.timestampValue = bswap<u32>(load<u32>(address));
  options.timestampEcho = bswap<u32>(load<u32>(address, 4));
}

// ---- Writing: each pushes its bytes in front of what the buffer has, and says how many they are ----

// @ts-ignore: decorator
@inline
export function pushTimestamps(buffer: PacketBuffer, value: u32, echo: u32): u32 {
  const option = buffer.push(TIMESTAMPS_LENGTH);
  store<u32>(option, 0x0a080101);
  store<u32>(option, bswap<u32>(value), 4);
  store<u32>(option, bswap<u32>(echo), 8);
  return TIMESTAMPS_LENGTH;
}

export function pushWindowScale(buffer: PacketBuffer, scale: u32): u32 {
  store<u32>(buffer.push(4), 0x00030301 | (scale << 24));
  return 4;
}

export function pushSackPermitted(buffer: PacketBuffer): u32 {
  store<u32>(buffer.push(4), 0x02040101);
  return 4;
}

export function pushMss(buffer: PacketBuffer, mss: u32): u32 {
  store<u32>(buffer.push(4), 0x0402 | ((<u32>bswap<u16>(<u16>mss)) << 16));
  return 4;
}

/** `timeout`: the field of the option, not 0. */
export function pushUserTimeout(buffer: PacketBuffer, timeout: u32): u32 {
  store<u32>(buffer.push(4), 0x041c | ((<u32>bswap<u16>(<u16>timeout)) << 16));
  return 4;
}
