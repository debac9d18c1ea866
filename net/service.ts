/**
 * The `service` word, with which a transport says how its packets are to be sent, whichever version of IP it is:
 *
 *      31 .. 18 │        17         │      16      │            15 .. 8             │           7 .. 0
 *          0    │ LET_INTERRUPTS_IN │ MAY_FRAGMENT │ type of service, traffic class │ time to live, hop limit
 *
 * Bits 15 .. 8 are the Differentiated Services field and ECN (RFC 2474, RFC 3168).
 */

/** Time to live of what we send (RFC 1122, 3.2.1.7), unless the socket says otherwise; with IPv6, whatever routers have told us. */
export const TTL_DEFAULT: u32 = 64;
/** May be fragmented, on the way and here. */
export const MAY_FRAGMENT: u32 = 1 << 16;
/** The caller is a call of an application: the fragments of a long datagram all go at once, and interrupts are let in between. */
export const LET_INTERRUPTS_IN: u32 = 1 << 17;
