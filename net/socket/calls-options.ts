/** setsockopt and getsockopt: the few options there are. Every other one is -ENOPROTOOPT. All values are of 4 bytes. */
import { EBADF, EFAULT, EINVAL, ENOPROTOOPT } from "../../kernel/errno";
import { readUser, writeUser } from "../../kernel/memory/user";
import { POLLOUT } from "../../kernel/scheduler/wait";
import { isStream, socketOf, takeError } from "./calls";
import {
  AF_INET,
  AF_INET6,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  Socket,
  SOCKET_CONNECTING,
  SOCKET_INET6,
  SOCKET_LISTENING,
  SOCKET_NODELAY,
  SOCKET_V6ONLY,
} from "./socket";

const SOL_SOCKET: u32 = 1;
/** Accepted, and without effect: an address that only TIME-WAIT holds can be bound anyway. */
const SO_REUSEADDR: u32 = 2;
const SO_TYPE: u32 = 3;
const SO_ERROR: u32 = 4;
const SO_ACCEPTCONN: u32 = 30;
const SO_PROTOCOL: u32 = 38;
const SO_DOMAIN: u32 = 39;
const TCP_NODELAY: u32 = 1;
const IPV6_V6ONLY: u32 = 26;

const VALUE_SIZE: u32 = 4;

/** Bytes that `initializeOptions` needs. */
export const OPTIONS_STORAGE: usize = 8;

let scratch: usize = 0;

/** Once at boot. `storage`: OPTIONS_STORAGE bytes. */
export function initializeOptions(storage: usize): void {
  scratch = storage;
}

export function sys_setsockopt(fd: i32, level: u32, name: u32, value: usize, length: u32): i32 {
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY) return setV6Only(socket, value, length);
  const noDelay = level == IPPROTO_TCP && name == TCP_NODELAY && isStream(socket);
  if (!noDelay && !(level == SOL_SOCKET && name == SO_REUSEADDR)) return -ENOPROTOOPT;
  if (length < VALUE_SIZE) return -EINVAL;
  if (readUser(scratch, value, VALUE_SIZE) < 0) return -EFAULT;
  if (!noDelay) return 0;
  if (load<u32>(scratch) == 0) socket.flags &= ~SOCKET_NODELAY;
  else {
    socket.flags |= SOCKET_NODELAY;
    // What Nagle's algorithm held back goes now.
    call_indirect<void>(socket.protocol.push, socket);
  }
  return 0;
}

export function sys_getsockopt(fd: i32, level: u32, name: u32, value: usize, lengthPointer: usize): i32 {
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  if (readUser(scratch, lengthPointer, VALUE_SIZE) < 0) return -EFAULT;
  const room = load<i32>(scratch);
  if (room < 0) return -EINVAL;
  const answer =
    level == SOL_SOCKET
      ? socketOption(socket, name)
      : level == IPPROTO_IPV6
        ? ipv6Option(socket, name)
        : tcpOption(socket, level, name);
  if (answer < 0) return answer;
  const bytes = min(<u32>room, VALUE_SIZE);
  store<i32>(scratch, answer);
  if (writeUser(value, scratch, bytes) < 0) return -EFAULT;
  if (level == SOL_SOCKET && name == SO_ERROR) connectTold(socket);
  store<u32>(scratch, bytes);
  return writeUser(lengthPointer, scratch, VALUE_SIZE);
}

/** SO_ERROR is told once; and it is how one asks what became of a connect that does not block. */
function connectTold(socket: Socket): void {
  const failed = takeError(socket) != 0;
  if (failed || (call_indirect<u32>(socket.protocol.poll, socket) & POLLOUT) != 0)
    socket.flags &= ~SOCKET_CONNECTING;
}

function socketOption(socket: Socket, name: u32): i32 {
  switch (name) {
    case SO_ERROR:
      return socket.error;
    case SO_TYPE:
      return <i32>socket.type;
    case SO_REUSEADDR:
      return 1;
    case SO_ACCEPTCONN:
      return socket.flags & SOCKET_LISTENING ? 1 : 0;
    case SO_PROTOCOL:
      return isStream(socket) ? IPPROTO_TCP : IPPROTO_UDP;
    case SO_DOMAIN:
      return socket.flags & SOCKET_INET6 ? AF_INET6 : AF_INET;
    default:
      return -ENOPROTOOPT;
  }
}

/** Whether a socket of :: leaves IPv4 alone (RFC 3493, 5.3); as long as it has no name. */
function setV6Only(socket: Socket, value: usize, length: u32): i32 {
  if ((socket.flags & SOCKET_INET6) == 0) return -ENOPROTOOPT;
  if (length < VALUE_SIZE || socket.flow.local.port != 0) return -EINVAL;
  if (readUser(scratch, value, VALUE_SIZE) < 0) return -EFAULT;
  if (load<u32>(scratch) == 0) socket.flags &= ~SOCKET_V6ONLY;
  else socket.flags |= SOCKET_V6ONLY;
  socket.clearAddress(socket.flow.local);
  return 0;
}

function ipv6Option(socket: Socket, name: u32): i32 {
  if (name != IPV6_V6ONLY || (socket.flags & SOCKET_INET6) == 0) return -ENOPROTOOPT;
  return socket.flags & SOCKET_V6ONLY ? 1 : 0;
}

function tcpOption(socket: Socket, level: u32, name: u32): i32 {
  if (level != IPPROTO_TCP || name != TCP_NODELAY || !isStream(socket)) return -ENOPROTOOPT;
  return socket.flags & SOCKET_NODELAY ? 1 : 0;
}
