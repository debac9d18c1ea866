/**
 * ARP (RFC 826; RFC 1122, 2.3.2; announcements of RFC 5227).
 *
 *     (none) ──packet to send──> INCOMPLETE ──answer──> REACHABLE ──30 s, or doubt──> STALE
 *        └────request for us─────────────────────────────────────────────────────────> │
 *     REACHABLE <──answer── PROBE <──packet to send (which is sent at once)────────────┘
 *     INCOMPLETE, PROBE ──three requests unanswered──> (none)
 *
 * Against poisoning: only a request of ours that is outstanding (INCOMPLETE, PROBE) lets a packet set a link address. A request that asks
 * for us makes an entry where there was none, STALE, so that we verify it when we use it. Any other claim changes no link address:
 * when it contradicts an entry, the entry becomes STALE and doubted, and its next use asks the whole link (a neighbour that moved is
 * found again within one round trip of that). Replies that nobody asked for make no entry.
 */
import { ENOBUFS } from "../kernel/errno";
import { LOG_WARNING, logAddress, logEnd, logMac, logStart, logText } from "../kernel/console";
import { now } from "../kernel/time/clock";
import { Timer, timerPrepare, timerStart, timerStop } from "../kernel/time/timers";
import {
  ARP_CACHE_STORAGE,
  ArpEntry,
  arpFind,
  arpInsert,
  arpIsFree,
  arpMove,
  arpRemove,
  arpTouch,
  arpVictim,
  CLASS_LEARNED,
  CLASS_PENDING,
  CLASS_RESOLVED,
  initializeArpCache,
} from "./arp-cache";
import {
  allocateBuffer,
  BUFFER_HEADROOM,
  BUFFER_RETAINED,
  CHECKSUM_PARTIAL,
  PacketBuffer,
  releaseBuffer,
} from "./buffer";
import { networkCounters } from "./counters";
import { reportTransportError } from "./errors";
import { ethernetOutput } from "./ethernet";
import { isBroadcast, isOnLink, isUnicast, linkIsUp, networkInterface } from "./interface";
import { ARP_LENGTH, ARP_REPLY, ARP_REQUEST, ArpPacket } from "./wire/arp";
import { BROADCAST0, BROADCAST4, ETHERTYPE_ARP, ETHERTYPE_IPV4, isGroupAddress } from "./wire/ethernet";
import { ICMP_HOST_UNREACHABLE, ICMP_UNREACHABLE } from "./wire/icmp";

export const ARP_INCOMPLETE: u8 = 1;
export const ARP_REACHABLE: u8 = 2;
export const ARP_STALE: u8 = 3;
export const ARP_PROBE: u8 = 4;

/** How long an answer is believed, between requests, and between two defences of our address, in ns. */
export const ARP_REACHABLE_TIME: u64 = 30_000_000_000;
export const ARP_RETRY_TIME: u64 = 1_000_000_000;
const DEFEND_TIME: u64 = 10_000_000_000;
/** Requests before we give up. */
export const ARP_TRIES: u32 = 3;
/** Packets that wait for one link address, and for all together. */
export const ARP_QUEUE: u32 = 4;
export const ARP_QUEUE_TOTAL: u32 = 64;

export { ARP_CACHE_STORAGE as ARP_STORAGE } from "./arp-cache";

let queued: u32 = 0;
let nextDefence: u64 = 0;

/** Once at boot. `storage`: ARP_STORAGE bytes. */
export function initializeArp(storage: usize): void {
  queued = 0;
  nextDefence = 0;
  initializeArpCache(storage, prepareEntry.index);
}

function prepareEntry(entry: ArpEntry): void {
  timerPrepare(entry.timer, onTimer.index);
}

/** Packets that wait for a link address now. */
export function arpQueued(): u32 {
  return queued;
}

// ---- Output ----

/**
 * Sends the IPv4 packet in `buffer`, which it borrows, to the neighbour `address`. 0 when it was sent or waits, or -ENOBUFS. The
 * link is up.
 */
export function arpOutput(buffer: PacketBuffer, address: u32): i32 {
  const entry = arpFind(address);
  if (entry === null) return startResolution(buffer, address);
  if (entry.state == ARP_INCOMPLETE) return enqueue(entry, buffer);
  if (entry.class == CLASS_RESOLVED) arpTouch(entry);
  else arpMove(entry, CLASS_RESOLVED);
  const link0 = entry.link0;
  const link4 = entry.link4;
  if (entry.state == ARP_STALE) {
    entry.state = ARP_PROBE;
    entry.tries = 0;
    ask(entry);
  }
  return ethernetOutput(buffer, link0, link4, ETHERTYPE_IPV4);
}

/** What is sent to the neighbour `address` does not seem to arrive: the next packet to it asks the whole link for it. */
export function arpDoubt(address: u32): void {
  const entry = arpFind(address);
  if (entry === null || (entry.state != ARP_REACHABLE && entry.state != ARP_STALE)) return;
  doubt(entry);
}

function doubt(entry: ArpEntry): void {
  timerStop(entry.timer);
  entry.state = ARP_STALE;
  entry.doubted = 1;
}

function startResolution(buffer: PacketBuffer, address: u32): i32 {
  // There always is one: no class is protected from PENDING.
  const entry = changetype<ArpEntry>(changetype<usize>(makeRoom(CLASS_PENDING)));
  arpInsert(entry, address, CLASS_PENDING);
  entry.state = ARP_INCOMPLETE;
  entry.tries = 0;
  entry.doubted = 0;
  const result = enqueue(entry, buffer);
  ask(entry);
  return result;
}

