/** Sockets of a transport that is none, for specs of AEM: what has been received, and how it ends, a spec says with `receive`, `establish`, `finish` and `fail`. */
import { EAGAIN } from "../../kernel/errno";
import { HANDLE_SOCKET, handleInstall } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, WAKE_ACCEPT } from "../../kernel/scheduler/wait";
import { Endpoint } from "../../net/flow";
import { SOCK_DGRAM, SOCK_STREAM, Socket, SOCKET_LISTENING, SocketProtocol } from "../../net/socket/socket";
import { growMemory } from "../arena";
import { endpoint } from "../net/addresses";

const RING: u32 = 65536;
/** What stands together in one packet of a stream. */
export const PACKET: u32 = 1448;

/** What `end` says when nothing is known of an end. */
export const NO_END: i32 = -EAGAIN;


@unmanaged
export class FakeSocket extends Socket {
  /** Bytes received, and taken: byte n has the value pattern(n). */
  received: u32;
  taken: u32;
  /** What peekLength says when there are no data. */
  end: i32;
  /** Further POLL* bits. */
  bits: u32;
  /** Datagrams waiting (lengths in a ring of 64), or connections waiting. */
  waiting: u32;
  first: u32;
  lengths: usize;
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
let ring: usize = 0;

/** Once. */
export function initializeFakeSockets(): void {
  streamProtocol = changetype<SocketProtocol>(growMemory(offsetof<SocketProtocol>(), 8));
  const p = streamProtocol;
  p.accept = fakeAccept.index;
  p.poll = fakePoll.index;
  p.peek = fakePeek.index;
  p.peekLength = fakePeekLength.index;
  p.consume = fakeConsume.index;
  p.peekSource = fakePeekSource.index;
  p.close = fakeClose.index;
  p.abort = fakeAbort.index;
  p.available = fakeAvailable.index;
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
    const address = growMemory(64 * (offsetof<FakeSocket>() + 256), 8);
    for (let i: usize = 0; i < 64; i++) {
      const socket = changetype<FakeSocket>(address + i * (offsetof<FakeSocket>() + 256));
      socket.lengths = changetype<usize>(socket) + offsetof<FakeSocket>();
      freeSockets.push(socket);
    }
  }
  const socket = freeSockets.pop();
  socketCount++;
  const lengths = socket.lengths;
  memory.fill(changetype<usize>(socket), 0, offsetof<FakeSocket>());
  socket.lengths = lengths;
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

/** The peer sent `bytes`. */
export function receive(socket: FakeSocket, bytes: u32): void {
  socket.received += bytes;
  socket.wake(POLLIN, 0);
}

/** A datagram of `length` bytes came. */
export function receiveDatagram(socket: FakeSocket, length: u32): void {
  assert(socket.waiting < 64, "too many datagrams");
  store<u32>(socket.lengths + (((socket.first + socket.waiting) & 63) << 2), length);
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
  connection.flow.remote.copy(peerOf(socket, 0x0a00_0002, 1000 + socket.serial));
  socket.serial++;
  return connection;
}

function fakePoll(socket: FakeSocket): u32 {
  const some = socket.waiting != 0 || socket.received != socket.taken;
  return socket.bits | (some ? POLLIN : 0);
}

function fakePeek(socket: FakeSocket): usize {
  if (socket.type == SOCK_DGRAM) return socket.waiting == 0 ? 0 : ring + (socket.serial % RING);
  return socket.received == socket.taken ? 0 : ring + (socket.taken % RING);
}

function fakePeekLength(socket: FakeSocket): i32 {
  if (socket.type == SOCK_DGRAM) {
    if (socket.waiting != 0) return load<i32>(socket.lengths + ((socket.first & 63) << 2));
    const error = socket.error;
    socket.error = 0;
    return error != 0 ? -error : socket.end;
  }
  const there = socket.received - socket.taken;
  return there == 0 ? socket.end : <i32>min(there, PACKET - (socket.taken % PACKET));
}

function fakeConsume(socket: FakeSocket, bytes: u32): void {
  if (socket.type != SOCK_DGRAM) {
    assert(bytes <= socket.received - socket.taken, "consumed more than there was");
    socket.taken += bytes;
    return;
  }
  socket.waiting--;
  socket.first++;
  socket.serial++;
}

function fakePeekSource(socket: FakeSocket): Endpoint {
  return peerOf(socket, 0x0a00_0003, 2000 + (socket.serial & 0x3fff));
}

/** The peer whose turn it is. */
function peerOf(socket: FakeSocket, first: u32, port: u32): Endpoint {
  const it = endpoint(first + socket.spread * socket.serial, port);
  if (socket.high == 0) return it;
  it.low = it.ipv4;
  it.high = socket.high;
  return it;
}

function fakeAvailable(socket: FakeSocket): u32 {
  return socket.received - socket.taken;
}

function fakeRoom(socket: FakeSocket): u32 {
  const there = socket.received - socket.taken;
  return there >= socket.buffer ? 0 : socket.buffer - there;
}

function fakeClose(socket: FakeSocket): void {
  socket.closed++;
}

function fakeAbort(socket: FakeSocket): void {
  socket.aborted++;
  aborts++;
}
