/**
 * sockaddr_in and sockaddr_in6 (Linux: include/uapi/linux/in.h and in6.h) between the kernel and an application. Numbers of family and scope are little-endian,
 * the others in network order:
 *
 *     0         2        4             8                16
 *     ├─────────┼────────┼─────────────┼────────────────┤
 *     │ family  │ port   │ address     │ zero           │
 *     └─────────┴────────┴─────────────┴────────────────┘
 *     0         2        4             8                                  24       28
 *     ├─────────┼────────┼─────────────┼──────────────────────────────────┼────────┤
 *     │ family  │ port   │ flow label  │ address                          │ scope  │
 *     └─────────┴────────┴─────────────┴──────────────────────────────────┴────────┘
 *
 * Inside the kernel a name is an Endpoint (net/flow.ts). A socket of AF_INET6 has names of that family also where the other end is of IPv4
 * (::ffff:a.b.c.d, RFC 3493, 3.7). There is one interface: its scope is 1, and what an application says of it is not looked at.
 */
import { EAFNOSUPPORT, EFAULT, EINVAL, ENETUNREACH } from "../../kernel/errno";
import { readUser, writeUser } from "../../kernel/memory/user";
import { Endpoint } from "../flow";
import { isLinkLocal } from "../scope";
import { loadAddress, storeAddress } from "../wire/ipv6";
import { AF_INET, AF_INET6, Socket, SOCKET_INET6, SOCKET_V6ONLY } from "./socket";

export const SOCKADDR_SIZE: u32 = 16;
export const SOCKADDR6_SIZE: u32 = 28;
/** Bytes that a name takes up ahead of a datagram, so that its data begin at a multiple of 16. */
export const SOCKADDR6_ROOM: u32 = 32;

const SCOPE: u32 = 1;

/** Bytes of storage for initializeSockaddr. */
export const SOCKADDR_STORAGE: usize = <usize>SOCKADDR6_ROOM + ((offsetof<Endpoint>() + 7) & ~7);

/** Where an address is composed on its way to or from an application: static data are read-only. Used within one copy only. */
let scratch: usize = 0;
/** The name that `readSockaddr` read last. */
export let givenName: Endpoint = changetype<Endpoint>(0);

/** Once at boot. `storage`: SOCKADDR_STORAGE bytes, 8-aligned. */
export function initializeSockaddr(storage: usize): void {
  scratch = storage;
  givenName = changetype<Endpoint>(storage + SOCKADDR6_ROOM);
}

// @ts-ignore: decorator
@inline
function isInet6(socket: Socket): bool {
  return (socket.flags & SOCKET_INET6) != 0;
}

/** Bytes of a name of this socket, and that it takes up ahead of a datagram. */
// @ts-ignore: decorator
@inline
export function nameSize(socket: Socket): u32 {
  return isInet6(socket) ? SOCKADDR6_SIZE : SOCKADDR_SIZE;
}

// @ts-ignore: decorator
@inline
export function nameRoom(socket: Socket): u32 {
  return isInet6(socket) ? SOCKADDR6_ROOM : SOCKADDR_SIZE;
}

/** Writes the nameRoom(socket) bytes of a name at a kernel address. */
@inline
export function putName(destination: usize, socket: Socket, name: Endpoint): void {
  if (isInet6(socket)) putSockaddr6(destination, name);
  else putSockaddr(destination, name);
}

/** Writes all 16 bytes of a sockaddr_in. */
@inline
export function putSockaddr(destination: usize, name: Endpoint): void {
  store<u16>(destination, <u16>AF_INET);
  store<u16>(destination, bswap<u16>(<u16>name.port), 2);
  store<u32>(destination, bswap<u32>(name.ipv4), 4);
  store<u64>(destination, 0, 8);
}

/** Writes the SOCKADDR6_ROOM bytes of a sockaddr_in6 and what fills it up. */
export function putSockaddr6(destination: usize, name: Endpoint): void {
  store<u16>(destination, <u16>AF_INET6);
  store<u16>(destination, bswap<u16>(<u16>name.port), 2);
  store<u32>(destination, 0, 4);
  storeAddress(destination + 8, name);
  // There is more than one form of it inside (net/flow.ts).
  if (name.isAny && !name.isMapped) store<u64>(destination, 0, 16);
  store<u64>(destination, isLinkLocal(name) ? SCOPE : 0, 24);
}

/** Writes the nameRoom(socket) bytes of a name to the application. 0 or -EFAULT. */
export function putUserSockaddr(user: usize, socket: Socket, name: Endpoint): i32 {
  putName(scratch, socket, name);
  return writeUser(user, scratch, nameRoom(socket));
}

/**
 * Reads the name that the application passed for `socket` into `givenName`. 0, -EINVAL, -EFAULT, -EAFNOSUPPORT (of another family), -ENETUNREACH (an
 * address of IPv4 for a socket that wants none).
 */
export function readSockaddr(socket: Socket, user: usize, length: u32): i32 {
  const at = scratch;
  const size = nameSize(socket);
  if (length < 2 || <i32>length < 0) return -EINVAL;
  if (readUser(at, user, min(length, size)) < 0) return -EFAULT;
  if (load<u16>(at) != (isInet6(socket) ? AF_INET6 : AF_INET)) return -EAFNOSUPPORT;
  if (length < size) return -EINVAL;
  const port = bswap<u16>(load<u16>(at, 2));
  if (!isInet6(socket)) {
    givenName.setIpv4(bswap<u32>(load<u32>(at, 4)), port);
    return 0;
  }
  loadAddress(givenName, at + 8);
  givenName.port = port;
  // Whatever stands for no address here, outside it is ::.
  if (givenName.isAny && !givenName.isMapped) socket.clearAddress(givenName);
  return givenName.isMapped && (socket.flags & SOCKET_V6ONLY) != 0 ? -ENETUNREACH : 0;
}

/**
 * Writes as much of a name of `socket` as fits to the application, and its whole length to `lengthPointer`, which said before how
 * much does. 0, -EFAULT, -EINVAL.
 */
export function writeSockaddr(user: usize, lengthPointer: usize, socket: Socket, name: Endpoint): i32 {
  const at = scratch;
  const size = nameSize(socket);
  if (readUser(at, lengthPointer, 4) < 0) return -EFAULT;
  const room = load<i32>(at);
  if (room < 0) return -EINVAL;
  putName(at, socket, name);
  if (writeUser(user, at, min(<u32>room, size)) < 0) return -EFAULT;
  store<u32>(at, size);
  return writeUser(lengthPointer, at, 4);
}
