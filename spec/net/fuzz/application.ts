/**
 * An application that does anything at any time, through the operations of the protocols: listens, connects, accepts, reads, writes, sets options, sends datagrams of every size, urgent
 * data, shuts down, closes; its sockets are of both versions of IP and of several levels.
 */
import { setUserLimits } from "../../../kernel/memory/user";
import { releaseBuffer } from "../../../net/buffer";
import { Endpoint, LOOPBACK_ADDRESS, mapped } from "../../../net/flow";
import { readDatagram } from "../../../net/socket/datagram";
import { gatherOne } from "../../../net/socket/gather";
import { findOption, OPTION_SIZE } from "../../../net/socket/options";
import { ownSocket, rankSocket, setSocketLevel } from "../../../net/socket/rank";
import { MSG_MORE, MSG_OOB, Socket, SOCKET_DONT_FRAGMENT } from "../../../net/socket/socket";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { tcpCreate } from "../../../net/socket/tcp/tcp";
import { udpCreate, udpDrops, udpSend } from "../../../net/socket/udp";
import { growMemory } from "../../arena";
import { chance } from "../../chance";
import { address6, LINK_LOCAL, OWN_ID, PEER_ID, PREFIX } from "../frames6";
import { OWN, PEER } from "../link";
import { abort_, accept, close, consume, listen, peek, peekLength, poll, shutdown } from "../tcp/ends";

const LISTENERS: u32[] = [7, 80];
const DATAGRAMS: u32[] = [7, 9, 4000];
const CONNECTIONS: i32 = 40;
const LEVELS: u32[] = [32, 32, 32, 10, 40, 63];
/** Options as the table has them, level << 16 | name (net/socket/options-socket.ts, net/socket/tcp/socket-options.ts); one that there is not. */
const OPTIONS: u32[] = [
  0x10002, 0x10003, 0x10004, 0x10006, 0x10007, 0x10008, 0x10009, 0x1000a, 0x1000d, 0x1001e, 0x10026, 0x10027,
  0x60001, 0x60002, 0x60004, 0x60005, 0x60006, 0x6000b, 0x60012, 0x64001, 0x64002, 0x64003, 0x1, 0x2, 0xa,
  0x290010, 0x29001a, 0x290043, 0x60099,
];
/** No time-out is longer: all has to come to its end. In ms, and s. */
const VALUES: i32[] = [0, 1, 2, 7, 60, 100, 1000, 5000, 65536];

const bytes = new StaticArray<u8>(66000);
const value: usize = growMemory(OPTION_SIZE, 8);

let listeners: Socket[] = [];
let datagrams: Socket[] = [];
let connections: Socket[] = [];

/** Of all that it has: for the invariants. */
export function allConnections(): Socket[] {
  return connections;
}
export function allListeners(): Socket[] {
  return listeners;
}

function call(s: Socket, operation: u32, name: Endpoint): i32 {
  return call_indirect<i32>(operation, s, name);
}

/** 0.0.0.0 or ::, as the socket has it. */
function anywhere(port: u32, six: bool): Endpoint {
  const it = address6(0, six ? 0 : mapped(0), port);
  return it;
}

/** A socket is one of both versions in every second run. */
export function openSockets(): void {
  setUserLimits(0xffff_0000, 0);
  listeners = [];
  datagrams = [];
  connections = [];
  const six = chance(2) == 0;
  for (let i = 0; i < LISTENERS.length; i++) {
    const s = tcpCreate()!;
    if (six) s.setFamily6();
    assert(call(s, s.protocol.bind, anywhere(LISTENERS[i], six)) == 0 && listen(s, 16) == 0, "listen");
    listeners.push(s);
  }
  for (let i = 0; i < DATAGRAMS.length; i++) {
    const s = udpCreate()!;
    if (six) s.setFamily6();
    assert(call(s, s.protocol.bind, anywhere(DATAGRAMS[i], six)) == 0, "bind");
    datagrams.push(s);
  }
}

export function closeSockets(): void {
  while (connections.length != 0) abort_(connections.pop());
  while (listeners.length != 0) close(listeners.pop());
  while (datagrams.length != 0) close(datagrams.pop());
}

/** One thing. */
export function act(): void {
  const which = chance(16);
  if (which == 0) accepts();
  else if (which == 1) opens();
  else if (which < 4) sendsDatagram();
  else if (which < 6) readsDatagram();
  else if (which == 6) ranks();
  else if (which == 7) again();
  else if (connections.length != 0) uses(chance(connections.length));
}

