/** A transport of IPv6 that keeps nothing of what it is given, for specs of what comes before it. */
import { PacketBuffer, releaseBuffer } from "../../net/buffer";
import { registerTransport } from "../../net/transports";
import { boot6, knowPeer } from "./frames6";

export const SCTP: u32 = 132;
export let delivered: u32 = 0;
export let deliveredLength: u32 = 0;

function input(buffer: PacketBuffer): void {
  delivered++;
  deliveredLength = buffer.length;
  releaseBuffer(buffer);
}

/** A new stack, with that transport, that knows PEER. */
export function bootTransport(): void {
  boot6();
  knowPeer();
  delivered = 0;
  registerTransport(SCTP, input.index, 0, 0);
}
