/** RFC 9293, 3.9.1.9 and 3.9.2: IP_TOS and IP_TTL, in everything that is sent for a connection. */
import { IP_TOS, IP_TTL, IPPROTO_IP } from "../../../sdk/socket";
import {
  abort_,
  accept,
  close,
  connect,
  create,
  getOption,
  readText,
  setOption,
  shutdown,
  writeText,
} from "./ends";
import { beginPair, endOfPair, forget, keep, newPort, open, s, server } from "./pair";
import { converse, heard, meetPeer, say } from "./script";
import { outbox, PEER, run, SECOND } from "./world";

/** Type of service and time to live of all that was sent: "tos/ttl", each once. */
function services(): string {
  let text = "";
  while (outbox.length != 0) {
    const packet = outbox.shift();
    const one = packet[1].toString() + "/" + packet[8].toString();
    if (text.indexOf(one) < 0) text += (text == "" ? "" : " ") + one;
  }
  return text;
}

describe("IP_TOS and IP_TTL", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("MUST-48: IP_TOS is in every segment of the connection, from its first on, without the bits of ECN", () => {
    keep(create());
    expect(setOption(s, IPPROTO_IP, IP_TOS, 0xb9)).toBe(0);
    expect(getOption(s, IPPROTO_IP, IP_TOS)).toBe(0xb8);
    expect(setOption(s, IPPROTO_IP, IP_TOS, 256)).toBe(-22);
    expect(setOption(s, IPPROTO_IP, IP_TOS, -1)).toBe(-22);
    converse(9, 0);
    connect(s, PEER, 9);
    expect(services()).toBe("184/64", "SYN");
    close(s);
    forget();
    expect(setOption(server, IPPROTO_IP, IP_TOS, 0x68)).toBe(0);
    converse(newPort(), 80);
    say("S", 0, 0, 0, 1000);
    const packet = outbox[0].slice(0);
    heard();
    outbox.push(packet);
    expect(services()).toBe("104/64", "SYN,ACK");
    say(".", 1, 0, 1, 1000);
    keep(accept(server)!);
    writeText(s, "x");
    say("P.", 1, 3, 1, 1000);
    run(SECOND);
    expect(services()).toBe("104/64", "data, retransmission, acknowledgement");
    expect(setOption(s, IPPROTO_IP, IP_TOS, 0)).toBe(0);
    run(10 * SECOND);
    expect(services()).toBe("0/64", "it can be changed");
    readText(s);
    outbox.length = 0;
    expect(setOption(s, IPPROTO_IP, IP_TOS, 0x28)).toBe(0);
    say("F.", 4, 0, 2, 1000);
    shutdown(s, 1);
    expect(services()).toBe("40/64", "acknowledgement of a FIN, and FIN");
    abort_(s);
    open();
    expect(setOption(s, IPPROTO_IP, IP_TOS, 0x28)).toBe(0);
    shutdown(s, 1);
    say(".", 1, 0, 2, 1000);
    close(s);
    forget();
    say("F.", 1, 0, 2, 1000);
    outbox.length = 0;
    say("F.", 1, 0, 2, 1000);
    expect(services()).toBe("40/64", "from TIME-WAIT");
    open();
    expect(setOption(s, IPPROTO_IP, IP_TOS, 0x28)).toBe(0);
    abort_(s);
    forget();
    expect(services()).toBe("40/64", "RST");
  });

  it("MUST-49: IP_TTL can be configured", () => {
    keep(create());
    expect(getOption(s, IPPROTO_IP, IP_TTL)).toBe(64);
    expect(setOption(s, IPPROTO_IP, IP_TTL, 3)).toBe(0);
    expect(setOption(s, IPPROTO_IP, IP_TTL, 0)).toBe(-22);
    expect(setOption(s, IPPROTO_IP, IP_TTL, 256)).toBe(-22);
    connect(s, PEER, 9);
    expect(services()).toBe("0/3");
    expect(setOption(s, IPPROTO_IP, IP_TTL, -1)).toBe(0);
    run(2 * SECOND);
    expect(services()).toBe("0/64");
  });
});
