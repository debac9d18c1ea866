/**
 * The states of RFC 9293, 3.3.2, with Linux's numbers, and the one function through which every change goes.
 *
 * Who listens for WAKE_STATE sees each transition of a socket once, in order, none left out; `history` has those before:
 *
 *   active open          CLOSE -> SYN_SENT -> ESTABLISHED         (simultaneous: SYN_SENT -> SYN_RECV -> ESTABLISHED)
 *   listener             CLOSE -> LISTEN -> CLOSE
 *   passive open         LISTEN -> SYN_RECV -> ESTABLISHED: a connection of its own that takes over in LISTEN; the listener
 *                        stays there. Half-open connections are no sockets yet, so both steps happen when the
 *                        handshake completes, before the application can have accepted it.
 *   orderly close here   ESTABLISHED -> FIN_WAIT1 -> FIN_WAIT2 -> TIME_WAIT -> CLOSE (simultaneous: FIN_WAIT1 -> CLOSING)
 *   orderly close there  ESTABLISHED -> CLOSE_WAIT -> LAST_ACK -> CLOSE
 *   reset or time-out    any -> CLOSE
 *
 * After `close` the socket is nobody's: the last transition reported is the one that `close` itself makes.
 */
import { WAKE_STATE } from "../../../kernel/scheduler/wait";
import { SOCKET_ORPHAN } from "../socket";
import { TcpConnection } from "./connection";
import { statistics } from "./statistics";

export const TCP_ESTABLISHED: u32 = 1;
export const TCP_SYN_SENT: u32 = 2;
export const TCP_SYN_RECV: u32 = 3;
export const TCP_FIN_WAIT1: u32 = 4;
export const TCP_FIN_WAIT2: u32 = 5;
export const TCP_TIME_WAIT: u32 = 6;
export const TCP_CLOSE: u32 = 7;
export const TCP_CLOSE_WAIT: u32 = 8;
export const TCP_LAST_ACK: u32 = 9;
export const TCP_LISTEN: u32 = 10;
export const TCP_CLOSING: u32 = 11;

/** Is `state` one of those of the mask made of `1 << TCP_…`? */
// @ts-ignore: decorator
@inline
export function stateIn(state: u32, mask: u32): bool {
  return ((1 << state) & mask) != 0;
}

/** Data from the peer is taken. */
export const MAY_RECEIVE: u32 = (1 << TCP_ESTABLISHED) | (1 << TCP_FIN_WAIT1) | (1 << TCP_FIN_WAIT2);
/** The application may send. */
export const MAY_SEND: u32 = (1 << TCP_ESTABLISHED) | (1 << TCP_CLOSE_WAIT);
/** What was committed, and the FIN, goes out. */
export const MAY_TRANSMIT: u32 = MAY_SEND | (1 << TCP_FIN_WAIT1) | (1 << TCP_CLOSING) | (1 << TCP_LAST_ACK);

export function setState(connection: TcpConnection, state: u32): void {
  const old = connection.state;
  connection.state = state;
  // The longest life has eight states: it fits.
  connection.history = ((old == TCP_CLOSE ? TCP_CLOSE : connection.history) << 4) | state;
  if (stateIn(old, MAY_SEND)) statistics.established--;
  if (stateIn(state, MAY_SEND)) statistics.established++;
  if ((connection.flags & SOCKET_ORPHAN) == 0) connection.wake(WAKE_STATE, (old << 8) | state);
}
