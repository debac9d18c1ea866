/** recv and its kin. Bytes go straight from packet buffers to the application's window: they stand in the socket's `received`. */
import { EAGAIN, EBADF, EFAULT, EINVAL, EOPNOTSUPP } from "../../kernel/errno";
import { userRange } from "../../kernel/memory/user";
import { POLLERR, POLLHUP, POLLIN, POLLRDHUP } from "../../kernel/scheduler/wait";
import { PacketBuffer } from "../buffer";
import { Endpoint } from "../flow";
import { networkFlush } from "../interface";
import { writeDatagram } from "./datagram";
import { mayBlock, MSG_DONTWAIT, MSG_NOSIGNAL, socketOf, waitOnSocket } from "./descriptor";
import { writePayload } from "./payload";
import { writeSockaddr } from "./sockaddr";
import { isStream, Socket } from "./socket";

const MSG_PEEK: u32 = 0x02;
/** A datagram's own length is returned, also when the buffer is shorter. */
const MSG_TRUNC: u32 = 0x20;
const RECEIVE_FLAGS: u32 = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK | MSG_TRUNC;

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
    const head = socket.received.head;
    if (head !== null) {
      if (address != 0) {
        const sender: Endpoint = isStream(socket) ? socket.flow.remote : head.source;
        const written = writeSockaddr(address, lengthPointer, socket, sender);
        if (written < 0) return written;
      }
      const result = isStream(socket)
        ? receiveStream(socket, head, buffer, length, flags)
        : receiveDatagram(socket, head, buffer, length, flags);
      networkFlush();
      return result;
    }
    const why = call_indirect<i32>(socket.protocol.end, socket);
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

function receiveStream(socket: Socket, first: PacketBuffer, user: usize, length: u32, flags: u32): i32 {
  let head: PacketBuffer | null = first;
  let done: u32 = 0;
  while (head !== null && done < length) {
    const bytes = min(head.length, length - done);
    const result = writePayload(user + done, head.data, bytes);
    if (result < 0) return done == 0 ? result : <i32>done;
    done += bytes;
    if (flags & MSG_PEEK) break;
    call_indirect<void>(socket.protocol.consume, socket, bytes);
    head = socket.received.head;
  }
  return <i32>done;
}

function receiveDatagram(socket: Socket, datagram: PacketBuffer, user: usize, length: u32, flags: u32): i32 {
  const whole = datagram.wholeLength;
  const bytes = min(whole, length);
  const result = writeDatagram(user, datagram, bytes);
  if (result < 0) return result;
  if ((flags & MSG_PEEK) == 0) call_indirect<void>(socket.protocol.consume, socket, whole);
  return <i32>(flags & MSG_TRUNC ? whole : bytes);
}
