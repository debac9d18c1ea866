/**
 * A server whose data are handled in different executors, one port for each (spec/boot/aem/executors.test.ts). Each call of a handler answers with
 * u32s: its process, the bytes that it got, their sum, its calls in this process so far.
 *
 *     TCP 2000 function, 2001 process, 2002 capsule, 2003 thread      UDP 2004 process
 *     TCP 2006: a capsule accepts, answers, and leaves the connection to whoever closes it
 *     UDP 2005 control: `s` and 8 bytes: how often those bytes, each inverted, stand in this process's memory; `m`: the rest goes as a
 *     message to a handler in a process of its own, which answers
 */
import {
  EVF_CAPSULE,
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVF_THREAD,
  MSG_DONTWAIT,
  SOCKADDR_SIZE,
  bindUdp,
  close,
  enter_keepalive,
  evpost,
  getpid,
  listenTcp,
  onAccept,
  onClose,
  onMessage,
  onRead,
  send,
  sendto,
} from "../../../../sdk";
import { row } from "../report";

const VMTABLE: usize = 0xf000_0000;
/** As in the manifest. */
const VMTABLE_BYTES: usize = 256 * 1024;
const REPLY: i32 = 16;

const reply = memory.data(16);
let calls: i32 = 0;
let messages: i32 = 0;

function answer(data: usize, length: i32): void {
  let sum: u32 = 0;
  for (let at: i32 = 0; at < length; at++) sum = sum * 31 + load<u8>(data + at);
  store<u32>(reply, getpid());
  store<u32>(reply, length, 4);
  store<u32>(reply, sum, 8);
  store<u32>(reply, ++calls, 12);
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length <= 0) return;
  answer(data, length);
  if (from == 0) send(fd, reply, REPLY, 0);
  else sendto(fd, reply, REPLY, MSG_DONTWAIT, from, SOCKADDR_SIZE);
}

function closed(jid: i32, fd: i32, error: i32): void {
  close(fd);
}

function serve(fd: i32, flags: i32): void {
  onRead(fd, received, flags);
  onClose(fd, closed);
}

function acceptFunction(jid: i32, listener: i32, fd: i32): void {
  serve(fd, 0);
}

function acceptProcess(jid: i32, listener: i32, fd: i32): void {
  serve(fd, EVF_FORK | EVF_NOCLDWAIT);
}

function acceptCapsule(jid: i32, listener: i32, fd: i32): void {
  serve(fd, EVF_CAPSULE);
}

function acceptThread(jid: i32, listener: i32, fd: i32): void {
  serve(fd, EVF_THREAD);
}

function acceptAndForget(jid: i32, listener: i32, fd: i32): void {
  answer(0, 0);
  send(fd, reply, REPLY, 0);
}

/** u32 descriptor, sockaddr_in, then what is to be looked at. */
function message(jid: i32, from: i32, data: usize, length: i32): void {
  answer(data + 20, length - 20);
  sendto(load<i32>(data), reply, REPLY, MSG_DONTWAIT, data + 4, SOCKADDR_SIZE);
}

function count(wanted: u64, begin: usize, end: usize): u32 {
  let found: u32 = 0;
  for (let at = begin; at + 8 <= end; at++) if (load<u64>(at) == wanted) found++;
  return found;
}

function control(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length >= 9 && load<u8>(data) == 0x73) {
    const wanted = ~load<u64>(data + 1);
    const found = count(wanted, 0, (<usize>memory.size()) << 16);
    store<u32>(reply, found);
    store<u32>(reply, count(wanted, VMTABLE, VMTABLE + VMTABLE_BYTES), 4);
    sendto(fd, reply, 8, MSG_DONTWAIT, from, SOCKADDR_SIZE);
  } else if (length > 1) {
    const letter = heap.alloc(20 + length);
    store<i32>(letter, fd);
    memory.copy(letter + 4, from, SOCKADDR_SIZE);
    for (let at: i32 = 1; at < length; at++) store<u8>(letter + 19 + at, load<u8>(data + at) ^ 0xff);
    row("posted", evpost(0, messages, letter, 19 + length));
  }
}

export function main(): i32 {
  onAccept(listenTcp(2000), acceptFunction);
  onAccept(listenTcp(2001), acceptProcess);
  onAccept(listenTcp(2002), acceptCapsule);
  onAccept(listenTcp(2003), acceptThread);
  onAccept(listenTcp(2006), acceptAndForget, EVF_CAPSULE);
  onRead(bindUdp(2004), received, EVF_FORK | EVF_NOCLDWAIT);
  onRead(bindUdp(2005), control);
  messages = onMessage(1, message, EVF_FORK | EVF_NOCLDWAIT);
  return enter_keepalive();
}
