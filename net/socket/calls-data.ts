/**
 * send, recv and their kin. Bytes go straight between the application's window and packet buffers: the transport says where they
 * stand (peek, consume) or may be put (reserve, commit).
 */
import { EAGAIN, EBADF, EDESTADDRREQ, EFAULT, EINVAL, EMSGSIZE, EOPNOTSUPP } from "../../kernel/errno";
import { letInterruptIn } from "../../kernel/interrupts/vectors";
import { readUser, userRange } from "../../kernel/memory/user";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from "../../kernel/scheduler/wait";
import { BUFFER_SIZE, BufferQueue, releaseBuffer } from "../buffer";
import { Endpoint } from "../flow";
import { networkFlush } from "../interface";
import { readDatagram, readError, writeDatagram } from "./datagram";
import { socketOf, waitOnSocket } from "./descriptor";
import { writePayload } from "./payload";
import { givenName, readSockaddr, writeSockaddr } from "./sockaddr";
import { isStream, Socket, SOCKET_NONBLOCK } from "./socket";
import { UDP_PAYLOAD_MAXIMUM, udpSend } from "./udp";

/** What is sent is urgent (RFC 9293, 3.8.5). Streams only; received urgent data are in line. */
const MSG_OOB: u32 = 0x01;
const MSG_PEEK: u32 = 0x02;
/** A datagram's own length is returned, also when the buffer is shorter. */
const MSG_TRUNC: u32 = 0x20;
const MSG_DONTWAIT: u32 = 0x40;
/** There is no SIGPIPE. */
const MSG_NOSIGNAL: u32 = 0x4000;

const SEND_FLAGS: u32 = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_OOB;
const RECEIVE_FLAGS: u32 = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK | MSG_TRUNC;


@inline
function mayBlock(socket: Socket, flags: u32): bool {
  return (socket.flags & SOCKET_NONBLOCK) == 0 && (flags & MSG_DONTWAIT) == 0;
}

// ---- Sending ----

export function sys_send(fd: i32, data: usize, length: u32, flags: u32): i32 {
  return sys_sendto(fd, data, length, flags, 0, 0);
}

/**
 * Bytes taken. A blocking stream takes all of them, unless a signal or a handler's turn comes after the first (as with
 * Linux and a signal), or the connection ends. The address is a datagram's destination; a stream does not look at it.
 */
export function sys_sendto(
  fd: i32,
  data: usize,
  length: u32,
  flags: u32,
  address: usize,
  addressLength: u32,
): i32 {
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  if (flags & ~SEND_FLAGS) return -EOPNOTSUPP;
  if (<i32>length < 0) return -EINVAL;
  if (!userRange(data, length)) return -EFAULT;
  if (isStream(socket))
    return sendStream(fd, socket, data, length, mayBlock(socket, flags), (flags & MSG_OOB) != 0);
  if (flags & MSG_OOB) return -EOPNOTSUPP;
  let to = socket.flow.remote;
  if (address != 0) {
    const read = readSockaddr(socket, address, addressLength);
    if (read < 0) return read;
    to = givenName;
  }
  if (to.port == 0) return address == 0 ? -EDESTADDRREQ : -EINVAL;
  return sendDatagram(socket, data, length, to);
}

function sendStream(fd: i32, socket: Socket, data: usize, length: u32, block: bool, urgent: bool): i32 {
  const protocol = socket.protocol;
  let sent: u32 = 0;
  let result: i32 = 0;
  while (sent < length) {
    const place = call_indirect<usize>(protocol.reserve, socket);
    const room = call_indirect<i32>(protocol.reserveLength, socket);
    if (place != 0 && room > 0) {
      const bytes = min(<u32>room, length - sent);
      result = readUser(place, data + sent, bytes);
      if (result < 0) break;
      call_indirect<void>(protocol.commit, socket, bytes);
      sent += bytes;
      continue;
    }
    result = room < 0 ? room : -EAGAIN;
    if (result != -EAGAIN) {
      // What ended the connection has been told now.
      if (result == -socket.error) socket.error = 0;
      break;
    }
    if (!block) break;
    call_indirect<void>(protocol.push, socket, urgent && sent != 0);
    networkFlush();
    result = waitOnSocket(fd, socket, POLLOUT | POLLERR | POLLHUP);
    if (result < 0) {
      if (socketOf(fd) !== socket) return sent == 0 ? result : <i32>sent;
      break;
    }
  }
  if (sent == 0) return result;
  call_indirect<void>(protocol.push, socket, urgent);
  networkFlush();
  return <i32>sent;
}

