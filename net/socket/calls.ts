/**
 * The socket calls of 4.4BSD, with Linux's numbers: descriptors, names, connections, options. Transfer of data is in
 * calls-send.ts and calls-receive.ts. Each returns 0 or a positive value, or a negative errno.
 *
 * Blocking is here and nowhere below: try; if it would block, wait on the socket and try again. The wait may answer -ERESTART, when
 * handlers of the process have to run: that is returned, and the whole call is made again after them. So a call keeps what it has
 * begun in the socket (SOCKET_CONNECTING), or reports what it has done so far (send).
 */
import {
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  EAGAIN,
  EALREADY,
  EBADF,
  ECONNABORTED,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  EMFILE,
  ENOMEM,
  ENOBUFS,
  ENOTCONN,
  EOPNOTSUPP,
  EPROTONOSUPPORT,
  ERESTART,
  ESOCKTNOSUPPORT,
} from "../../kernel/errno";
import {
  HANDLE_SOCKET,
  handleAvailable,
  handleInstall,
  handleRemove,
  handleWritable,
  onHandleAbandoned,
  onHandleHeld,
} from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLMSG,
  POLLOUT,
  WAKE_ACCEPT,
  WAKE_GONE,
} from "../../kernel/scheduler/wait";
import { yieldPoint } from "../../kernel/scheduler/preempt";
import { networkFlush } from "../interface";
import { ownSocket } from "./rank";
import { initializeOptions, OPTIONS_STORAGE } from "./calls-options";
import { initializePollCall, POLL_CALL_STORAGE } from "./calls-poll";
import { socketOf, waitOnSocket } from "./descriptor";
import { GATHER_STORAGE, initializeGather } from "./gather";
import { lingerOn } from "./linger";
import { givenName, initializeSockaddr, readSockaddr, SOCKADDR_STORAGE, writeSockaddr } from "./sockaddr";
import {
  AF_INET,
  AF_INET6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SHUT_RD,
  SHUT_RDWR,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  SOCKET_CONNECTING,
  SOCKET_LISTENING,
  SOCKET_NONBLOCK,
  isStream,
  PORT_SEARCHES,
  takeError,
} from "./socket";
import { tcpCreate } from "./tcp/tcp";
import { udpCreate } from "./udp";

const SOCK_TYPE_MASK: u32 = 0xf;
export const SOCK_NONBLOCK: u32 = 0x800;
const SOCK_CLOEXEC: u32 = 0x80000;
/** Connections that may wait to be accepted (Linux: net.core.somaxconn). */
const BACKLOG_LIMIT: i32 = 4096;

/** Bytes that `initializeSocketCalls` needs. */
export const SOCKET_CALLS_STORAGE: usize =
  GATHER_STORAGE + SOCKADDR_STORAGE + POLL_CALL_STORAGE + OPTIONS_STORAGE;

/** (process: Process) => void: a descriptor of the process has become free; 0: nobody asked. */
let descriptorFree: u32 = 0;

/** Once at boot. `storage`: SOCKET_CALLS_STORAGE bytes, 8-aligned. */
export function initializeSocketCalls(storage: usize): void {
  initializeGather(storage);
  storage += GATHER_STORAGE;
  initializeSockaddr(storage);
  initializePollCall(storage + SOCKADDR_STORAGE);
  initializeOptions(storage + SOCKADDR_STORAGE + POLL_CALL_STORAGE);
  onHandleAbandoned(HANDLE_SOCKET, abandon.index);
  onHandleHeld(HANDLE_SOCKET, hold.index);
}

export function onDescriptorFree(index: u32): void {
  descriptorFree = index;
}

/** (socket: Socket, process: Process) => void: the process has closed a socket that another one still has open; 0: nobody asked. */
let sharedClose: u32 = 0;

export function onSharedClose(index: u32): void {
  sharedClose = index;
}

// ---- Descriptors ----

