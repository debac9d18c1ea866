/** Output of Ethernet frames (RFC 894), with the tag of our VLAN if there is one (IEEE 802.1Q). Input is in net/input.ts. */
import { leavePoll, POLL_LEVEL_TOP, POLL_OUTPUT } from "../kernel/interrupts/polls";
import { CHECKSUM_PARTIAL, PacketBuffer } from "./buffer";
import { finishChecksum } from "./checksum";
import { transmitChain } from "./cut";
import { networkCounters } from "./counters";
import { DEVICE_CHECKSUM_TX, deviceTransmit } from "./device";
import { linkIsUp, networkInterface } from "./interface";
import { ETHERNET_HEADER, EthernetHeader, ETHERTYPE_VLAN, VLAN_TAG } from "./wire/ethernet";

/** Makes an IP packet ready to go to the link, now or when its neighbour has answered: sums what the device would not, but for a chain, whose segments are summed when they are cut. False: the link is down. */
// @ts-ignore: decorator
@inline
export function readyForLink(buffer: PacketBuffer): bool {
  if (!linkIsUp()) return false;
  if (
    (buffer.flags & CHECKSUM_PARTIAL) != 0 &&
    (networkInterface().device.features & DEVICE_CHECKSUM_TX) == 0 &&
    buffer.more === null
  ) {
    finishChecksum(buffer);
  }
  return true;
}

/**
 * Puts the header in front and hands the frame to the device, which must be there. Borrows the buffer. 0, or -ENOBUFS when the device's
 * queue is full; of a chain, which is to be cut, as transmitChain. The doorbell is left to `networkFlush`.
 */
export function ethernetOutput(buffer: PacketBuffer, destination0: u32, destination4: u16, type: u32): i32 {
  const networkInterface_ = networkInterface();
  const device = networkInterface_.device;
  const vlan = networkInterface_.vlan;
  if (vlan != 0) {
    const tag = buffer.push(VLAN_TAG);
    store<u16>(tag, bswap<u16>(<u16>vlan));
    store<u16>(tag, bswap<u16>(<u16>type), 2);
    type = ETHERTYPE_VLAN;
  }
  const header = changetype<EthernetHeader>(buffer.push(ETHERNET_HEADER));
  header.setDestination(destination0, destination4);
  header.setSource(device.address0, device.address4);
  header.type = type;
  // Not to be inlined, as in net/socket/tcp/send.ts.
  const result =
    buffer.more === null
      ? deviceTransmit(device, buffer)
      : call_indirect<i32>(transmitChain.index, device, buffer);
  networkInterface_.dirty = 1;
  leavePoll(POLL_OUTPUT, POLL_LEVEL_TOP);
  if (result < 0) networkCounters().frameNotSent++;
  return result;
}
