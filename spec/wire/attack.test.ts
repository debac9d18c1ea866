/**
 * Who does not see the connection cannot end it, nor put data into it: blind segments (RFC 5961), old ones (RFC 7323, PAWS), and
 * segments that make no sense. ICMP errors: icmp.test.ts.
 */
import { test } from "node:test";
import { TcpScript } from "./scenario.ts";
import { ACTIVE, PASSIVE, type Suite, scenarios } from "./suite.ts";
import { ACK } from "./tcp.ts";

/** The connection works: data go both ways. */
const WORKS = `
    +0 < P. 1:6(5) ack 1 "hello"
    +0 call recv 100 = "hello"
    +0 call send "world"
    +0 >> P. 1:6(5) ack 6 "world"
    +0 < . 6:6(0) ack 6`;

/** An accepted connection with timestamps; the last of the peer's is 1100. */
const STAMPED = `
    +0 call listen
    +0 < S 0:0(0) win 65535 <mss 1460,TS val 1000 ecr 0>
    +0 > S. 0:0(0) ack 1
    +0 < . 1:1(0) ack 1 <TS val 1100 ecr *>
    *  call accept`;

function damaged(suite: Suite): void {
  test("a segment with a wrong checksum is as good as none", async () => {
    const script = new TcpScript(suite.peer, 0, { control: suite.control });
    try {
      await script.run(PASSIVE);
      const payload = Buffer.from("evil!");
      script.send({ flags: ACK, sequence: 1, acknowledgement: 1, payload, checksum: 0x1234 });
      await script.run(`quiet 0.1 ${WORKS}`);
    } finally {
      await script.end();
    }
  });
}

