/**
 * The plain socket calls, blocking, in main code: no event but one timer. TCP port 2010 echoes one connection after another; a
 * connection whose first four bytes are 0, 0 and a port connects to that port of 10.0.2.2 and carries bytes from there; with 0, 0, 0, 1
 * it gets pieces, with 0, 0, 0, 2 those of a call that has waited (pieces.ts).
 */
import {
  AF_INET,
  IPPROTO_TCP,
  SHUT_WR,
  SOCKADDR_SIZE,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_ERROR,
  accept,
  bind,
  close,
  connect,
  getpeername,
  getsockname,
  listen,
  recv,
  recvfrom,
  send,
  setAddress,
  shutdown,
  sockaddr_in,
  socket,
  getsockopt,
} from "../../../../sdk";
import { row } from "../report";
import { sendDatagram, sendPieces, sendWaiting } from "./pieces";

const TCP_PORT: u32 = 2010;
const UDP_PORT: u32 = 2011;
const HOST: u32 = 0x0a000202;
const BUFFER_SIZE: i32 = 65536;

const buffer = heap.alloc(65536);
const name = memory.data(16, 8);
const nameLength = memory.data(4, 4);
const option = memory.data(4, 4);

/** All of it, however many calls that takes: 0 or the negative errno. */
function sendAll(fd: i32, data: usize, length: i32): i32 {
  for (let done = 0; done < length;) {
    const sent = send(fd, data + done, length - done, 0);
    if (sent < 0) return sent;
    done += sent;
  }
  return 0;
}

function reportName(what: string, result: i32): void {
  const address = changetype<sockaddr_in>(name);
  row(what, result, load<i32>(nameLength), address.family, address.address, address.port);
}

/** Bytes from `from` to `to` until the stream ends; the total, or the negative errno. */
function carry(from: i32, to: i32): i64 {
  let total: i64 = 0;
  let got = recv(from, buffer, BUFFER_SIZE, 0);
  while (got > 0) {
    const error = sendAll(to, buffer, got);
    if (error < 0) return error;
    total += got;
    got = recv(from, buffer, BUFFER_SIZE, 0);
  }
  return got == 0 ? total : got;
}

/** An active open, as the first bytes of `client` ask for. */
function dial(client: i32, port: u32): void {
  const fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
  setAddress(name, HOST, port);
  const connected = connect(fd, name, SOCKADDR_SIZE);
  row("plain-connect", connected);
  if (connected == 0) {
    store<i32>(nameLength, SOCKADDR_SIZE);
    reportName("plain-dial-peer", getpeername(fd, name, nameLength));
    sendAll(fd, changetype<usize>("hello"), 10);
    row("plain-dial-shutdown", shutdown(fd, SHUT_WR));
    row("plain-dial-carried", carry(fd, client));
  }
  close(fd);
}

function serve(client: i32): void {
  const got = recv(client, buffer, 4, 0);
  if (got == 4 && load<u16>(buffer) == 0) {
    const port = bswap<u16>(load<u16>(buffer + 2));
    if (port == 1) sendPieces(client);
    else if (port == 2) sendWaiting(client);
    else dial(client, port);
  } else if (got > 0) {
    const error = sendAll(client, buffer, got);
    row("plain-carried", error < 0 ? error : got + carry(client, client));
  }
  store<i32>(option, -1);
  store<i32>(nameLength, 4);
  row("plain-so-error", getsockopt(client, SOL_SOCKET, SO_ERROR, option, nameLength), load<i32>(option));
  row("plain-close", close(client));
}

/** One datagram that comes while this blocks. */
function datagram(): void {
  const fd = socket(AF_INET, SOCK_DGRAM, 0);
  setAddress(name, 0, UDP_PORT);
  row("plain-udp-bind", bind(fd, name, SOCKADDR_SIZE));
  store<i32>(nameLength, SOCKADDR_SIZE);
  const got = recvfrom(fd, buffer, 8, 0, name, nameLength);
  row("plain-udp-recvfrom", got, load<i32>(nameLength));
  row("plain-udp-sendmsg", sendDatagram(fd, buffer, got, name));
  row("plain-udp-close", close(fd));
}

function next(listener: i32): i32 {
  store<i32>(nameLength, SOCKADDR_SIZE);
  return accept(listener, name, nameLength);
}

export function main(): i32 {
  datagram();
  const listener = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
  setAddress(name, 0, TCP_PORT);
  bind(listener, name, SOCKADDR_SIZE);
  row("plain-listen", listen(listener, 16));
  store<i32>(nameLength, SOCKADDR_SIZE);
  reportName("plain-sockname", getsockname(listener, name, nameLength));
  let client = next(listener);
  while (client >= 0) {
    reportName("plain-accepted", 0);
    serve(client);
    client = next(listener);
  }
  row("plain-accept", client);
  return 1;
}