/** A free entry for `class_`; null when none may be had. */
function makeRoom(class_: u32): ArpEntry | null {
  const entry = arpVictim(class_);
  if (entry !== null && !arpIsFree(entry)) {
    const counters = networkCounters();
    counters.arpEvicted++;
    counters.arpQueueDropped += entry.queue.count;
    forget(entry);
  }
  return entry;
}

/** Drops what waits, and frees the entry. */
function forget(entry: ArpEntry): void {
  timerStop(entry.timer);
  queued -= entry.queue.count;
  entry.queue.clear();
  arpRemove(entry);
}

/** Keeps the packet until the link address is known; the oldest one goes when there are too many. */
function enqueue(entry: ArpEntry, buffer: PacketBuffer): i32 {
  const queue = entry.queue;
  if (queue.count >= ARP_QUEUE || (queued >= ARP_QUEUE_TOTAL && queue.count != 0)) {
    const first = queue.take();
    if (first !== null) releaseBuffer(first);
    queued--;
    networkCounters().arpQueueDropped++;
  }
  const kept = queued < ARP_QUEUE_TOTAL ? keep(buffer) : null;
  if (kept === null) {
    networkCounters().arpQueueDropped++;
    return -ENOBUFS;
  }
  queue.append(kept);
  queued++;
  return 0;
}

/** The buffer itself with a reference more, or a copy when the sender will use its bytes again; null: no buffer. */
function keep(buffer: PacketBuffer): PacketBuffer | null {
  if ((buffer.flags & BUFFER_RETAINED) == 0) {
    buffer.references++;
    return buffer;
  }
  const copy = allocateBuffer(0);
  if (copy === null) return null;
  const distance = changetype<usize>(copy) - changetype<usize>(buffer);
  copy.data = buffer.data + distance;
  copy.length = buffer.length;
  copy.flags = buffer.flags & CHECKSUM_PARTIAL;
  copy.checksumStart = buffer.checksumStart + distance;
  copy.checksumOffset = buffer.checksumOffset;
  memory.copy(copy.data, buffer.data, buffer.length);
  return copy;
}

/** The link address is known: sends what waits. */
function sendQueued(entry: ArpEntry): void {
  const queue = entry.queue;
  let buffer = queue.take();
  while (buffer !== null) {
    queued--;
    if (linkIsUp()) ethernetOutput(buffer, entry.link0, entry.link4, ETHERTYPE_IPV4);
    releaseBuffer(buffer);
    buffer = queue.take();
  }
}

// ---- Requests and their time-outs ----

/** Sends a request and starts the timer for the next. The first one of PROBE goes to the old link address only (RFC 1122, 2.3.2.1). */
function ask(entry: ArpEntry): void {
  const unicast = entry.state == ARP_PROBE && entry.tries == 0 && entry.doubted == 0;
  entry.tries++;
  timerStart(entry.timer, now() + ARP_RETRY_TIME);
  const own = networkInterface().address;
  if (unicast) sendPacket(ARP_REQUEST, own, entry.address, entry.link0, entry.link4, 0, 0);
  else sendPacket(ARP_REQUEST, own, entry.address, BROADCAST0, BROADCAST4, 0, 0);
  networkCounters().arpRequestsSent++;
}

function onTimer(timer: Timer): void {
  const entry = ArpEntry.ofTimer(timer);
  if (entry.state == ARP_REACHABLE) {
    entry.state = ARP_STALE;
  } else if (entry.tries < ARP_TRIES) {
    ask(entry);
  } else {
    fail(entry);
  }
}

/** Nobody answers: the senders of what waits are told "host unreachable". */
function fail(entry: ArpEntry): void {
  const queue = entry.queue;
  // The entry goes first: what a transport does about the error may need one.
  const head = queue.head;
  const count = queue.count;
  queue.head = null;
  queue.tail = null;
  queue.count = 0;
  queued -= count;
  arpRemove(entry);
  networkCounters().arpUnresolved += count;
  let buffer = head;
  while (buffer !== null) {
    const next: PacketBuffer | null = buffer.next;
    reportTransportError(ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, 0, buffer.data, buffer.length);
    releaseBuffer(buffer);
    buffer = next;
  }
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
    if (!request || !forUs) {
      if (!request) networkCounters().arpUnsolicited++;
      return;
    }
    const entry = makeRoom(CLASS_LEARNED);
    if (entry === null) return;
    arpInsert(entry, sender, CLASS_LEARNED);
    entry.link0 = link0;
    entry.link4 = link4;
    entry.state = ARP_STALE;
    entry.doubted = 0;
    return;
  }
  const state = found.state;
  if (state == ARP_INCOMPLETE || state == ARP_PROBE) {
    // Ours is outstanding. A packet that is not for us is no answer.
    if (!forUs) return;
    found.link0 = link0;
    found.link4 = link4;
    found.state = ARP_REACHABLE;
    found.doubted = 0;
    arpMove(found, CLASS_RESOLVED);
    timerStart(found.timer, now() + ARP_REACHABLE_TIME);
    sendQueued(found);
    return;
  }
  if (!request) networkCounters().arpUnsolicited++;
  if (found.link0 != link0 || found.link4 != link4) doubt(found);
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
