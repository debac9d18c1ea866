/**
 * Options of sockets whatever their transport: level SOL_SOCKET, and of levels IPPROTO_IP and IPPROTO_IPV6 what goes into the network header (RFC
 * 9293, 3.9.1.9; RFC 3493, 5.1 and 5.3; RFC 3542, 6.5).
 */
import { EINVAL, ENOPROTOOPT } from "../../kernel/errno";
import { POLLOUT } from "../../kernel/scheduler/wait";
import { TTL_DEFAULT } from "../service";
import {
  answer,
  answerFlag,
  defineOption,
  OF_ALL,
  OF_DATAGRAMS,
  OPTION_WORD,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  takeFlag,
} from "./options";
import {
  AF_INET,
  AF_INET6,
  isStream,
  takeError,
  IPPROTO_TCP,
  IPPROTO_UDP,
  Socket,
  SOCKET_BROADCAST,
  SOCKET_CONNECTING,
  SOCKET_DONT_FRAGMENT,
  SOCKET_INET6,
  SOCKET_LISTENING,
  SOCKET_REUSE,
  SOCKET_V6ONLY,
} from "./socket";

const SO_REUSEADDR: u32 = 2;
const SO_TYPE: u32 = 3;
const SO_ERROR: u32 = 4;
const SO_BROADCAST: u32 = 6;
const SO_ACCEPTCONN: u32 = 30;
const SO_PROTOCOL: u32 = 38;
const SO_DOMAIN: u32 = 39;
const IP_TOS: u32 = 1;
const IP_TTL: u32 = 2;
const IPV6_UNICAST_HOPS: u32 = 16;
const IPV6_V6ONLY: u32 = 26;
const IPV6_TCLASS: u32 = 67;
/** Of datagrams: whether they may be fragmented (ip(7)). IP_PMTUDISC_DONT, the default, or IP_PMTUDISC_DO: not even on the way. */
const IP_MTU_DISCOVER: u32 = 10;
const IP_PMTUDISC_DONT: u32 = 0;
const IP_PMTUDISC_DO: u32 = 2;

/** Congestion notification (RFC 3168): bits of IP_TOS that are TCP's own business. */
const ECN_BITS: u32 = 3;

/** Once at boot. */
export function defineSocketOptions(): void {
  defineOption(SOL_SOCKET, SO_REUSEADDR, OF_ALL, getReuse.index, setReuse.index);
  defineOption(SOL_SOCKET, SO_TYPE, OF_ALL, getType.index, 0);
  defineOption(SOL_SOCKET, SO_ERROR, OF_ALL, getError.index, 0, OPTION_WORD, errorTold.index);
  defineOption(SOL_SOCKET, SO_BROADCAST, OF_DATAGRAMS, getBroadcast.index, setBroadcast.index);
  defineOption(SOL_SOCKET, SO_ACCEPTCONN, OF_ALL, getListening.index, 0);
  defineOption(SOL_SOCKET, SO_PROTOCOL, OF_ALL, getProtocol.index, 0);
  defineOption(SOL_SOCKET, SO_DOMAIN, OF_ALL, getDomain.index, 0);
  defineOption(SOL_IP, IP_TOS, OF_ALL, getTos.index, setTos.index);
  defineOption(SOL_IP, IP_TTL, OF_ALL, getTtl.index, setTtl.index);
  defineOption(SOL_IPV6, IPV6_UNICAST_HOPS, OF_ALL, getTtl.index, setTtl.index);
  defineOption(SOL_IPV6, IPV6_TCLASS, OF_ALL, getTos.index, setTos.index);
  defineOption(SOL_IPV6, IPV6_V6ONLY, OF_ALL, getOnly6.index, setOnly6.index);
  defineOption(SOL_IP, IP_MTU_DISCOVER, OF_DATAGRAMS, getDiscover.index, setDiscover.index);
}

function getReuse(socket: Socket, place: usize): i32 {
  return answerFlag(socket, place, SOCKET_REUSE);
}

function setReuse(socket: Socket, place: usize): i32 {
  const before = socket.flags & SOCKET_REUSE;
  takeFlag(socket, place, SOCKET_REUSE);
  if ((socket.flags & SOCKET_REUSE) != before) call_indirect<void>(socket.protocol.shared, socket);
  return 0;
}

function getType(socket: Socket, place: usize): i32 {
  return answer(place, socket.type);
}

function getError(socket: Socket, place: usize): i32 {
  return answer(place, socket.error);
}

/** SO_ERROR is told once; and it is how one asks what became of a connect that does not block. */
function errorTold(socket: Socket): void {
  const failed = takeError(socket) != 0;
  if (failed || (call_indirect<u32>(socket.protocol.poll, socket) & POLLOUT) != 0)
    socket.flags &= ~SOCKET_CONNECTING;
}

function getBroadcast(socket: Socket, place: usize): i32 {
  return answerFlag(socket, place, SOCKET_BROADCAST);
}

function setBroadcast(socket: Socket, place: usize): i32 {
  return takeFlag(socket, place, SOCKET_BROADCAST);
}

function getListening(socket: Socket, place: usize): i32 {
  return answerFlag(socket, place, SOCKET_LISTENING);
}

function getProtocol(socket: Socket, place: usize): i32 {
  return answer(place, isStream(socket) ? IPPROTO_TCP : IPPROTO_UDP);
}

function getDomain(socket: Socket, place: usize): i32 {
  return answer(place, socket.flags & SOCKET_INET6 ? AF_INET6 : AF_INET);
}

// ---- The network header ----

function getTos(socket: Socket, place: usize): i32 {
  return answer(place, socket.service >> 8);
}

/** 0..255; from the next packet on. */
function setTos(socket: Socket, place: usize): i32 {
  let tos = load<u32>(place);
  if (tos > 255) return -EINVAL;
  if (isStream(socket)) tos &= ~ECN_BITS;
  socket.service = <u16>((tos << 8) | (socket.service & 255));
  return 0;
}

function getTtl(socket: Socket, place: usize): i32 {
  return answer(place, socket.service & 255);
}

/** 1..255, or -1 for the default. */
function setTtl(socket: Socket, place: usize): i32 {
  let ttl = load<i32>(place);
  if (ttl == -1) ttl = TTL_DEFAULT;
  if (ttl < 1 || ttl > 255) return -EINVAL;
  socket.service = <u16>((socket.service & 0xff00) | ttl);
  return 0;
}

function getOnly6(socket: Socket, place: usize): i32 {
  return socket.flags & SOCKET_INET6 ? answerFlag(socket, place, SOCKET_V6ONLY) : -ENOPROTOOPT;
}

/** Whether a socket of :: leaves IPv4 alone; as long as it has no name. */
function setOnly6(socket: Socket, place: usize): i32 {
  if ((socket.flags & SOCKET_INET6) == 0) return -ENOPROTOOPT;
  if (socket.flow.local.port != 0) return -EINVAL;
  takeFlag(socket, place, SOCKET_V6ONLY);
  socket.clearAddress(socket.flow.local);
  return 0;
}

function getDiscover(socket: Socket, place: usize): i32 {
  return answer(place, socket.flags & SOCKET_DONT_FRAGMENT ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
}

function setDiscover(socket: Socket, place: usize): i32 {
  const value = load<u32>(place);
  if (value == IP_PMTUDISC_DO) socket.flags |= SOCKET_DONT_FRAGMENT;
  else if (value == IP_PMTUDISC_DONT) socket.flags &= ~SOCKET_DONT_FRAGMENT;
  else return -EINVAL;
  return 0;
}
