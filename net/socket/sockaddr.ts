/**
 * sockaddr_in (Linux: include/uapi/linux/in.h) between the kernel and an application:
 *
 *     0         2        4             8                16
 *     ├─────────┼────────┼─────────────┼────────────────┤
 *     │ family  │ port   │ address     │ zero           │     family little-endian, port and address in network order
 *     └─────────┴────────┴─────────────┴────────────────┘
 *
 * Inside the kernel a name is an Endpoint (net/flow.ts).
 */
import { EAFNOSUPPORT, EFAULT, EINVAL } from "../../kernel/errno";
import { readUser, writeUser } from "../../kernel/memory/user";
import { Endpoint } from "../flow";
import { AF_INET } from "./socket";

export const SOCKADDR_SIZE: u32 = 16;

/** Bytes of storage for initializeSockaddr. */
export const SOCKADDR_STORAGE: usize = <usize>SOCKADDR_SIZE + ((offsetof<Endpoint>() + 7) & ~7);

/** Where an address is composed on its way to or from an application: static data are read-only. Used within one copy only. */
let scratch: usize = 0;
/** The name that `readSockaddr` read last. */
export let givenName: Endpoint = changetype<Endpoint>(0);

/** Once at boot. `storage`: SOCKADDR_STORAGE bytes, 8-aligned. */
export function initializeSockaddr(storage: usize): void {
  scratch = storage;
  givenName = changetype<Endpoint>(storage + SOCKADDR_SIZE);
}

/** Writes all 16 bytes at a kernel address. */
@inline
export function putSockaddr(destination: usize, name: Endpoint): void {
  store<u16>(destination, <u16>AF_INET);
  store<u16>(destination, bswap<u16>(<u16>name.port), 2);
  store<u32>(destination, bswap<u32>(name.ipv4), 4);
  store<u64>(destination, 0, 8);
}

/** Writes all 16 bytes to the application. 0 or -EFAULT. */
export function putUserSockaddr(user: usize, name: Endpoint): i32 {
  putSockaddr(scratch, name);
  return writeUser(user, scratch, SOCKADDR_SIZE);
}

/** Reads what the application passed into `givenName`. 0, -EINVAL, -EFAULT, -EAFNOSUPPORT. */
export function readSockaddr(user: usize, length: u32): i32 {
  if (length < SOCKADDR_SIZE || <i32>length < 0) return -EINVAL;
  const at = scratch;
  if (readUser(at, user, SOCKADDR_SIZE) < 0) return -EFAULT;
  if (load<u16>(at) != AF_INET) return -EAFNOSUPPORT;
  givenName.setIpv4(bswap<u32>(load<u32>(at, 4)), bswap<u16>(load<u16>(at, 2)));
  return 0;
}

/**
 * Writes as much of the address as fits to the application, and its whole length to `lengthPointer`, which said before how
 * much does. 0, -EFAULT, -EINVAL.
 */
export function writeSockaddr(user: usize, lengthPointer: usize, name: Endpoint): i32 {
  const at = scratch;
  if (readUser(at, lengthPointer, 4) < 0) return -EFAULT;
  const room = load<i32>(at);
  if (room < 0) return -EINVAL;
  putSockaddr(at, name);
  if (writeUser(user, at, min(<u32>room, SOCKADDR_SIZE)) < 0) return -EFAULT;
  store<u32>(at, SOCKADDR_SIZE);
  return writeUser(lengthPointer, at, 4);
}
