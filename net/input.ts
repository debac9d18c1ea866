/** Input of Ethernet frames: to whom, and which layer is next. */
import { arpInput } from "./arp";
import { LINK_BROADCAST, PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { NetworkDevice } from "./device";
import { networkInterface } from "./interface";
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
  ETHERTYPE_SERVICE_VLAN,
  ETHERTYPE_VLAN,
  isGroupAddress,
  isIpv6Group,
  VLAN_MASK,
  VLAN_TAG,
} from "./wire/ethernet";

/**
 * A frame from the device. Takes the reference. Of multicast frames those of IPv6 count, whose layer knows its groups. Padding is left to
 * the layers above, which have lengths of their own.
 */
export function ethernetInput(device: NetworkDevice, frame: PacketBuffer): void {
  const header = changetype<EthernetHeader>(frame.data);
  if (
    EthernetHeader.check(frame.length) &&
    header.destination0 == device.address0 &&
    header.destination4 == device.address4 &&
    header.type == ETHERTYPE_IPV4 &&
    !isGroupAddress(header.source0) &&
    networkInterface().vlan == 0
  ) {
    // What nearly all frames are.
    frame.pull(ETHERNET_HEADER);
    ipv4Input(frame);
  } else call_indirect<void>(anyFrame.index, device, frame); // Not to be inlined, as in net/socket/tcp/send.ts.
}

function anyFrame(device: NetworkDevice, frame: PacketBuffer): void {
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
  let group = false;
  if (destination0 != device.address0 || destination4 != device.address4) {
    group = isIpv6Group(destination0);
    if (!group && (destination0 != BROADCAST0 || destination4 != BROADCAST4)) {
      counters.frameNotForUs++;
      releaseBuffer(frame);
      return;
    }
    frame.flags |= LINK_BROADCAST;
  }
  let type = header.type;
  frame.pull(ETHERNET_HEADER);
  if (type != ETHERTYPE_IPV4 || networkInterface().vlan != 0) type = takeTag(frame, type);
  if (group && type != ETHERTYPE_IPV6 && type != DROPPED) {
    counters.frameNotForUs++;
    type = DROPPED;
  }
  if (type == ETHERTYPE_IPV4) {
    ipv4Input(frame);
    return;
  }
  if (type == ETHERTYPE_IPV6 && hasIpv6()) {
    ipv6Input(frame);
    return;
  }
  if (type == ETHERTYPE_ARP) arpInput(frame);
  else if (type != DROPPED) counters.frameUnknownType++;
  releaseBuffer(frame);
}

/** No EtherType. */
const DROPPED: u32 = 0;

/**
 * The type of what is in the frame, which is behind its header, when it is for our VLAN; else DROPPED, counted. A tag of VLAN 0 says a priority only: such a frame is like one
 * without a tag (IEEE 802.1Q, 6.9.1), so of the VLAN that is untagged on the link, and not of ours if that has a tag (Linux: eth0, not eth0.100).
 */
function takeTag(frame: PacketBuffer, type: u32): u32 {
  const counters = networkCounters();
  let vlan: u32 = 0;
  if (type == ETHERTYPE_VLAN) {
    if (frame.length < VLAN_TAG) {
      counters.frameTooShort++;
      return DROPPED;
    }
    vlan = bswap<u16>(load<u16>(frame.data)) & VLAN_MASK;
    type = bswap<u16>(load<u16>(frame.data, 2));
    frame.pull(VLAN_TAG);
    if (type == ETHERTYPE_VLAN || type == ETHERTYPE_SERVICE_VLAN) {
      counters.frameNestedTag++;
      return DROPPED;
    }
  }
  if (vlan != networkInterface().vlan) {
    counters.frameOtherVlan++;
    return DROPPED;
  }
  return type;
}
