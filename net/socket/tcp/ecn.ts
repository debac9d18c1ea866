/**
 * Explicit congestion notification (RFC 3168). A router marks instead of dropping: the receiver echoes that in every segment (ECE) until the sender has
 * reduced its window, as for a loss, and says so (CWR).
 *
 * Only data that is sent for the first time says that it is ECN-capable, and none does when a SYN was lost: whoever drops ECN-setup SYNs
 * (RFC 3168, 6.1.1.1: the SYN is repeated without) is not to be trusted with marks.
 */
import { TCP_ACK, TCP_CWR, TCP_ECE } from "../../wire/tcp";
import { congestionEchoed } from "./congestion";
import { ACK_NOW, ECHO_CONGESTION, HAS_ECN, SYN_WAS_LOST, TcpConnection, WINDOW_REDUCED } from "./connection";
import { Segment } from "./segment";
import { after } from "./sequence";

/** For `emitFor`, beside the TCP flags: the packet shall say ECT(0). It is the bit of ipOutput's `service`. */
export const EMIT_ECT: u32 = 0x200;

/** 6.1.1: does the answer to an ECN-setup SYN agree, or the SYN of a simultaneous open offer the same? */
export function ecnAgreed(s: Segment): bool {
  return (s.flags & (TCP_ECE | TCP_CWR)) == (s.has(TCP_ACK) ? TCP_ECE : TCP_ECE | TCP_CWR);
}

/** What a SYN says, or with `ack` a SYN,ACK. */
export function ecnSetup(ack: bool): u32 {
  return ack ? TCP_ECE : TCP_ECE | TCP_CWR;
}

/** An acceptable segment of a connection that has agreed. */
export function ecnArrives(c: TcpConnection, s: Segment): void {
  if (s.has(TCP_CWR)) c.status &= ~ECHO_CONGESTION;
  if (s.marked && s.payloadLength != 0) {
    if (!c.has(ECHO_CONGESTION)) c.status |= ACK_NOW;
    c.status |= ECHO_CONGESTION;
  }
  // 6.1.2: once for each window of data.
  if (s.has(TCP_ECE) && after(s.acknowledgement, c.reducedAt)) congestionEchoed(c);
}

/** Flags of data that is sent for the first time. */
// @ts-ignore: decorator
@inline
export function ecnFlags(c: TcpConnection): u32 {
  if ((c.status & (HAS_ECN | SYN_WAS_LOST)) != HAS_ECN) return 0;
  return c.has(WINDOW_REDUCED) ? EMIT_ECT | TCP_CWR : EMIT_ECT;
}
