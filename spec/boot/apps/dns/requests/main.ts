/**
 * `resolve`, remote-controlled on UDP port 5300: `TAG A NAME` and `TAG AAAA NAME` ask, and the answer goes back when it comes; `TAG counters` tells the
 * resolver's, `TAG information` what netinfo says, `TAG ipv6` what it says of IPv6 and of the name servers of both versions.
 */
import {
  bindUdp,
  dnsStatistics,
  enter_keepalive,
  MSG_DONTWAIT,
  netinfo,
  NETWORK_INFORMATION_SIZE,
  NetworkAddress,
  NetworkInformation,
  onRead,
  QUERY_LIMIT,
  resolveName,
  sendto,
  SOCKADDR_SIZE,
  TYPE_A,
  TYPE_AAAA,
} from "../../../../../sdk";
import { isWord, putHex, putNumber, putResult, REPLY_ROOM, wordEnd } from "../text";

const TAG_ROOM: usize = 16;
const ENTRY: usize = 64;
const reply = memory.data(512, 8);
const information = memory.data(232, 8);
/** Of each request: its number, whether it is for AAAA, who asked, and the tag. */
const entries = memory.data(2048, 8);
let socketFd: i32 = 0;

export function main(): i32 {
  socketFd = bindUdp(5300);
  if (socketFd < 0 || onRead(socketFd, command) < 0) return 1;
  enter_keepalive();
  return 0;
}

function entryOf(id: i32): usize {
  for (let i = 0; i < <i32>QUERY_LIMIT; i++) {
    const entry = entries + <usize>i * ENTRY;
    if (load<i32>(entry) == id) return entry;
  }
  return 0;
}

function command(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length <= 0) return;
  const end = data + length;
  const tag = min(<usize>(wordEnd(data, end) - data), TAG_ROOM);
  const verb = data + tag + 1;
  const verbEnd = wordEnd(verb, end);
  memory.copy(reply, data, tag);
  if (isWord(verb, verbEnd, "counters")) return tell(counters(reply + tag), from);
  if (isWord(verb, verbEnd, "information")) return tell(describe(reply + tag), from);
  if (isWord(verb, verbEnd, "ipv6")) return tell(describe6(reply + tag), from);
  const wide = isWord(verb, verbEnd, "AAAA");
  const name = verbEnd + 1;
  const id = resolveName(name, <i32>(end - name), found, wide ? TYPE_AAAA : TYPE_A);
  const entry: usize = id < 0 ? 0 : entryOf(0);
  if (entry == 0) return tell(putNumber(reply + tag, id), from);
  store<i32>(entry, id);
  store<u32>(entry, wide ? 1 : 0, 4);
  store<u32>(entry, <u32>tag, 8);
  memory.copy(entry + 16, from, SOCKADDR_SIZE);
  memory.copy(entry + 32, data, tag);
}

function found(id: i32, addresses: usize, count: i32): void {
  const entry = entryOf(id);
  if (entry == 0) return;
  const tag = <usize>load<u32>(entry, 8);
  memory.copy(reply, entry + 32, tag);
  const end = putResult(reply + tag, addresses, count, load<u32>(entry, 4) != 0);
  store<i32>(entry, 0);
  tell(end, entry + 16);
}

function tell(end: usize, to: usize): void {
  assert(end <= reply + REPLY_ROOM);
  sendto(socketFd, reply, <i32>(end - reply), MSG_DONTWAIT, to, SOCKADDR_SIZE);
}

function counters(at: usize): usize {
  const statistics = changetype<usize>(dnsStatistics());
  for (let i: usize = 0; i < 10; i++) at = putNumber(at, load<u32>(statistics + (i << 2)));
  return at;
}

function describe(at: usize): usize {
  at = putNumber(at, netinfo(information, NETWORK_INFORMATION_SIZE));
  for (let i: usize = 0; i < 10; i++) at = putNumber(at, load<u32>(information + (i << 2)));
  at = putNumber(at, netinfo(information, 8));
  at = putNumber(at, netinfo(information, -1));
  return putNumber(at, netinfo(0xffff_0000, 8));
}

/** MTU, router, name servers, addresses with their prefix lengths and states. */
function describe6(at: usize): usize {
  netinfo(information, NETWORK_INFORMATION_SIZE);
  const it = changetype<NetworkInformation>(information);
  at = putNumber(at, it.mtu6);
  at = putAddress(at, it.router6);
  at = putNumber(at, it.nameServerCount);
  for (let i: u32 = 0; i < it.nameServerCount; i++) at = putAddress(at, it.nameServer(i));
  at = putNumber(at, it.address6Count);
  for (let i: u32 = 0; i < it.address6Count; i++) {
    at = putAddress(at, it.address6(i));
    at = putNumber(at, it.address6(i).prefixLength);
    at = putNumber(at, it.address6(i).state);
  }
  return at;
}

function putAddress(at: usize, address: NetworkAddress): usize {
  return putHex(at, changetype<usize>(address), 16);
}
