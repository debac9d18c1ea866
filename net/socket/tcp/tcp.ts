/**
 * TCP (RFC 9293): the operations that a socket of this transport has, and its place at boot.
 *
 *   input.ts     demux.ts ─> receive.ts (acknowledge, reassembly, synsent) | request.ts, listen.ts, cookie.ts | timewait.ts
 *   stream.ts    what the application sends and reads          connect.ts, bind.ts, listen.ts, close.ts: its calls
 *   pending.ts, flush.ts: when ─> send.ts: what may leave ─> transmit.ts                 congestion.ts (cubic, hystart), rtt.ts, window.ts: how much
 *   acknowledge.ts ─> delivered.ts, scoreboard.ts              what has become of each segment
 *                  ─> rack.ts, probe.ts, recovery.ts           what is lost, and how the window comes down
 *   timers.ts    retransmission.ts (what is next), persist, end of life, delayed ACK ─> failure.ts (when to give up), keepalive.ts
 *   urgent.ts    the urgent pointers                           socket-options.ts, info.ts: what applications set and ask
 *   sack.ts, ecn.ts                                            what is said of the segments that have come
 */
import { Link } from "../../../kernel/list";
import { allocateFrames, FRAME_SIZE } from "../../../kernel/memory/frames";
import { Pool } from "../../../kernel/memory/pool";
import { Timer, TIMER_SIZE } from "../../../kernel/time/timers";
import { BUFFER_SIZE, bufferPool } from "../../buffer";
import { Endpoint, FLOW_SIZE } from "../../flow";
import { registerTransport } from "../../transports";
import { IPPROTO_TCP, Socket, SocketProtocol } from "../socket";
import { bindTo, initializeBind } from "./bind";
import { abortConnection, closeConnection, setOrphanLimit, shutdownConnection } from "./close";
import { allocateConnection, initializeConnections, setBufferLimits, TcpConnection } from "./connection";
import { connectTo } from "./connect";
import { DEMUX_STORAGE, initializeDemux, reuseChanged } from "./demux";
import { tcpError, tcpInput, tcpDestination } from "./input";
import { sendPoll } from "./flush";
import { acceptFrom, initializeListeners, listenersClosing, listenOn } from "./listen";
import { RECEIVE_LIMIT, RECEIVE_LIMIT_MINIMUM, SEND_BUFFERS, SEND_BUFFERS_MINIMUM } from "./parameters";
import { initializeRequests, REQUEST_QUEUES_SIZE, requestsExpired } from "./request";
import { initializeSack } from "./sack";
import { initializeSegment, Segment } from "./segment";
import { initializePending, PENDING_STORAGE, pendingRanked } from "./pending";
import { feedStarved, initializeStarved } from "./starved";
import { initializeStatistics, statistics, TcpStatistics } from "./statistics";
import { consume, endOf, fill, fillError, poll, push } from "./stream";
import { initializeTimeWait, timeWaitExpired } from "./timewait";
import { ackExpired, retransmitExpired, timersRanked } from "./timers";
import { usableWindow } from "./window";

export { TcpConnection } from "./connection";
export { TcpStatistics } from "./statistics";

/** Most half-open requests in all listeners together, and listeners; one that is closed counts until the last of its requests is given up, some ticks later. */
export const REQUEST_LIMIT: u32 = 2048;
export const LISTENER_LIMIT: u32 = 256;

let operations: SocketProtocol = changetype<SocketProtocol>(0);
/** Where the next of the objects that live for ever goes, and where their room ends. */
let storage: usize = 0;
let storageEnd: usize = 0;

function take(bytes: usize): usize {
  const address = storage;
  storage += (bytes + 7) & ~7;
  assert(storage <= storageEnd);
  return address;
}

/**
 * Once at boot, after frames, the buffer pool, clock, wheel, random and IPv4. `maxConnections`: sockets and orphans there may be, `maxTimeWaits`:
 * connections in TIME-WAIT that nobody has open. Memory is taken as they come, 64 bytes for one of the latter; at once only some 12 and 4 bytes for each in the
 * tables. False: no memory for that.
 */
