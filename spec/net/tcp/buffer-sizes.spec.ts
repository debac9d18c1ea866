/** SO_RCVBUF and SO_SNDBUF: how much is offered to the peer, kept of it, and kept for it. */
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { SO_RCVBUF, SO_SNDBUF, SOL_SOCKET } from "../../../sdk/socket";
import {
  abort_,
  accept,
  bind,
  close,
  connect,
  create,
  getOption,
  listen,
  listener,
  setOption,
  write,
} from "./ends";
import { beginPair, endOfPair, forget, keep, newPort, open, s } from "./pair";
import { converse, fillRequests, heard, meetPeer, say, setOptions } from "./script";
import { PEER, run, SECOND, silence } from "./world";

describe("sizes of buffers", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("SO_RCVBUF bounds what is offered and what is kept", () => {
    keep(create());
    const most = getOption(s, SOL_SOCKET, SO_RCVBUF);
    expect(setOption(s, SOL_SOCKET, SO_RCVBUF, 1 << 30)).toBe(0);
    expect(getOption(s, SOL_SOCKET, SO_RCVBUF)).toBe(most);
    expect(setOption(s, SOL_SOCKET, SO_RCVBUF, 1)).toBe(0);
    expect(getOption(s, SOL_SOCKET, SO_RCVBUF)).toBe(4096);
    expect(setOption(s, SOL_SOCKET, SO_RCVBUF, 8192)).toBe(0);
    setOptions(1460, 255, 0);
    converse(9, 0);
    connect(s, PEER, 9);
    expect(heard()).toBe("SEW 0:0(0) win 8192 <mss 1460,ws 3,sackOK,ts>");
    say("S.", 0, 0, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 1 win 8192");
    const c = changetype<TcpConnection>(s);
    for (let at: u32 = 1; at < 20000; at += 1000) say(".", at, 1000, 1, 60000);
    expect(c.receivedBytes).toBeLessThan(8193);
    expect(c.receivedBytes).toBeGreaterThan(7000);
    heard();
    // Of a listener, it is what connections have.
    const small = create();
    expect(setOption(small, SOL_SOCKET, SO_RCVBUF, 5000)).toBe(0);
    expect(bind(small, 0, 81)).toBe(0);
    expect(listen(small, 5)).toBe(0);
    converse(newPort(), 81);
    say("S", 0, 0, 0, 60000);
    expect(heard()).toBe("S. 0:0(0) ack 1 win 5000 <mss 1460>");
    say(".", 1, 0, 1, 60000);
    const accepted = accept(small)!;
    expect(getOption(accepted, SOL_SOCKET, SO_RCVBUF)).toBe(5000);
    abort_(accepted);
    close(small);
  });

  it("SO_SNDBUF bounds what waits to be acknowledged", () => {
    const fresh = create();
    const most = getOption(fresh, SOL_SOCKET, SO_SNDBUF);
    expect(setOption(fresh, SOL_SOCKET, SO_SNDBUF, 1 << 30)).toBe(0);
    expect(getOption(fresh, SOL_SOCKET, SO_SNDBUF)).toBe(most);
    expect(setOption(fresh, SOL_SOCKET, SO_SNDBUF, 0)).toBe(0);
    expect(getOption(fresh, SOL_SOCKET, SO_SNDBUF)).toBe(8 * 2048);
    close(fresh);
    open(0);
    expect(setOption(s, SOL_SOCKET, SO_SNDBUF, 20480)).toBe(0);
    expect(write(s, 0, 0, 100000)).toBe(10000, "ten buffers of a segment each");
  });

  it("SO_RCVBUF of a listener takes back nothing that a SYN,ACK has offered, nor that of a connection what its SYN has", () => {
    keep(create());
    setOptions(1460, 255, 0);
    converse(9, 0);
    connect(s, PEER, 9);
    expect(heard()).toBe("SEW 0:0(0) win 65535 <mss 1460,ws 3,sackOK,ts>");
    expect(setOption(s, SOL_SOCKET, SO_RCVBUF, 5000)).toBe(0);
    expect(silence(2000)).toBe(1000);
    expect(heard()).toBe("S 0:0(0) win 65535 <mss 1460,ws 3,sackOK,ts>");
    say("S.", 0, 0, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 1 win 65535");
    abort_(s);
    forget();
    heard();
    for (let cookie = 0; cookie < 2; cookie++) {
      const one = listener(81, 5);
      if (cookie == 1) fillRequests(81);
      setOptions(1460, 255, 0);
      converse(newPort(), 81);
      say("S", 0, 0, 0, 60000);
      expect(heard()).toBe("S. 0:0(0) ack 1 win 65535 <mss 1460>");
      expect(setOption(one, SOL_SOCKET, SO_RCVBUF, 5000)).toBe(0);
      if (cookie == 0) {
        say("S", 0, 0, 0, 60000);
        expect(heard()).toBe("S. 0:0(0) ack 1 win 65535 <mss 1460>", "repeated");
      }
      say(".", 1, 0, 1, 60000);
      keep(accept(one)!);
      expect(getOption(s, SOL_SOCKET, SO_RCVBUF)).toBe(5000);
      for (let at: u32 = 1; at < 60000; at += 1000) say(".", at, 1000, 1, 60000);
      expect(changetype<TcpConnection>(s).receivedBytes).toBe(60000);
      heard();
      // The other requests that wait repeat their SYN,ACKs after a second.
      run(SECOND / 2);
      expect(heard()).toBe("", "all of it was acknowledged");
      abort_(s);
      forget();
      // The next one is offered less.
      converse(newPort(), 81);
      say("S", 0, 0, 0, 60000);
      expect(heard()).toBe("S. 0:0(0) ack 1 win 5000 <mss 1460>");
      close(one);
    }
  });
});
