/** Puts the network stack together. What each layer needs of memory is taken here, once, at boot. */
import { LOG_INFO, LOG_WARNING, log, logAddress, logEnd, logMac, logStart, logText } from "../kernel/console";
import { allocateFrames, FRAME_SIZE } from "../kernel/memory/frames";
import { Pool } from "../kernel/memory/pool";
import { WAKE_SYSTEM } from "../kernel/scheduler/wait";
import { arpAnnounce, initializeArp } from "./arp";
import { initializeBuffers, PacketBuffer } from "./buffer";
import { initializeCounters, NetworkCounters } from "./counters";
import { NetworkDevice } from "./device";
import { dhcpLinkUp, initializeDhcp } from "./dhcp";
import { DHCP_STORAGE } from "./dhcp-client";
import { initializeErrors } from "./errors";
import { FLOW_SIZE } from "./flow";
import { FRAGMENT_STORAGE, initializeFragments } from "./fragment";
import { FRAGMENT_OUTPUT_STORAGE, initializeFragmentOutput } from "./fragment-output";
import { icmpInput, icmpNoTransport } from "./icmp";
import { ICMP_ERRORS_STORAGE, initializeIcmpErrors } from "./icmp-error";
import { ICMPV6_STORAGE, initializeIcmpv6 } from "./icmpv6";
import { ethernetInput } from "./input";
import { initializeInterface, networkFlush, networkInterface, NetworkInterface } from "./interface";
import { isVersion6, reassemblyTimeout } from "./ip";
import { initializeIpv4, ipv4LoopbackInput } from "./ipv4";
import { initializeIpv6, IPV6_STORAGE, ipv6LoopbackInput } from "./ipv6";
import { initializeIpv6Output, IPV6_OUTPUT_STORAGE } from "./ipv6-output";
import { initializeLevels, LEVELS_STORAGE } from "./levels";
import { initializeLinkParameters } from "./link-parameters";
import { initializeLoopback, LOOPBACK_STORAGE, loopbackPoll } from "./loopback";
import { initializeMld, MLD_STORAGE } from "./mld";
import { DISCOVERY_STORAGE, initializeDiscovery } from "./neighbour-discovery";
import { initializeNeighbours, NEIGHBOURS_STORAGE } from "./neighbours";
import { initializeOwnAddresses, OWN_ADDRESSES_STORAGE } from "./own-addresses";
import { initializeNameServers, NAME_SERVERS_STORAGE } from "./name-servers";
import { initializePackets, PACKETS_STORAGE } from "./packets";
import { initializePathMtu, PATH_MTU_STORAGE } from "./pmtu";
import { initializeReassembly, PIECES_LIMIT, REASSEMBLY_STORAGE } from "./reassembly";
import { ADVERTISEMENTS_STORAGE, initializeAdvertisements } from "./router-advertisement";
import { initializeRouters, ROUTERS_STORAGE } from "./routers";
import { initializeSlaac, slaacLinkUp } from "./slaac";
import { IPPROTO_ICMP } from "./socket/socket";
import { initializeUdp, UDP_STORAGE } from "./socket/udp";
import { initializeTransports, registerTransport, TRANSPORTS_STORAGE } from "./transports";

/** Packets that may wait at one level (net/packets.ts), at least. */
const WAITING_LEAST: u32 = 16;

/** Storage that is handed out, and where it ends. */
let free: usize = 0;
let freeEnd: usize = 0;

/**
 * Once at boot, after frames, random numbers, clock and timers, before any driver. `maxBuffers`: packet buffers of 2 KiB that there
 * may be; `loopbackQueue`: packets to ourselves at once; `maxUdpSockets`; `maxUdpQueued`: datagrams in all receive queues. False when
 * there is not enough memory. TCP is initialized by itself, after this. A driver calls attachDevice.
 */