scenarios(
  "TCP attacks",
  {
    "RST: in the window but not exact, it is challenged (RFC 5961, 3.2)": `${PASSIVE}
      +0 < R 100:100(0)
      +0 > . 1:1(0) ack 1
      +0 call state = ESTABLISHED ${WORKS}`,
    "RST: outside of the window it is ignored": `${PASSIVE}
      +0 < R 100000:100000(0)
      +0 < R -5:-5(0)
      +0 < R. 70000:70000(0) ack 1
      quiet 0.2 ${WORKS}`,
    "RST: the exact one ends, with ACK or without, whatever it acknowledges": `${PASSIVE}
      +0 < R. 1:1(0) ack 999
      *  call state = CLOSE
      +0 call get error = -ECONNRESET`,
    "RST: in FIN-WAIT-2 and CLOSE-WAIT the same": `${PASSIVE}
      +0 call shutdown write
      +0 > F. 1:1(0) ack 1
      +0 < . 1:1(0) ack 2
      *  call state = FIN_WAIT2
      +0 < R 50:50(0)
      +0 > . 2:2(0) ack 1
      +0 < F. 1:1(0) ack 2
      +0 > . 2:2(0) ack 2
      *  call state = TIME_WAIT`,
    "SYN: is challenged, in the window and outside of it (RFC 5961, 4.2)": `${PASSIVE}
      +0 < S 1:1(0) win 1000
      +0 > . 1:1(0) ack 1
      wait 0.6
      +0 < S 1000000:1000000(0) win 1000 <mss 536>
      +0 > . 1:1(0) ack 1
      wait 0.6
      +0 < S -1000:-1000(0) win 1000
      +0 > . 1:1(0) ack 1
      wait 0.6
      +0 < S. 100:100(0) ack 1 win 1000
      +0 > . 1:1(0) ack 1 ${WORKS}`,
    "SYN: a peer that was restarted learns of it by the challenge, and may reset": `${PASSIVE}
      +0 < S 5000:5000(0) win 1000
      +0 > . 1:1(0) ack 1
      +0 < R 1:1(0)
      *  call state = CLOSE`,
    "challenges: one in half a second (RFC 5961, 7)": `${PASSIVE}
      +0 < R 100:100(0)
      +0 > . 1:1(0) ack 1
      +0 < R 200:200(0)
      +0 < S 1:1(0) win 1000
      +0 < R 300:300(0)
      quiet 0.2
      wait 0.4
      +0 < R 100:100(0)
      +0 > . 1:1(0) ack 1`,
    "data: with an acknowledgement of what was never sent they are dropped (RFC 5961, 5.2)": `${PASSIVE}
      +0 < P. 1:6(5) ack 1000 "evil!"
      +0 > . 1:1(0) ack 1
      +0 call recv 100 = -EAGAIN ${WORKS}`,
    "data: with an acknowledgement from before the largest window they are dropped": `${PASSIVE}
      +0 < P. 1:6(5) ack -70000 "evil!"
      +0 > . 1:1(0) ack 1
      +0 call recv 100 = -EAGAIN ${WORKS}`,
    "data: with an old acknowledgement that may be they are taken": `${PASSIVE}
      +0 call send "hello"
      +0 > P. 1:6(5) ack 1
      +0 < . 1:1(0) ack 6
      +0 < P. 1:6(5) ack 1 "world"
      +0 call recv 100 = "world"`,
    "data: without ACK they are dropped": `${PASSIVE}
      +0 < P 1:6(5) "evil!"
      quiet 0.1
      +0 call recv 100 = -EAGAIN ${WORKS}`,
    "data: outside of the window they are answered": `${PASSIVE}
      +0 < P. 70000:70005(5) ack 1 "evil!"
      +0 > . 1:1(0) ack 1
      +0 < P. -500:-495(5) ack 1 "evil!"
      +0 > . 1:1(0) ack 1
      +0 call recv 100 = -EAGAIN ${WORKS}`,
    "FIN: outside of the window it does not end": `${PASSIVE}
      +0 < F. 70000:70000(0) ack 1
      +0 > . 1:1(0) ack 1
      +0 call state = ESTABLISHED ${WORKS}`,
    "FIN: one that lies behind another does not hold the nearer one up": `${PASSIVE}
      +0 < F. 6:6(0) ack 1
      +0 > . 1:1(0) ack 1
      +0 < FP. 1:3(2) ack 1 "ab"
      +0 > . 1:1(0) ack 4
      +0 call recv 10 = "ab"
      +0 call recv 10 = 0`,
    "flags: none, and all of them": `${PASSIVE}
      +0 < - 1:1(0)
      quiet 0.1
      +0 < FSRPU.EW 100:100(0) ack 1
      +0 > . 1:1(0) ack 1
      +0 call state = ESTABLISHED ${WORKS}`,
    "urgent data are delivered in their place": `${PASSIVE}
      +0 < PU. 1:6(5) ack 1 urg 3 "hello"
      +0 call recv 100 = "hello"
      +0 > . 1:1(0) ack 6
      +0 < PU. 6:11(5) ack 1 urg 60000 "world"
      +0 call recv 100 = "world"`,

    "PAWS: what is older than what has been seen is acknowledged and dropped (RFC 7323, 5.3)": `${STAMPED}
      +0 < P. 1:6(5) ack 1 <TS val 900 ecr *> "evil!"
      +0 > . 1:1(0) ack 1 <TS val * ecr 1100>
      +0 call recv 100 = -EAGAIN
      +0 < P. 1:6(5) ack 1 <TS val 1100 ecr *> "hello"
      +0 call recv 100 = "hello"`,
    "PAWS: the timestamp does not save a RST, nor keep one off (RFC 7323, 5.2)": `${STAMPED}
      +0 < R 1:1(0) <TS val 900 ecr *>
      *  call state = CLOSE`,
    "PAWS: wraps around": `
      +0 call listen
      +0 < S 0:0(0) win 65535 <mss 1460,TS val 4294967000 ecr 0>
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1 <TS val 4294967290 ecr *>
      *  call accept
      +0 < P. 1:6(5) ack 1 <TS val 100 ecr *> "hello"
      +0 call recv 100 = "hello"
      +0 > . 1:1(0) ack 6 <TS val * ecr 100>
      +0 < P. 6:11(5) ack 1 <TS val 4294967295 ecr *> "evil!"
      +0 > . 1:1(0) ack 6 <TS val * ecr 100>
      +0 call recv 100 = -EAGAIN`,
    "timestamps: a segment without them is dropped where they were agreed on (RFC 7323, 3.2)": `${STAMPED}
      +0 < P. 1:6(5) ack 1 "evil!"
      quiet 0.1
      +0 call recv 100 = -EAGAIN`,
    "timestamps: one that is ahead of a gap is not echoed (RFC 7323, 4.3)": `${STAMPED}
      +0 < P. 6:11(5) ack 1 <TS val 1200 ecr *> "world"
      +0 > . 1:1(0) ack 1 <TS val * ecr 1100>
      +0 < P. 1:6(5) ack 1 <TS val 1150 ecr *> "hello"
      +0 > . 1:1(0) ack 11 <TS val * ecr 1150>`,

    "an active open answers no data before it is open": `${ACTIVE} ${WORKS}`,
    "ECN: a mark on what comes changes nothing where it was not agreed on (RFC 3168)": `
      +0 call listen
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1 [ecn not]
      +0 < . 1:1(0) ack 1
      *  call accept
      +0 < P. 1:6(5) ack 1 [ecn ce] "hello"
      +0 call recv 100 = "hello"
      +0 call send "world"
      +0 >> P. 1:6(5) ack 6 [ecn not] "world"`,
  },
  damaged,
);
