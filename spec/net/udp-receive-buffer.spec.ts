/** SO_RCVBUF of UDP sockets, and SO_DROPS, against a model: two sockets in random orders of what arrives, is read, thrown away and set. */
import { bufferPool } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import { initializeOptions, OPTIONS_STORAGE } from "../../net/socket/calls-options";
import { findOption } from "../../net/socket/options";
import { SHUT_RD, Socket } from "../../net/socket/socket";
import { udpQueued } from "../../net/socket/udp-calls";
import {
  UDP_BUFFER_SHARE,
  UDP_QUEUE_BYTES,
  UDP_QUEUE_LEAST,
  UDP_QUEUE_MOST,
} from "../../net/socket/udp-socket";
import { SO_DROPS, SO_RCVBUF, SOL_SOCKET } from "../../sdk/socket";
import { growMemory } from "../arena";
import { chance, seedChance } from "../chance";
import { OWN, PEER } from "./link";
import { close, connect, consume, peekLength, shutdown } from "./socket-operations";
import { bootUdp, bound, datagram } from "./udp-sockets";

const word: usize = growMemory(8, 8);
/** Buffers of all queues together (link.ts). */
const ALL: u32 = 200;

function get(s: Socket, name: u32): i32 {
  const option = findOption(s, SOL_SOCKET, name)!;
  expect<i32>(call_indirect<i32>(option.get, s, word)).toBe(4);
  return load<i32>(word);
}

function setSize(s: Socket, bytes: u32): void {
  store<u32>(word, bytes);
  expect<i32>(call_indirect<i32>(findOption(s, SOL_SOCKET, SO_RCVBUF)!.set, s, word)).toBe(0);
}

/** What a socket has to have. */
class Model {
  limit: u32 = UDP_QUEUE_BYTES;
  drops: u64 = 0;
  bytes: u32 = 0;
  lengths: u32[] = [];

  constructor(
    public socket: Socket,
    public port: u32,
  ) {}

  arrives(length: u32): void {
    datagram(PEER, 9, OWN, this.port, length);
    const full =
      <u32>this.lengths.length + 1 > this.limit / UDP_BUFFER_SHARE ||
      this.bytes + length > this.limit ||
      <u32>(first.lengths.length + second.lengths.length) + 1 > ALL;
    if (full) this.drops++;
    else {
      this.lengths.push(length);
      this.bytes += length;
    }
  }

  read(): void {
    if (this.lengths.length == 0) return;
    assert(<u32>peekLength(this.socket) == this.lengths[0], "the oldest");
    consume(this.socket);
    this.bytes -= this.lengths.shift();
  }

  size(bytes: u32): void {
    setSize(this.socket, bytes);
    this.limit = max(UDP_QUEUE_LEAST, min(bytes, UDP_QUEUE_MOST));
  }

  check(): void {
    assert(<u32>get(this.socket, SO_RCVBUF) == this.limit, "SO_RCVBUF");
    assert(<u64>get(this.socket, SO_DROPS) == this.drops, "SO_DROPS");
    assert(this.socket.receivedBytes == this.bytes, "bytes");
    assert(this.socket.received.count == <u32>this.lengths.length, "datagrams");
  }
}

let first: Model = new Model(changetype<Socket>(0), 0);
let second: Model = new Model(changetype<Socket>(0), 0);

describe("the receive buffer of udp", () => {
  beforeEach(() => {
    bootUdp();
    initializeOptions(growMemory(OPTIONS_STORAGE, 8));
    first = new Model(bound(0, 7), 7);
    second = new Model(bound(0, 8), 8);
  });

  it("is 128 KiB, and 4 to 192 KiB when that is asked for; what waits stays", () => {
    first.check();
    const sizes: u32[] = [0, 1, 4095, 4096, 5000, 196608, 196609, u32.MAX_VALUE];
    for (let i = 0; i < 3; i++) first.arrives(1400);
    for (let i = 0; i < sizes.length; i++) {
      first.size(sizes[i]);
      first.check();
    }
    expect<i32>(get(first.socket, SO_RCVBUF)).toBe(196608);
    first.size(0);
    expect<i32>(get(first.socket, SO_RCVBUF)).toBe(4096);
    first.arrives(100);
    expect<i32>(get(first.socket, SO_DROPS)).toBe(1);
    close(first.socket);
    close(second.socket);
  });

  it("lets a burst of small datagrams in as far as it goes", () => {
    first.size(160 * 1024);
    for (let i = 0; i < 170; i++) first.arrives(172);
    expect<u32>(first.socket.received.count).toBe(160);
    expect<i32>(get(first.socket, SO_DROPS)).toBe(10);
    expect<i32>(get(second.socket, SO_DROPS)).toBe(0);
    expect<u64>(networkCounters().udpQueueFull).toBe(10);
    close(first.socket);
    close(second.socket);
  });

  it("is what the model says, in a hundred thousand steps", () => {
    seedChance(23);
    for (let round = 0; round < 200; round++) {
      first = new Model(bound(0, 100 + round * 2), 100 + round * 2);
      second = new Model(bound(0, 101 + round * 2), 101 + round * 2);
      const bursts = <i32>(10 + chance(120));
      for (let step = 0; step < 500; step++) {
        const model = chance(3) == 0 ? second : first;
        const dice = chance(100);
        if (dice < 60) model.arrives(chance(3) == 0 ? chance(1473) : chance(200));
        else if (dice < 97 && step % bursts > bursts / 2) for (let i = chance(6); i > 0; i--) model.read();
        else if (dice == 98) model.size(chance(4) == 0 ? chance(u32.MAX_VALUE) : chance(300_000));
        else if (dice == 99 && chance(20) == 0) {
          connect(model.socket, PEER, 9);
          shutdown(model.socket, SHUT_RD);
          model.lengths = [];
          model.bytes = 0;
          // Nothing is taken any more, and nothing dropped for want of room.
          break;
        }
        if (step % 16 == 0) {
          first.check();
          second.check();
          assert(udpQueued() == <u32>(first.lengths.length + second.lengths.length), "all");
        }
      }
      close(first.socket);
      assert(udpQueued() == <u32>second.lengths.length, "what is left");
      close(second.socket);
      assert(udpQueued() == 0 && bufferPool().inUse == 0, "nothing is left");
    }
    expect<u64>(networkCounters().udpQueueFull).toBeGreaterThan(1000);
  });
});
