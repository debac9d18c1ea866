/** Connected sockets of the first process, over the real TCP by loopback. */
import { currentProcess } from "../../kernel/process/process";
import { HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import { sys_accept, sys_bind, sys_close, sys_connect, sys_listen, sys_socket } from "../../net/socket/calls";
import { putSockaddr } from "../../net/socket/sockaddr";
import { Socket, SOCKET_NONBLOCK } from "../../net/socket/socket";
import { endpoint } from "../net/addresses";
import { timePasses, user } from "./driver";
import { settle } from "./machine";

export const AF_INET: u32 = 2;
export const STREAM: u32 = 1;
export const DATAGRAM: u32 = 2;
export const NONBLOCK: u32 = 0x800;
export const DONTWAIT: u32 = 0x40;
export const LOOPBACK: u32 = 0x7f000001;

/** The port of the listener that was made last. */
export let port: u32 = 5000;
export let client: i32 = 0;
export let server: i32 = 0;

/** A sockaddr_in, at the beginning of the application's memory. */
export function address(host: u32, number: u32): u32 {
  putSockaddr(user, endpoint(host, number));
  return user;
}
export function passMilliseconds(count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    timePasses(1_000_000);
    settle();
  }
}
export function listener(type: u32): i32 {
  const fd = sys_socket(AF_INET, STREAM | type, 0);
  expect<i32>(sys_bind(fd, address(0, ++port), 16)).toBe(0, "bind");
  expect<i32>(sys_listen(fd, 5)).toBe(0, "listen");
  return fd;
}
export function setBlocking(fd: i32, block: bool): void {
  const socket = changetype<Socket>(handleObject(currentProcess(), fd, HANDLE_SOCKET));
  if (block) socket.flags &= ~SOCKET_NONBLOCK;
  else socket.flags |= SOCKET_NONBLOCK;
}
/** A pair of connected sockets, not blocking: `client` and `server`. */
export function connectPair(): void {
  const listening = listener(NONBLOCK);
  client = sys_socket(AF_INET, STREAM | NONBLOCK, 0);
  sys_connect(client, address(LOOPBACK, port), 16);
  settle();
  expect<i32>(sys_connect(client, address(LOOPBACK, port), 16)).toBeLessThanOrEqual(0);
  setServer(sys_accept(listening, 0, 0));
  expect<i32>(server).toBeGreaterThanOrEqual(0);
  // As with Linux, an accepted socket blocks.
  setBlocking(server, false);
  sys_close(listening);
  settle();
}
export function nextPort(): u32 {
  return ++port;
}
export function setClient(fd: i32): void {
  client = fd;
}
export function setServer(fd: i32): void {
  server = fd;
}
export function closePair(): void {
  sys_close(client);
  sys_close(server);
  settle();
}
