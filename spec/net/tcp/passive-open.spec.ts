/** RFC 9293, 3.5: connections that a peer opens, against a scripted peer. */
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { requestPool } from "../../../net/socket/tcp/request";
import { accept, close, connect, create, listener, peekLength, poll, readText, taken, watch } from "./ends";
import { expectNothingLeft, newPort, s, server } from "./pair";
import { converse, heard, heardBriefly, meetPeer, say, setOptions, setOwnIsn, setStamp } from "./script";
import { MILLISECOND, PEER, run, SECOND, silence } from "./world";

const STATES: u32 = 0x20000;

describe("passive open", () => {
  beforeAll(meetPeer);
  afterEach(expectNothingLeft);

  it("is a three-way handshake", () => {
    const server = listener(80, 5);
    watch(0, server, STATES | 0x10001);
    converse(5000, 80);
    say("S", 0, 0, 0, 1000);
    expect(heard()).toBe("S. 0:0(0) ack 1 win 65535 <mss 1460>");
    expect(accept(server) === null).toBe(true);
    expect(poll(server)).toBe(0);
    say(".", 1, 0, 1, 1000);
    expect(heard()).toBe("");
    expect(taken()).toBe("10001", "one event for the listener, which stays in LISTEN");
    expect(poll(server)).toBe(1);
    const child = accept(server)!;
    expect(poll(child)).toBe(4, "writable");
    expect(child.flow.remote.ipv4).toBe(PEER);
    expect<u32>(child.flow.remote.port).toBe(5000);
    expect(accept(server) === null).toBe(true);
    close(child);
    close(server);
    expect(taken()).toBe("10>7 gone");
    expect(heardBriefly()).toBe("F. 1:1(0) ack 1");
    say("R.", 1, 0, 2, 0);
  });

  it("answers the options that the peer has, and no others", () => {
    const server = listener(80, 5);
    converse(5001, 80);
    setOptions(1400, 7, 1000);
    say("S", 0, 0, 0, 1000);
    expect(heard()).toBe("S. 0:0(0) ack 1 win 65535 <mss 1460,ws 3,ts>");
    say(".", 1, 0, 1, 1000);
    const child = accept(server)!;
    setStamp(1001);
    say("P.", 1, 5, 1, 1000);
    run(50 * MILLISECOND);
    expect(heard()).toBe(". 1:1(0) ack 6 win 32767 <ts>", "scaled by 8");
    say("R", 6, 0, 0, 0);
    close(child);
    close(server);
  });

  it("takes data and FIN with the final ACK", () => {
    const server = listener(80, 5);
    converse(5002, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    say("FP.", 1, 3, 1, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 5");
    const child = accept(server)!;
    expect(readText(child)).toBe("bcd");
    expect(peekLength(child)).toBe(0);
    close(child);
    expect(heardBriefly()).toBe("F. 1:1(0) ack 5");
    say(".", 5, 0, 2, 1000);
    close(server);
  });

  it("MUST-23: repeats the SYN,ACK for three minutes and then forgets", () => {
    const server = listener(80, 5);
    converse(5003, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    const steps: u32[] = [1, 2, 4, 8, 16, 32, 60];
    for (let i = 0; i < 7; i++) {
      expect(silence(100000)).toBe(steps[i] * 1000);
      expect(heardBriefly()).toBe("S. 0:0(0) ack 1");
    }
    run(59 * SECOND);
    expect(requestPool().inUse).toBe(1);
    run(2 * SECOND);
    expect(requestPool().inUse).toBe(0);
    expect(heard()).toBe("");
    say(".", 1, 0, 1, 1000);
    expect(heardBriefly()).toBe("R 1:1(0)");
    close(server);
  });

  it("answers a SYN that comes again, and resets a wrong acknowledgement", () => {
    const server = listener(80, 5);
    converse(5004, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    say("S", 0, 0, 0, 1000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 1");
    say(".", 1, 0, 77, 1000);
    expect(heardBriefly()).toBe("R 77:77(0)");
    say("S", 500000, 0, 0, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1", "another SYN: the peer will reset the old one");
    say("R", 2, 0, 0, 0);
    expect(heardBriefly()).toBe("", "one challenge in half a second");
    run(600 * MILLISECOND);
    say("R", 2, 0, 0, 0);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1", "a reset that is not exact is challenged");
    say("R", 1, 0, 0, 0);
    say(".", 1, 0, 1, 1000);
    expect(heardBriefly()).toBe("R 1:1(0)", "forgotten");
    close(server);
  });

  it("resets what comes to a closed port, and never a reset", () => {
    converse(5005, 81);
    setOwnIsn(0);
    say("S", 0, 0, 0, 1000);
    expect(heard()).toBe("R. 0:0(0) ack 1 win 0");
    say(".", 5, 10, 9, 1000);
    expect(heardBriefly()).toBe("R 9:9(0)");
    say("R", 5, 0, 9, 1000);
    say("R.", 5, 0, 9, 1000);
    expect(heard()).toBe("");
  });

  it("MUST-11: SYN-RECEIVED by a passive open goes back to LISTEN in silence, by an active one it is refused", () => {
    const server = listener(80, 5);
    watch(0, server, 0x2201d);
    converse(newPort(), 80);
    say("S", 0, 0, 0, 60000);
    heard();
    say("R", 1, 0, 0, 0);
    expect(taken()).toBe("");
    expect(changetype<TcpConnection>(server).state).toBe(10);
    say(".", 1, 0, 1, 60000);
    expect(heardBriefly()).toBe("R 1:1(0)", "it is forgotten");
    converse(9, 0);
    const s = create();
    connect(s, PEER, 9);
    heard();
    say("S", 0, 0, 0, 60000);
    expect(changetype<TcpConnection>(s).state).toBe(3);
    heard();
    watch(1, s, 0x2201d);
    say("R", 1, 0, 0, 0);
    expect(taken()).toBe("3>7 201d");
    expect(peekLength(s)).toBe(-111);
    close(s);
    close(server);
  });
});
