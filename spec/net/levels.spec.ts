/** Levels of reception (net/levels.ts, net/packets.ts): who waits, for how long, and who does not. (TCP: tcp/transfer.spec.ts.) */
import { setLogLevel } from "../../kernel/console";
import {
  POLL_OUTPUT,
  POLL_PACKETS,
  pollLevel,
  pollLevels,
  runPolls,
  setPoll,
} from "../../kernel/interrupts/polls";
import { bufferPool } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import { networkFlush } from "../../net/interface";
import { levelsMatter, receiveLevel } from "../../net/levels";
import { packetsPoll } from "../../net/packets";
import { ownSocket, setSocketLevel } from "../../net/socket/rank";
import { Socket } from "../../net/socket/socket";
import { udpCreate, udpDrops } from "../../net/socket/udp";
import { UDP_QUEUE_COUNT } from "../../net/socket/udp-socket";
import { chance, seedChance } from "../chance";
import * as frames from "./frames";
import { deliver } from "./frames";
import * as link from "./link";
import { OWN, PEER } from "./link";
import { endpoint, packed } from "./addresses";

function flush(level: u32): bool {
  networkFlush();
  return false;
}

function boot(): void {
  link.bootStack(2000, 7);
  setLogLevel(0);
  setPoll(POLL_PACKETS, packetsPoll.index);
  setPoll(POLL_OUTPUT, flush.index);
  networkFlush();
}

/** A socket bound to `port`, of `level`. */
function bound(port: u32, level: u32): Socket {
  const socket = changetype<Socket>(changetype<usize>(udpCreate()));
  assert(call_indirect<i32>(socket.protocol.bind, socket, endpoint(0, port)) == 0, "bind");
  setSocketLevel(socket, level);
  return socket;
}

function close(socket: Socket): void {
  call_indirect<void>(socket.protocol.close, socket);
}

function datagram(port: u32, number: u32): void {
  frames.udp(PEER, number, OWN, port, 4);
  deliver();
}

/** Source port of the next datagram, which is taken; -1: there is none. */
function take(socket: Socket): i32 {
  const head = socket.received.head;
  if (head === null) return -1;
  const source = packed(head.source);
  call_indirect<void>(socket.protocol.consume, socket, <u32>0);
  return <i32>(source & 0xffff);
}

