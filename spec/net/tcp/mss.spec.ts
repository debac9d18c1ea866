/** The size of segments: RFC 9293, 3.7.1, RFC 6691 (the MSS option), and TCP_MAXSEG. */
import { networkInterface } from "../../../net/interface";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { IPPROTO_TCP, TCP_MAXSEG } from "../../../sdk/socket";
import { abort_, accept, close, connect, create, getOption, setOption, write } from "./ends";
import { beginPair, endOfPair, keep, newPort, open, s, server } from "./pair";
import { converse, establish, heard, heardBriefly, meetPeer, say, setOptions, setStamp } from "./script";
import { outbox, PEER } from "./world";

describe("the size of segments", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("MUST-14, MUST-15, MUST-16: segments are the smaller of the peer's MSS, 536 if it says none, and what the link takes, less options", () => {
    const offers: u32[] = [0, 536, 88, 1000, 1460, 9000, 65535];
    for (let stamps: u32 = 0; stamps < 2; stamps++)
      for (let i = 0; i < offers.length; i++) {
        converse(newPort(), 80);
        setOptions(offers[i], 255, stamps * 1000);
        say("S", 0, 0, 0, 60000);
        heard();
        say(".", 1, 0, 1, 60000);
        const one = accept(server)!;
        const most = min<u32>(offers[i] == 0 ? 536 : offers[i], 1460) - stamps * 12;
        expect(changetype<TcpConnection>(one).sendMss).toBe(most);
        write(one, 0, 0, 1460);
        const segment = outbox[0];
        expect(segment.length).toBe(40 + <i32>(stamps * 12 + most));
        assert(segment.length <= 1500);
        abort_(one);
        heard();
      }
    setStamp(0);
  });

  it("MUST-67: the MSS that is offered is what the link takes, less the fixed headers", () => {
    const mtus: u32[] = [576, 1280, 1500];
    for (let i = 0; i < mtus.length; i++) {
      networkInterface().mtu = mtus[i];
      converse(9, 0);
      const one = create();
      connect(one, PEER, 9);
      expect(heard().startsWith("SEW 0:0(0) win 65535 <mss " + (mtus[i] - 40).toString() + ",")).toBe(true);
      close(one);
    }
    networkInterface().mtu = 1500;
  });

  it("cuts segments to the peer's MSS, the last with PSH", () => {
    open(60000);
    write(s, 0, 0, 2500);
    expect(heardBriefly()).toBe(". 1:1001(1000) ack 1 | . 1001:2001(1000) ack 1", "Nagle keeps the rest");
    say(".", 1, 0, 2001, 60000);
    expect(heardBriefly()).toBe("P. 2001:2501(500) ack 1");
    say(".", 1, 0, 2501, 60000);
  });

  it("subtracts the timestamps from the MSS", () => {
    setOptions(1000, 255, 77);
    keep(establish(server, newPort(), 60000));
    write(s, 0, 0, 988);
    expect(heard()).toBe("P. 1:989(988) ack 1 win 65535 <ts>");
  });

  it("believes an MSS of 0 or 1 to be 88", () => {
    setOptions(1, 255, 0);
    keep(establish(server, newPort(), 60000));
    write(s, 0, 0, 88);
    expect(heardBriefly()).toBe("P. 1:89(88) ack 1");
    abort_(s);
    heard();
    setOptions(0, 255, 0);
    keep(establish(server, newPort(), 60000));
    write(s, 0, 0, 536);
    expect(heardBriefly()).toBe("P. 1:537(536) ack 1", "not said: 536");
  });

  it("TCP_MAXSEG bounds the segments of both directions", () => {
    keep(create());
    expect(getOption(s, IPPROTO_TCP, TCP_MAXSEG)).toBe(1460);
    expect(setOption(s, IPPROTO_TCP, TCP_MAXSEG, 87)).toBe(-22);
    expect(setOption(s, IPPROTO_TCP, TCP_MAXSEG, 700)).toBe(0);
    expect(getOption(s, IPPROTO_TCP, TCP_MAXSEG)).toBe(700);
    converse(9, 0);
    connect(s, PEER, 9);
    expect(heard()).toBe("SEW 0:0(0) win 65535 <mss 700,ws 3,sackOK,ts>");
    say("S.", 0, 0, 1, 60000);
    heard();
    write(s, 0, 0, 1400);
    expect(heardBriefly()).toBe(". 1:701(700) ack 1 | P. 701:1401(700) ack 1");
    expect(setOption(s, IPPROTO_TCP, TCP_MAXSEG, 500)).toBe(-106, "it is connected");
    abort_(s);
    heard();
    expect(setOption(server, IPPROTO_TCP, TCP_MAXSEG, 600)).toBe(0);
    setOptions(1460, 255, 0);
    converse(newPort(), 80);
    say("S", 0, 0, 0, 60000);
    expect(heard()).toBe("S. 0:0(0) ack 1 win 65535 <mss 600>");
    say(".", 1, 0, 1, 60000);
    keep(accept(server)!);
    write(s, 0, 0, 1000);
    expect(heardBriefly()).toBe(". 1:601(600) ack 1", "Nagle keeps the rest");
    expect(getOption(s, IPPROTO_TCP, TCP_MAXSEG)).toBe(600);
  });
});
