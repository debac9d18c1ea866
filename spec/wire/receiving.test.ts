/** The window that the guest offers, and when it acknowledges (RFC 9293, 3.8.6.2.2 and 3.8.6.3). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TcpScript } from "./scenario.ts";
import { PASSIVE, type Suite, scenarios } from "./suite.ts";
import { ACK } from "./tcp.ts";
import { PATIENCE } from "./patience.ts";

/** A segment of the peer with data; every second one is acknowledged at once. */
const SEGMENT = 1460;

/** Fills the receive queue of an application that does not read; the number behind the last octet sent, and how the window moved. */
async function fill(script: TcpScript): Promise<{ sent: number; edges: number[] }> {
  let sent = 1;
  const edges: number[] = [];
  for (let window = SEGMENT; window > 0;) {
    const room = Math.min(window, 10 * SEGMENT);
    for (const end = sent + room; sent < end;) {
      const length = Math.min(SEGMENT, end - sent);
      script.send({ flags: ACK, sequence: sent, acknowledgement: 1, payload: Buffer.alloc(length, 0x62) });
      sent += length;
    }
    let segment = await script.next(PATIENCE / 1000);
    while (segment && segment.acknowledgement < sent) segment = await script.next(PATIENCE / 1000);
    assert.ok(segment, `no acknowledgement of ${sent}`);
    window = segment.window;
    edges.push(segment.acknowledgement + window);
  }
  return { sent, edges };
}

function receiving(suite: Suite): void {
  test("the window closes, is probed, and opens in useful steps only", async () => {
    const script = new TcpScript(suite.peer, 0, { control: suite.control });
    try {
      await script.run(PASSIVE);
      const { sent, edges } = await fill(script);
      assert.deepEqual(
        edges,
        [...edges].sort((a, b) => a - b),
        "the right edge never moves back (RFC 9293, 3.8.6)",
      );
      assert.ok(sent > 65535, `${sent} octets were taken`);
      await script.run(`
        // A probe is answered, and not taken.
        +0 < . ${sent}:${sent + 1}(1) ack 1
        +0 > . 1:1(0) ack ${sent} win 0
        +0 < . ${sent}:${sent + 1}(1) ack 1
        +0 > . 1:1(0) ack ${sent} win 0
        // Room for less than a segment is not worth a word (RFC 9293, 3.8.6.2.2), nor does a probe hear of it.
        +0 call recv 1000 = 1000
        quiet 0.2
        +0 < . ${sent}:${sent + 1}(1) ack 1
        +0 > . 1:1(0) ack ${sent} win 0
        // Room for many is.
        +0 call recv 40000 = 40000
        +0 > . 1:1(0) ack ${sent}
        +0 < . ${sent}:${sent + SEGMENT}(${SEGMENT}) ack 1
        +0 < . ${sent + SEGMENT}:${sent + 2 * SEGMENT}(${SEGMENT}) ack 1
        +0 >> . 1:1(0) ack ${sent + 2 * SEGMENT}
      `);
    } finally {
      await script.end();
    }
  });

  test("what goes beyond the window is cut off", async () => {
    const script = new TcpScript(suite.peer, 0, { control: suite.control });
    try {
      await script.run(PASSIVE);
      script.send({ flags: ACK, sequence: 1, acknowledgement: 1, payload: Buffer.alloc(100, 0x61) });
      const edge = 1 + 65535;
      // Far ahead, half of it beyond the edge: kept up to there, and asked for what is missing.
      const ahead = {
        flags: ACK,
        sequence: edge - 700,
        acknowledgement: 1,
        payload: Buffer.alloc(1400, 0x62),
      };
      script.send(ahead);
      const answer = await script.next(PATIENCE / 1000);
      assert.equal(answer?.acknowledgement, 101);
      for (let at = 101; at < edge - 700; at += 1000) {
        const payload = Buffer.alloc(Math.min(1000, edge - 700 - at), 0x61);
        script.send({ flags: ACK, sequence: at, acknowledgement: 1, payload });
      }
      let last = 0;
      while (last < edge) {
        const came = await script.next(PATIENCE / 1000);
        assert.ok(came, `acknowledged up to ${last}, not ${edge}`);
        last = came.acknowledgement;
      }
      assert.equal(last, edge);
    } finally {
      await script.end();
    }
  });
}

scenarios(
  "TCP receiving: windows and acknowledgements",
  {
    "acknowledgements: of one segment within 0.5 s, of two at once (3.8.6.3)": `${PASSIVE}
      +0 < P. 1:1461(1460) ack 1
      +0..0.5 > . 1:1(0) ack 1461
      +0 < P. 1461:2921(1460) ack 1
      +0 < P. 2921:4381(1460) ack 1
      now >> . 1:1(0) ack 4381
      quiet 0.1`,
    // The receive buffer is larger than a window without scale can say: what cannot be said is no reason to speak, and the peer would
    // take it for a duplicate acknowledgement.
    "acknowledgements: reading does not cause any that say nothing new": `${PASSIVE}
      +0 < P. 1:1461(1460) ack 1
      +0 < P. 1461:2921(1460) ack 1
      +0 > . 1:1(0) ack 2921 win 65535
      +0 call recv 1000 = 1000
      +0 call recv 1000 = 1000
      +0 call recv 1000 = 920
      quiet 0.1`,
    "acknowledgements: go with data": `${PASSIVE}
      +0 < P. 1:6(5) ack 1 "hello"
      +0 call send "world"
      +0 > P. 1:6(5) ack 6 "world"
      quiet 0.1`,
  },
  receiving,
  ["acknowledgements: reading"],
);