export function initializeTcp(maxConnections: u32, maxTimeWaits: u32): bool {
  storage = allocateFrames(0);
  const counters = allocateFrames(0);
  if (storage == 0 || counters == 0) return false;
  memory.fill(storage, 0, FRAME_SIZE);
  storageEnd = storage + FRAME_SIZE;
  initializeBind(counters);
  if (!initializeDemux(maxConnections, maxTimeWaits, take(DEMUX_STORAGE))) return false;
  operations = changetype<SocketProtocol>(take(offsetof<SocketProtocol>()));
  fillOperations();
  initializeStatistics(take(offsetof<TcpStatistics>()));
  initializeSegment(take(offsetof<Segment>()));
  initializePending(take(PENDING_STORAGE), sendPoll.index);
  initializeConnections(
    changetype<Pool>(take(offsetof<Pool>())),
    maxConnections,
    operations,
    retransmitExpired.index,
    ackExpired.index,
  );
  initializeSack(changetype<Pool>(take(offsetof<Pool>())), maxConnections);
  initializeListeners(
    changetype<Pool>(take(offsetof<Pool>())),
    LISTENER_LIMIT,
    changetype<Link>(take(offsetof<Link>())),
    changetype<Timer>(take(TIMER_SIZE)),
    listenersClosing.index,
  );
  initializeRequests(
    changetype<Pool>(take(offsetof<Pool>())),
    REQUEST_LIMIT,
    take(REQUEST_QUEUES_SIZE),
    changetype<Timer>(take(TIMER_SIZE)),
    requestsExpired.index,
  );
  initializeTimeWait(
    changetype<Pool>(take(offsetof<Pool>())),
    maxTimeWaits,
    changetype<Link>(take(offsetof<Link>())),
    take(FLOW_SIZE),
    changetype<Timer>(take(TIMER_SIZE)),
    timeWaitExpired.index,
  );
  initializeStarved(
    changetype<Link>(take(offsetof<Link>())),
    changetype<Timer>(take(TIMER_SIZE)),
    feedStarved.index,
  );
  setOrphanLimit(max<u32>(maxConnections / 4, 64));
  chooseBufferLimits();
  registerTransport(IPPROTO_TCP, tcpInput.index, tcpDestination.index, tcpError.index);
  return true;
}

/** One connection may hold an eighth of the packet buffers in each direction, within the limits of parameters.ts. */
function chooseBufferLimits(): void {
  const share = bufferPool().limit / 8;
  setBufferLimits(
    max(RECEIVE_LIMIT_MINIMUM, min<u32>(share * (BUFFER_SIZE / 2), RECEIVE_LIMIT)),
    max(SEND_BUFFERS_MINIMUM, min<u32>(share, SEND_BUFFERS)),
  );
}

function fillOperations(): void {
  operations.bind = bindOperation.index;
  operations.listen = listenOperation.index;
  operations.accept = acceptOperation.index;
  operations.connect = connectOperation.index;
  operations.poll = pollOperation.index;
  operations.consume = consumeOperation.index;
  operations.end = endOperation.index;
  operations.fill = fillOperation.index;
  operations.fillError = fillErrorOperation.index;
  operations.push = pushOperation.index;
  operations.shutdown = shutdownOperation.index;
  operations.close = closeOperation.index;
  operations.abort = abortOperation.index;
  operations.room = roomOperation.index;
  operations.ranked = rankedOperation.index;
  operations.shared = sharedOperation.index;
}

export function tcpStatistics(): TcpStatistics {
  return statistics;
}

/** A new IPv4 socket in CLOSE, or null when there are as many as there may be. */
export function tcpCreate(): Socket | null {
  const connection = allocateConnection();
  if (connection !== null) connection.flow.clearIpv4();
  return connection;
}

/** Work that waits for it is of its new level, too. */
function rankedOperation(c: TcpConnection): void {
  timersRanked(c);
  pendingRanked(c);
}

// ---- The operations, as net/socket/socket.ts describes them ----

// @ts-ignore: decorator
@inline
function connectionOf(socket: Socket): TcpConnection {
  return changetype<TcpConnection>(socket);
}

function bindOperation(socket: Socket, name: Endpoint): i32 {
  return bindTo(connectionOf(socket), name);
}

function listenOperation(socket: Socket, backlog: i32): i32 {
  return listenOn(connectionOf(socket), backlog);
}

function acceptOperation(socket: Socket): Socket | null {
  return acceptFrom(connectionOf(socket));
}

function connectOperation(socket: Socket, name: Endpoint): i32 {
  return connectTo(connectionOf(socket), name);
}

function pollOperation(socket: Socket): u32 {
  return poll(connectionOf(socket));
}

function consumeOperation(socket: Socket, bytes: u32): void {
  consume(connectionOf(socket), bytes);
}

function fillOperation(socket: Socket, total: u32): u32 {
  return fill(connectionOf(socket), total);
}

function fillErrorOperation(socket: Socket): i32 {
  return fillError();
}

function pushOperation(socket: Socket, marks: u32): void {
  push(connectionOf(socket), marks);
}

function shutdownOperation(socket: Socket, how: i32): i32 {
  return shutdownConnection(connectionOf(socket), how);
}

function closeOperation(socket: Socket): void {
  closeConnection(connectionOf(socket));
}

function abortOperation(socket: Socket): void {
  abortConnection(connectionOf(socket));
}

function roomOperation(socket: Socket): u32 {
  return usableWindow(connectionOf(socket));
}

function sharedOperation(socket: Socket): void {
  reuseChanged(connectionOf(socket));
}

function endOperation(socket: Socket): i32 {
  return endOf(connectionOf(socket));
}