describe("levels of sockets", () => {
  beforeEach(boot);

  it("without differences nothing waits", () => {
    expect<u32>(receiveLevel).toBe(32);
    const one = bound(1, 40);
    const two = bound(2, 40);
    expect<u32>(receiveLevel).toBe(40);
    expect<bool>(levelsMatter).toBe(true);
    datagram(1, 7);
    datagram(2, 8);
    expect<i32>(pollLevel).toBe(-1);
    expect<i32>(take(one)).toBe(7);
    expect<i32>(take(two)).toBe(8);
    close(one);
    close(two);
    expect<u32>(receiveLevel).toBe(32);
  });

  it("the highest gets its packets at once, the others when their level has its turn, in order", () => {
    const low = bound(1, 10);
    const middle = bound(2, 40);
    const high = bound(3, 63);
    expect<u32>(receiveLevel).toBe(63);
    expect<bool>(levelsMatter).toBe(true);
    datagram(1, 100);
    datagram(2, 101);
    datagram(1, 102);
    datagram(3, 103);
    expect<i32>(take(high)).toBe(103);
    expect<i32>(take(low) + take(middle)).toBe(-2);
    expect<i32>(pollLevel).toBe(40);
    expect<bool>(runPolls()).toBe(true);
    expect<i32>(take(middle)).toBe(101);
    expect<i32>(take(low)).toBe(-1);
    expect<i32>(pollLevel).toBe(10);
    expect<bool>(runPolls()).toBe(false);
    expect<i32>(take(low)).toBe(100);
    expect<i32>(take(low)).toBe(102);
    close(low);
    close(middle);
    close(high);
    expect<bool>(levelsMatter).toBe(false);
  });

  it("a socket below the default level waits, too: main code of the default level is not disturbed", () => {
    const low = bound(1, 10);
    expect<u32>(receiveLevel).toBe(32);
    datagram(1, 5);
    expect<i32>(take(low)).toBe(-1);
    runPolls();
    expect<i32>(take(low)).toBe(5);
    close(low);
  });

  it("what has no socket is of the default level", () => {
    const high = bound(3, 63);
    const before = networkCounters().udpNoPort;
    datagram(9, 1);
    expect<i32>(pollLevel).toBe(32);
    expect<u64>(networkCounters().udpNoPort).toBe(before);
    runPolls();
    networkFlush();
    expect<u64>(networkCounters().udpNoPort).toBe(before + 1);
    close(high);
  });

  it("what waits for a socket that is closed meanwhile goes to nobody; when its level rises, what waits rises with it", () => {
    const high = bound(3, 63);
    const low = bound(1, 10);
    datagram(1, 1);
    close(low);
    const other = bound(2, 10);
    datagram(2, 2);
    close(high);
    ownSocket(other, 63);
    datagram(2, 3);
    expect<i32>(pollLevel).toBe(63);
    runPolls(63);
    expect<i32>(take(other)).toBe(2, "in the order in which they came");
    expect<i32>(take(other)).toBe(3);
    while (runPolls()) {}
    expect<u64>(networkCounters().udpNoPort).toBe(1);
    close(other);
    expect<u32>(bufferPool().inUse).toBe(1, "the error message waits for ARP");
  });

  it("have a limit of their own: a flood for a low one is dropped and counted, and holds few buffers", () => {
    const high = bound(3, 63);
    const low = bound(1, 10);
    for (let i: u32 = 0; i < 500; i++) datagram(1, 1 + i);
    const dropped = <u32>networkCounters().packetsDropped;
    expect<u32>(500 - dropped).toBe(bufferPool().inUse);
    expect<u32>(bufferPool().inUse).toBe(2000 / 64);
    datagram(3, 77);
    expect<i32>(take(high)).toBe(77);
    while (runPolls()) {}
    for (let i: u32 = 0; i < 500 - dropped; i++) expect<i32>(take(low)).toBe(1 + i);
    expect<i32>(take(low)).toBe(-1);
    close(high);
    close(low);
  });

  it("thousands of random datagrams: each arrives once and in order, or has been counted", () => {
    seedChance(3);
    const sockets: Socket[] = [];
    const last: i32[] = [];
    for (let i: u32 = 0; i < 20; i++) {
      sockets.push(bound(10 + i, chance(64)));
      last.push(-1);
    }
    let sent: u32 = 0;
    let taken: u32 = 0;
    for (let step = 0; step < 20_000; step++) {
      const which = chance(20);
      const what = chance(10);
      if (chance(20) == 0) setSocketLevel(sockets[which], chance(64));
      else if (what < 6) datagram(10 + which, 1 + (sent++ % 60_000));
      else if (what < 8) {
        const level = pollLevel;
        // The reserve gives lower levels a turn now and then.
        if (chance(5) == 0 && pollLevels != 0) runPolls(<u32>ctz(pollLevels));
        else {
          runPolls();
          assert(pollLevel <= level, "of all that waits, the highest first");
        }
      } else {
        const number = take(sockets[which]);
        if (number >= 0) {
          taken++;
          assert(number > last[which] || last[which] - number > 30_000, "in order");
          last[which] = number;
        }
      }
      assert(bufferPool().inUse < 1900, "buffers");
    }
    while (runPolls()) {}
    let drops: u64 = networkCounters().packetsDropped;
    for (let i = 0; i < 20; i++) {
      for (let count: u32 = 0; count <= UDP_QUEUE_COUNT; count++) {
        const number = take(sockets[i]);
        if (number < 0) break;
        assert(number > last[i] || last[i] - number > 30_000, "in order");
        last[i] = number;
        taken++;
      }
      drops += udpDrops(sockets[i]);
      close(sockets[i]);
    }
    expect<u64>(<u64>taken + drops).toBe(sent);
    expect<u32>(bufferPool().inUse).toBe(0);
  });
});
