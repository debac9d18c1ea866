/**
 * Options of TCP sockets: level IPPROTO_TCP, and of level SOL_SOCKET those that only streams have. What a listener has been set, the
 * connections that come in by it have from the beginning.
 */
import { EINVAL, EISCONN } from "../../../kernel/errno";
import { BUFFER_SIZE } from "../../buffer";
import {
  answer,
  answerFlag,
  defineOption,
  OF_STREAMS,
  OPTION_WORD,
  OWN_OPTIONS,
  SO_RCVBUF,
  SOL_SOCKET,
  SOL_TCP,
  takeFlag,
} from "../options";
import { Socket, SOCKET_KEEPALIVE, SOCKET_LINGER, SOCKET_NODELAY, SOCKET_UTO } from "../socket";
import { receiveLimit, sendBufferLimit, SOFT_NEWS, TcpConnection, TIMEOUT_DUE } from "./connection";
import { announceTimeout, userTimeout } from "./failure";
import { fillTcpInfo, TCP_INFO_SIZE } from "./info";
import { keepAliveChanged, keepCount, keepIdle, keepInterval } from "./keepalive";
import { localMss } from "./mss";
import { MSS_MINIMUM, RECEIVE_LIMIT_LEAST, SEND_BUFFERS_MINIMUM } from "./parameters";
import { MAY_TRANSMIT, stateIn, TCP_CLOSE, TCP_LISTEN } from "./state";
import { sendAck } from "./transmit";
import { urgentBytes } from "./urgent";

const SO_SNDBUF: u32 = 7;
const SO_KEEPALIVE: u32 = 9;
const SO_OOBINLINE: u32 = 10;
const SO_LINGER: u32 = 13;
const TCP_NODELAY: u32 = 1;
const TCP_MAXSEG: u32 = 2;
const TCP_KEEPIDLE: u32 = 4;
const TCP_KEEPINTVL: u32 = 5;
const TCP_KEEPCNT: u32 = 6;
const TCP_INFO: u32 = 11;
const TCP_USER_TIMEOUT: u32 = 18;
const TCP_SOFT_ERROR: u32 = OWN_OPTIONS + 1;
const TCP_URGENT: u32 = OWN_OPTIONS + 2;
const TCP_UTO: u32 = OWN_OPTIONS + 3;

/** struct linger: i32 l_onoff, i32 l_linger in seconds. */
const LINGER_SIZE: u32 = 8;
/** Longest times of keep-alive and linger in seconds, most probes, and the least: one that is lost says nothing (RFC 9293, 3.8.4). */
const SECONDS_MOST: u32 = 32767;
const PROBES_LEAST: u32 = 2;
const PROBES_MOST: u32 = 127;

/** Once at boot. */
export function defineTcpOptions(): void {
  defineOption(SOL_SOCKET, SO_SNDBUF, OF_STREAMS, getSendBuffer.index, setSendBuffer.index);
  defineOption(SOL_SOCKET, SO_RCVBUF, OF_STREAMS, getReceiveBuffer.index, setReceiveBuffer.index);
  defineOption(SOL_SOCKET, SO_KEEPALIVE, OF_STREAMS, getKeepAlive.index, setKeepAlive.index);
  defineOption(SOL_SOCKET, SO_OOBINLINE, OF_STREAMS, getInline.index, setInline.index);
  defineOption(SOL_SOCKET, SO_LINGER, OF_STREAMS, getLinger.index, setLinger.index, LINGER_SIZE);
  defineOption(SOL_TCP, TCP_NODELAY, OF_STREAMS, getNoDelay.index, setNoDelay.index);
  defineOption(SOL_TCP, TCP_MAXSEG, OF_STREAMS, getMaximumSegment.index, setMaximumSegment.index);
  defineOption(SOL_TCP, TCP_KEEPIDLE, OF_STREAMS, getKeepIdle.index, setKeepIdle.index);
  defineOption(SOL_TCP, TCP_KEEPINTVL, OF_STREAMS, getKeepInterval.index, setKeepInterval.index);
  defineOption(SOL_TCP, TCP_KEEPCNT, OF_STREAMS, getKeepCount.index, setKeepCount.index);
  defineOption(SOL_TCP, TCP_INFO, OF_STREAMS, getInfo.index, 0);
  defineOption(SOL_TCP, TCP_USER_TIMEOUT, OF_STREAMS, getUserTimeout.index, setUserTimeout.index);
  defineOption(SOL_TCP, TCP_UTO, OF_STREAMS, getExchange.index, setExchange.index);
  defineOption(SOL_TCP, TCP_URGENT, OF_STREAMS, getUrgent.index, 0);
  defineOption(SOL_TCP, TCP_SOFT_ERROR, OF_STREAMS, getSoftError.index, 0, OPTION_WORD, softErrorTold.index);
}

// @ts-ignore: decorator
@inline
function connectionOf(socket: Socket): TcpConnection {
  return changetype<TcpConnection>(socket);
}

// ---- Buffers: memory that the connection may take, in bytes, within what a connection of this machine has by itself ----

function getSendBuffer(socket: Socket, place: usize): i32 {
  return answer(place, connectionOf(socket).sendLimit * BUFFER_SIZE);
}

function setSendBuffer(socket: Socket, place: usize): i32 {
  const buffers = load<u32>(place) / BUFFER_SIZE;
  connectionOf(socket).sendLimit = max(SEND_BUFFERS_MINIMUM, min(buffers, sendBufferLimit()));
  return 0;
}

function getReceiveBuffer(socket: Socket, place: usize): i32 {
  return answer(place, connectionOf(socket).receiveLimit);
}

