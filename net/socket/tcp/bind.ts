/** Local ports: `bind`, and ephemeral ports at random (RFC 6056, algorithm 1). */
import { EADDRINUSE, EADDRNOTAVAIL, EINVAL } from "../../../kernel/errno";
import { random32 } from "../../../kernel/random";
import { isLocalAddress } from "../../interface";
import { SOCKET_REUSE } from "../socket";
import { TcpConnection } from "./connection";
import { findBound, insertBound, tupleInUse } from "./demux";
import { EPHEMERAL_COUNT, EPHEMERAL_FIRST } from "./parameters";
import { TCP_CLOSE } from "./state";

/** Ports looked at before the search is given up. */
const TRIES: u32 = 1024;

/**
 * `bind`: 0, -EINVAL when bound or connected, -EADDRNOTAVAIL, -EADDRINUSE. A port is in use while another socket is
 * bound to it, unless both have SO_REUSEADDR and the other one does not listen; connections that remain from before, in TIME-WAIT for
 * instance, are no hindrance.
 */
export function bindTo(c: TcpConnection, address: u32, port: u32): i32 {
  if (c.state != TCP_CLOSE || c.localPort != 0) return -EINVAL;
  if (address != 0 && !isLocalAddress(address)) return -EADDRNOTAVAIL;
  if (port > 65535) return -EINVAL;
  if (port != 0 && findBound(address, port, (c.flags & SOCKET_REUSE) != 0) !== null) return -EADDRINUSE;
  c.localAddress = address;
  if (port == 0) return bindEphemeral(c) ? 0 : -EADDRINUSE;
  c.localPort = <u16>port;
  insertBound(c);
  return 0;
}

/** Binds to a port that no one else is bound to. False: none was found. */
export function bindEphemeral(c: TcpConnection): bool {
  let offset = random32() % EPHEMERAL_COUNT;
  for (let i: u32 = 0; i < TRIES; i++) {
    const port = EPHEMERAL_FIRST + offset;
    if (findBound(c.localAddress, port) === null) {
      c.localPort = <u16>port;
      insertBound(c);
      return true;
    }
    offset = (offset + 1) % EPHEMERAL_COUNT;
  }
  return false;
}

/** A port for a connection from `local` to `remote`: nobody is bound to it and the four-tuple is free. 0: none was found. */
export function ephemeralPort(local: u32, remote: u32, remotePort: u32): u32 {
  let offset = random32() % EPHEMERAL_COUNT;
  for (let i: u32 = 0; i < TRIES; i++) {
    const port = EPHEMERAL_FIRST + offset;
    if (findBound(local, port) === null && !tupleInUse(local, remote, port, remotePort)) return port;
    offset = (offset + 1) % EPHEMERAL_COUNT;
  }
  return 0;
}
