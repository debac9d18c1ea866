/** Local ports: `bind`, and ephemeral ports at random (RFC 6056, algorithm 1). */
import { EADDRINUSE, EADDRNOTAVAIL, EINVAL } from "../../../kernel/errno";
import { random32 } from "../../../kernel/random";
import { Endpoint, Flow } from "../../flow";
import { isOurs } from "../../ip";
import { SOCKET_REUSE } from "../socket";
import { TcpConnection } from "./connection";
import { findBound, flowInUse, insertBound } from "./demux";
import { EPHEMERAL_COUNT, EPHEMERAL_FIRST } from "./parameters";
import { TCP_CLOSE } from "./state";

/** Ports looked at before the search is given up. */
const TRIES: u32 = 1024;

/**
 * `bind`: 0, -EINVAL when bound or connected, -EADDRNOTAVAIL, -EADDRINUSE. A port is in use while another socket is
 * bound to it, unless both have SO_REUSEADDR and the other one does not listen; connections that remain from before, in TIME-WAIT for
 * instance, are no hindrance.
 */
export function bindTo(c: TcpConnection, name: Endpoint): i32 {
  const local = c.flow.local;
  if (c.state != TCP_CLOSE || local.port != 0) return -EINVAL;
  if (!name.isAny && !isOurs(name)) return -EADDRNOTAVAIL;
  if (name.port != 0 && findBound(name, (c.flags & SOCKET_REUSE) != 0) !== null) return -EADDRINUSE;
  local.copyAddress(name);
  if (name.port == 0) return bindEphemeral(c) ? 0 : -EADDRINUSE;
  local.port = name.port;
  insertBound(c);
  return 0;
}

/** Binds to a port that no one else is bound to. False: none was found. */
export function bindEphemeral(c: TcpConnection): bool {
  const local = c.flow.local;
  let offset = random32() % EPHEMERAL_COUNT;
  for (let i: u32 = 0; i < TRIES; i++) {
    local.port = EPHEMERAL_FIRST + offset;
    if (findBound(local) === null) {
      insertBound(c);
      return true;
    }
    offset = (offset + 1) % EPHEMERAL_COUNT;
  }
  local.port = 0;
  return false;
}

/** Sets the local port of `flow` to one to which nobody is bound, and with which the flow is not in use. False: none was found. */
export function chooseEphemeral(flow: Flow): bool {
  const local = flow.local;
  let offset = random32() % EPHEMERAL_COUNT;
  for (let i: u32 = 0; i < TRIES; i++) {
    local.port = EPHEMERAL_FIRST + offset;
    if (findBound(local) === null && !flowInUse(flow)) return true;
    offset = (offset + 1) % EPHEMERAL_COUNT;
  }
  return false;
}
