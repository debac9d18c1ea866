/**
 * One counter for every reason for which the stack drops something, and for a few things worth knowing: a malformed
 * frame, header or option is counted and dropped, never trusted. What the driver drops is in NetworkDevice, what TCP drops in TCP.
 */

@unmanaged
export class NetworkCounters {
  // ---- Ethernet ----
  /** Shorter than a header. */
  frameTooShort: u64;
  /** The source is a group address. */
  frameBadSource: u64;
  frameNotForUs: u64;
  frameUnknownType: u64;
  /** Of another VLAN than ours, or without a tag, or with one of priority only (VLAN 0), while we are in one; with a tag behind the tag. */
  frameOtherVlan: u64;
  frameNestedTag: u64;
  /** The device refused a frame to send. */
  frameNotSent: u64;

  // ---- ARP, and neighbour discovery where it is the same ----
  /** Not IPv4 over Ethernet, too short, no such operation, impossible sender. */
  arpMalformed: u64;
  /** A reply that nobody had asked for, or a sender that is not on this link. */
  arpUnsolicited: u64;
  /** Another host uses our address. */
  arpConflicts: u64;
  arpRequestsSent: u64;
  arpRepliesSent: u64;
  /** Entries that had to go because the cache was full. */
  arpEvicted: u64;
  /** Packets dropped while they waited: their queue was full, or their entry was evicted. */
  arpQueueDropped: u64;
  /** Packets dropped because nobody answered (the transport hears of it as "host unreachable"). */
  arpUnresolved: u64;

  // ---- IPv4 ----
  ipReceived: u64;
  ipBadVersion: u64;
  ipBadHeaderLength: u64;
  ipBadLength: u64;
  ipBadChecksum: u64;
  ipBadOption: u64;
  ipSourceRoute: u64;
  /** A source that no host on the wire can have: broadcast, multicast, loopback, our own, 0.0.0.0. */
  ipBadSource: u64;
  /** A destination that cannot come over the wire (loopback), or a unicast one in a link broadcast. */
  ipBadDestination: u64;
  ipNotForUs: u64;
  /** Fragments that came, and datagrams that were put together from them (net/reassembly.ts). */
  ipFragments: u64;
  ipReassembled: u64;
  /** Fragments that no honest sender makes: empty, too short, beyond 65,535 bytes, or with a part of the transport's header. */
  ipBadFragments: u64;
  /** Datagrams given up because fragments of theirs overlapped or contradicted each other, and what still came of them. */
  ipFragmentOverlaps: u64;
  /** Datagrams of which something was still missing when their time was over. */
  ipFragmentTimeouts: u64;
  /** Datagrams given up for lack of room: too many of them, or too many pieces. */
  ipFragmentOverflows: u64;
  /** Fragments sent. */
  ipFragmentsSent: u64;
  ipNoTransport: u64;
  /** For a socket of a lower level, at which too many waited already (net/packets.ts). */
  packetsDropped: u64;
  ipSent: u64;
  ipNoRoute: u64;
  ipTooBig: u64;
  /** No buffer, or the loopback queue full. */
  ipNoBuffer: u64;

  // ---- IPv6, beside what it counts above ----
  ip6Received: u64;
  ip6Sent: u64;
  /** Extension headers that are malformed, too many, or want what we do not do. */
  ip6BadExtension: u64;
  /** Neighbour discovery with a wrong hop limit, code, length, option or address. */
  ndMalformed: u64;
  /** Prefixes that no addresses can be made from. */
  ndIgnored: u64;
  /** Router advertisements that were followed. */
  ndAdvertisements: u64;
  /** Routers, prefixes and addresses beyond the limits. */
  ndNoRoom: u64;
  /** Addresses of ours that another host has. */
  ndDuplicates: u64;

  // ---- ICMP and ICMPv6 ----
  icmpMalformed: u64;
  icmpBadChecksum: u64;
  /** Types that mean nothing to a host without a user for them. */
  icmpIgnored: u64;
  /** Errors that are not about a packet that we can have sent. */
  icmpBadEmbedded: u64;
  icmpErrorsReceived: u64;
  icmpErrorsSent: u64;
  icmpRateLimited: u64;
  icmpEchoes: u64;

  // ---- UDP ----
  udpReceived: u64;
  udpSent: u64;
  udpMalformed: u64;
  udpBadChecksum: u64;
  udpNoPort: u64;
  /** A socket's queue, or all of them together, at their limit. */
  udpQueueFull: u64;

  // ---- What sockets receive ----
  /** Bytes of payload given to applications: of a stream or a datagram once for each that is given them, and again after a look with MSG_PEEK. */
  payloadDelivered: u64;
  /**
   * Bytes of payload copied between the receive ring and the applications: each delivery is one copy (net/socket/payload.ts). What is beyond
   * payloadDelivered was copied a second time: small segments and fragments that were put together (tcp/reassembly.ts and net/pieces.ts say when).
   */
  payloadCopied: u64;

  // ---- DHCP ----
  dhcpMalformed: u64;
  /** Messages of others, or out of turn. */
  dhcpIgnored: u64;
}

let counters: NetworkCounters = changetype<NetworkCounters>(0);

/** Once at boot. `storage`: offsetof<NetworkCounters>() bytes, 8-aligned. */
export function initializeCounters(storage: usize): void {
  memory.fill(storage, 0, offsetof<NetworkCounters>());
  counters = changetype<NetworkCounters>(storage);
}

// @ts-ignore: decorator
@inline
export function networkCounters(): NetworkCounters {
  return counters;
}

/** Received frames and packets that were dropped for being malformed or refused, all reasons together. */
export function droppedPackets(): u64 {
  const c = counters;
  return (
    c.frameTooShort +
    c.frameBadSource +
    c.frameUnknownType +
    c.frameOtherVlan +
    c.frameNestedTag +
    c.arpMalformed +
    c.ipBadVersion +
    c.ipBadHeaderLength +
    c.ipBadLength +
    c.ipBadChecksum +
    c.ipBadOption +
    c.ipSourceRoute +
    c.ipBadSource +
    c.ipBadDestination +
    c.ipBadFragments +
    c.ipFragmentOverlaps +
    c.ipFragmentTimeouts +
    c.ipFragmentOverflows +
    c.ipNoTransport +
    c.packetsDropped +
    c.ip6BadExtension +
    c.ndMalformed +
    c.icmpMalformed +
    c.icmpBadChecksum +
    c.icmpBadEmbedded +
    c.udpMalformed +
    c.udpBadChecksum +
    c.udpNoPort +
    c.udpQueueFull +
    c.dhcpMalformed
  );
}
