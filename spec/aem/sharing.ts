/** For the specs of sockets that several events share: a pair over the real TCP or UDP, by loopback, and what was sent over it. */
import { EVTBLINIT } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { EAGAIN } from "../../kernel/errno";
import { VMTABLE_BASE } from "../../kernel/memory/layout";
import { HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { bufferPool } from "../../net/buffer";
import { sys_accept, sys_bind, sys_close, sys_connect, sys_listen, sys_socket } from "../../net/socket/calls";
import { sys_send } from "../../net/socket/calls-send";
import { putSockaddr } from "../../net/socket/sockaddr";
import { Socket, SOCKET_NODELAY } from "../../net/socket/socket";
import { TcpConnection } from "../../net/socket/tcp/connection";
import { UdpSocket } from "../../net/socket/udp-socket";
import { growMemory } from "../arena";
import { expectNothingLeft, setUp, timePasses, user, zone } from "./driver";
import { nextHandler, pattern, settle } from "./machine";
import { endpoint } from "../net/addresses";

export const AF_INET: u32 = 2;
const STREAM: u32 = 1;
export const DATAGRAM: u32 = 2;
export const NONBLOCK: u32 = 0x800;
export const DONTWAIT: u32 = 0x40;
export const LOOPBACK: u32 = 0x7f000001;

export const SHUT_WR: i32 = 1;

export let client: i32 = 0;
export let server: i32 = 0;
export let port: u32 = 7000;

/** Where the application's memory has room to send from and for buffers. */
export let outgoing: u32 = 0;
export let scratch: u32 = 0;
export let own: u32 = 0;

/** What was sent: bytes, or datagrams and their lengths. What nobody has had any more begins at `head`. */
export let sent: u32 = 0;
export let lengths: u32[] = [];

export function name(host: u32, number: u32): u32 {
  putSockaddr(scratch, endpoint(host, number));
  return scratch;
}
export function socketOf(fd: i32): usize {
  return handleObject(currentProcess(), fd, HANDLE_SOCKET);
}
export function connection(): TcpConnection {
  return changetype<TcpConnection>(socketOf(server));
}
export function udp(): UdpSocket {
  return changetype<UdpSocket>(socketOf(server));
}

export function openStreams(): void {
  const listening = sys_socket(AF_INET, STREAM | NONBLOCK, 0);
  assert(sys_bind(listening, name(0, ++port), 16) == 0 && sys_listen(listening, 5) == 0, "listen");
  client = sys_socket(AF_INET, STREAM | NONBLOCK, 0);
  sys_connect(client, name(LOOPBACK, port), 16);
  settle();
  server = sys_accept(listening, 0, 0);
  assert(server >= 0, "accept");
  changetype<Socket>(socketOf(client)).flags |= SOCKET_NODELAY;
  sys_close(listening);
  settle();
  begin();
}

export function openDatagrams(): void {
  server = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
  client = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
  assert(sys_bind(server, name(0, ++port), 16) == 0, "bind");
  assert(sys_connect(client, name(LOOPBACK, port), 16) == 0, "connect");
  begin();
}

function begin(): void {
  sent = 0;
  lengths = [];
}

/** Ends what openStreams or openDatagrams began. */
export function end(): void {
  sys_evctl(0, EVTBLINIT, 0);
  nextHandler();
  sys_close(client);
  sys_close(server);
  settle();
}

export function send(bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i++) store<u8>(outgoing + i, pattern(sent + i));
  const result = sys_send(client, outgoing, bytes, DONTWAIT);
  assert(result > 0 || result == -EAGAIN, "send");
  if (result > 0) sent += result;
  settle();
}

/** Datagram n has the bytes of the pattern from 251 n on. False: the receiver had no room for it. */
export function sendDatagram(bytes: u32): bool {
  for (let i: u32 = 0; i < bytes; i++) store<u8>(outgoing + i, pattern(251 * sent + i));
  const before = udp().drops;
  assert(sys_send(client, outgoing, bytes, DONTWAIT) == bytes, "send");
  settle();
  if (udp().drops != before) return false;
  sent++;
  lengths.push(bytes);
  return true;
}

export function wrong(address: u32, position: u32, length: u32): i32 {
  let wrong = 0;
  for (let i: u32 = 0; i < length; i++) {
    const at = address + i;
    if (load<u8>(at < <u32>VMTABLE_BASE ? <usize>at : zone(at)) != pattern(position + i)) wrong++;
  }
  return wrong;
}

/** Position behind what is in the socket: what was sent may still be with the sender. */
export function queueEnd(stream: bool): u32 {
  if (!stream) return sent;
  const c = connection();
  const end = c.RCV_NXT - c.IRS - 1;
  return min(end, sent);
}

export function setUpSharing(): void {
  setUp(true);
  scratch = user;
  outgoing = <u32>growMemory(32768, 8);
  own = <u32>growMemory(4096, 8);
}

/** After each test, which has left its sockets open. */
export function expectAllGone(): void {
  end();
  expectNothingLeft();
  // TIME-WAIT and delayed acknowledgements hold no buffers.
  timePasses(1_000_000_000);
  settle();
  expect<u32>(bufferPool().inUse).toBe(0, "packet buffers");
  expect<u32>(currentProcess().handleCount).toBe(0, "descriptors");
}

/** The client is another socket from now on. */
export function setClient(fd: i32): void {
  client = fd;
}
export function nextPort(): u32 {
  return ++port;
}
