/** Names of UDP sockets, and which of them a datagram is for (RFC 1122, 4.1.3.5: by address, port and peer). */
import { networkCounters } from "../../net/counters";
import { Socket } from "../../net/socket/socket";
import { udpCreate } from "../../net/socket/udp";
import { EPHEMERAL_FIRST, udpPool } from "../../net/socket/udp-socket";
import * as link from "./link";
import { OWN, PEER } from "./link";
import { bind, close, connect, consume, peek } from "./socket-operations";
import { bootUdp, bound, create, datagram, LOOPBACK, reuse, sendTo } from "./udp-sockets";

/** Which of the sockets has a datagram: bit i for the i-th. They are taken out. */
function takers(list: Socket[]): u32 {
  let mask: u32 = 0;
  for (let i = 0; i < list.length; i++) {
    if (peek(list[i]) == 0) continue;
    mask |= 1 << i;
    consume(list[i]);
  }
  return mask;
}

describe("udp, names", () => {
  beforeEach(bootUdp);

  it("binds as it should", () => {
    const a = bound(0, 1000);
    const b = create();
    expect<i32>(bind(b, OWN, 1000)).toBe(-98);
    expect<i32>(bind(b, 0, 1000)).toBe(-98);
    expect<i32>(bind(b, PEER, 1001)).toBe(-99);
    expect<i32>(bind(b, 0xe000_0001, 1001)).toBe(-99);
    expect<i32>(bind(b, OWN, 1001)).toBe(0);
    expect<i32>(bind(b, OWN, 1002)).toBe(-22);
    const c = create();
    expect<i32>(bind(c, 0, 1001)).toBe(-98);
    expect<i32>(bind(c, LOOPBACK, 1001)).toBe(0);
    close(a);
    const d = create();
    expect<i32>(bind(d, 0, 1000)).toBe(0);
    expect<u32>(d.type).toBe(2);
  });

  it("shares a port when both sockets allow it", () => {
    const a = bound(0, 4712);
    const b = create();
    expect<i32>(bind(b, OWN, 4712)).toBe(-98);
    reuse(b);
    expect<i32>(bind(b, OWN, 4712)).toBe(-98, "the other one does not want it");
    reuse(a);
    expect<i32>(bind(b, OWN, 4712)).toBe(0);
    close(a);
    close(b);
  });

  it("gives out ephemeral ports at random, each once", () => {
    let wrong = 0;
    let ascending = 0;
    const seen = new Set<u32>();
    let before: u32 = 0;
    for (let i = 0; i < 60; i++) {
      const socket = bound(0, 0);
      const port = socket.flow.local.port;
      if (port < EPHEMERAL_FIRST || seen.has(port)) wrong++;
      if (port == before + 1) ascending++;
      before = port;
      seen.add(port);
    }
    expect<i32>(wrong).toBe(0);
    expect<i32>(ascending).toBeLessThan(5);
  });

  it("has a limit on sockets", () => {
    const list: Socket[] = [];
    for (let i = 0; i < 64; i++) list.push(create());
    expect<bool>(udpCreate() === null).toBe(true);
    for (let i = 0; i < 64; i++) close(list[i]);
    expect<u32>(udpPool().inUse).toBe(0);
    expect<bool>(udpCreate() !== null).toBe(true);
  });

  it("chooses by address, connection and port", () => {
    const any = bound(0, 1000);
    const own = bound(OWN, 2000);
    const loop = bound(LOOPBACK, 2000);
    const connected = bound(0, 3000);
    expect<i32>(connect(connected, PEER, 53)).toBe(0);
    const list: Socket[] = [any, own, loop, connected];
    datagram(PEER, 1, OWN, 1000, 4);
    expect<u32>(takers(list)).toBe(1);
    datagram(PEER, 1, 0xffff_ffff, 1000, 4);
    expect<u32>(takers(list)).toBe(1, "broadcasts go to sockets bound to any address");
    datagram(PEER, 1, 0xffff_ffff, 2000, 4);
    expect<u32>(takers(list)).toBe(0);
    datagram(PEER, 1, OWN, 2000, 4);
    expect<u32>(takers(list)).toBe(2);
    const sender = create();
    expect<i32>(sendTo(sender, LOOPBACK, 2000, 5)).toBe(0);
    link.run(0);
    expect<u32>(takers(list)).toBe(4);
    expect<i32>(sendTo(sender, OWN, 2000, 5)).toBe(0);
    link.run(0);
    expect<u32>(takers(list)).toBe(2);
    datagram(PEER, 53, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(8);
    datagram(PEER, 54, OWN, 3000, 4);
    datagram(PEER + 1, 53, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(0);
    datagram(PEER, 1, OWN, 4000, 4);
    expect<u64>(networkCounters().udpNoPort).toBe(4);
  });

  it("of sockets that share a name, one with that peer goes first, then the latest without any", () => {
    const list: Socket[] = [];
    for (let i: u32 = 0; i < 6; i++) {
      const socket = create();
      reuse(socket);
      expect<i32>(bind(socket, i == 0 ? 0 : OWN, 3000)).toBe(0);
      list.push(socket);
    }
    expect<i32>(connect(list[2], PEER, 53)).toBe(0);
    expect<i32>(connect(list[4], PEER, 54)).toBe(0);
    datagram(PEER, 53, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(1 << 2);
    datagram(PEER, 54, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(1 << 4);
    datagram(PEER, 55, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(1 << 5);
    // Another peer; and none.
    expect<i32>(connect(list[4], PEER, 55)).toBe(0);
    datagram(PEER, 54, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(1 << 5);
    datagram(PEER, 55, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(1 << 4);
    expect<i32>(connect(list[4], 0, 0)).toBe(0);
    datagram(PEER, 55, OWN, 3000, 4);
    expect<u32>(takers(list)).toBe(1 << 4, "the latest now");
    for (let i = 5; i > 0; i--) close(list[i]);
    datagram(PEER, 53, OWN, 3000, 4);
    expect<u32>(takers([list[0]])).toBe(1, "bound to every address");
    close(list[0]);
    datagram(PEER, 53, OWN, 3000, 4);
    expect<u64>(networkCounters().udpNoPort).toBe(1);
  });
});
