/** Sockets of a transport that is none, for specs of AEM: what has been received, and how it ends, a spec says with `receive`, `establish`, `finish` and `fail`. */
import { EAGAIN } from "../../kernel/errno";
import { HANDLE_SOCKET, handleInstall } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, WAKE_ACCEPT } from "../../kernel/scheduler/wait";
import { SOCK_DGRAM, SOCK_STREAM, Socket, SOCKET_LISTENING, SocketProtocol } from "../../net/socket/socket";
import { growMemory } from "../arena";
import { BUFFER_HEADER, PacketBuffer } from "../../net/buffer";
import { Endpoint } from "../../net/flow";
import { endpoint } from "../net/addresses";

const RING: u32 = 65536;
/** What stands together in one packet of a stream. */
export const PACKET: u32 = 1448;

/** What `end` says when nothing is known of an end. */
export const NO_END: i32 = -EAGAIN;


@unmanaged
export class FakeSocket extends Socket {
  /** Bytes that came, and that were consumed: byte n has the value pattern(n). */
  came: u32;
  went: u32;
  /** What `end` of the protocol says. */
  end: i32;
  /** Further POLL* bits. */
  bits: u32;
  /** Datagrams waiting, or connections waiting. */
  waiting: u32;
  /** Names the next datagram's source, and counts accepted connections. */
  serial: u32;
  closed: u32;
  aborted: u32;
  /** Receive buffer: bytes for which there is room. */
  buffer: u32;
  /** By how much the addresses of two peers in succession differ. */
  spread: u32;
  /** Upper half of the addresses of peers; 0: they are of IPv4. */
  high: u64;
}

let streamProtocol: SocketProtocol = changetype<SocketProtocol>(0);
/** Sockets of the fake transport that exist now. */
export let socketCount: i32 = 0;
/** Sockets that were reset. */
export let aborts: i32 = 0;
let freeSockets: FakeSocket[] = [];
/** Buffers of what came, whose bytes are the ring's. */
let freeBuffers: PacketBuffer[] = [];
let ring: usize = 0;

/** Once. */
export function initializeFakeSockets(): void {
  streamProtocol = changetype<SocketProtocol>(growMemory(offsetof<SocketProtocol>(), 8));
  const p = streamProtocol;
  p.accept = fakeAccept.index;
  p.poll = fakePoll.index;
  p.consume = fakeConsume.index;
  p.end = fakeEnd.index;
  p.close = fakeClose.index;
  p.abort = fakeAbort.index;
  p.room = fakeRoom.index;
  ring = growMemory(RING + PACKET, 8);
  for (let i: u32 = 0; i < RING + PACKET; i++) store<u8>(ring + i, pattern(i % RING));
}

export function pattern(position: u32): u8 {
  const p = position % RING;
  return <u8>(p * 7 + (p >> 8) * 13);
}

function fakeSocket(type: u32): FakeSocket {
  if (freeSockets.length == 0) {
    const size = (offsetof<FakeSocket>() + 7) & ~7;
    const address = growMemory(64 * size, 8);
    for (let i: usize = 0; i < 64; i++) freeSockets.push(changetype<FakeSocket>(address + i * size));
  }
  const socket = freeSockets.pop();
  socketCount++;
  memory.fill(changetype<usize>(socket), 0, offsetof<FakeSocket>());
  socket.initialize();
  socket.protocol = streamProtocol;
  socket.type = <u8>type;
  socket.end = NO_END;
  socket.buffer = RING;
  return socket;
}

/** For sockets that are in no process any more. */
export function recycle(socket: FakeSocket): void {
  assert(socket.isEmpty, "somebody still listens to a socket that is gone");
  while (socket.received.head !== null) freeBuffers.push(socket.received.take()!);
  socketCount--;
  freeSockets.push(socket);
}

export function newStream(): FakeSocket {
  return fakeSocket(SOCK_STREAM);
}
export function newDatagram(): FakeSocket {
  return fakeSocket(SOCK_DGRAM);
}
export function newListener(): FakeSocket {
  const socket = fakeSocket(SOCK_STREAM);
  socket.flags = SOCKET_LISTENING;
  return socket;
}

/** Descriptor of the socket in the current process. */
export function open(socket: FakeSocket): i32 {
  return handleInstall(currentProcess(), changetype<usize>(socket), HANDLE_SOCKET);
}

