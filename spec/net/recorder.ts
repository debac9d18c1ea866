/** Records what the stack sends, and stands in for TCP, for the specs of the layers below. */
import { setLogLevel } from "../../kernel/console";
import {
  allocateBuffer,
  BUFFER_HEADROOM,
  BUFFER_RETAINED,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import { Flow } from "../../net/flow";
import { ipv4Output } from "../../net/ipv4-output";
import { registerTransport } from "../../net/transports";
import { ARP_REPLY, ArpPacket } from "../../net/wire/arp";
import { BROADCAST0, ETHERNET_HEADER, EthernetHeader, ETHERTYPE_ARP } from "../../net/wire/ethernet";
import * as frames from "./frames";
import { deliver } from "./frames";
import * as link from "./link";
import { OWN, PEER, PEER4 } from "./link";

const last = new StaticArray<u8>(4096);
/** The last frame that the stack sent. */
export const LAST: usize = changetype<usize>(last);

export class Seen {
  lastLength: u32 = 0;
  arpRequests: u32 = 0;
  /** The last request was a broadcast. */
  requestedOfAll: bool = false;
  arpReplies: u32 = 0;
  announcements: u32 = 0;
  /** Frames that are not ARP. */
  ipPackets: u32 = 0;
  /** At the transport: packets, bytes of the last one, errors, what the last error said. */
  delivered: u32 = 0;
  deliveredLength: u32 = 0;
  errorCount: u32 = 0;
  errorType: u32 = 0;
  errorCode: u32 = 0;
  errorRest: u32 = 0;
}

export const seen = new Seen();

function record(frame: usize, length: u32): void {
  memory.copy(LAST, frame, length);
  seen.lastLength = length;
  if (changetype<EthernetHeader>(frame).type == ETHERTYPE_ARP) {
    const packet = changetype<ArpPacket>(frame + ETHERNET_HEADER);
    if (packet.operation == ARP_REPLY) seen.arpReplies++;
    else if (packet.senderAddress == packet.targetAddress) seen.announcements++;
    else {
      seen.arpRequests++;
      seen.requestedOfAll = changetype<EthernetHeader>(frame).destination0 == BROADCAST0;
    }
  } else {
    seen.ipPackets++;
  }
}

/** A transport in the place of TCP. */
function transportInput(buffer: PacketBuffer): void {
  seen.delivered++;
  seen.deliveredLength = buffer.length;
  releaseBuffer(buffer);
}

function transportError(type: u32, code: u32, rest: u32, flow: Flow, transport: usize, length: u32): void {
  seen.errorCount++;
  seen.errorType = type;
  seen.errorCode = code;
  seen.errorRest = rest;
}

/** Sends `payload` bytes of TCP to `destination`; the result of ipv4Output. */
export function send(destination: u32, payload: u32, flags: u32): i32 {
  const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
  buffer.length = payload;
  buffer.flags = flags;
  memory.fill(buffer.data, 0x5a, payload);
  const result = ipv4Output(buffer, 0, destination, 6, 64);
  // Whoever retains its bytes may write over them at once.
  if ((flags & BUFFER_RETAINED) != 0) memory.fill(buffer.data, 0xee, buffer.length);
  releaseBuffer(buffer);
  return result;
}

/** Makes PEER's link address known. */
export function resolvePeer(): void {
  send(PEER, 10, 0);
  frames.arp(ARP_REPLY, PEER, PEER4, OWN);
  deliver();
}

/** A new stack, whose frames are recorded here, with a transport of ours in the place of TCP. */
export function boot(): void {
  link.bootStack(400, 42);
  setLogLevel(0);
  seen.arpRequests =
    seen.arpReplies =
    seen.announcements =
    seen.ipPackets =
    seen.delivered =
    seen.errorCount =
      0;
  link.setHook(record.index);
  registerTransport(6, transportInput.index, 0, transportError.index);
}
