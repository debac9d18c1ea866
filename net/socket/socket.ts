/**
 * What every socket has, whatever its transport, and the operations a transport implements.
 *
 * A socket is the head of its own wait queue: blocked threads and AEM events listen there (kernel/scheduler/wait.ts).
 * Nothing here or below blocks; blocking is in net/socket/calls.ts, and data is copied once, by whoever knows where it goes to: what was received by the caller, who
 * finds it in the socket (`received`) and says what it is done with (`consume`); what is to be sent by the transport, which asks gather.ts for as many as it has room for (`fill`).
 *
 * Addresses are those of net/flow.ts, of either version of IP.
 */
import { WaitQueue } from "../../kernel/scheduler/wait";
import { BufferQueue } from "../buffer";
import { Flow, IpAddress } from "../flow";

export const AF_INET: u32 = 2;
export const AF_INET6: u32 = 10;
export const SOCK_STREAM: u32 = 1;
export const SOCK_DGRAM: u32 = 2;
export const IPPROTO_ICMP: u32 = 1;
export const IPPROTO_TCP: u32 = 6;
export const IPPROTO_UDP: u32 = 17;
export const IPPROTO_IPV6: u32 = 41;
export const IPPROTO_ICMPV6: u32 = 58;
export const SHUT_RD: i32 = 0;
export const SHUT_WR: i32 = 1;
export const SHUT_RDWR: i32 = 2;

/** Of what is sent (`push`): it is urgent (RFC 9293, 3.8.5; streams only, and received urgent data are in line); more follows at once. */
export const MSG_OOB: u32 = 0x01;
export const MSG_MORE: u32 = 0x8000;

/** Blocking calls on the socket return -EAGAIN. */
export const SOCKET_NONBLOCK: u32 = 1;
/** TCP_NODELAY: no Nagle algorithm. */
export const SOCKET_NODELAY: u32 = 2;
/** The application has closed it; the transport keeps it until the protocol is done. */
export const SOCKET_ORPHAN: u32 = 4;
/** calls.ts: a connect has begun, and its outcome has not been told yet. */
export const SOCKET_CONNECTING: u32 = 8;
/** calls.ts: listen has succeeded. */
export const SOCKET_LISTENING: u32 = 16;
/** SO_KEEPALIVE. */
export const SOCKET_KEEPALIVE: u32 = 32;
/** SO_LINGER: close waits, or resets. */
export const SOCKET_LINGER: u32 = 64;
/** SO_REUSEADDR: may share its address with others that allow it, too. Who changes it tells the protocol (`shared`). */
export const SOCKET_REUSE: u32 = 128;
/** SO_BROADCAST: may send to all hosts. */
export const SOCKET_BROADCAST: u32 = 256;
/** TCP_UTO: user time-outs are exchanged with the peer (RFC 5482, ENABLED). */
export const SOCKET_UTO: u32 = 512;
/** aem/jobs/close.ts: a close event stands behind the read events. */
export const SOCKET_BEHIND: u32 = 1024;
/** IP_MTU_DISCOVER: datagrams above the MTU are refused instead of fragmented, here and on the way. */
export const SOCKET_DONT_FRAGMENT: u32 = 2048;
/** AF_INET6: its names are IPv6's; and IPV6_V6ONLY: it has nothing to do with IPv4. */
export const SOCKET_INET6: u32 = 4096;
export const SOCKET_V6ONLY: u32 = 8192;
/** What a connection has from the listener that it came in by. */
export const SOCKET_INHERITED: u32 =
  SOCKET_NODELAY |
  SOCKET_KEEPALIVE |
  SOCKET_LINGER |
  SOCKET_REUSE |
  SOCKET_UTO |
  SOCKET_INET6 |
  SOCKET_V6ONLY;
/**
 * A transport that has found no free local port after a bounded search says -EAGAIN, to be called again behind a yield point: so often at most. What then has
 * not been found is taken not to be there.
 */
export const PORT_SEARCHES: u32 = 1412;


@unmanaged
export class Socket extends WaitQueue {
  /** What the transport does for each call. */
  protocol: SocketProtocol;
  /** SOCK_STREAM or SOCK_DGRAM. */
  type: u8;
  /** Priority of what is received for it, and as long as nobody waits for it (rank.ts). */
  level: u8;
  ownLevel: u8;
  /** Events (AEM) that listen to it, of all processes. */
  events: u8;
  /** net/packets.ts: the queue that the last of its packets joined, and the number which that was there. */
  queuedAt: u8;
  /** IP_TTL, 1..255, and IP_TOS: as the network layer takes them, tos << 8 | ttl. */
  service: u16;
  queuedNumber: u32;
  /** SOCKET_* flags. */
  flags: u32;
  /** Positive errno to be reported once (SO_ERROR), or 0. */
  error: i32;
  /** Descriptor tables that have it, beyond the first: a fork shares them. */
  sharers: u32;
  private flow0: u64;
  private flow1: u64;
  private flow2: u64;
  private flow3: u64;
  private flow4: u64;
  private flow5: u64;
  /**
   * TCP: the states of the present connection from CLOSE or LISTEN on, 4 bits each, the latest in the lowest; 0 before the first transition. So who
   * asks late, as the one who accepts always does, still learns of each.
   */
  history: u32;
  /** Read events (AEM) that have still to be given data. */
  readers: u32;
  /** With several of them: bytes of a stream, or datagrams, that have left the queue since they last looked; sticks at the maximum. */
  taken: u32;
  private received0: usize;
  private received1: usize;
  private received2: u32;
  /** Bytes in `received`. */
  receivedBytes: u32;

