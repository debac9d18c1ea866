/** What is often wanted of sockets, each a few of the calls in socket.ts. */
import { EINVAL } from "./errno";
import { givePlace, takePlace } from "./place";
import {
  AF_INET,
  AF_INET6,
  bind,
  close,
  getsockopt,
  INADDR_ANY,
  listen,
  msghdr,
  sendmsg,
  setAddress,
  setAddress6,
  setsockopt,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  sockaddrSize,
  socket,
} from "./socket";

/** `sendmsg` of the `count` iovecs at `vector`, to the peer; POSIX's writev, and flags. */
export function writev(fd: i32, vector: usize, count: i32, flags: i32 = 0): i32 {
  const message = changetype<msghdr>(takePlace());
  message.vector = vector;
  message.count = count;
  const sent = sendmsg(fd, changetype<usize>(message), flags);
  givePlace(changetype<usize>(message));
  return sent;
}

// ---- Options whose value is an i32 ----

const word = memory.data(4, 4);

/** Sets an option. 0, or an errno of `setsockopt`. */
export function setOption(fd: i32, level: i32, name: i32, value: i32): i32 {
  store<i32>(word, value);
  return setsockopt(fd, level, name, word, sizeof<i32>());
}

/** Reads an option: its value, which is never negative, or an errno of `getsockopt`. */
export function getOption(fd: i32, level: i32, name: i32): i32 {
  // Handlers run at the end of the call, and may read an option as well.
  const place = takePlace();
  store<i32>(place, sizeof<i32>(), 4);
  const error = getsockopt(fd, level, name, place, place + 4);
  const value = load<i32>(place);
  givePlace(place);
  return error < 0 ? error : value;
}

// ---- Sockets that serve ----

const scratch = memory.data(32, 8);

/**
 * A TCP socket that listens on `port` of every address, non-blocking. `family`: AF_INET6 for both versions of IP. Its descriptor, or the negative errno of
 * the call that failed.
 */
export function listenTcp(port: u32, backlog: i32 = 128, family: i32 = AF_INET): i32 {
  const fd = bound(SOCK_STREAM, port, family);
  if (fd < 0) return fd;
  const error = listen(fd, backlog);
  if (error >= 0) return fd;
  close(fd);
  return error;
}

/**
 * A UDP socket on `port` of every address, non-blocking. `family`: AF_INET6 for both versions of IP; then names are sockaddr_in6. Its descriptor or a
 * negative errno.
 */
export function bindUdp(port: u32, family: i32 = AF_INET): i32 {
  return bound(SOCK_DGRAM, port, family);
}

function bound(type: i32, port: u32, family: i32): i32 {
  if (port > 65535) return -EINVAL;
  const fd = socket(family, type | SOCK_NONBLOCK, 0);
  if (fd < 0) return fd;
  if (family == AF_INET6) setAddress6(scratch, 0, 0, port);
  else setAddress(scratch, INADDR_ANY, port);
  const error = bind(fd, scratch, sockaddrSize(scratch));
  if (error >= 0) return fd;
  close(fd);
  return error;
}