/** What has been offered already stays so, by a connection or by a listener in a SYN,ACK (TcpRequest.window). */
function setReceiveBuffer(socket: Socket, place: usize): i32 {
  const c = connectionOf(socket);
  c.receiveLimit = max(RECEIVE_LIMIT_LEAST, min(load<u32>(place), receiveLimit()));
  return 0;
}

// ---- Keep-alive ----

function getKeepAlive(socket: Socket, place: usize): i32 {
  return answerFlag(socket, place, SOCKET_KEEPALIVE);
}

function setKeepAlive(socket: Socket, place: usize): i32 {
  takeFlag(socket, place, SOCKET_KEEPALIVE);
  keepAliveChanged(connectionOf(socket));
  return 0;
}

function getKeepIdle(socket: Socket, place: usize): i32 {
  return answer(place, keepIdle(connectionOf(socket)));
}

function setKeepIdle(socket: Socket, place: usize): i32 {
  const seconds = load<u32>(place);
  if (seconds == 0 || seconds > SECONDS_MOST) return -EINVAL;
  connectionOf(socket).keepIdle = <u16>seconds;
  keepAliveChanged(connectionOf(socket));
  return 0;
}

function getKeepInterval(socket: Socket, place: usize): i32 {
  return answer(place, keepInterval(connectionOf(socket)));
}

function setKeepInterval(socket: Socket, place: usize): i32 {
  const seconds = load<u32>(place);
  if (seconds == 0 || seconds > SECONDS_MOST) return -EINVAL;
  connectionOf(socket).keepInterval = <u16>seconds;
  keepAliveChanged(connectionOf(socket));
  return 0;
}

function getKeepCount(socket: Socket, place: usize): i32 {
  return answer(place, keepCount(connectionOf(socket)));
}

function setKeepCount(socket: Socket, place: usize): i32 {
  const probes = load<u32>(place);
  if (probes < PROBES_LEAST || probes > PROBES_MOST) return -EINVAL;
  connectionOf(socket).keepCount = <u8>probes;
  return 0;
}

// ---- Ends and failures ----

function getLinger(socket: Socket, place: usize): i32 {
  answerFlag(socket, place, SOCKET_LINGER);
  store<u32>(place, connectionOf(socket).linger, OPTION_WORD);
  return LINGER_SIZE;
}

function setLinger(socket: Socket, place: usize): i32 {
  takeFlag(socket, place, SOCKET_LINGER);
  connectionOf(socket).linger = <u16>min(load<u32>(place, OPTION_WORD), SECONDS_MOST);
  return 0;
}

function getUserTimeout(socket: Socket, place: usize): i32 {
  return answer(place, userTimeout(connectionOf(socket)));
}

/** In milliseconds; 0: retransmissions are counted, or what the peer wants is heard, again. */
function setUserTimeout(socket: Socket, place: usize): i32 {
  const timeout = load<i32>(place);
  if (timeout < 0) return -EINVAL;
  connectionOf(socket).userTimeout = timeout;
  announce(connectionOf(socket));
  return 0;
}

function getExchange(socket: Socket, place: usize): i32 {
  return answerFlag(socket, place, SOCKET_UTO);
}

function setExchange(socket: Socket, place: usize): i32 {
  takeFlag(socket, place, SOCKET_UTO);
  announce(connectionOf(socket));
  return 0;
}

/** The peer hears of the new time-out at once. */
function announce(c: TcpConnection): void {
  if (!stateIn(c.state, MAY_TRANSMIT)) return;
  c.status &= ~TIMEOUT_DUE;
  announceTimeout(c);
  if (c.has(TIMEOUT_DUE)) sendAck(c);
}

function getSoftError(socket: Socket, place: usize): i32 {
  return answer(place, connectionOf(socket).softError);
}

/** It goes on to be the reason should the connection time out, but is no news any more. */
function softErrorTold(socket: Socket): void {
  connectionOf(socket).status &= ~SOFT_NEWS;
}

// ---- Segments ----

function getNoDelay(socket: Socket, place: usize): i32 {
  return answerFlag(socket, place, SOCKET_NODELAY);
}

function setNoDelay(socket: Socket, place: usize): i32 {
  takeFlag(socket, place, SOCKET_NODELAY);
  // What Nagle's algorithm held back goes now.
  if (load<u32>(place) != 0) call_indirect<void>(socket.protocol.push, socket, 0);
  return 0;
}

/** Of a connection: the payload of its segments. Before: what was set, or the MSS of the link. */
function getMaximumSegment(socket: Socket, place: usize): i32 {
  const c = connectionOf(socket);
  return answer(place, stateIn(c.state, MAY_TRANSMIT) ? c.sendMss : localMss(c, c.flow));
}

/** Upper bound of both directions, from the next connect or listen on; 0: none. */
function setMaximumSegment(socket: Socket, place: usize): i32 {
  const c = connectionOf(socket);
  if (c.state != TCP_CLOSE && c.state != TCP_LISTEN) return -EISCONN;
  const bytes = load<u32>(place);
  if (bytes != 0 && (bytes < MSS_MINIMUM || bytes > 65535)) return -EINVAL;
  c.maximumSegment = <u16>bytes;
  return 0;
}

/** Urgent data is in line always. */
function getInline(socket: Socket, place: usize): i32 {
  return answer(place, 1);
}

function setInline(socket: Socket, place: usize): i32 {
  return load<u32>(place) != 0 ? 0 : -EINVAL;
}

/** Octets from the next one that is read to the end of the urgent data, those not yet received included; 0: none are ahead. */
function getUrgent(socket: Socket, place: usize): i32 {
  return answer(place, urgentBytes(connectionOf(socket)));
}

function getInfo(socket: Socket, place: usize): i32 {
  fillTcpInfo(connectionOf(socket), place);
  return TCP_INFO_SIZE;
}
