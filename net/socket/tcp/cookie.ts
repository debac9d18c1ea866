/**
 * SYN cookies (RFC 4987, 3.6): when a listener has no room for another half-open connection, everything about it is
 * put into the initial sequence number and the timestamp of the SYN,ACK, and comes back with the final ACK. A flood
 * then costs no memory, and a real client among it connects at once.
 *
 *     31       27 26    24 23                                            0
 *     ├──────────┼────────┼───────────────────────────────────────────────┤
 *     │ period   │  MSS   │ keyed hash of four-tuple, IRS, period and MSS │
 *     └──────────┴────────┴───────────────────────────────────────────────┘
 *
 * A cookie is good in the period of 64 s in which it was made and in the next. The low bits of the timestamp carry what else the
 * SYN said, in the places where Linux has it: four for the peer's window scale (15: none), one for SACK, one for ECN; a peer without timestamps gets
 * a connection without options.
 */
import { sipHash } from "../../../kernel/random";
import { now } from "../../../kernel/time/clock";
import { HAS_ECN, HAS_SACK, HAS_TIMESTAMPS } from "./connection";
import { flowHash, HASH_COOKIE } from "../../flow";
import { NO_SCALE, SCALE_MAXIMUM } from "./options";
import { Segment } from "./segment";

const PERIOD_SHIFT: u64 = 36; // 2^36 ns: 68.7 s
const HASH_BITS: u32 = 24;

/** MSS values in common use, for three bits. */
const MSS_TABLE: usize = memory.data<u16>([216, 536, 966, 1220, 1360, 1440, 1452, 1460]);

// @ts-ignore: decorator
@inline
function mssOf(index: u32): u32 {
  return load<u16>(MSS_TABLE + ((<usize>index) << 1));
}

// @ts-ignore: decorator
@inline
function period(): u32 {
  return (<u32>(now() >> PERIOD_SHIFT)) & 31;
}

function hash(s: Segment, irs: u32, top: u32): u32 {
  const flow = flowHash(s.flow, HASH_COOKIE);
  return (<u32>sipHash(flow, ((<u64>irs) << 32) | top)) & ((1 << HASH_BITS) - 1);
}

/** The initial sequence number for the SYN `s`; `mss`: what the peer takes. */
export function makeCookie(s: Segment, mss: u32): u32 {
  let index: u32 = 7;
  while (index > 0 && mssOf(index) > mss) index--;
  const top = (period() << 3) | index;
  return (top << HASH_BITS) | hash(s, s.sequence, top);
}

/** The MSS that is in the cookie which the ACK `s` brings back, or 0 when it is none of ours or too old. */
export function checkCookie(s: Segment): u32 {
  const cookie = s.acknowledgement - 1;
  const top = cookie >> HASH_BITS;
  if (((period() - (top >> 3)) & 31) > 1) return 0;
  if (hash(s, s.sequence - 1, top) != (cookie & ((1 << HASH_BITS) - 1))) return 0;
  return mssOf(top & 7);
}

const SCALE_BITS: u32 = 15;
const SACK_BIT: u32 = 16;
const ECN_BIT: u32 = 32;
const HIDDEN_BITS: u32 = 63;

/** `timestamp` moved back by less than 64 ms so that its low bits carry `scale` and what of HAS_SACK and HAS_ECN is in `agreed`. */
export function hideOptions(timestamp: u32, scale: u32, agreed: u32): u32 {
  let bits = scale > SCALE_MAXIMUM ? SCALE_BITS : scale;
  if (agreed & HAS_SACK) bits |= SACK_BIT;
  if (agreed & HAS_ECN) bits |= ECN_BIT;
  const hidden = (timestamp & ~HIDDEN_BITS) | bits;
  return hidden > timestamp ? hidden - (HIDDEN_BITS + 1) : hidden;
}

/** The scale in a timestamp that came back, or NO_SCALE. */
export function hiddenScale(timestamp: u32): u32 {
  const bits = timestamp & SCALE_BITS;
  return bits == SCALE_BITS ? NO_SCALE : bits;
}

/** The bits of AGREED in a timestamp that came back. */
export function hiddenAgreed(timestamp: u32): u32 {
  return HAS_TIMESTAMPS | (timestamp & SACK_BIT ? HAS_SACK : 0) | (timestamp & ECN_BIT ? HAS_ECN : 0);
}
