/** Ephemeral ports (RFC 6056), where nearly all are taken: bind.ts. */
import { PORT_SEARCHES, Socket } from "../../../net/socket/socket";
import { bindEphemeral, chooseEphemeral } from "../../../net/socket/tcp/bind";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { EPHEMERAL_COUNT, EPHEMERAL_FIRST } from "../../../net/socket/tcp/parameters";
import { chance, seedChance } from "../../chance";
import { flowOf } from "../addresses";
import { close, create, taken } from "./ends";
import { leave } from "./remains";
import { OWN, PEER, run, SECOND, settleWorld, setUpWorldOf } from "./world";

const CONNECTIONS: u32 = 30_000;

let found: u32 = 0;

/** Calls of `chooseEphemeral` until it finds a port; PORT_SEARCHES + 1: it finds none. */
function search(remotePort: u32): u32 {
  let calls: u32 = 1;
  const flow = flowOf(OWN, 0, PEER, remotePort);
  while (calls <= PORT_SEARCHES && chooseEphemeral(flow) < 0) calls++;
  found = flow.local.port;
  return calls;
}

describe("ephemeral ports", () => {
  beforeAll(() => setUpWorldOf(16000, CONNECTIONS, 640000));
  afterEach(() => {
    settleWorld();
    taken();
  });

  it("follow one another toward one destination, and stand elsewhere for another (RFC 6056, 3.3.4)", () => {
    search(100);
    const first = found;
    for (let i: u32 = 1; i < 2000; i++) {
      search(100);
      expect((found - first + EPHEMERAL_COUNT) % EPHEMERAL_COUNT).toBe(i);
    }
    let gaps: u32 = 0;
    for (let i: u32 = 1; i < 2000; i++) {
      const last = found;
      search(1000 + i);
      if (found - last == 1) gaps++;
    }
    expect(gaps).toBeLessThan(4, "of 2,000 in 28,232 places");
  });

  it("99 % taken toward one destination: each of the others is found, then none; toward others all are free", () => {
    seedChance(63);
    const free = new Set<u32>();
    while (free.size < <i32>(EPHEMERAL_COUNT / 100)) free.add(EPHEMERAL_FIRST + chance(EPHEMERAL_COUNT));
    for (let i: u32 = 0; i < EPHEMERAL_COUNT; i++)
      if (!free.has(EPHEMERAL_FIRST + i)) leave(EPHEMERAL_FIRST + i, 80, 0);
    let calls: u32 = 0;
    const wanted = free.size;
    for (let i = 0; i < wanted; i++) {
      calls += search(80);
      expect(free.has(found)).toBe(true);
      free.delete(found);
      leave(found, 80, 0);
      expect(search(81 + i)).toBe(1);
    }
    // Once around, or twice where the first call began.
    expect(calls).toBeLessThan(2 * PORT_SEARCHES + wanted);
    expect(search(80)).toBe(PORT_SEARCHES + 1);
    // With timestamps they may be taken over, a second later: the first that is looked at.
    settleWorld();
    for (let i: u32 = 0; i < EPHEMERAL_COUNT; i++) leave(EPHEMERAL_FIRST + i, 80, 1);
    expect(search(80)).toBe(PORT_SEARCHES + 1);
    run(2 * SECOND);
    for (let i = 0; i < 1000; i++) expect(search(80)).toBe(1);
  });

  it("of sockets without a destination: found at random, with 99 % bound; one that is not found is missed", () => {
    const sockets: Socket[] = [];
    const seen = new Set<u32>();
    for (let i: u32 = 0; i < EPHEMERAL_COUNT - EPHEMERAL_COUNT / 100; i++) {
      const s = create();
      const c = changetype<TcpConnection>(s);
      let calls: u32 = 1;
      while (bindEphemeral(c) < 0) calls++;
      // 96 ports a call: at the end it fails with a chance of 0.99^96.
      assert(calls < 30, "a long search");
      const port = s.flow.local.port;
      assert(port >= EPHEMERAL_FIRST && port < EPHEMERAL_FIRST + EPHEMERAL_COUNT, "out of range");
      assert(!seen.has(port), "bound twice");
      seen.add(port);
      sockets.push(s);
    }
    // Who connects does not get a port that is bound.
    for (let i = 0; i < 100; i++) {
      search(90);
      expect(seen.has(found)).toBe(false);
    }
    while (sockets.length != 0) close(sockets.pop());
  });
});
