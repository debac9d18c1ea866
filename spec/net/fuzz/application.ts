/** An application that does anything at any time: listens, connects, accepts, reads, writes, sends datagrams of every size, shuts down, closes. */
import { setUserLimits } from "../../../kernel/memory/user";
import { releaseBuffer } from "../../../net/buffer";
import { readDatagram } from "../../../net/socket/datagram";
import { gatherOne } from "../../../net/socket/gather";
import { Socket, SOCKET_DONT_FRAGMENT, SOCKET_NODELAY } from "../../../net/socket/socket";
import { tcpCreate } from "../../../net/socket/tcp/tcp";
import { udpCreate, udpSend } from "../../../net/socket/udp";
import { chance } from "../../chance";
import { endpoint } from "../addresses";
import { OWN, PEER } from "../link";
import {
  abort_,
  accept,
  bind,
  close,
  connect,
  consume,
  listen,
  peek,
  peekLength,
  poll,
  shutdown,
} from "../tcp/ends";

const LISTENERS: u32[] = [7, 80];
const DATAGRAMS: u32[] = [7, 9, 4000];
const CONNECTIONS: i32 = 40;
const bytes = new StaticArray<u8>(66000);

let listeners: Socket[] = [];
let datagrams: Socket[] = [];
let connections: Socket[] = [];

export function openSockets(): void {
  setUserLimits(0xffff_0000, 0);
  listeners = [];
  datagrams = [];
  connections = [];
  for (let i = 0; i < LISTENERS.length; i++) {
    const s = tcpCreate()!;
    assert(bind(s, 0, LISTENERS[i]) == 0 && listen(s, 16) == 0, "listen");
    listeners.push(s);
  }
  for (let i = 0; i < DATAGRAMS.length; i++) {
    const s = udpCreate()!;
    assert(bind(s, 0, DATAGRAMS[i]) == 0, "bind");
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
  const which = chance(10);
  if (which == 0) accepts();
  else if (which == 1) opens();
  else if (which < 4) sendsDatagram();
  else if (which < 6) readsDatagram();
  else if (connections.length != 0) uses(chance(connections.length));
}

function accepts(): void {
  const s = accept(listeners[chance(listeners.length)]);
  if (s === null) return;
  if (connections.length < CONNECTIONS) connections.push(s);
  else if (chance(2) == 0) close(s);
  else abort_(s);
}

function opens(): void {
  if (connections.length >= CONNECTIONS) return;
  const s = tcpCreate();
  if (s === null) return;
  if (chance(2) == 0) s.flags |= SOCKET_NODELAY;
  connect(s, chance(8) == 0 ? OWN : PEER + chance(4), chance(4) == 0 ? 80 : 1000 + chance(4));
  connections.push(s);
}

function sendsDatagram(): void {
  const s = datagrams[chance(datagrams.length)];
  if (chance(8) == 0) s.flags ^= SOCKET_DONT_FRAGMENT;
  if (chance(16) == 0) connect(s, PEER, 1000);
  else if (chance(16) == 0) connect(s, 0, 0);
  const to = endpoint(
    [PEER, PEER + 1, OWN, 0x7f00_0001, 0xac10_0001, 0xffff_ffff][chance(6)],
    [7, 9, 4000, 5555][chance(4)],
  );
  const length: u32 = chance(8) == 0 ? chance(65508) : chance(2000);
  gatherOne(changetype<usize>(bytes), length);
  const buffer = readDatagram(length, to);
  if (buffer === null) return;
  udpSend(s, to, buffer);
  releaseBuffer(buffer);
}

/** All bytes of what was received are read: each has to be where it is said to be. */
function readsDatagram(): void {
  const s = datagrams[chance(datagrams.length)];
  if (peek(s) == 0) {
    peekLength(s);
    return;
  }
  consume(s, 0);
}

function uses(index: i32): void {
  const s = connections[index];
  poll(s);
  switch (chance(6)) {
    case 0:
    case 1: {
      for (let data = peek(s), rounds = 0; data != 0 && rounds < 4; data = peek(s), rounds++) {
        const length = peekLength(s);
        assert(length > 0 && data + length <= (data & ~2047) + 2048, "bytes beyond a buffer");
        consume(s, chance(3) == 0 ? chance(length + 1) : length);
      }
      break;
    }
    case 2:
    case 3: {
      const room = call_indirect<usize>(s.protocol.reserve, s);
      const length = call_indirect<i32>(s.protocol.reserveLength, s);
      if (room != 0 && length > 0) {
        memory.fill(room, 0x61, length);
        call_indirect<void>(s.protocol.commit, s, 1 + chance(length));
      }
      call_indirect<void>(s.protocol.push, s, chance(16) == 0);
      break;
    }
    case 4: {
      shutdown(s, chance(3));
      break;
    }
    default: {
      if (chance(4) != 0) break;
      if (chance(2) == 0) close(s);
      else abort_(s);
      connections.splice(index, 1);
    }
  }
}
