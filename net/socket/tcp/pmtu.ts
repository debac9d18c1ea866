/**
 * Path MTU discovery of a connection (RFC 1191; RFC 8201): what is too large for the path goes again in smaller segments, and others on the same path begin with that size.
 *
 * Two ways to find out, neither of which believes what is only said:
 *
 * - ICMP "fragmentation needed", about a segment that is in flight. As long as no segment of more than the size that it claims has been acknowledged it is acted upon at once.
 *   After that it is kept in mind, and acted upon when a time-out shows that the path has indeed changed (RFC 5927, 7.2). It never raises anything.
 * - Black holes (RFC 4821; RFC 8899): routers that drop and say nothing. After every second time-out without progress in which the first segment is a large one the next
 *   smaller size is tried. When that gets through, the larger one is tried once more, for it may have been an outage; only when that fails again the path is known.
 *
 *     full ──2 time-outs──> smaller ──acknowledged──> full again ──acknowledged──> full: it was an outage
 *                                                        └──2 time-outs──> smaller ──acknowledged──> known, for ten minutes
 *
 * What our own link takes is known: a segment that is too long for it is not sent, and goes in pieces at once. That a router has made it less (RFC 4861, 6.3.4) is found out so.
 *
 * After ten minutes a connection that was idle begins with the full size again (RFC 1191, 6.3), and so do new ones.
 */
import { linkMtu, networkHeaderLength } from "../../ip";
import { believableMtu, lowerPathMtu, PATH_MTU_LIFE } from "../../pmtu";
import { milliseconds } from "./clock";
import { TCP_HEADER } from "../../wire/tcp";
import { HAS_TIMESTAMPS, TcpConnection } from "./connection";
import { TIMESTAMPS_LENGTH } from "./options";
import { MAY_TRANSMIT, stateIn } from "./state";

// `mtuState`: of what is known about the size of segments. See above.
const MTU_FULL: u8 = 0;
const MTU_TRYING: u8 = 1;
const MTU_AGAIN: u8 = 2;
const MTU_CONFIRMING: u8 = 3;
const MTU_KNOWN: u8 = 4;

/** MTUs that are tried in a black hole: most tunnels leave the first, and IPv6 promises the second. Of IPv4 the least that every host takes follows. */
const PLATEAU_TUNNEL: u32 = 1400;
const PLATEAU_IPV6: u32 = 1280;

/** Bytes of a packet that carries a payload of `mss`. */
function packetOf(c: TcpConnection, mss: u32): u32 {
  return (
    mss + networkHeaderLength(c.flow.remote) + TCP_HEADER + (c.has(HAS_TIMESTAMPS) ? TIMESTAMPS_LENGTH : 0)
  );
}

function payloadOf(c: TcpConnection, mtu: u32): u32 {
  return mtu - packetOf(c, 0);
}

/** An ICMP error about a segment that is in flight says that the path takes `mtu` bytes at most; 0: an old router, which does not say. True: what is in flight has been too large, and has to go again. */
export function pathTooSmall(c: TcpConnection, mtu: u32): bool {
  const mss = payloadOf(c, believableMtu(c.flow.remote, mtu));
  if (mss >= c.sendMss || !stateIn(c.state, MAY_TRANSMIT)) return false;
  if (mss < c.mssAcked) {
    c.mssClaimed = <u16>mss;
    c.claimedAt = c.SND_UNA;
    return false;
  }
  lowerPathMtu(c.flow.remote, packetOf(c, mss));
  shrink(c, mss, MTU_KNOWN);
  c.knownSince = milliseconds();
  return true;
}

/** A segment was too long for our own link, which takes less than it did (RFC 4861, 6.3.4): from now on they are smaller, until it may take more again. False: they are already. */
export function linkTooSmall(c: TcpConnection): bool {
  const mss = payloadOf(c, linkMtu(c.flow.remote));
  if (mss >= c.sendMss) return false;
  shrink(c, mss, MTU_KNOWN);
  c.knownSince = milliseconds();
  return true;
}

/** The retransmission timer has run out with data in flight, for the time `retries` without progress: makes segments smaller if that may help. */
export function pathTimeout(c: TcpConnection): void {
  const claimed = <u32>c.mssClaimed;
  c.mssClaimed = 0;
  // What was said has come true so far: nothing has been acknowledged since.
  if (claimed != 0 && claimed < c.sendMss && c.claimedAt == c.SND_UNA) {
    c.mssSmall = <u16>claimed;
    return shrink(c, claimed, MTU_CONFIRMING);
  }
  const head = c.sendHead;
  if (head === null || (c.retries & 1) != 0) return;
  const size = min(head.length, c.sendMss);
  // The size that got through before, else the next one.
  let smaller = <u32>c.mssSmall;
  if (smaller == 0 || smaller >= size) {
    const packet = packetOf(c, size);
    const mtu = packet > PLATEAU_TUNNEL ? PLATEAU_TUNNEL : packet > PLATEAU_IPV6 ? PLATEAU_IPV6 : 0;
    smaller = payloadOf(c, believableMtu(c.flow.remote, mtu));
  }
  if (smaller < size) shrink(c, smaller, c.mtuState == MTU_AGAIN ? MTU_CONFIRMING : MTU_TRYING);
}

function shrink(c: TcpConnection, mss: u32, state: u8): void {
  if (c.mssFull == 0) c.mssFull = <u16>c.sendMss;
  if (c.mtuState != MTU_CONFIRMING) c.mtuState = state;
  c.sendMss = mss;
  // What is acknowledged from here on is what counts.
  c.mssAcked = 0;
}

/** A segment of `length` bytes was acknowledged. */
// @ts-ignore: decorator
@inline
export function sizeAcked(c: TcpConnection, length: u32): void {
  if (length > <u32>c.mssAcked) largerAcked(c, length);
}

function largerAcked(c: TcpConnection, length: u32): void {
  c.mssAcked = <u16>length;
  // What was sent before we knew says nothing of what is sent now.
  if (c.mssFull == 0 || c.mtuState == MTU_KNOWN) return;
  if (length >= <u32>c.mssFull) forget(c);
  else if (length < c.sendMss) return;
  else if (c.mtuState == MTU_TRYING) {
    c.mssSmall = <u16>length;
    c.sendMss = c.mssFull;
    c.mtuState = MTU_AGAIN;
  } else if (c.mtuState == MTU_CONFIRMING) {
    lowerPathMtu(c.flow.remote, packetOf(c, length));
    c.mtuState = MTU_KNOWN;
    c.knownSince = milliseconds();
  }
}

function forget(c: TcpConnection): void {
  c.mssFull = 0;
  c.mssSmall = 0;
  c.mtuState = MTU_FULL;
}

/** About to send with nothing in flight. */
// @ts-ignore: decorator
@inline
export function pathIdle(c: TcpConnection): void {
  if (c.mtuState == MTU_KNOWN) mayGrow(c);
}

function mayGrow(c: TcpConnection): void {
  if (milliseconds() - c.knownSince < <u32>(PATH_MTU_LIFE / 1_000_000)) return;
  c.sendMss = c.mssFull;
  forget(c);
}