function sendDatagram(socket: Socket, data: usize, length: u32, to: Endpoint): i32 {
  if (length > UDP_PAYLOAD_MAXIMUM) return -EMSGSIZE;
  const buffer = readDatagram(data, length, to);
  if (buffer === null) return readError;
  const result = udpSend(socket, to, buffer);
  releaseBuffer(buffer);
  // After the last fragments of a long one.
  if (length > BUFFER_SIZE) letInterruptIn();
  networkFlush();
  return result < 0 ? result : <i32>length;
}

// ---- Receiving ----

export function sys_recv(fd: i32, buffer: usize, length: u32, flags: u32): i32 {
  return sys_recvfrom(fd, buffer, length, flags, 0, 0);
}

/** Bytes received; 0 at the end of a stream. MSG_PEEK shows of a stream what stands together in the first packet. */
export function sys_recvfrom(
  fd: i32,
  buffer: usize,
  length: u32,
  flags: u32,
  address: usize,
  lengthPointer: usize,
): i32 {
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  if (flags & ~RECEIVE_FLAGS) return -EOPNOTSUPP;
  if (<i32>length < 0) return -EINVAL;
  if (!userRange(buffer, length)) return -EFAULT;
  while (true) {
    const source = call_indirect<usize>(socket.protocol.peek, socket);
    if (source != 0) {
      if (address != 0) {
        const sender = call_indirect<Endpoint>(socket.protocol.peekSource, socket);
        const written = writeSockaddr(address, lengthPointer, socket, sender);
        if (written < 0) return written;
      }
      const result = isStream(socket)
        ? receiveStream(socket, source, buffer, length, flags)
        : receiveDatagram(socket, buffer, length, flags);
      networkFlush();
      return result;
    }
    const why = call_indirect<i32>(socket.protocol.peekLength, socket);
    if (why != -EAGAIN) {
      // An error is told once; a stream has ended after it.
      if (why != 0 && why == -socket.error) socket.error = 0;
      return why;
    }
    if (!mayBlock(socket, flags)) return -EAGAIN;
    const waited = waitOnSocket(fd, socket, POLLIN | POLLERR | POLLHUP | POLLRDHUP);
    if (waited < 0) return waited;
  }
}

function receiveStream(socket: Socket, first: usize, user: usize, length: u32, flags: u32): i32 {
  const protocol = socket.protocol;
  let source = first;
  let done: u32 = 0;
  while (source != 0 && done < length) {
    const bytes = min(<u32>call_indirect<i32>(protocol.peekLength, socket), length - done);
    const result = writePayload(user + done, source, bytes);
    if (result < 0) return done == 0 ? result : <i32>done;
    done += bytes;
    if (flags & MSG_PEEK) break;
    call_indirect<void>(protocol.consume, socket, bytes);
    source = call_indirect<usize>(protocol.peek, socket);
  }
  return <i32>done;
}

function receiveDatagram(socket: Socket, user: usize, length: u32, flags: u32): i32 {
  const whole = <u32>call_indirect<i32>(socket.protocol.peekLength, socket);
  const bytes = min(whole, length);
  const datagram = call_indirect<BufferQueue>(socket.protocol.queue, socket).head!;
  const result = writeDatagram(user, datagram, bytes);
  if (result < 0) return result;
  if ((flags & MSG_PEEK) == 0) call_indirect<void>(socket.protocol.consume, socket, whole);
  return <i32>(flags & MSG_TRUNC ? whole : bytes);
}
