/** What TCP counts (RFC 4022's names where it has them). Totals since boot unless said otherwise. */

@unmanaged
export class TcpStatistics {
  segmentsIn: u64;
  segmentsOut: u64;
  retransmitted: u64;
  /** Dropped: shorter than their header says, options past the end, wrong checksum, not unicast. */
  malformed: u64;
  badChecksum: u64;
  activeOpens: u64;
  passiveOpens: u64;
  /** Opens that ended before ESTABLISHED. */
  attemptsFailed: u64;
  /** Connections that were ESTABLISHED or CLOSE-WAIT and were reset. */
  establishedResets: u64;
  /** Now in ESTABLISHED or CLOSE-WAIT. */
  established: u32;
  /** Now closed by their application and still in the protocol's care. */
  orphans: u32;
  resetsOut: u64;
  resetsIn: u64;
  /** Connections that were given up. */
  timeouts: u64;
  fastRetransmits: u64;
  outOfOrder: u64;
  duplicates: u64;
  /** Segments dropped because a queue or the pool was full. */
  memoryDrops: u64;
  challengeAcks: u64;
  pawsRejected: u64;
  cookiesSent: u64;
  cookiesAccepted: u64;
  cookiesFailed: u64;
  /** SYN or final acknowledgement dropped: the accept queue was full, or no connection was to be had, or, over TIME-WAIT, no request. */
  listenOverflows: u64;
  /** Connections in TIME-WAIT that made room before their time; that were not remembered at all; that an active open of ours took over. */
  timeWaitRecycled: u64;
  timeWaitLost: u64;
  timeWaitReused: u64;
  zeroWindowProbes: u64;
  /** Duplicates that were reported to their sender (RFC 2883). */
  duplicatesReported: u64;
  /** Duplicates that a peer reported to us. */
  duplicatesHeardOf: u64;
  tailProbes: u64;
  /** Retransmission time-outs. */
  retransmitTimeouts: u64;
  /** Reductions that were taken back: nothing had been lost. */
  undone: u64;
  /** Windows that were reduced because a router had marked a packet (RFC 3168). */
  congestionEchoes: u64;
  /** Peers that took back a selective acknowledgement. */
  reneged: u64;
  keepAliveProbes: u64;
}

export let statistics: TcpStatistics = changetype<TcpStatistics>(0);

/** `storage`: zeroed, `offsetof<TcpStatistics>()` bytes. */
export function initializeStatistics(storage: usize): void {
  statistics = changetype<TcpStatistics>(storage);
}