export function initializeNetwork(
  maxBuffers: u32,
  loopbackQueue: u32,
  maxUdpSockets: u32,
  maxUdpQueued: u32,
): bool {
  const bytes =
    room(offsetof<Pool>()) +
    room(offsetof<NetworkCounters>()) +
    room(offsetof<NetworkInterface>()) +
    room(LEVELS_STORAGE) +
    room(PACKETS_STORAGE) +
    room(LOOPBACK_STORAGE) +
    room(NEIGHBOURS_STORAGE) +
    room(NAME_SERVERS_STORAGE) +
    room(FRAGMENT_STORAGE) +
    room(REASSEMBLY_STORAGE) +
    room(ICMP_ERRORS_STORAGE) +
    room(FRAGMENT_OUTPUT_STORAGE) +
    room(PATH_MTU_STORAGE) +
    room(IPV6_STORAGE) +
    room(IPV6_OUTPUT_STORAGE) +
    room(OWN_ADDRESSES_STORAGE) +
    room(ROUTERS_STORAGE) +
    room(ADVERTISEMENTS_STORAGE) +
    room(DISCOVERY_STORAGE) +
    room(MLD_STORAGE) +
    room(ICMPV6_STORAGE) +
    room(TRANSPORTS_STORAGE) +
    room(FLOW_SIZE) +
    room(UDP_STORAGE) +
    room(DHCP_STORAGE);
  let order: u32 = 0;
  while (FRAME_SIZE << order < bytes) order++;
  free = allocateFrames(order);
  if (free == 0) return false;
  freeEnd = free + (FRAME_SIZE << order);

  initializeBuffers(changetype<Pool>(take(offsetof<Pool>())), maxBuffers);
  initializeCounters(take(offsetof<NetworkCounters>()));
  initializeInterface(
    take(offsetof<NetworkInterface>()),
    ethernetInput.index,
    linkChanged.index,
    addressChanged.index,
    loopbackPoll.index,
  );
  initializeLevels(take(LEVELS_STORAGE));
  initializePackets(take(PACKETS_STORAGE), max(WAITING_LEAST, maxBuffers / 64), maxBuffers / 4);
  initializeLoopback(take(LOOPBACK_STORAGE), loopbackQueue, loopbackInput.index);
  initializeNeighbours(take(NEIGHBOURS_STORAGE));
  initializeArp();
  initializeNameServers(take(NAME_SERVERS_STORAGE));
  initializeFragments(take(FRAGMENT_STORAGE));
  initializeReassembly(take(REASSEMBLY_STORAGE), max(PIECES_LIMIT, maxBuffers / 16), reassemblyTimeout.index);
  initializeFragmentOutput(take(FRAGMENT_OUTPUT_STORAGE));
  initializePathMtu(take(PATH_MTU_STORAGE));
  initializeTransports(take(TRANSPORTS_STORAGE));
  initializeErrors(take(FLOW_SIZE));
  initializeIpv4(icmpNoTransport.index);
  initializeIcmpErrors(take(ICMP_ERRORS_STORAGE));
  initializeIpv6(take(IPV6_STORAGE));
  initializeIpv6Output(take(IPV6_OUTPUT_STORAGE));
  initializeOwnAddresses(take(OWN_ADDRESSES_STORAGE));
  initializeLinkParameters();
  initializeRouters(take(ROUTERS_STORAGE));
  initializeAdvertisements(take(ADVERTISEMENTS_STORAGE));
  initializeDiscovery(take(DISCOVERY_STORAGE));
  initializeMld(take(MLD_STORAGE));
  initializeIcmpv6(take(ICMPV6_STORAGE));
  initializeSlaac();
  registerTransport(IPPROTO_ICMP, icmpInput.index, 0, 0);
  initializeUdp(take(UDP_STORAGE), maxUdpSockets, maxUdpQueued);
  initializeDhcp(take(DHCP_STORAGE));
  return true;
}

/** Structures begin at cache lines. */
function room(bytes: usize): usize {
  return (bytes + 63) & ~63;
}

function take(bytes: usize): usize {
  const address = free;
  free += room(bytes);
  assert(free <= freeEnd);
  return address;
}

/** A packet to ourselves, at its IP header. */
function loopbackInput(buffer: PacketBuffer): void {
  if (isVersion6(buffer.data)) ipv6LoopbackInput(buffer);
  else ipv4LoopbackInput(buffer);
}

/** The driver says that the link came up or went down. */
function linkChanged(device: NetworkDevice): void {
  if (logStart(device.linkUp != 0 ? LOG_INFO : LOG_WARNING, "net")) {
    logText("link of ");
    logMac(device.address0, device.address4);
    logText(device.linkUp != 0 ? " is up" : " is down");
    logEnd();
  }
  networkInterface().linkWaiters.wake(WAKE_SYSTEM, device.linkUp);
  if (device.linkUp == 0) return;
  arpAnnounce();
  dhcpLinkUp();
  slaacLinkUp();
  networkFlush();
}

/** The address was set or taken away: neighbours are told (gratuitous ARP). */
function addressChanged(): void {
  const address = networkInterface().address;
  if (address == 0) {
    log(LOG_INFO, "net", "no address");
    return;
  }
  if (logStart(LOG_INFO, "net")) {
    logText("address ");
    logAddress(address);
    logEnd();
  }
  arpAnnounce();
}
