/** When what fills no segment is sent: RFC 9293, 3.7.4 (Nagle's algorithm) and 3.9.1.2 (PSH), TCP_NODELAY, MSG_MORE. */
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { chance, seedChance } from "../../chance";
import { IPPROTO_TCP, TCP_NODELAY } from "../../../sdk/socket";
import { getOption, setOption, shutdown, write, writeMore, writeText } from "./ends";
import { beginPair, endOfPair, open, s } from "./pair";
import { heard, heardBriefly, meetPeer, say } from "./script";
import { silence, takeTurns } from "./world";

describe("small segments", () => {
  beforeAll(() => {
    meetPeer();
    seedChance(44);
  });
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("MUST-17: follows Nagle, unless TCP_NODELAY is set", () => {
    open(60000);
    writeText(s, "a");
    writeText(s, "b");
    writeText(s, "c");
    expect(heardBriefly()).toBe("P. 1:2(1) ack 1");
    say(".", 1, 0, 2, 60000);
    expect(heardBriefly()).toBe("P. 2:4(2) ack 1");
    s.flags |= 2;
    writeText(s, "d");
    writeText(s, "e");
    expect(heardBriefly()).toBe("P. 4:5(1) ack 1 | P. 5:6(1) ack 1");
    writeText(s, "f");
    expect(heardBriefly()).toBe("P. 6:7(1) ack 1");
  });

  it("MUST-17: TCP_NODELAY turns Nagle's algorithm off, and lets go what it held", () => {
    open();
    expect(getOption(s, IPPROTO_TCP, TCP_NODELAY)).toBe(0);
    writeText(s, "a");
    writeText(s, "b");
    expect(heardBriefly()).toBe("P. 1:2(1) ack 1");
    expect(setOption(s, IPPROTO_TCP, TCP_NODELAY, 1)).toBe(0);
    expect(heardBriefly()).toBe("P. 2:3(1) ack 1");
    writeText(s, "c");
    expect(heardBriefly()).toBe("P. 3:4(1) ack 1");
    expect(getOption(s, IPPROTO_TCP, TCP_NODELAY)).toBe(1);
  });

  it("MSG_MORE: goes with what comes next", () => {
    open(60000);
    writeMore(s, 0, 0, 500);
    writeMore(s, 0, 500, 200);
    expect(heardBriefly()).toBe("");
    write(s, 0, 700, 100);
    expect(heardBriefly()).toBe("P. 1:801(800) ack 1");
    writeMore(s, 0, 800, 1500);
    shutdown(s, 1);
    expect(heardBriefly()).toBe(". 801:1801(1000) ack 1 | FP. 1801:2301(500) ack 1");
  });

  it("MSG_MORE: goes when the connection has its turn, without anything else", () => {
    open(60000);
    writeMore(s, 0, 0, 500);
    expect(heardBriefly()).toBe("");
    takeTurns();
    expect(heardBriefly()).toBe("P. 1:501(500) ack 1");
  });

  it("MUST-60, MUST-61: nothing is kept back for ever, and the last segment that there is has PSH", () => {
    open(60000);
    for (let i: u32 = 1; i < 200; i++) {
      const length = 1 + chance(5000);
      write(s, 0, 0, length);
      const c = changetype<TcpConnection>(s);
      let last = "";
      for (let turn = 0; turn < 20 && c.SND_UNA != c.writeSequence; turn++) {
        const lines = heardBriefly();
        if (lines != "") last = lines;
        say(".", 1, 0, c.SND_NXT - c.ISS, 60000);
      }
      expect(c.SND_UNA).toBe(c.writeSequence);
      const text = last.split(" | ");
      expect(text[text.length - 1].startsWith("P.")).toBe(true, last);
    }
    // A window that never has room for half of the largest there was: the override (RFC 9293, 3.8.6.2.1).
    heard();
    say(".", 1, 0, changetype<TcpConnection>(s).SND_NXT - changetype<TcpConnection>(s).ISS, 10);
    write(s, 0, 0, 100);
    expect(heard()).toBe("");
    expect(silence(100000)).toBeLessThan(1001);
    expect(heardBriefly().indexOf("(10)") > 0).toBe(true);
  });
});