/** A listener or a datagram socket is closed, and another one opened in its place. */
function again(): void {
  if (chance(8) != 0) return;
  const i = chance(LISTENERS.length);
  const old = listeners[i];
  const six = old.flow.local.low >> 32 != 0xffff;
  if (chance(2) == 0) close(old);
  else abort_(old);
  const s = tcpCreate()!;
  if (six) s.setFamily6();
  assert(
    call(s, s.protocol.bind, anywhere(LISTENERS[i], six)) == 0 && listen(s, <i32>chance(20)) == 0,
    "listen again",
  );
  listeners[i] = s;
}

function accepts(): void {
  const s = accept(listeners[chance(listeners.length)]);
  if (s === null) return;
  if (connections.length < CONNECTIONS) connections.push(s);
  else if (chance(2) == 0) close(s);
  else abort_(s);
}

/** Somebody to speak to: on the link, far away, we ourselves; all of us, or nobody. */
function somebody(port: u32, six: bool): Endpoint {
  const which = chance(16);
  if (six && chance(3) != 0) {
    if (which < 6) return address6(LINK_LOCAL, PEER_ID + chance(4), port);
    if (which < 10) return address6(PREFIX, PEER_ID + chance(4), port);
    if (which < 12) return address6(0x2001_0db8_ffff_0000, chance(64), port);
    return which == 12
      ? address6(PREFIX, OWN_ID, port)
      : which == 13
        ? address6(LINK_LOCAL, OWN_ID, port)
        : address6(0, chance(2), port);
  }
  const address =
    which < 9
      ? PEER + chance(4)
      : which < 12
        ? 0xac10_0000 | chance(64)
        : [OWN, LOOPBACK_ADDRESS, 0xffff_ffff, 0x0a00_00ff][chance(4)];
  return address6(0, mapped(address), port);
}

function opens(): void {
  if (connections.length >= CONNECTIONS) return;
  const s = tcpCreate();
  if (s === null) return;
  const six = chance(2) == 0;
  if (six) s.setFamily6();
  while (chance(3) == 0) sets(s);
  if (chance(4) == 0) call(s, s.protocol.bind, anywhere(chance(2) == 0 ? 0 : 2000 + chance(20), six));
  call(s, s.protocol.connect, somebody(chance(4) == 0 ? 80 : 1000 + chance(4), six));
  connections.push(s);
}

/** An option is set, or asked for. */
function sets(s: Socket): void {
  const which = OPTIONS[chance(OPTIONS.length)];
  const option = findOption(s, which >> 16, which & 0xffff);
  if (option === null) return;
  if (chance(2) == 0) {
    if (option.set == 0) return;
    store<i32>(value, VALUES[chance(VALUES.length)]);
    store<i32>(value, chance(3), 4);
    call_indirect<i32>(option.set, s, value);
  } else if (option.get != 0) {
    const length = call_indirect<i32>(option.get, s, value);
    assert(length <= <i32>OPTION_SIZE, "length of an option");
    if (length >= 0 && option.told != 0) call_indirect<void>(option.told, s);
  }
}

export function sendsDatagram(): void {
  const s = datagrams[chance(datagrams.length)];
  if (chance(16) == 0) misuses(s);
  if (chance(8) == 0) s.flags ^= SOCKET_DONT_FRAGMENT;
  if (chance(8) == 0) sets(s);
  const six = s.flow.local.low >> 32 != 0xffff;
  if (chance(8) == 0) call(s, s.protocol.connect, somebody(1000, six));
  else if (chance(16) == 0) call(s, s.protocol.connect, anywhere(0, six));
  const connected = s.flow.remote.port != 0 && chance(4) != 0;
  const to = connected ? s.flow.remote : somebody([7, 9, 4000, 5555][chance(4)], six);
  const length: u32 = chance(8) == 0 ? chance(65508) : chance(2000);
  gatherOne(changetype<usize>(bytes), length);
  const buffer = readDatagram(length, to);
  if (buffer === null) return;
  udpSend(s, to, buffer);
  releaseBuffer(buffer);
}