export function sys_socket(domain: u32, type: u32, protocol: u32): i32 {
  if (domain != AF_INET && domain != AF_INET6) return -EAFNOSUPPORT;
  const kind = type & SOCK_TYPE_MASK;
  if (type & ~(SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC)) return -EINVAL;
  if (kind != SOCK_STREAM && kind != SOCK_DGRAM) return -ESOCKTNOSUPPORT;
  if (protocol != 0 && protocol != (kind == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP)) return -EPROTONOSUPPORT;
  const process = currentProcess();
  if (!handleAvailable(process)) return -EMFILE;
  const socket = kind == SOCK_STREAM ? tcpCreate() : udpCreate();
  if (socket === null) return -ENOBUFS;
  if (domain == AF_INET6) socket.setFamily6();
  if (type & SOCK_NONBLOCK) socket.flags |= SOCKET_NONBLOCK;
  ownSocket(socket, process.priority);
  // Cannot fail: nothing has taken the handle that was there.
  return handleInstall(process, changetype<usize>(socket), HANDLE_SOCKET);
}

/** Lets go of the descriptor. Events on the socket end without a word; what was sent still goes out. Waits only with SO_LINGER. */
export function sys_close(fd: i32): i32 {
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  const process = currentProcess();
  if (!handleWritable(process, fd)) return -ENOMEM;
  if (socket.sharers == 0 && lingerOn(fd, socket) == -ERESTART) return -ERESTART;
  // Others of the process may have run meanwhile, and closed it.
  if (socketOf(fd) !== socket) return -EBADF;
  handleRemove(process, fd);
  if (socket.sharers != 0) {
    // Another process has it open: only what this one listens to ends.
    socket.sharers--;
    if (sharedClose != 0) call_indirect<void>(sharedClose, socket, process);
  } else {
    socket.wake(WAKE_GONE, 1);
    call_indirect<void>(socket.protocol.close, socket);
  }
  networkFlush();
  if (descriptorFree != 0) call_indirect<void>(descriptorFree, process);
  return 0;
}

/**
 * A process has let go of all its descriptors. With the last that had the socket open: `orderly`: as by close; else, it has ended, the peer gets a
 * reset, for nobody will read what it sends.
 */
function abandon(object: usize, orderly: bool): void {
  const socket = changetype<Socket>(object);
  if (socket.sharers != 0) {
    socket.sharers--;
    return;
  }
  socket.wake(WAKE_GONE, 1);
  call_indirect<void>(orderly ? socket.protocol.close : socket.protocol.abort, socket);
  networkFlush();
}

/** One more process has it open. */
function hold(object: usize): void {
  changetype<Socket>(object).sharers++;
}

export function sys_shutdown(fd: i32, how: i32): i32 {
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  if (how < SHUT_RD || how > SHUT_RDWR) return -EINVAL;
  const result = call_indirect<i32>(socket.protocol.shutdown, socket, how);
  networkFlush();
  return result;
}

// ---- Names ----

export function sys_bind(fd: i32, address: usize, length: u32): i32 {
  for (let search: u32 = 0; search < PORT_SEARCHES; search++) {
    const socket = socketOf(fd);
    if (socket === null) return -EBADF;
    const read = readSockaddr(socket, address, length);
    if (read < 0) return read;
    const result = call_indirect<i32>(socket.protocol.bind, socket, givenName);
    if (result != -EAGAIN) return result;
    yieldPoint();
  }
  return -EADDRINUSE;
}

export function sys_getsockname(fd: i32, address: usize, lengthPointer: usize): i32 {
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  return writeSockaddr(address, lengthPointer, socket, socket.flow.local);
}

export function sys_getpeername(fd: i32, address: usize, lengthPointer: usize): i32 {
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  if (!isConnected(socket)) return -ENOTCONN;
  return writeSockaddr(address, lengthPointer, socket, socket.flow.remote);
}

/** Has a peer: a connection that is established, or a datagram socket that was given one. */
function isConnected(socket: Socket): bool {
  if (socket.flow.remote.port == 0) return false;
  if (!isStream(socket)) return true;
  const events = call_indirect<u32>(socket.protocol.poll, socket);
  if (events & POLLHUP) return false;
  // While it is being established nothing holds; later, too, when there is neither data nor room.
  return (events & ~POLLMSG) != 0 || (socket.flags & SOCKET_CONNECTING) == 0;
}

// ---- Connections ----

