/**
 * The guest's TCP, segment by segment (RFC 9293): echo on port 7 and http on port 80 of the default image, on a frame wire. The
 * language of the scenarios is described in spec/wire/scenario.ts.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { TcpClient } from "../../wire/client.ts";
import type { Peer } from "../../wire/peer.ts";
import { PATIENCE } from "../../wire/patience.ts";
import { TcpScript } from "../../wire/scenario.ts";
import { RST, SYN, sequenceDifference } from "../../wire/tcp.ts";
import { DEFAULT_IMAGE, type WiredMachine, bootWired } from "../machine.ts";

describe("TCP, on a frame wire", () => {
  let wired: WiredMachine;
  let peer: Peer;

  before(async () => {
    wired = await bootWired(DEFAULT_IMAGE);
    ({ peer } = wired);
  });
  after(() => wired?.stop());

  async function run(port: number, text: string): Promise<void> {
    const script = new TcpScript(peer, port);
    try {
      await script.run(text);
    } finally {
      script.send({ flags: RST, sequence: 1 });
      script.dispose();
    }
  }

  const handshake = (after: string): string => `
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1
      ${after} < . 1:1(0) ack 1
  `;
  const HANDSHAKE = handshake("+0");
  /** With a round trip that makes the guest's time-outs long: some exchanges can be made before one runs out. */
  const LONG = handshake("+.3");

  const scenarios: [string, number, string][] = [
    [
      "handshake, echo, orderly close by the client",
      7,
      `${LONG}
      +0 < P. 1:6(5) ack 1 "hello"
      *  >> P. 1:6(5) ack 6 "hello"
      +0 < F. 6:6(0) ack 6
      *  >> F. 6:6(0) ack 7
      +0 < . 7:7(0) ack 7
      quiet 0.3`,
    ],
    ["a closed port answers SYN with RST", 9, "+0 < S 0:0(0) win 1000\n +0 > R. 0:0(0) ack 1"],
    ["a closed port answers ACK with RST and its number, RST with nothing", 9, "+0 < R 0:0(0)\n quiet 0.3"],
    ["a listener ignores RST", 7, "+0 < R 0:0(0)\n quiet 0.3"],
    [
      "SYN and ACK are sent again while nobody answers",
      7,
      `+0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1
      +.95..1.5 > S. 0:0(0) ack 1
      +1.9..2.6 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1
      +0 < P. 1:3(2) ack 1 "ok"
      *  >> P. 1:3(2) ack 3 "ok"`,
    ],
    [
      "a SYN that comes twice is answered twice with the same number",
      7,
      `+0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1
      +0 < P. 1:2(1) ack 1 "x"
      *  >> P. 1:2(1) ack 2 "x"`,
    ],
    [
      "a segment that is lost is sent again, later each time",
      7,
      `${HANDSHAKE}
      +0 < P. 1:4(3) ack 1 "abc"
      *  >> P. 1:4(3) ack 4 "abc"
      +.19..1.6 > P. 1:4(3) ack 4 "abc"
      +.38..3.2 > P. 1:4(3) ack 4 "abc"
      +0 < . 4:4(0) ack 4
      quiet 0.5`,
    ],
    [
      "segments out of order are kept, and acknowledged together",
      7,
      `${HANDSHAKE}
      +0 < P. 6:11(5) ack 1 "world"
      +0 > . 1:1(0) ack 1
      +0 < P. 1:6(5) ack 1 "hello"
      *  >> P. 1:11(10) ack 11 "helloworld"`,
    ],
    [
      "old data are acknowledged again and not delivered",
      7,
      `${LONG}
      +0 < P. 1:4(3) ack 1 "abc"
      *  >> P. 1:4(3) ack 4 "abc"
      +0 < P. 1:4(3) ack 4 "abc"
      +0 > . 4:4(0) ack 4
      +0 < P. 3:6(3) ack 4 "cde"
      *  >> P. 4:6(2) ack 6 "de"`,
    ],
    [
      "data outside of the window are answered with an acknowledgement",
      7,
      `${HANDSHAKE}
      +0 < P. 900000:900003(3) ack 1 "abc"
      +0 > . 1:1(0) ack 1`,
    ],
    [
      "an exact RST ends the connection; one beside it is challenged (RFC 5961)",
      7,
      `${HANDSHAKE}
      +0 < R 100:100(0)
      +0 > . 1:1(0) ack 1
      +0 < R 1:1(0)
      quiet 0.2
      +0 < P. 1:2(1) ack 1 "x"
      +0 > R 1:1(0)`,
    ],
    [
      "SYN inside a connection is challenged",
      7,
      `${HANDSHAKE}
      +0 < S 1:1(0) win 1000
      +0 > . 1:1(0) ack 1
      +0 < P. 1:2(1) ack 1 "x"
      *  >> P. 1:2(1) ack 2 "x"`,
    ],
    [
      "the window of the client is kept to, and probed when it is closed",
      7,
      `${HANDSHAKE}
      +0 < P. 1:11(10) ack 1 win 4 "0123456789"
      *  >> P. 1:5(4) ack 11 "0123"
      +0 < . 11:11(0) ack 5 win 0
      *  >> . 5:6(1) ack 11 "4"
      +0 < . 11:11(0) ack 5 win 100
      *  >> P. 5:11(6) ack 11 "456789"`,
    ],
    [
      "a client that ends its side while data are on their way gets them and a FIN",
      80,
      `${HANDSHAKE}
      +0 < FP. 1:19(18) ack 1 "GET / HTTP/1.0\\r\\n\\r\\n"
      *  >> . 1:1461(1460) ack 20`,
    ],
    [
      "MSS of the client is kept to",
      80,
      `+0 < S 0:0(0) win 65535 <mss 536>
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1
      +0 < P. 1:19(18) ack 1 "GET / HTTP/1.0\\r\\n\\r\\n"
      *  >> . 1:537(536) ack 19`,
    ],
    [
      "without an MSS option it is 536",
      80,
      `+0 < S 0:0(0) win 65535
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1
      +0 < P. 1:19(18) ack 1 "GET / HTTP/1.0\\r\\n\\r\\n"
      *  >> . 1:537(536) ack 19`,
    ],
  ];
  for (const [name, port, text] of scenarios) test(name, () => run(port, text));

  test("options are offered only when the client has: MSS 1460, window scale, SACK, timestamps", async () => {
    const open = async (options: object) => {
      const script = new TcpScript(peer, 7);
      await peer.resolve();
      script.send({ flags: SYN, options });
      const answer = await script.next(PATIENCE / 1000);
      script.send({ flags: RST, sequence: 1 });
      script.dispose();
      assert.ok(answer, "no SYN, ACK");
      assert.equal(answer.options.mss, 1460);
      return answer.options;
    };
    const none = await open({ mss: 1460 });
    assert.deepEqual(Object.keys(none), ["mss"], "nothing that was not offered");
    const all = await open({
      mss: 1460,
      windowScale: 7,
      sackPermitted: true,
      timestamp: { value: 4711, echo: 0 },
    });
    assert.equal(all.timestamp?.echo, 4711);
    assert.ok(all.windowScale !== undefined && all.windowScale <= 14, `window scale is ${all.windowScale}`);
  });

  test("initial sequence numbers are not to be guessed", async () => {
    const numbers: number[] = [];
    for (let i = 0; i < 8; i++) {
      const script = new TcpScript(peer, 7);
      script.send({ flags: SYN, options: { mss: 1460 } });
      assert.ok(await script.next(PATIENCE / 1000), "no SYN, ACK");
      numbers.push(script.remoteInitial as number);
      script.send({ flags: RST, sequence: 1 });
      script.dispose();
    }
    const steps = numbers.slice(1).map((number, i) => sequenceDifference(number, numbers[i] as number));
    const near = steps.filter((step) => Math.abs(step) < 1 << 20);
    assert.ok(near.length <= 1, `initial sequence numbers one after another: ${numbers.join(" ")}`);
  });

  test("acknowledgements of data that say nothing else come within 500 ms (RFC 9293, 3.8.6.3)", async () => {
    const script = new TcpScript(peer, 80);
    await script.run(HANDSHAKE);
    await script.run(`
      +0 < P. 1:9(8) ack 1 "GET / HT"
      +0..0.5 > . 1:1(0) ack 9
    `);
    script.send({ flags: RST, sequence: 9 });
    script.dispose();
  });

  test("200 kB there and back over a wire that loses 3 % and reorders", async (t) => {
    const data = randomBytes(200_000);
    peer.wire.impair({ loss: 0.03, reorder: 0.03, duplicate: 0.01, seed: 11 });
    const began = performance.now();
    try {
      const done = (all: Buffer): boolean => all.length >= data.length;
      const answer = await TcpClient.request(peer, 7, data, 60000, done, { timeout: 200 });
      assert.ok(answer.equals(data), `${answer.length} bytes came back of ${data.length}, or not the same`);
    } finally {
      peer.wire.impair(undefined);
    }
    t.diagnostic(`${((performance.now() - began) / 1000).toFixed(1)} s`);
  });
});
