/**
 * The transports by their protocol numbers: the one table through which the network layers hand packets up, and errors about packets that we
 * sent (net/errors.ts).
 */
import { PacketBuffer } from "./buffer";
import { packetArrives } from "./packets";
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from "./socket/socket";
import { ICMP_HEADER } from "./wire/icmp";
import { TCP_HEADER } from "./wire/tcp";
import { UDP_HEADER } from "./wire/udp";


@unmanaged
class Transport {
  input: u32;
  destination: u32;
  error: u32;
}

const TRANSPORT_SIZE: usize = offsetof<Transport>();

/** Bytes of storage for initializeTransports: an entry for each protocol number. */
export const TRANSPORTS_STORAGE: usize = TRANSPORT_SIZE * 256;

let table: usize = 0;

/** Once at boot, ahead of the first registerTransport. */
export function initializeTransports(storage: usize): void {
  table = storage;
  memory.fill(storage, 0, TRANSPORTS_STORAGE);
}

// @ts-ignore: decorator
@inline
function transportOf(protocol: u32): Transport {
  return changetype<Transport>(table + <usize>protocol * TRANSPORT_SIZE);
}

/**
 * Registers a protocol (0..255). `input`: (buffer) => void, takes the reference. buffer.data is at the transport header, length is exact,
 * networkHeader is set; LINK_BROADCAST: never answer with an error or reset.
 * `destination`: (buffer) => usize, the socket that the same packet is for (see packetArrives in net/packets.ts), nothing in which has been
 * checked then; 0: it is dealt with at once. `error`: see net/errors.ts; 0: it does not want to hear of errors.
 */
export function registerTransport(protocol: u32, input: u32, destination: u32, error: u32): void {
  const transport = transportOf(protocol);
  transport.input = input;
  transport.destination = destination;
  transport.error = error;
}

/** A packet of `protocol` (0..255) for its transport, which takes the reference. False: there is none, and nothing was taken. */
// @ts-ignore: decorator
@inline
export function transportInput(buffer: PacketBuffer, protocol: u32): bool {
  const transport = transportOf(protocol);
  const input = transport.input;
  if (input == 0) return false;
  if (transport.destination != 0) packetArrives(buffer, input, transport.destination);
  else call_indirect<void>(input, buffer);
  return true;
}

/** Function index of who hears of errors about packets of `protocol` (0..255); 0: nobody. */
// @ts-ignore: decorator
@inline
export function transportErrorOf(protocol: u32): u32 {
  return transportOf(protocol).error;
}

/** Bytes of the shortest header of a transport, 1 for one that we do not know. */
export function leastHeader(protocol: u32): u32 {
  if (protocol == IPPROTO_TCP) return TCP_HEADER;
  if (protocol == IPPROTO_UDP) return UDP_HEADER;
  return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 ? ICMP_HEADER : 1;
}