export function sys_listen(fd: i32, backlog: i32): i32 {
  // As Linux: less than one still lets one in, and a listener may change its mind.
  const places = backlog < 1 ? 1 : min(backlog, BACKLOG_LIMIT);
  for (let search: u32 = 0; search < PORT_SEARCHES; search++) {
    const socket = socketOf(fd);
    if (socket === null) return -EBADF;
    if (!isStream(socket)) return -EOPNOTSUPP;
    const result = call_indirect<i32>(socket.protocol.listen, socket, places);
    if (result == 0) socket.flags |= SOCKET_LISTENING;
    if (result != -EAGAIN) return result;
    yieldPoint();
  }
  return -EADDRINUSE;
}

export function sys_accept(fd: i32, address: usize, lengthPointer: usize): i32 {
  const listener = socketOf(fd);
  if (listener === null) return -EBADF;
  if (!isStream(listener)) return -EOPNOTSUPP;
  if ((listener.flags & SOCKET_LISTENING) == 0) return -EINVAL;
  const process = currentProcess();
  // Before a connection leaves its queue.
  if (!handleAvailable(process)) return -EMFILE;
  let connection: usize = 0;
  while (true) {
    connection = call_indirect<usize>(listener.protocol.accept, listener);
    if (connection != 0) break;
    if (listener.flags & SOCKET_NONBLOCK) return -EAGAIN;
    const waited = waitOnSocket(fd, listener, WAKE_ACCEPT | POLLIN | POLLERR | POLLHUP);
    if (waited < 0) return waited;
  }
  const socket = changetype<Socket>(connection);
  if (address != 0) {
    const written = writeSockaddr(address, lengthPointer, socket, socket.flow.remote);
    if (written < 0) {
      call_indirect<void>(socket.protocol.abort, socket);
      networkFlush();
      return written;
    }
  }
  ownSocket(socket, process.priority);
  const accepted = handleInstall(process, connection, HANDLE_SOCKET);
  if (accepted < 0) call_indirect<void>(socket.protocol.abort, socket);
  return accepted;
}

export function sys_connect(fd: i32, address: usize, length: u32): i32 {
  let begun: i32 = -EAGAIN;
  for (let search: u32 = 0; begun == -EAGAIN; search++) {
    if (search == PORT_SEARCHES) return -EADDRNOTAVAIL;
    if (search != 0) yieldPoint();
    begun = beginConnect(fd, address, length);
  }
  if (begun != -EINPROGRESS && begun != -EALREADY) return begun;
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  while (true) {
    // Looked at before any wait: the peer may be in this machine, and have answered already.
    const result = connectResult(socket);
    if (result != -EAGAIN) {
      socket.flags &= ~SOCKET_CONNECTING;
      return result;
    }
    if (socket.flags & SOCKET_NONBLOCK) return begun;
    const waited = waitOnSocket(fd, socket, POLLOUT | POLLERR | POLLHUP);
    if (waited < 0) return waited;
  }
}

/** -EINPROGRESS: a connect begins. -EALREADY: one has begun before, whose end has not been told. Else what `connect` returns, or -EAGAIN (PORT_SEARCHES). */
function beginConnect(fd: i32, address: usize, length: u32): i32 {
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  const read = readSockaddr(socket, address, length);
  if (read < 0) return read;
  if (socket.flags & SOCKET_CONNECTING) return -EALREADY;
  // Port 0 belongs to nobody: a SYN to it cannot succeed.
  if (givenName.port == 0 && isStream(socket)) return -EADDRNOTAVAIL;
  const begun = call_indirect<i32>(socket.protocol.connect, socket, givenName);
  networkFlush();
  if (begun == -EINPROGRESS) socket.flags |= SOCKET_CONNECTING;
  return begun;
}

/** How a connect that has begun has ended: 0, a negative errno, or -EAGAIN: it has not. */
function connectResult(socket: Socket): i32 {
  const events = call_indirect<u32>(socket.protocol.poll, socket);
  if (socket.error != 0) return takeError(socket);
  if (events & (POLLERR | POLLHUP)) return -ECONNABORTED;
  return events & POLLOUT ? 0 : -EAGAIN;
}
