/**
 * Many connections: echo on TCP port 7, and a client that opens and closes connections one after another. A datagram to UDP port 9 asks for
 * the counters of the system (struct SystemInformation as it is), one of four bytes before has that many connections opened to its sender, port 7.
 */
import {
  AF_INET,
  MSG_DONTWAIT,
  SIGUSR1,
  SOCKADDR_SIZE,
  SOCK_STREAM,
  SYSTEM_INFORMATION_SIZE,
  bindUdp,
  close,
  connect,
  enter_keepalive,
  getpid,
  kill,
  listenTcp,
  onAccept,
  onClose,
  onRead,
  send,
  sendto,
  setAddress,
  sigtake,
  sockaddr_in,
  socket,
  sysinfo,
} from "../../../../sdk";
import { row } from "../report";

const ECHO: u32 = 7;
const CONTROL: u32 = 9;
const BACKLOG: i32 = 4096;

const information = memory.data(SYSTEM_INFORMATION_SIZE, 8);
const destination = memory.data(16, 8);
let control: i32 = 0;
let client: u32 = 0;
let wanted: u32 = 0;

function accepted(jid: i32, listener: i32, fd: i32): void {
  if (fd < 0) return;
  if (onRead(fd, received) < 0 || onClose(fd, closed) < 0) close(fd);
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length > 0) send(fd, data, length, MSG_DONTWAIT);
}

function closed(jid: i32, fd: i32, error: i32): void {
  close(fd);
}

function asked(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (from == 0) return;
  if (length == 4) {
    client = changetype<sockaddr_in>(from).address;
    wanted = load<u32>(data);
    kill(getpid(), SIGUSR1);
  }
  sysinfo(information, SYSTEM_INFORMATION_SIZE);
  sendto(fd, information, SYSTEM_INFORMATION_SIZE, MSG_DONTWAIT, from, SOCKADDR_SIZE);
}

/** Opens and closes: the TIME-WAIT stays with this side. What fails is counted by its errno. */
function openAndClose(count: u32): void {
  setAddress(destination, client, ECHO);
  let opened: u32 = 0;
  let error: i32 = 0;
  for (let turn: u32 = 0; turn < count; turn++) {
    const fd = socket(AF_INET, SOCK_STREAM, 0);
    const result = fd < 0 ? fd : connect(fd, destination, SOCKADDR_SIZE);
    if (result < 0) error = result;
    else opened++;
    if (fd >= 0) close(fd);
  }
  row("opened", opened, error);
}

export function main(): i32 {
  const listener = listenTcp(ECHO, BACKLOG);
  control = bindUdp(CONTROL);
  if (onAccept(listener, accepted) < 0 || onRead(control, asked) < 0) return 1;
  while (true) {
    enter_keepalive();
    sigtake();
    const count = wanted;
    wanted = 0;
    if (count != 0) openAndClose(count);
  }
}