/** What is said of a datagram socket that streams have; and one that has no name yet sends. */
function misuses(s: Socket): void {
  assert(accept(s) === null && listen(s, 1) < 0, "a datagram socket that listens");
  assert(call_indirect<u32>(s.protocol.fill, s, 1) == 0, "a stream");
  assert(call_indirect<i32>(s.protocol.fillError, s) < 0, "it has taken nothing");
  call_indirect<void>(s.protocol.push, s, 0);
  if (chance(4) == 0) shutdown(s, chance(3));
  const other = udpCreate();
  if (other === null) return;
  const to = somebody(9, false);
  gatherOne(changetype<usize>(bytes), 10);
  const buffer = readDatagram(10, to);
  if (buffer !== null) {
    udpSend(other, to, buffer);
    releaseBuffer(buffer);
  }
  close(other);
}

/** All bytes of what was received are read: each has to be where it is said to be. */
function readsDatagram(): void {
  const s = datagrams[chance(datagrams.length)];
  udpDrops(s);
  const head = s.received.head;
  if (head === null) {
    assert(s.receivedBytes == 0, "bytes of no datagram");
    call_indirect<i32>(s.protocol.end, s);
    return;
  }
  assert(head.source.port <= 65535, "a port");
  consume(s, 0);
}

/** The level of a socket changes (aem: the events that listen to it). */
function ranks(): void {
  const which = chance(3);
  const s =
    which == 0 || connections.length == 0
      ? which == 1
        ? datagrams[chance(datagrams.length)]
        : listeners[chance(listeners.length)]
      : connections[chance(connections.length)];
  const level = LEVELS[chance(LEVELS.length)];
  if (chance(2) == 0) ownSocket(s, level);
  else setSocketLevel(s, level);
  if (chance(4) == 0) rankSocket(s);
}

function uses(index: i32): void {
  const s = connections[index];
  poll(s);
  const which = chance(8);
  if (which < 2) readsSome(s);
  else if (which < 4) writesSome(s);
  else if (which == 4) sets(s);
  else if (which == 5) {
    if (chance(3) == 0) shutdown(s, chance(4));
  } else if (which == 6) {
    // What cannot be done with a connection, most of the time.
    const what = chance(4);
    if (what == 0) listen(s, chance(8));
    else if (what == 1) call(s, s.protocol.connect, somebody(1000, false));
    else if (what == 2) call(s, s.protocol.bind, anywhere(2000 + chance(20), false));
    else if (changetype<TcpConnection>(s).listener !== null) {
      const child = accept(s);
      if (child !== null) abort_(child);
    }
  } else if (chance(4) == 0) {
    if (chance(2) == 0) close(s);
    else abort_(s);
    connections.splice(index, 1);
  }
}

export function readsSome(s: Socket): void {
  const available = s.receivedBytes;
  const room = call_indirect<u32>(s.protocol.room, s);
  if (chance(8) == 0) looks(s);
  let got: u32 = 0;
  let rounds = 0;
  const most = 1 + chance(6);
  for (let data = peek(s); data != 0 && rounds < <i32>most; data = peek(s), rounds++) {
    const length = peekLength(s);
    assert(length > 0 && data + length <= (data & ~2047) + 2048, "bytes beyond a buffer");
    // They are all there.
    got += checkBytes(data, length);
    consume(s, chance(3) == 0 ? chance(length + 1) : length);
  }
  assert(got == 0 || (available != 0 && room < 0x4000_0000), "what is said to be there");
}

/** As one of several readers does (aem/jobs/shared.ts), who looks at all that was received: that is as much as is said to be there. */
function looks(s: Socket): void {
  let bytes: u32 = 0;
  let buffer = s.received.head;
  while (buffer !== null) {
    bytes += buffer.length;
    buffer = buffer.next;
  }
  assert(bytes == s.receivedBytes, "what is in the queue");
  call_indirect<i32>(s.protocol.end, s);
  s.readers = s.readers == 0 ? 2 : 0;
}

/** Touches each of them. */
function checkBytes(data: usize, length: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < length; i++) sum += load<u8>(data + i);
  return sum | 1;
}

export function writesSome(s: Socket): void {
  for (let count = 1 + chance(chance(4) == 0 ? 40 : 3); count != 0; count--) {
    const length: u32 = 1 + chance(chance(2) == 0 ? 8000 : 1500);
    gatherOne(changetype<usize>(bytes), length);
    if (call_indirect<u32>(s.protocol.fill, s, length) == length) continue;
    assert(call_indirect<i32>(s.protocol.fillError, s) < 0, "it has taken fewer");
    break;
  }
  const dice = chance(16);
  call_indirect<void>(s.protocol.push, s, dice == 0 ? MSG_OOB : dice == 1 ? MSG_MORE : 0);
}
