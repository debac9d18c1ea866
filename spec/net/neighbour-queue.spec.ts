/** Datagrams of many fragments that wait for the link address of their neighbour: whole, or not at all. */
import { SECOND } from "../../kernel/time/clock";
import { bufferPool, releaseBuffer } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import {
  NEIGHBOUR_QUEUE,
  NEIGHBOUR_QUEUE_CHAINED,
  NEIGHBOUR_QUEUE_TOTAL,
  neighbourQueued,
} from "../../net/neighbour-queue";
import { readDatagram } from "../../net/socket/datagram";
import { gatherOne } from "../../net/socket/gather";
import { Socket } from "../../net/socket/socket";
import { udpSend } from "../../net/socket/udp";
import { Endpoint } from "../../net/flow";
import { endpoint } from "./addresses";
import { address6, LINK_LOCAL } from "./frames6";
import * as link from "./link";
import {
  assemble,
  begin,
  bound,
  close,
  DATAGRAM,
  forget,
  make,
  most,
  octet,
  packets,
  peekLength,
  peer,
  peerAnswers,
  questions,
  step,
  version,
  WHOLE,
} from "./pieces";

function check(): void {
  link.run(10 * SECOND);
  expect<u32>(neighbourQueued()).toBe(0);
  expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
}

/** Sends the first `length` bytes of the datagram's payload. */
function send(socket: Socket, to: Endpoint, length: u32): i32 {
  gatherOne(DATAGRAM + 8, length);
  const buffer = readDatagram(length, to);
  if (buffer === null) return -105;
  const result = udpSend(socket, to, buffer);
  releaseBuffer(buffer);
  return result;
}

/** One of many hosts on the link that are not there. */
function stranger(index: u32): Endpoint {
  return version == 4 ? endpoint(0x0a00_0010 + index, 9) : address6(LINK_LOCAL, 0x99_0000 + index, 9);
}

function suite(): void {
  it("of every length leave whole when it is known", () => {
    const sizes: u32[] = [100, 2000, step * 4, step * 5, step * 8, 30000, most];
    for (let i = 0; i < sizes.length; i++) {
      begin(version, 700);
      const own = bound(5);
      make(1, most);
      expect<i32>(send(own, peer(9), sizes[i])).toBe(0);
      expect<i32>(packets.length).toBe(0);
      expect<u32>(questions).toBe(1, "asked for once");
      expect<u32>(neighbourQueued()).toBe(1);
      peerAnswers();
      expect<u32>(neighbourQueued()).toBe(0);
      link.run(SECOND / 10);
      expect<u32>(assemble()).toBe(sizes[i] + 8, sizes[i].toString());
      for (let j: u32 = 0; j < sizes[i]; j++) assert(load<u8>(WHOLE + 8 + j) == octet(1, j));
      close(own);
    }
  });

  it("are not more than so many for one, the oldest goes whole", () => {
    const socket = bound(5);
    make(1, most);
    for (let i: u32 = 0; i < NEIGHBOUR_QUEUE + 3; i++) send(socket, peer(9), 5000 + i);
    expect<u32>(neighbourQueued()).toBe(NEIGHBOUR_QUEUE);
    expect<u64>(networkCounters().arpQueueDropped).toBe(3);
    peerAnswers();
    link.run(SECOND / 10);
    const each = <u32>((5008 + step - 1) / step);
    expect<u32>(<u32>packets.length).toBe(each * NEIGHBOUR_QUEUE);
    close(socket);
  });

  it("hold no more than their share of buffers, and leave short ones theirs", () => {
    const socket = bound(5);
    make(1, most);
    let refused = 0;
    for (let i: u32 = 0; i < 40; i++) {
      if (send(socket, stranger(i), 20000) == -105) refused++;
      expect<u32>(bufferPool().inUse).toBeLessThan(NEIGHBOUR_QUEUE_CHAINED + NEIGHBOUR_QUEUE_TOTAL);
    }
    const waits = neighbourQueued();
    expect<u32>(waits).toBeGreaterThan(7);
    expect<i32>(refused).toBe(40 - <i32>waits);
    for (let i: u32 = 0; i < 40; i++) expect<i32>(send(socket, stranger(100 + i), 100)).toBe(0);
    expect<u32>(neighbourQueued()).toBe(waits + 40);
    // A second one for a host drives out the first, if that makes the room.
    expect<i32>(send(socket, stranger(0), 20000)).toBe(0);
    expect<u32>(neighbourQueued()).toBe(waits + 40);
    expect<i32>(packets.length).toBe(0);
    close(socket);
  });

  it("are dropped together when nobody answers, and the socket hears of it once", () => {
    const socket = bound(5);
    make(1, most);
    expect<i32>(call_indirect<i32>(socket.protocol.connect, socket, stranger(1))).toBe(0);
    expect<i32>(send(socket, stranger(1), 40000)).toBe(0);
    link.run(5 * SECOND);
    expect<u64>(networkCounters().arpUnresolved).toBe(1);
    expect<i32>(peekLength(socket)).toBe(-113);
    expect<i32>(peekLength(socket)).toBe(-11);
    expect<u32>(bufferPool().inUse).toBe(0);
    forget();
    close(socket);
  });

  it("in any order, with answers and without: nothing is left behind", () => {
    const socket = bound(5);
    make(1, most);
    for (let round = 0; round < 400; round++) {
      const host = stranger(link.random() % 5);
      send(socket, link.random() & 3 ? host : peer(9), link.random() % (link.random() & 7 ? 9000 : most));
      if (link.random() % 16 == 0) peerAnswers();
      if (link.random() % 16 == 0) link.run(<u64>(link.random() % 5) * SECOND);
    }
    expect<i32>(packets.length).toBeGreaterThan(0);
    close(socket);
  });
}

describe("datagrams that wait for a neighbour of IPv4", () => {
  beforeEach(() => begin(4, 700));
  afterEach(check);

  suite();
});

describe("datagrams that wait for a neighbour of IPv6", () => {
  beforeEach(() => begin(6, 700));
  afterEach(check);

  suite();
});
