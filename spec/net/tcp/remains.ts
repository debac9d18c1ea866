/** Connections in TIME-WAIT without the segments that lead there: as many as a spec wants. */
import { flowHash, HASH_TABLE } from "../../../net/flow";
import { seconds } from "../../../net/socket/tcp/clock";
import { allocateConnection, freeConnection, HAS_TIMESTAMPS } from "../../../net/socket/tcp/connection";
import { findTimeWait, insertConnection, removeConnection } from "../../../net/socket/tcp/demux";
import { rememberTimeWait, TimeWait } from "../../../net/socket/tcp/timewait";
import { flowOf } from "../addresses";
import { PEER_ISN } from "./script";
import { OWN, PEER } from "./world";

/** A connection between these ports of OWN and PEER, closed by both, leaves a TIME-WAIT behind. `stamp`: the peer's last timestamp; 0: it had none. */
export function leave(localPort: u32, remotePort: u32, stamp: u32): void {
  const c = allocateConnection()!;
  c.flow.copy(flowOf(OWN, localPort, PEER, remotePort));
  c.RCV_NXT = PEER_ISN + 2;
  c.receiveEdge = c.RCV_NXT + 1000;
  c.timestampRecent = stamp;
  c.timestampAge = seconds();
  if (stamp != 0) c.status |= HAS_TIMESTAMPS;
  insertConnection(c, <u32>flowHash(c.flow, HASH_TABLE));
  rememberTimeWait(c);
  removeConnection(c);
  freeConnection(c);
}

/** What is left of it; null: nothing. */
export function find(localPort: u32, remotePort: u32): TimeWait | null {
  const flow = flowOf(OWN, localPort, PEER, remotePort);
  return findTimeWait(<u32>flowHash(flow, HASH_TABLE), flow);
}
