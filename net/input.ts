/** Input of Ethernet frames: to whom, and which layer is next. */
import { arpInput } from "./arp";
import { LINK_BROADCAST, PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { NetworkDevice } from "./device";
import { ipv4Input } from "./ipv4";
import { ipv6Input } from "./ipv6";
import { hasIpv6 } from "./slaac";
import {
  BROADCAST0,
  BROADCAST4,
  ETHERNET_HEADER,
  EthernetHeader,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  isGroupAddress,
  isIpv6Group,
} from "./wire/ethernet";

/**
 * A frame from the device. Takes the reference. Of multicast frames those of IPv6 count, whose layer knows its groups. Padding is left to
 * the layers above, which have lengths of their own.
 */
export function ethernetInput(device: NetworkDevice, frame: PacketBuffer): void {
  const counters = networkCounters();
  if (!EthernetHeader.check(frame.length)) {
    counters.frameTooShort++;
    releaseBuffer(frame);
    return;
  }
  const header = changetype<EthernetHeader>(frame.data);
  if (isGroupAddress(header.source0)) {
    counters.frameBadSource++;
    releaseBuffer(frame);
    return;
  }
  const destination0 = header.destination0;
  const destination4 = header.destination4;
  if (destination0 != device.address0 || destination4 != device.address4) {
    const group = isIpv6Group(destination0) && header.type == ETHERTYPE_IPV6;
    if (!group && (destination0 != BROADCAST0 || destination4 != BROADCAST4)) {
      counters.frameNotForUs++;
      releaseBuffer(frame);
      return;
    }
    frame.flags |= LINK_BROADCAST;
  }
  const type = header.type;
  frame.pull(ETHERNET_HEADER);
  if (type == ETHERTYPE_IPV4) {
    ipv4Input(frame);
    return;
  }
  if (type == ETHERTYPE_IPV6 && hasIpv6()) {
    ipv6Input(frame);
    return;
  }
  if (type == ETHERTYPE_ARP) arpInput(frame);
  else counters.frameUnknownType++;
  releaseBuffer(frame);
}
