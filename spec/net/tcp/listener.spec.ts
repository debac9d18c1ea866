/** RFC 9293, 3.9.1.1: what a listener is made on, how many wait at it (its backlog), and its end. */
import { connectionPool, TcpConnection } from "../../../net/socket/tcp/connection";
import { requestPool } from "../../../net/socket/tcp/request";
import { LISTENER_LIMIT, tcpStatistics } from "../../../net/socket/tcp/tcp";
import { abort_, accept, bind, close, connect, create, listen, listener, readText, setOption } from "./ends";
import { expectNothingLeft, newPort, openPair, s, server } from "./pair";
import { converse, heard, heardBriefly, meetPeer, ownIsn, say, setOwnIsn } from "./script";
import { MILLISECOND, OWN, PEER, run, SECOND, silence } from "./world";

describe("a listener", () => {
  beforeAll(meetPeer);
  afterEach(expectNothingLeft);

  it("MUST-41: a passive open touches nothing that is there already, or fails", () => {
    const server = listener(80, 5);
    const c = changetype<TcpConnection>(openPair(server, 60000, 1000));
    const other = create();
    expect(bind(other, 0, 80)).toBe(-98);
    expect(bind(other, OWN, 80)).toBe(-98);
    expect(listen(server, 5)).toBe(0, "more of the same is no new one");
    expect(changetype<TcpConnection>(server).state).toBe(10);
    expect(c.state).toBe(1);
    close(other);
    say("P.", 1, 3, 1, 60000);
    expect(readText(c)).toBe("bcd");
    abort_(c);
    close(server);
  });

  it("MUST-42: a listener can be made on a port from which a connection is being opened", () => {
    converse(9, 0);
    const s = create();
    setOption(s, 1, 2, 1);
    expect(bind(s, 0, 7777)).toBe(0);
    expect(connect(s, PEER, 9)).toBe(-115);
    heard();
    expect(changetype<TcpConnection>(s).state).toBe(2);
    const passive = create();
    setOption(passive, 1, 2, 1);
    expect(bind(passive, 0, 7777)).toBe(0);
    expect(listen(passive, 5)).toBe(0, "in SYN-SENT");
    say("S", 0, 0, 0, 60000);
    expect(changetype<TcpConnection>(s).state).toBe(3, "the connection's own peer: a simultaneous open");
    close(passive);
    const second = create();
    setOption(second, 1, 2, 1);
    expect(bind(second, 0, 7777)).toBe(0);
    expect(listen(second, 5)).toBe(0, "in SYN-RECEIVED");
    heard();
    converse(newPort(), 7777);
    say("S", 0, 0, 0, 60000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 1", "and it takes connections");
    close(second);
    abort_(s);
  });

  it("drops the final ACK while the accept queue is full, and takes it later", () => {
    const server = listener(80, 1);
    converse(5010, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    say(".", 1, 0, 1, 1000);
    converse(5012, 80);
    say("S", 0, 0, 0, 1000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 1");
    const isn = ownIsn;
    converse(5011, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    say(".", 1, 0, 1, 1000);

    converse(5013, 80);
    say("S", 0, 0, 0, 1000);
    expect(heard()).toBe("", "no new ones while it is full");
    converse(5012, 80);
    setOwnIsn(isn);
    const before = tcpStatistics().listenOverflows;
    say(".", 1, 0, 1, 1000);
    expect(tcpStatistics().listenOverflows - before).toBe(1);
    const first = accept(server)!;
    expect(silence(2000)).toBeGreaterThan(990);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 1", "the client hears that its ACK was not taken");
    say(".", 1, 0, 1, 1000);
    const second = accept(server)!;
    const third = accept(server)!;
    expect<u32>(second.flow.remote.port).toBe(5011);
    expect<u32>(third.flow.remote.port).toBe(5012);
    close(first);
    abort_(second);
    abort_(third);
    close(server);
  });

  it("forgets half-open connections and resets waiting ones when the listener closes", () => {
    const server = listener(80, 5);
    converse(5007, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    say(".", 1, 0, 1, 1000);
    converse(5008, 80);
    say("S", 0, 0, 0, 1000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 1");
    close(server);
    say(".", 1, 0, 1, 1000);
    expect(heardBriefly()).toBe("R 1:1(0)");
    run(MILLISECOND);
    expect(heardBriefly().startsWith("R. ")).toBe(true, "the one that waited");
  });

  it("closes a listener bit by bit: each step resets a few, and a new one at its port has nothing to do with it", () => {
    const server = listener(80, 200);
    for (let i: u32 = 0; i < 200; i++) {
      converse(6000 + i, 80);
      say("S", 0, 0, 0, 1000);
      heard();
      // The first hundred are half open.
      if (i >= 100) say(".", 1, 0, 1, 1000);
    }
    const connections = connectionPool().inUse;
    close(server);
    expect(connections - connectionPool().inUse).toBe(1, "itself");
    expect(requestPool().inUse).toBe(100);
    expect(heard()).toBe("");
    const fresh = listener(80, 200);
    // What was half open is so again, with the new one.
    for (let i: u32 = 0; i < 10; i++) {
      converse(6090 + i, 80);
      say("S", 1000, 0, 0, 1000);
      expect(heardBriefly()).toBe("S. 0:0(0) ack 1001");
      say(".", 1001, 0, 1, 1000);
      abort_(accept(fresh)!);
    }
    heard();
    expect(requestPool().inUse).toBe(90);
    let steps: u32 = 0;
    while (connectionPool().inUse != 1 || requestPool().inUse != 0) {
      const before = connectionPool().inUse + requestPool().inUse;
      run(MILLISECOND / 10);
      const gone = before - connectionPool().inUse - requestPool().inUse;
      assert(gone <= 8, "two steps at most in this time");
      assert(steps++ < 1000, "they come to an end");
    }
    expect(steps).toBeGreaterThan(190 / 8);
    expect(heardBriefly().split(" | ").length).toBe(100, "resets");
    run(2 * SECOND);
    expect(heard()).toBe("", "nobody repeats a SYN,ACK of a listener that is gone");
    close(fresh);
  });

  it("has its place free again as soon as the last of it is gone, however much was half open", () => {
    for (let round: u32 = 0; round < 3; round++) {
      for (let i: u32 = 0; i < LISTENER_LIMIT; i++) {
        const server = listener(1000 + i, 1);
        converse(7, 1000 + i);
        say("S", 0, 0, 0, 1000);
        heard();
        close(server);
      }
      run(100 * MILLISECOND);
      expect(requestPool().inUse).toBe(0);
    }
  });
});