  /** Its own name and its peer's; 0.0.0.0 or ::, and port 0, where there is none (yet). */
  @inline get flow(): Flow {
    return changetype<Flow>(changetype<usize>(this) + offsetof<Socket>("flow0"));
  }

  /**
   * What was received and not consumed: the next byte of a stream, or the next datagram's payload, whose sender is the buffer's `source`, stands at the head's `data`. Only the transport
   * puts in and takes out. It stands here, and not behind an operation, since every delivery looks at it several times, at 15 instructions for a call by its index.
   */
  @inline get received(): BufferQueue {
    return changetype<BufferQueue>(changetype<usize>(this) + offsetof<Socket>("received0"));
  }

  /** A new socket becomes one of IPv6. */
  @inline setFamily6(): void {
    this.flags |= SOCKET_INET6;
    this.flow.clearIpv6();
  }

  /** Sets `address`, one of its ends, to what it is while there is none: 0.0.0.0 or ::. */
  @inline clearAddress(address: IpAddress): void {
    if (this.flags & SOCKET_INET6) address.setAny6((this.flags & SOCKET_V6ONLY) != 0);
    else address.ipv4 = 0;
  }

  /** For the transport: so much has left the queue, consumed or thrown away. */
  @inline left(amount: u32): void {
    if (this.readers > 1) this.taken = amount > ~this.taken ? u32.MAX_VALUE : this.taken + amount;
  }
}

// @ts-ignore: decorator
@inline
export function isStream(socket: Socket): bool {
  return socket.type == SOCK_STREAM;
}

/** SO_ERROR: told once. 0 or a negative errno. */
// @ts-ignore: decorator
@inline
export function takeError(socket: Socket): i32 {
  const error = socket.error;
  socket.error = 0;
  return -error;
}

/** Function indices; each takes the socket first. A struct of function pointers, filled in once at boot. */
@unmanaged
export class SocketProtocol {
  /** (socket, name: Endpoint) => i32: 0, -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL when bound; -EAGAIN: see PORT_SEARCHES. */
  bind: u32;
  /** (socket, backlog: i32) => i32: 0, -EOPNOTSUPP, -EADDRINUSE, -EINVAL; -EAGAIN: see PORT_SEARCHES. */
  listen: u32;
  /** (socket) => Socket | 0: takes the next connection that is established; 0 when there is none. */
  accept: u32;
  /** (socket, name: Endpoint) => i32: 0 when done, -EINPROGRESS when begun, -EISCONN, -EALREADY, -ENETUNREACH, …; -EAGAIN: see PORT_SEARCHES. */
  connect: u32;
  /** (socket) => u32: POLLIN, POLLOUT, POLLERR, POLLHUP, POLLRDHUP as they hold now. */
  poll: u32;
  /** (socket, bytes: u32) => void: done with that many bytes of `received` (a datagram: with all of it). Opens the window. */
  consume: u32;
  /**
   * (socket) => i32: why nothing is received when `received` is empty, or will be: -EAGAIN, 0 at the end of the stream, or the negative errno that ended it; that of a datagram is told
   * once.
   */
  end: u32;
  /**
   * (socket, total: u32) => u32: takes the next bytes that gather() gives (gather.ts), which are to be sent: `total`, or as many as there is room for. How many. TCP only.
   */
  fill: u32;
  /** (socket) => i32: why the last `fill` has taken fewer: -EAGAIN, -EFAULT, -EPIPE, -ENOTCONN or the errno that ended the connection. */
  fillError: u32;
  /**
   * (socket, marks: u32) => void: sends what was filled in, as far as windows allow. TCP: with MSG_OOB all of it is urgent data; with MSG_MORE alone it goes with what comes next, in a poll at
   * the latest.
   */
  push: u32;
  /** (socket, how: i32) => i32: SHUT_*. */
  shutdown: u32;
  /** (socket) => void: the application lets go of it. Orderly; the socket is the transport's from here on. */
  close: u32;
  /** (socket) => void: the same, abortive (RST): for a process that died. */
  abort: u32;
  /** (socket) => u32: bytes that the peer can still bring in before more is consumed. Streams only. */
  room: u32;
  /** (socket) => void: its level is another one. 0: does not matter. */
  ranked: u32;
  /** (socket) => void: SOCKET_REUSE is another one. */
  shared: u32;
}
