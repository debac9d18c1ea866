/** The operations of a UDP socket (net/socket/socket.ts), and its receive queue. */
import { EADDRNOTAVAIL, EAGAIN, EINVAL, ENETUNREACH, ENOTCONN, EOPNOTSUPP } from "../../kernel/errno";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, WAKE_GONE } from "../../kernel/scheduler/wait";
import { PacketBuffer, releaseBuffer } from "../buffer";
import { networkCounters } from "../counters";
import { Endpoint } from "../flow";
import { chooseSource, isOurs, matches } from "../ip";
import { SHUT_RD, SHUT_RDWR, SHUT_WR, Socket, SocketProtocol } from "./socket";
import {
  bindUdpSocket,
  freeUdpSocket,
  outgoing,
  UDP_AUTO_ADDRESS,
  UDP_BOUND,
  UDP_CONNECTED,
  UDP_QUEUE_LEAST,
  UDP_QUEUE_MOST,
  UDP_SHUT_READ,
  UDP_SHUT_WRITE,
  udpConnected,
  udpDisconnected,
  udpShared,
  UdpSocket,
} from "./udp-socket";

/** Buffers in all queues together, and how many there may be. */
let queued: u32 = 0;
let queueLimit: u32 = 0;

export function setUdpQueueLimit(limit: u32): void {
  queued = 0;
  queueLimit = limit;
}

export function udpQueued(): u32 {
  return queued;
}

export function fillUdpProtocol(protocol: SocketProtocol): void {
  protocol.bind = udpBind.index;
  protocol.listen = udpListen.index;
  protocol.accept = udpAccept.index;
  protocol.connect = udpConnect.index;
  protocol.poll = udpPoll.index;
  protocol.consume = udpConsume.index;
  protocol.end = udpEnd.index;
  protocol.fill = udpFill.index;
  protocol.fillError = udpFillError.index;
  protocol.push = udpPush.index;
  protocol.shutdown = udpShutdown.index;
  protocol.close = udpClose.index;
  protocol.abort = udpClose.index;
  protocol.shared = udpShared.index;
}

/** A datagram for the socket, at its payload, its sender in `source`. Takes the reference. */
export function udpEnqueue(socket: UdpSocket, buffer: PacketBuffer): void {
  const length = buffer.wholeLength;
  const pieces = buffer.pieces;
  if (socket.has(UDP_SHUT_READ)) {
    releaseBuffer(buffer);
    return;
  }
  if (
    <i32>pieces > socket.room ||
    socket.receivedBytes + length > socket.receiveLimit ||
    queued + pieces > queueLimit
  ) {
    socket.drops++;
    networkCounters().udpQueueFull++;
    releaseBuffer(buffer);
    return;
  }
  socket.receivedBytes += length;
  socket.room -= pieces;
  queued += pieces;
  socket.received.append(buffer);
  socket.wake(POLLIN, 0);
}

/** SO_RCVBUF: `bytes`, or the next that there may be. What is in the queue stays. */
export function setUdpReceiveLimit(socket: UdpSocket, bytes: u32): void {
  const before = socket.bufferLimit;
  socket.receiveLimit = max(UDP_QUEUE_LEAST, min(bytes, UDP_QUEUE_MOST));
  socket.room += <i32>(socket.bufferLimit - before);
}

function dropQueue(socket: UdpSocket): void {
  const room = <i32>socket.bufferLimit;
  queued -= <u32>(room - socket.room);
  socket.left(socket.received.count);
  socket.receivedBytes = 0;
  socket.room = room;
  socket.received.clear();
}

function udpBind(socket: Socket, name: Endpoint): i32 {
  const self = changetype<UdpSocket>(socket);
  if (self.has(UDP_BOUND)) return -EINVAL;
  if (!name.isAny && !isOurs(name)) return -EADDRNOTAVAIL;
  return bindUdpSocket(self, name);
}

function udpListen(socket: Socket, backlog: i32): i32 {
  return -EOPNOTSUPP;
}

function udpAccept(socket: Socket): usize {
  return 0;
}

/** Sets the peer; address and port 0 take it away. */
function udpConnect(socket: Socket, name: Endpoint): i32 {
  const self = changetype<UdpSocket>(socket);
  if (name.isAny && name.port == 0) {
    disconnect(self);
    return 0;
  }
  if (name.port == 0) return -EINVAL;
  outgoing.remote.copy(name);
  if (!matches(self.flow.local, name) || !chooseSource(outgoing)) return -ENETUNREACH;
  if (!self.has(UDP_BOUND)) {
    const result = bindUdpSocket(self, self.flow.local);
    if (result < 0) return result;
  }
  disconnect(self);
  if (self.flow.local.isAny) {
    self.flow.local.copyAddress(outgoing.local);
    self.status |= UDP_AUTO_ADDRESS;
  }
  self.flow.remote.copy(name);
  udpConnected(self);
  return 0;
}

function disconnect(self: UdpSocket): void {
  if (!self.has(UDP_CONNECTED)) return;
  udpDisconnected(self);
  const flow = self.flow;
  if (self.has(UDP_AUTO_ADDRESS)) self.clearAddress(flow.local);
  self.clearAddress(flow.remote);
  flow.remote.port = 0;
  self.status &= ~UDP_AUTO_ADDRESS;
}

/** Sending never waits. */
function udpPoll(socket: Socket): u32 {
  const self = changetype<UdpSocket>(socket);
  let events: u32 = POLLOUT;
  if (self.received.count != 0) events |= POLLIN;
  if (self.has(UDP_SHUT_READ)) events |= POLLIN | POLLRDHUP;
  if (self.has(UDP_SHUT_READ) && self.has(UDP_SHUT_WRITE)) events |= POLLHUP;
  if (self.error != 0) events |= POLLERR;
  return events;
}

function udpEnd(socket: Socket): i32 {
  const self = changetype<UdpSocket>(socket);
  if (self.error != 0) {
    const error = self.error;
    self.error = 0;
    return -error;
  }
  return self.has(UDP_SHUT_READ) ? 0 : -EAGAIN;
}

function udpConsume(socket: Socket, bytes: u32): void {
  const self = changetype<UdpSocket>(socket);
  const buffer = self.received.take();
  if (buffer === null) return;
  self.left(1);
  const pieces = buffer.pieces;
  self.receivedBytes -= buffer.wholeLength;
  self.room += pieces;
  queued -= pieces;
  releaseBuffer(buffer);
}

function udpFill(socket: Socket, total: u32): u32 {
  return 0;
}

function udpFillError(socket: Socket): i32 {
  return -EOPNOTSUPP;
}

function udpPush(socket: Socket, marks: u32): void {}

function udpShutdown(socket: Socket, how: i32): i32 {
  const self = changetype<UdpSocket>(socket);
  if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return -EINVAL;
  if (!self.has(UDP_CONNECTED)) return -ENOTCONN;
  if (how != SHUT_WR) {
    self.status |= UDP_SHUT_READ;
    dropQueue(self);
  }
  if (how != SHUT_RD) self.status |= UDP_SHUT_WRITE;
  self.wake(how == SHUT_WR ? POLLOUT : POLLIN | POLLRDHUP, 0);
  return 0;
}

function udpClose(socket: Socket): void {
  const self = changetype<UdpSocket>(socket);
  self.wake(WAKE_GONE, 0);
  dropQueue(self);
  freeUdpSocket(self);
}
