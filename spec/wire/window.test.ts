/** Flow control (RFC 9293, 3.8.6): windows that close, open, shrink and are probed; small segments. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTIVE, PASSIVE, type Suite, scenarios } from "./suite.ts";
import { TcpScript } from "./scenario.ts";
import { ACK } from "./tcp.ts";

/** An accepted connection whose peer has a window of `window` bytes, and has never had another. */
function withWindow(window: number): string {
  return `
    +0 call listen
    +0 < S 0:0(0) win ${window} <mss 1460>
    +0 > S. 0:0(0) ack 1
    +0 < . 1:1(0) ack 1 win ${window}
    *  call accept`;
}

/** A connection whose window the peer has closed; a round trip has been measured: time-outs of 0.2 s. */
const SHUT = `${ACTIVE}
    +0 call send 1
    +0 > P. 1:2(1) ack 1
    +0 < . 1:1(0) ack 2 win 0`;

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
    let segment = await script.next(2);
    while (segment && segment.acknowledgement < sent) segment = await script.next(2);
    assert.ok(segment, `no acknowledgement of ${sent}`);
    window = segment.window;
    edges.push(segment.acknowledgement + window);
  }
  return { sent, edges };
}

function receiving(suite: Suite): void {
  test("receiving: the window closes, is probed, and opens in useful steps only", async () => {
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

  test("receiving: what goes beyond the window is cut off", async () => {
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
      const answer = await script.next(0.5);
      assert.equal(answer?.acknowledgement, 101);
      for (let at = 101; at < edge - 700; at += 1000) {
        const payload = Buffer.alloc(Math.min(1000, edge - 700 - at), 0x61);
        script.send({ flags: ACK, sequence: at, acknowledgement: 1, payload });
      }
      let last = 0;
      for (let came = await script.next(0.3); came; came = await script.next(0.3))
        last = came.acknowledgement;
      assert.equal(last, edge);
    } finally {
      await script.end();
    }
  });
}

scenarios(
  "TCP windows",
  {
    "sending: the peer's window is kept to": `${withWindow(4000)}
      +0 call send 10000 = 10000
      +0 > . 1:1461(1460) ack 1
      +0 > . 1461:2921(1460) ack 1
      quiet 0.1
      +0 < . 1:1(0) ack 2921 win 1460
      +0 > . 2921:4381(1460) ack 1
      quiet 0.1`,
    "sending: half of the largest window that there was is worth a segment, less is not (3.8.6.2.1)": `${withWindow(1000)}
      +0 call send 1000
      +0 > . 1:1001(1000) ack 1
      +0 call send 600
      +0 < . 1:1(0) ack 1001 win 300
      quiet 0.1
      +0 < . 1:1(0) ack 1001 win 600
      +0 > . 1001:1601(600) ack 1`,
    "sending: a window that opens by a little is not used before the time-out": `${SHUT}
      +0 call send "0123456789"
      +0 < . 1:1(0) ack 2 win 6
      quiet 0.1
      // What fits goes when the persist timer is out.
      +0..1 > . 2:8(6) ack 1 "012345"
      +0 < . 1:1(0) ack 8 win 5000
      +0 > . 8:12(4) ack 1 "6789"`,
    "sending: a window of zero is probed with one octet, later each time": `${SHUT}
      +0 call send "0123456789"
      +.1..0.5 > . 2:3(1) ack 1 "0"
      +0 < . 1:1(0) ack 2 win 0
      +.25..0.8 > . 2:3(1) ack 1 "0"
      +0 < . 1:1(0) ack 2 win 0
      +.6..1.3 > . 2:3(1) ack 1 "0"
      +0 < . 1:1(0) ack 2 win 100
      +0 > P. 2:12(10) ack 1 "0123456789"`,
    "sending: a probe that is taken counts": `${SHUT}
      +0 call send "0123456789"
      +.1..0.5 > . 2:3(1) ack 1 "0"
      +0 < . 1:1(0) ack 3 win 0
      +.1..1.3 > . 3:4(1) ack 1 "1"
      +0 < . 1:1(0) ack 3 win 100
      +0 > P. 3:12(9) ack 1 "123456789"`,
    "sending: probes go on while nobody answers": `${SHUT}
      +0 call send 10
      +.1..0.5 > . 2:3(1) ack 1
      +.25..0.8 > . 2:3(1) ack 1
      +.6..1.3 > . 2:3(1) ack 1
      +0 call state = ESTABLISHED`,
    "sending: the FIN waits for the window, and probes it": `${SHUT}
      +0 call send 10
      +0 call shutdown write
      +.1..0.5 > . 2:3(1) ack 1
      +0 < . 1:1(0) ack 2 win 100
      +0 > FP. 2:12(10) ack 1`,
    "sending: the FIN alone goes out to a window of zero": `${SHUT}
      +0 call shutdown write
      +0..0.5 > F. 2:2(0) ack 1
      +0 < . 1:1(0) ack 3 win 0
      *  call state = FIN_WAIT2`,
    "sending: the peer takes back what it had offered (3.8.6: the right edge shrinks)": `${ACTIVE}
      +0 < . 1:1(0) ack 1 win 3000
      +0 call send 2920
      +0 > . 1:1461(1460) ack 1
      +0 > . 1461:2921(1460) ack 1
      +0 call send 1460
      +0 < . 1:1(0) ack 1461 win 0
      // Nothing new, only what was sent already, or a probe of it.
      +.1..1 > . * ack 1
      +0 < . 1:1(0) ack 2921 win 5000
      +0 > . 2921:4381(1460) ack 1`,
    "sending: windows that change are no duplicate acknowledgements": `${PASSIVE}
      +0 call send 1460
      +0 > . 1:1461(1460) ack 1
      +0 < . 1:1(0) ack 1 win 60000
      +0 < . 1:1(0) ack 1 win 61000
      +0 < . 1:1(0) ack 1 win 62000
      +0 < . 1:1(0) ack 1 win 63000
      quiet 0.1`,
    "sending: an older segment does not change the window (SND.WL1, SND.WL2)": `${PASSIVE}
      +0 < P. 1:6(5) ack 1 win 65535 "hello"
      +0 > . 1:1(0) ack 6
      +0 < . 1:1(0) ack 1 win 0
      +0 > . 1:1(0) ack 6
      +0 call send "world"
      +0 > P. 1:6(5) ack 6 "world"
      +0 < . 6:6(0) ack 6 win 1000
      // Acknowledges less than the one before.
      +0 < . 6:6(0) ack 1 win 0
      +0 call send "again"
      +0 > P. 6:11(5) ack 6 "again"`,

    "small segments wait while something is in flight (Nagle, 3.7.4)": `${PASSIVE}
      +0 call send "a"
      +0 > P. 1:2(1) ack 1 "a"
      +0 call send "b"
      +0 call send "c"
      quiet 0.1
      +0 < . 1:1(0) ack 2
      +0 > P. 2:4(2) ack 1 "bc"`,
    "small segments do not wait with TCP_NODELAY, and those that did go when it is set": `${PASSIVE}
      +0 call get nodelay = 0
      +0 call send "a"
      +0 > P. 1:2(1) ack 1 "a"
      +0 call send "b"
      quiet 0.1
      +0 call set nodelay 1
      +0 > P. 2:3(1) ack 1 "b"
      +0 call get nodelay = 1
      +0 call send "c"
      +0 > P. 3:4(1) ack 1 "c"`,
    "full segments do not wait": `${PASSIVE}
      +0 call send 1
      +0 > P. 1:2(1) ack 1
      +0 call send 1460
      +0 > P. 2:1462(1460) ack 1`,

    "acknowledgements: of one segment within 0.5 s, of two at once (3.8.6.3)": `${PASSIVE}
      +0 < P. 1:1461(1460) ack 1
      +0..0.5 > . 1:1(0) ack 1461
      +0 < P. 1461:2921(1460) ack 1
      +0 < P. 2921:4381(1460) ack 1
      now > . 1:1(0) ack 4381
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
);
