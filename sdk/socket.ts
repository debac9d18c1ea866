/**
 * Sockets: the calls of 4.4BSD with Linux's numbers. Addresses that a call takes or gives are `sockaddr_in`, and with a socket of AF_INET6
 * `sockaddr_in6`. Such a socket on `::` serves both versions of IP: a peer of IPv4 has the address ::ffff:a.b.c.d.
 *
 * A call that would have to wait blocks this process's computation (handlers go on running), unless the socket was made
 * with SOCK_NONBLOCK or the call has MSG_DONTWAIT: then it returns -EAGAIN.
 *
 * Here are the calls; sockaddr.ts has the addresses, socket-options.ts the options, and both are imported from here, too. socket-helpers.ts has what is made of them.
 */
export * from "./sockaddr";
export * from "./socket-options";

export const SOCK_STREAM: i32 = 1;
export const SOCK_DGRAM: i32 = 2;
/** Or-ed into the type: no call on the socket blocks. */
export const SOCK_NONBLOCK: i32 = 0x800;
export const IPPROTO_TCP: i32 = 6;
export const IPPROTO_UDP: i32 = 17;
export const IPPROTO_IPV6: i32 = 41;
export const INADDR_ANY: u32 = 0;
export const INADDR_LOOPBACK: u32 = 0x7f000001;
/** send on a TCP socket: the data is urgent. */
export const MSG_OOB: i32 = 0x01;
/** recv: the data stay where they are. */
export const MSG_PEEK: i32 = 0x02;
/** recv of a datagram: its own length is returned, also when the buffer is shorter. */
export const MSG_TRUNC: i32 = 0x20;
/** This call does not block. */
export const MSG_DONTWAIT: i32 = 0x40;
/** Says nothing: there is no SIGPIPE here. */
export const MSG_NOSIGNAL: i32 = 0x4000;
/** send on a TCP socket: the next call sends more, or is shutdown or close. The data goes with that, or when the handlers that are due have run. */
export const MSG_MORE: i32 = 0x8000;
export const SHUT_RD: i32 = 0;
export const SHUT_WR: i32 = 1;
export const SHUT_RDWR: i32 = 2;
/** Bits of the `events` of a sock handler. */
export const POLLIN: i32 = 0x0001;
/** Urgent data is ahead: TCP_URGENT says how much. */
export const POLLPRI: i32 = 0x0002;
export const POLLOUT: i32 = 0x0004;
export const POLLERR: i32 = 0x0008;
export const POLLHUP: i32 = 0x0010;
/** A soft error, which may pass: TCP_SOFT_ERROR says which. */
export const POLLMSG: i32 = 0x0400;
export const POLLRDHUP: i32 = 0x2000;

// ---- The calls (docs/aem-calls.md). Each returns 0 or more, or a negative errno. ----
//
// Of all of them: -EBADF: `fd` is no socket of this process; -EFAULT: an address does not lead into its memory; -EINVAL: a length that is negative, or too short for what it
// is of; -EPERM: the manifest's policy refuses the call. Where a name is given: -EAFNOSUPPORT: it is of another family than the socket; -ENETUNREACH: of IPv4, for a socket with
// IPV6_V6ONLY. Where a call may wait (accept, connect, send, recv and their like): -EAGAIN: it must not; -EINTR: a signal; -EBADF: another thread has closed the socket
// meanwhile. "What has ended the connection" is -ECONNRESET, -ETIMEDOUT, -ECONNREFUSED, or what ICMP said: -EHOSTUNREACH, -ENETUNREACH, ... What a call has beside these stands with it.

/** A new socket's descriptor. -EAFNOSUPPORT, -ESOCKTNOSUPPORT, -EPROTONOSUPPORT; -EINVAL: an unknown flag; -EMFILE; -ENOBUFS: there are as many sockets as there may be. */
// @ts-ignore: decorator
@external("aemos", "socket") export declare function socket(domain: i32, type: i32, protocol: i32): i32;

/** Gives the socket a local address. 0; -EADDRINUSE; -EADDRNOTAVAIL: it is not this machine's; -EINVAL: the socket has one, or a connection; -ENOBUFS. */
// @ts-ignore: decorator
@external("aemos", "bind") export declare function bind(fd: i32, address: usize, length: i32): i32;

/** Takes connections, up to `backlog` (1 to 4096) waiting to be accepted. 0; -EADDRINUSE: another one listens there; -EINVAL: it is connected, or was; -EOPNOTSUPP: UDP; -ENOBUFS: 256 listen. */
// @ts-ignore: decorator
@external("aemos", "listen") export declare function listen(fd: i32, backlog: i32): i32;

/**
 * The next connection's descriptor; its peer goes to `address`. `lengthPointer`: i32, room in and length out; both may be 0. -EINVAL: the socket does not listen; -EOPNOTSUPP: UDP; -EMFILE:
 * as many descriptors as there may be, the connection stays in the queue; -EFAULT: the connection is reset.
 */
// @ts-ignore: decorator
@external("aemos", "accept") export declare function accept(
  fd: i32,
  address: usize,
  lengthPointer: usize,
): i32;

/**
 * 0 when connected (UDP: at once; address and port 0 take the peer away). -EINPROGRESS on a non-blocking socket, and -EALREADY after that; -EISCONN; -ENETUNREACH: there is no way; -EADDRNOTAVAIL: no
 * local port is left for this peer, or its port is 0 (UDP: -EINVAL); -EADDRINUSE: there is this connection; -ENOBUFS; what has ended the connection.
 */
