/**
 * Local ports: `bind`, and ephemeral ports. Those of connections follow a counter that belongs to some destinations, from a place that is secret for each
 * (RFC 6056, 3.3.4, algorithm 4): so a port comes again toward the same destination when all others have had their turn, and nobody else can tell which one is next.
 * Those of sockets that have no destination yet are random.
 *
 * A search looks at few ports, and is continued by another call (PORT_SEARCHES): so no section is long, however many are taken.
 */
import { EADDRINUSE, EADDRNOTAVAIL, EAGAIN, EINVAL } from "../../../kernel/errno";
import { FRAME_SIZE } from "../../../kernel/memory/frames";
import { fillRandom, random32 } from "../../../kernel/random";
import { Endpoint, Flow, flowHash, HASH_PORT, HASH_TABLE } from "../../flow";
import { isOurs } from "../../ip";
import { PORT_SEARCHES, SOCKET_REUSE } from "../socket";
import { TcpConnection } from "./connection";
import { findConnection, findTimeWait, insertBound, isBound } from "./demux";
import { EPHEMERAL_COUNT, EPHEMERAL_FIRST } from "./parameters";
import { openRequest } from "./request";
import { TCP_CLOSE } from "./state";
import { mayTakeOver, TimeWait } from "./timewait";

/** Flows looked at in one call, 20 (each some 650 instructions with IPv6): all of them in PORT_SEARCHES. */
const FLOW_TRIES: u32 = (EPHEMERAL_COUNT - 1) / PORT_SEARCHES + 1;
/** Ports looked at in one call that are for any destination: they cost less. */
const PORT_TRIES: u32 = 4 * FLOW_TRIES;

const COUNTERS: u32 = <u32>(FRAME_SIZE / 4);
let counters: usize = 0;

/** Once at boot. `frame`: for the counters. */
export function initializeBind(frame: usize): void {
  counters = frame;
  fillRandom(frame, FRAME_SIZE);
}

/**
 * `bind`: 0, -EINVAL when bound or connected, -EADDRNOTAVAIL, -EADDRINUSE, -ENOBUFS; for port 0 -EAGAIN: none was found yet. A port is in use while another socket is
 * bound to it, unless both have SO_REUSEADDR and the other one does not listen; connections that remain from before, in TIME-WAIT for
 * instance, are no hindrance.
 */
export function bindTo(c: TcpConnection, name: Endpoint): i32 {
  const local = c.flow.local;
  if (c.state != TCP_CLOSE || local.port != 0) return -EINVAL;
  if (!name.isAny && !isOurs(name)) return -EADDRNOTAVAIL;
  if (name.port != 0 && isBound(name, (c.flags & SOCKET_REUSE) != 0)) return -EADDRINUSE;
  local.copy(name);
  const result = name.port == 0 ? bindEphemeral(c) : insertBound(c);
  if (result < 0) {
    c.clearAddress(local);
    local.port = 0;
  }
  return result;
}

/** Binds to a port that no one else is bound to. 0, -ENOBUFS, or -EAGAIN: there was none among some random ones. */
export function bindEphemeral(c: TcpConnection): i32 {
  const local = c.flow.local;
  let offset = random32() % EPHEMERAL_COUNT;
  // In steps of a random odd length: a run of ports that are taken is left at once.
  const step = (random32() & 0xffff) | 1;
  for (let i: u32 = 0; i < PORT_TRIES; i++) {
    local.port = EPHEMERAL_FIRST + offset;
    if (!isBound(local)) {
      const result = insertBound(c);
      if (result < 0) local.port = 0;
      return result;
    }
    offset = (offset + step) % EPHEMERAL_COUNT;
  }
  local.port = 0;
  return -EAGAIN;
}

/**
 * Sets the local port of `flow` to one to which nobody is bound, and with which the flow is free. 0, or -EAGAIN: there was none among the next
 * ones; those behind them are the next call's.
 */
export function chooseEphemeral(flow: Flow): i32 {
  const local = flow.local;
  local.port = 0;
  const hash = flowHash(flow, HASH_PORT);
  const counter = counters + (((<usize>(hash >> 32)) & (COUNTERS - 1)) << 2);
  let next = load<u32>(counter);
  for (let i: u32 = 0; i < FLOW_TRIES; i++) {
    local.port = EPHEMERAL_FIRST + ((<u32>hash + next) % EPHEMERAL_COUNT);
    next++;
    if (!isBound(local) && isFree(flow)) {
      store<u32>(counter, next);
      return 0;
    }
  }
  store<u32>(counter, next);
  return -EAGAIN;
}

/** What `isFree` has found last: the connection in TIME-WAIT that the flow may be taken over from; null: there is none. */
export let former: TimeWait | null = null;

/** May an active open use the flow? */
export function isFree(flow: Flow): bool {
  const hash = <u32>flowHash(flow, HASH_TABLE);
  former = null;
  if (findConnection(hash, flow) !== null || openRequest(hash, flow) !== null) return false;
  const t = findTimeWait(hash, flow);
  if (t === null) return true;
  former = t;
  return mayTakeOver(t);
}
