/**
 * sockasync_*: TCP port 2001 reports every event of its connections, 2002 accepts once, UDP port 2003 reports datagrams.
 *
 * The first byte of what a connection receives is a command: e echo, k keep the block, f free it, s stop the read event, w shut
 * down for writing, x close, anything else: nothing.
 */
import {
  AF_INET,
  EVF_ONESHOT,
  EVJOBSTOP,
  MSG_DONTWAIT,
  SHUT_WR,
  SOCKADDR_SIZE,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  TCP_ESTABLISHED,
  bindUdp,
  close,
  connect,
  evctl,
  listenTcp,
  onAccept,
  onClose,
  onRead,
  onSock,
  onState,
  send,
  sendto,
  setAddress,
  shutdown,
  sockaddr_in,
  sockasync_accept,
  socket,
  vmtable_free,
  vmtable_keep,
} from "../../../../sdk";
import { row } from "../report";

const HOST: u32 = 0x0a000202;
const peer = memory.data(16, 8);
const peerLength = memory.data(4, 4);
const name = memory.data(16, 8);
let kept: usize = 0;
let activeFd: i32 = -1;

function accepted(jid: i32, fd: i32, newfd: i32): void {
  row("accept", jid, fd, newfd);
  const address = changetype<sockaddr_in>(peer);
  row("accept-peer", newfd, load<i32>(peerLength), address.family, address.address, address.port);
  store<i32>(peerLength, SOCKADDR_SIZE);
  watch(newfd, onState(newfd, stateChanged));
}

function watch(fd: i32, stateJid: i32): void {
  row("connection", fd, stateJid, onSock(fd, changed), onRead(fd, received), onClose(fd, closed));
}

function acceptedOnce(jid: i32, fd: i32, newfd: i32): void {
  row("oneshot", jid, newfd);
  close(newfd);
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  row("read", jid, fd, length, from, length > 0 ? load<u8>(data) : -1);
  if (length <= 0) return;
  switch (load<u8>(data)) {
    case 0x65:
      row("send", send(fd, data, length, MSG_DONTWAIT));
      break;
    case 0x6b:
      kept = data;
      row("keep", vmtable_keep(data), vmtable_keep(data));
      break;
    case 0x66:
      row("free", load<u8>(kept + 1), vmtable_free(kept), vmtable_free(kept));
      break;
    case 0x73:
      row("read-stop", evctl(jid, EVJOBSTOP, 0));
      break;
    case 0x77:
      row("shutdown", shutdown(fd, SHUT_WR));
      break;
    case 0x78:
      row("closing", close(fd));
      break;
  }
}

function closed(jid: i32, fd: i32, error: i32): void {
  row("close-event", jid, fd, error);
}

function stateChanged(jid: i32, fd: i32, oldState: i32, newState: i32): void {
  row("sk", jid, fd, oldState, newState);
  if (fd == activeFd && newState == TCP_ESTABLISHED) watch(fd, jid);
}

function changed(jid: i32, fd: i32, events: i32, error: i32): void {
  row("sock", jid, fd, events, error);
}

function datagram(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  const address = changetype<sockaddr_in>(from);
  row("udp-read", jid, fd, length, address.family, address.address, address.port);
  sendto(fd, data, length, MSG_DONTWAIT, from, SOCKADDR_SIZE);
}

/** An active open to `port` of the host; its events are reported like those of 2001. */
export function dial(port: u32): void {
  activeFd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const jid = onState(activeFd, stateChanged);
  setAddress(name, HOST, port);
  row("dial", activeFd, jid, connect(activeFd, name, SOCKADDR_SIZE));
}

export function sockets(): void {
  store<i32>(peerLength, SOCKADDR_SIZE);
  const fd = listenTcp(2001);
  row("accept-registered", sockasync_accept(fd, peer, peerLength, 0, accepted.index), fd);
  const once = listenTcp(2002);
  row("oneshot-registered", onAccept(once, acceptedOnce, EVF_ONESHOT), once);
  const udp = bindUdp(2003);
  row("udp-registered", onRead(udp, datagram), udp);
}