// @ts-ignore: decorator
@external("aemos", "connect") export declare function connect(fd: i32, address: usize, length: i32): i32;

/**
 * Bytes taken. Without blocking: as many as there is room for, -EAGAIN when there is none; blocking: all, or fewer if a handler's turn came. -EPIPE: this end was shut down; -ENOTCONN; what has ended
 * the connection; -EOPNOTSUPP: an unknown flag, MSG_OOB or MSG_MORE of a datagram. A datagram: all of it, or an error, see `sendto`; -EDESTADDRREQ: no peer.
 */
// @ts-ignore: decorator
@external("aemos", "send") export declare function send(fd: i32, data: usize, length: i32, flags: i32): i32;

/** Bytes received; 0 at the end of the stream; -ENOTCONN; what has ended the connection, or become of an earlier datagram to the peer (-ECONNREFUSED, …), once; -EOPNOTSUPP: an unknown flag. */
// @ts-ignore: decorator
@external("aemos", "recv") export declare function recv(fd: i32, buffer: usize, length: i32, flags: i32): i32;

/**
 * As `send`, to `address` (0: the peer; a stream does not look at it). A datagram goes as a whole, up to 65,507 bytes (over IPv6 65,527), and never waits; else -EMSGSIZE: too long, or above the MTU and not to be
 * fragmented; -ENETUNREACH: no way; -ENETDOWN: no link; -ENOBUFS: no memory; -EACCES: a broadcast without SO_BROADCAST; -EADDRNOTAVAIL: its own address is no longer this machine's; -EADDRINUSE:
 * no port is left; -EINVAL: to port 0; what has become of an earlier datagram to the peer, once, and this one was not sent.
 */
// @ts-ignore: decorator
@external("aemos", "sendto")
export declare function sendto(
  fd: i32,
  data: usize,
  length: i32,
  flags: i32,
  address: usize,
  addressLength: i32,
): i32;

/** Most pieces of a `sendmsg`. */
export const IOV_MAX: i32 = 64;

/** A piece of memory: Linux's struct iovec, 8 bytes. */
@unmanaged
export class iovec {
  base: usize;
  length: i32;
}

/** Linux's struct msghdr: 28 bytes. What a field has no use for is 0. */
@unmanaged
export class msghdr {
  /** Destination of a datagram, as of `sendto`; 0: the peer. A stream does not look at it. */
  name: usize;
  nameLength: i32;
  /** `count` iovecs, up to IOV_MAX. */
  vector: usize;
  count: i32;
  /** Ancillary data: 0, there are none. */
  control: usize;
  controlLength: i32;
  /** Not looked at. */
  flags: i32;
}

/**
 * As `send` and `sendto`, of the pieces that the msghdr at `message` names, one behind the other, without joining them first: what stands together of a stream, or one datagram. The
 * bytes taken, which may end in the middle of a piece. -EMSGSIZE: more than IOV_MAX pieces, or too long for a datagram; -EINVAL: more bytes
 * than an i32 says; -EFAULT: a piece is not in this process's memory; then nothing is sent. -EOPNOTSUPP: ancillary data. A call that waits may read message and vector again: they, and the
 * bytes, stay unchanged until it returns.
 */
// @ts-ignore: decorator
@external("aemos", "sendmsg") export declare function sendmsg(fd: i32, message: usize, flags: i32): i32;

/** As `recv`; the sender goes to `address` (see `accept`). A datagram longer than the buffer loses its rest. Errors: those of `recv`. */
// @ts-ignore: decorator
@external("aemos", "recvfrom")
export declare function recvfrom(
  fd: i32,
  buffer: usize,
  length: i32,
  flags: i32,
  address: usize,
  lengthPointer: usize,
): i32;

/** Lets go of the descriptor and of its events. TCP goes on sending what it has and closes in order, and waits only with SO_LINGER. 0, -EBADF; -ENOMEM: in a fresh fork, and it is open still. */
// @ts-ignore: decorator
@external("aemos", "close") export declare function close(fd: i32): i32;

/** Ends one direction or both (SHUT_*). 0, -ENOTCONN; -EINVAL: another `how`. */
// @ts-ignore: decorator
@external("aemos", "shutdown") export declare function shutdown(fd: i32, how: i32): i32;

/** The socket's own name. 0; errors: those of all. */
// @ts-ignore: decorator
@external("aemos", "getsockname") export declare function getsockname(
  fd: i32,
  address: usize,
  lengthPointer: usize,
): i32;
/** The peer's name. 0; -ENOTCONN. */
// @ts-ignore: decorator
@external("aemos", "getpeername") export declare function getpeername(
  fd: i32,
  address: usize,
  lengthPointer: usize,
): i32;

/** Sets an option; the value has 4 bytes, if nothing else is said. 0; -ENOPROTOOPT: the socket has no such option, or it is to be read only; -EINVAL: it cannot have that value. docs/aem-calls.md has the table. */
// @ts-ignore: decorator
@external("aemos", "setsockopt")
export declare function setsockopt(fd: i32, level: i32, name: i32, value: usize, length: i32): i32;
/** Reads an option. `lengthPointer`: i32, room in and length out. SO_ERROR is told once, and then 0. 0; -ENOPROTOOPT. */
// @ts-ignore: decorator
@external("aemos", "getsockopt")
export declare function getsockopt(fd: i32, level: i32, name: i32, value: usize, lengthPointer: usize): i32;
