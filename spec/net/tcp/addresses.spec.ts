/** RFC 9293, 3.9.1.1 and 3.9.2: the local address of a connection, addresses that no host can have, and the options of IP. */
import { setAddress } from "../../../net/interface";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { bind, close, connect, create, listen, readText, writeText } from "./ends";
import { beginPair, endOfPair, keep, newPort, open, s, server } from "./pair";
import {
  addNetworkOptions,
  comeFrom,
  converse,
  goTo,
  heard,
  heardBriefly,
  meetPeer,
  say,
  setOwnIsn,
} from "./script";
import { outbox, OWN, PEER, run, SECOND, silence } from "./world";

describe("addresses", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(() => {
    goTo(OWN);
    comeFrom(PEER);
    endOfPair();
  });

  it("MUST-43, MUST-44: the local address is the one asked for, else the network layer's choice", () => {
    keep(create());
    expect(bind(s, 0x7f000001, 0)).toBe(0);
    const other = create();
    expect(bind(other, PEER, 0)).toBe(-99, "no address of ours");
    close(other);
    outbox.length = 0;
    const free = create();
    connect(free, PEER, 9);
    expect(bswap<u32>(load<u32>(outbox[0].dataStart, 12))).toBe(OWN);
    expect(free.flow.local.ipv4).toBe(OWN);
    close(free);
    outbox.length = 0;
    // A listener for one address hears nothing of what is for another.
    const local = create();
    expect(bind(local, 0x7f000001, 81)).toBe(0);
    expect(listen(local, 5)).toBe(0);
    converse(newPort(), 81);
    setOwnIsn(0);
    say("S", 0, 0, 0, 60000);
    expect(heardBriefly()).toBe("R. 0:0(0) ack 1");
    close(local);
  });

  it("MUST-45: a connection keeps its local address, whatever address the machine has later", () => {
    open();
    expect(setAddress(OWN + 0x20, 0xffffff00, 0)).toBe(true);
    writeText(s, "x");
    for (let i = 0; i < 3; i++) {
      silence(100000);
      while (outbox.length != 0) {
        const packet = outbox.shift();
        expect(bswap<u32>(load<u32>(packet.dataStart, 12))).toBe(OWN);
      }
    }
    expect(setAddress(OWN, 0xffffff00, 0)).toBe(true);
    say(".", 1, 0, 2, 60000);
  });

  it("MUST-46: an open to an address that no host can have is refused", () => {
    const addresses: u32[] = [0xffffffff, 0x0a0000ff, 0xe0000001, 0xefffffff, 0xf0000001, 0];
    keep(create());
    outbox.length = 0;
    for (let i = 0; i < addresses.length; i++) {
      expect(connect(s, addresses[i], 9)).toBe(-101);
      expect(changetype<TcpConnection>(s).state).toBe(7);
    }
    expect(outbox.length).toBe(0);
  });

  it("MUST-57: a SYN to a broadcast or multicast address is discarded in silence", () => {
    const addresses: u32[] = [0xffffffff, 0x0a0000ff, 0xe0000001, 0xef010203];
    const sent = tcpStatistics().segmentsOut;
    for (let i = 0; i < addresses.length; i++)
      for (let kind = 0; kind < 3; kind++) {
        converse(newPort(), kind == 2 ? 81 : 80);
        goTo(addresses[i]);
        say(kind == 1 ? "." : "S", 0, 0, 0, 60000);
        expect(heard()).toBe("");
      }
    run(SECOND);
    expect(tcpStatistics().segmentsOut).toBe(sent);
    expect(changetype<TcpConnection>(server).listener!.requestCount).toBe(0);
  });

  it("MUST-63: a SYN from an address that no host can have is ignored", () => {
    const addresses: u32[] = [0xffffffff, 0x0a0000ff, 0xe0000001, 0x7f000001, 0, 0xf0000000, OWN];
    const sent = tcpStatistics().segmentsOut;
    for (let i = 0; i < addresses.length; i++)
      for (let kind = 0; kind < 2; kind++) {
        converse(newPort(), kind == 1 ? 81 : 80);
        comeFrom(addresses[i]);
        say("S", 0, 0, 0, 60000);
      }
    run(SECOND);
    expect(tcpStatistics().segmentsOut).toBe(sent);
    expect(changetype<TcpConnection>(server).listener!.requestCount).toBe(0);
  });

  it("MUST-50: options of IP that TCP does not understand are ignored", () => {
    open();
    // Timestamp, record route, router alert, one that nobody knows.
    const lists: u8[][] = [
      [68, 8, 9, 0, 0, 0, 0, 0],
      [7, 7, 4, 0, 0, 0, 0, 0],
      [148, 4, 0, 0],
      [1, 1, 94, 6, 1, 2, 3, 4],
    ];
    for (let i = 0; i < lists.length; i++) {
      addNetworkOptions(lists[i]);
      say("P.", 1 + 3 * i, 3, 1, 60000);
      expect(readText(s).length).toBe(3);
    }
  });
});
