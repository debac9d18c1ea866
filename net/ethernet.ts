/** Output of Ethernet frames (RFC 894), with the tag of our VLAN if there is one (IEEE 802.1Q). Input is in net/input.ts. */
import { leavePoll, POLL_LEVEL_TOP, POLL_OUTPUT } from "../kernel/interrupts/polls";
import { PacketBuffer } from "./buffer";
import { transmitChain } from "./cut";
import { networkCounters } from "./counters";
import { deviceTransmit } from "./device";
import { networkInterface } from "./interface";
import { ETHERNET_HEADER, EthernetHeader, ETHERTYPE_VLAN, VLAN_TAG } from "./wire/ethernet";

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
