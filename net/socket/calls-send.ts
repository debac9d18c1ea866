/**
 * send and its kin. Bytes go straight from the application's window, of which a call may name several pieces (gather.ts), to packet buffers: a stream's transport asks for as
 * many as it has room for (`fill`).
 */
import { EAGAIN, EBADF, EDESTADDRREQ, EINVAL, EMSGSIZE, EOPNOTSUPP } from "../../kernel/errno";
import { letInterruptIn } from "../../kernel/interrupts/vectors";
import { POLLERR, POLLHUP, POLLOUT } from "../../kernel/scheduler/wait";
import { BUFFER_SIZE, releaseBuffer } from "../buffer";
import { Endpoint } from "../flow";
import { networkFlush } from "../interface";
import { readDatagram, readError } from "./datagram";
import { mayBlock, MSG_DONTWAIT, MSG_NOSIGNAL, socketOf, waitOnSocket } from "./descriptor";
import {
  gather,
  gatherAt,
  gatherCount,
  gatherLeft,
  gatherMessage,
  gatherNext,
  gatherOne,
  gatherResume,
  messageName,
  messageNameLength,
} from "./gather";
import { givenName, readSockaddr } from "./sockaddr";
import { isStream, MSG_MORE, MSG_OOB, Socket } from "./socket";
import { UDP_PAYLOAD_MAXIMUM, udpSend } from "./udp";

const SEND_FLAGS: u32 = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_OOB | MSG_MORE;

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
  const total = gatherOne(data, length);
  return total < 0 ? total : transmit(fd, socket, total, flags, address, addressLength);
}

/** As sendto, of the pieces that the struct msghdr at `message` names, one behind the other: of a datagram all of them, or -EMSGSIZE. */
export function sys_sendmsg(fd: i32, message: usize, flags: u32): i32 {
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  if (flags & ~SEND_FLAGS) return -EOPNOTSUPP;
  const total = gatherMessage(message);
  return total < 0 ? total : transmit(fd, socket, total, flags, messageName, messageNameLength);
}

/** Sends the `total` bytes that gather() gives. */
function transmit(fd: i32, socket: Socket, total: u32, flags: u32, address: usize, addressLength: u32): i32 {
  const marks = flags & (MSG_OOB | MSG_MORE);
  if (isStream(socket)) return sendStream(fd, socket, total, mayBlock(socket, flags), marks);
  if (marks != 0) return -EOPNOTSUPP;
  let to = socket.flow.remote;
  if (address != 0) {
    const read = readSockaddr(socket, address, addressLength);
    if (read < 0) return read;
    to = givenName;
  }
  if (to.port == 0) return address == 0 ? -EDESTADDRREQ : -EINVAL;
  return sendDatagram(socket, total, to);
}

function sendStream(fd: i32, socket: Socket, total: u32, block: bool, marks: u32): i32 {
  const protocol = socket.protocol;
  let sent: u32 = 0;
  let result: i32 = 0;
  for (;;) {
    sent += call_indirect<u32>(protocol.fill, socket, total - sent);
    if (sent == total) break;
    result = call_indirect<i32>(protocol.fillError, socket);
    if (result != -EAGAIN) {
      // What ended the connection has been told now.
      if (result == -socket.error) socket.error = 0;
      break;
    }
    if (!block) break;
    call_indirect<void>(protocol.push, socket, sent != 0 ? marks & MSG_OOB : 0);
    networkFlush();
    const at = gatherAt;
    const left = gatherLeft;
    const next = gatherNext;
    const count = gatherCount;
    result = waitOnSocket(fd, socket, POLLOUT | POLLERR | POLLHUP);
    gatherResume(at, left, next, count);
    if (result < 0) {
      if (socketOf(fd) !== socket) return sent == 0 ? result : <i32>sent;
      break;
    }
  }
  if (sent == 0) return result;
  // What did not fit has to wait for room, and that for acknowledgements.
  if (sent != total) marks &= ~MSG_MORE;
  call_indirect<void>(protocol.push, socket, marks);
  if (marks != MSG_MORE) networkFlush();
  return <i32>sent;
}

function sendDatagram(socket: Socket, length: u32, to: Endpoint): i32 {
  if (length > UDP_PAYLOAD_MAXIMUM) return -EMSGSIZE;
  const buffer = readDatagram(length, to);
  if (buffer === null) return readError;
  const result = udpSend(socket, to, buffer);
  releaseBuffer(buffer);
  // After the last fragments of a long one.
  if (length > BUFFER_SIZE) letInterruptIn();
  networkFlush();
  return result < 0 ? result : <i32>length;
}
