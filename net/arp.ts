/**
 * ARP (RFC 826; RFC 1122, 2.3.2; announcements of RFC 5227). The states of a neighbour are in net/neighbours.ts.
 *
 * Against poisoning: only a request of ours that is outstanding (INCOMPLETE, PROBE) lets a packet set a link address. A request that asks
 * for us makes an entry where there was none, STALE, so that we verify it when we use it. Any other claim changes no link address:
 * when it contradicts an entry, the entry becomes STALE and doubted, and its next use asks the whole link (a neighbour that moved is
 * found again within one round trip of that). Replies that nobody asked for make no entry.
 */
import { LOG_WARNING, logAddress, logEnd, logMac, logStart, logText } from "../kernel/console";
import { now } from "../kernel/time/clock";
import { allocateBuffer, BUFFER_HEADROOM, PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { ethernetOutput } from "./ethernet";
import { mapped } from "./flow";
import { isBroadcast, isOnLink, isUnicast, linkIsUp, networkInterface } from "./interface";
import { Neighbour, neighbourFind } from "./neighbour-cache";
import {
  NEIGHBOUR_INCOMPLETE,
  NEIGHBOUR_PROBE,
  neighbourAnswers,
  neighbourDoubt,
  neighbourDoubted,
  neighbourLearnt,
  neighbourOutput,
} from "./neighbours";
import { ARP_LENGTH, ARP_REPLY, ARP_REQUEST, ArpPacket } from "./wire/arp";
import { BROADCAST0, BROADCAST4, ETHERTYPE_ARP, isGroupAddress } from "./wire/ethernet";

/** Between two defences of our address, in ns. */
const DEFEND_TIME: u64 = 10_000_000_000;

let nextDefence: u64 = 0;

/** Once at boot. */
export function initializeArp(): void {
  nextDefence = 0;
}

/** Sends the IPv4 packet in `buffer`, which it borrows, to the neighbour `address`; see neighbourOutput. */
// @ts-ignore: decorator
@inline
export function arpOutput(buffer: PacketBuffer, address: u32): i32 {
  return neighbourOutput(buffer, 0, mapped(address));
}

/** What is sent to the neighbour `address` does not seem to arrive; see neighbourDoubt. */
export function arpDoubt(address: u32): void {
  neighbourDoubt(0, mapped(address));
}

/** What is known of the neighbour `address`, or null. */
export function arpFind(address: u32): Neighbour | null {
  return neighbourFind(0, mapped(address));
}

/** For neighbours.ts: sends a request. The first one of PROBE goes to the old link address only (RFC 1122, 2.3.2.1). */
export function arpAsk(entry: Neighbour): void {
  const unicast = entry.state == NEIGHBOUR_PROBE && entry.tries == 1 && entry.doubted == 0;
  const own = networkInterface().address;
  const address = entry.address.ipv4;
  if (unicast) sendPacket(ARP_REQUEST, own, address, entry.link0, entry.link4, 0, 0);
  else sendPacket(ARP_REQUEST, own, address, BROADCAST0, BROADCAST4, 0, 0);
  networkCounters().arpRequestsSent++;
}

function sendPacket(
  operation: u32,
  sender: u32,
  target: u32,
  destination0: u32,
  destination4: u16,
  target0: u32,
  target4: u16,
): void {
  if (!linkIsUp()) return;
  const buffer = allocateBuffer(BUFFER_HEADROOM);
  if (buffer === null) return;
  const device = networkInterface().device;
  const packet = changetype<ArpPacket>(buffer.data);
  buffer.length = ARP_LENGTH;
  packet.format();
  packet.operation = operation;
  packet.setSender(device.address0, device.address4);
  packet.senderAddress = sender;
  packet.setTarget(target0, target4);
  packet.targetAddress = target;
  ethernetOutput(buffer, destination0, destination4, ETHERTYPE_ARP);
  releaseBuffer(buffer);
}

/** Tells the link our address, or defends it (RFC 5227, 2.3 and 2.4). */
export function arpAnnounce(): void {
  const own = networkInterface().address;
  if (own != 0) sendPacket(ARP_REQUEST, own, own, BROADCAST0, BROADCAST4, 0, 0);
}

// ---- Input ----

/** An ARP packet; borrows the buffer. */
export function arpInput(buffer: PacketBuffer): void {
  const counters = networkCounters();
  const packet = changetype<ArpPacket>(buffer.data);
  if (
    !ArpPacket.check(buffer.data, buffer.length) ||
    isGroupAddress(packet.sender0) ||
    (packet.sender0 == 0 && packet.sender4 == 0)
  ) {
    counters.arpMalformed++;
    return;
  }
  const networkInterface_ = networkInterface();
  const own = networkInterface_.address;
  if (own == 0) return;
  const sender = packet.senderAddress;
  const target = packet.targetAddress;
  const request = packet.operation == ARP_REQUEST;
  if (sender == own) {
    conflict(packet);
    return;
  }
  // Sender 0: a host that probes whether the address is in use (RFC 5227, 2.1.1). It is answered, and nothing is learnt.
  if (sender != 0) {
    if (!isUnicast(sender) || !isOnLink(sender) || isBroadcast(sender)) {
      counters.arpUnsolicited++;
      return;
    }
    learn(packet, sender, request, target == own);
  }
  if (request && target == own) {
    counters.arpRepliesSent++;
    sendPacket(ARP_REPLY, own, sender, packet.sender0, packet.sender4, packet.sender0, packet.sender4);
  }
}

/** What a packet of another host says about its link address. See the head of this file for the policy. */
function learn(packet: ArpPacket, sender: u32, request: bool, forUs: bool): void {
  const link0 = packet.sender0;
  const link4 = packet.sender4;
  const found = arpFind(sender);
  if (found === null) {
    if (request && forUs) neighbourLearnt(0, mapped(sender), link0, link4);
    else if (!request) networkCounters().arpUnsolicited++;
    return;
  }
  if (found.state == NEIGHBOUR_INCOMPLETE || found.state == NEIGHBOUR_PROBE) {
    // Ours is outstanding. A packet that is not for us is no answer.
    if (forUs) neighbourAnswers(found, link0, link4);
    return;
  }
  if (!request) networkCounters().arpUnsolicited++;
  if (found.link0 != link0 || found.link4 != link4) neighbourDoubted(found);
}

/** Someone else uses our address: say so, and defend it, but not more often than RFC 5227, 2.4 (b) allows. */
function conflict(packet: ArpPacket): void {
  const device = networkInterface().device;
  // Our own packet, sent back by a bridge.
  if (packet.sender0 == device.address0 && packet.sender4 == device.address4) return;
  networkCounters().arpConflicts++;
  const time = now();
  if (time < nextDefence) return;
  nextDefence = time + DEFEND_TIME;
  if (logStart(LOG_WARNING, "arp")) {
    logText("address conflict: ");
    logMac(packet.sender0, packet.sender4);
    logText(" also uses ");
    logAddress(packet.senderAddress);
    logEnd();
  }
  arpAnnounce();
}