/** `length` bytes from `position` on are the last that came. */
function queueBytes(socket: FakeSocket, position: u32, length: u32): PacketBuffer {
  if (freeBuffers.length == 0) {
    const address = growMemory(64 * BUFFER_HEADER, 8);
    for (let i: usize = 0; i < 64; i++)
      freeBuffers.push(changetype<PacketBuffer>(address + i * BUFFER_HEADER));
  }
  const buffer = freeBuffers.pop();
  memory.fill(changetype<usize>(buffer), 0, BUFFER_HEADER);
  buffer.data = ring + (position % RING);
  buffer.length = length;
  buffer.references = 1;
  socket.received.append(buffer);
  return buffer;
}

/** The peer sent `bytes`. */
export function receive(socket: FakeSocket, bytes: u32): void {
  socket.receivedBytes += bytes;
  while (bytes != 0) {
    const inPacket = socket.came % PACKET;
    const part = min(bytes, PACKET - inPacket);
    const tail = socket.received.tail;
    if (inPacket != 0 && tail !== null) tail.length += part;
    else queueBytes(socket, socket.came, part);
    socket.came += part;
    bytes -= part;
  }
  socket.wake(POLLIN, 0);
}

/** Somebody else reads some bytes of what came of a stream, or all of them. */
export function readElsewhere(socket: FakeSocket, bytes: u32 = socket.receivedBytes): void {
  if (bytes != 0) fakeConsume(socket, bytes);
}

/** A datagram of `length` bytes came. */
export function receiveDatagram(socket: FakeSocket, length: u32): void {
  const serial = socket.serial + socket.waiting;
  queueBytes(socket, serial, length).source.copy(
    peerOf(socket, serial, 0x0a00_0003, 2000 + (serial & 0x3fff)),
  );
  socket.receivedBytes += length;
  socket.waiting++;
  socket.wake(POLLIN, 0);
}

/** A connection was established. */
export function establish(listener: FakeSocket): void {
  listener.waiting++;
  listener.wake(WAKE_ACCEPT | POLLIN, 0);
}

/** The peer has sent its FIN. */
export function finish(socket: FakeSocket): void {
  socket.end = 0;
  socket.bits |= POLLIN | POLLRDHUP;
  socket.wake(POLLIN | POLLRDHUP, 0);
}

/** The connection has failed. */
export function fail(socket: FakeSocket, errno: i32): void {
  socket.error = errno;
  socket.end = -errno;
  socket.bits |= POLLERR | POLLHUP;
  socket.wake(POLLIN | POLLOUT | POLLERR | POLLHUP, 0);
}

function fakeAccept(socket: FakeSocket): FakeSocket | null {
  if (socket.waiting == 0) return null;
  socket.waiting--;
  const connection = newStream();
  connection.flow.remote.copy(peerOf(socket, socket.serial, 0x0a00_0002, 1000 + socket.serial));
  socket.serial++;
  return connection;
}

function fakePoll(socket: FakeSocket): u32 {
  const some = socket.waiting != 0 || socket.came != socket.went;
  return socket.bits | (some ? POLLIN : 0);
}

function fakeEnd(socket: FakeSocket): i32 {
  if (socket.type != SOCK_DGRAM || socket.error == 0) return socket.end;
  const error = socket.error;
  socket.error = 0;
  return -error;
}

function fakeConsume(socket: FakeSocket, bytes: u32): void {
  const datagram = socket.type == SOCK_DGRAM;
  if (datagram) {
    bytes = socket.received.head!.length;
    socket.waiting--;
    socket.serial++;
  } else {
    assert(bytes <= socket.came - socket.went, "consumed more than there was");
    socket.went += bytes;
  }
  socket.left(datagram ? 1 : bytes);
  socket.receivedBytes -= bytes;
  do {
    const head = socket.received.head!;
    const part = min(bytes, head.length);
    head.pull(part);
    bytes -= part;
    if (head.length == 0) freeBuffers.push(socket.received.take()!);
  } while (bytes != 0);
}

/** The peer with this number. */
function peerOf(socket: FakeSocket, serial: u32, first: u32, port: u32): Endpoint {
  const it = endpoint(first + socket.spread * serial, port);
  if (socket.high == 0) return it;
  it.low = it.ipv4;
  it.high = socket.high;
  return it;
}

function fakeRoom(socket: FakeSocket): u32 {
  const there = socket.came - socket.went;
  return there >= socket.buffer ? 0 : socket.buffer - there;
}

function fakeClose(socket: FakeSocket): void {
  socket.closed++;
}

function fakeAbort(socket: FakeSocket): void {
  socket.aborted++;
  aborts++;
}
