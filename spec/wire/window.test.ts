/** Flow control of what the guest sends (RFC 9293, 3.8.6): windows that close, open, shrink and are probed; small segments (3.7.4). */
import { ACTIVE, PASSIVE, passive, scenarios } from "./suite.ts";

/** The peer closes its window, while nothing is on its way. */
const CLOSES = "+0 < . 1:1(0) ack 1 win 0";
/** A connection whose window is closed, with time-outs of 0.2 s. */
const SHUT = `${ACTIVE}
      ${CLOSES}`;

scenarios("TCP sending: windows", {
  "the peer's window is kept to": `${passive(4000)}
      +0 call send 10000 = 10000
      +0 > . 1:1461(1460) ack 1
      +0 > . 1461:2921(1460) ack 1
      quiet 0.1
      +0 < . 1:1(0) ack 2921 win 1460
      +0 > . 2921:4381(1460) ack 1
      quiet 0.1`,
  "half of the largest window that there was is worth a segment, less is not (3.8.6.2.1)": `${passive(1000)}
      +0 call send 1000
      +0 > . 1:1001(1000) ack 1
      +0 call send 600
      +0 < . 1:1(0) ack 1001 win 300
      quiet 0.1
      +0 < . 1:1(0) ack 1001 win 600
      +0 > . 1001:1601(600) ack 1`,
  "a window that opens by a little is not used before the time-out": `${PASSIVE}
      ${CLOSES}
      +0 call send "0123456789"
      +0 < . 1:1(0) ack 1 win 6
      quiet 0.1
      // What fits goes when the persist timer is out.
      +0..4 > . 1:7(6) ack 1 "012345"
      +0 < . 1:1(0) ack 7 win 5000
      +0 > . 7:11(4) ack 1 "6789"`,
  "a window of zero is probed with one octet, later each time": `${SHUT}
      +0 call send "0123456789"
      +.19..0.7 > . 1:2(1) ack 1 "0"
      +0 < . 1:1(0) ack 1 win 0
      +.38..1 > . 1:2(1) ack 1 "0"
      +0 < . 1:1(0) ack 1 win 0
      +.76..1.6 > . 1:2(1) ack 1 "0"
      +0 < . 1:1(0) ack 1 win 100
      +0 > P. 1:11(10) ack 1 "0123456789"`,
  "a probe that is taken counts": `${SHUT}
      +0 call send "0123456789"
      +.19..0.7 > . 1:2(1) ack 1 "0"
      +0 < . 1:1(0) ack 2 win 0
      +.1..1.3 > . 2:3(1) ack 1 "1"
      +0 < . 1:1(0) ack 2 win 100
      +0 > P. 2:11(9) ack 1 "123456789"`,
  "what is acknowledged while a window is probed is acknowledged inside of it": `${SHUT}
      +0 call send "0123456789"
      +.19..0.7 > . 1:2(1) ack 1 "0"
      +0 < P. 1:6(5) ack 1 win 0 "hello"
      *  > . 1:1(0) ack 6`,
  "probes go on while nobody answers": `${SHUT}
      +0 call send 10
      +.19..0.7 > . 1:2(1) ack 1
      +.38..1 > . 1:2(1) ack 1
      +.76..1.6 > . 1:2(1) ack 1
      +0 call state = ESTABLISHED`,
  "the FIN waits for the window, and probes it": `${SHUT}
      +0 call send 10
      +0 call shutdown write
      +.19..0.7 > . 1:2(1) ack 1
      +0 < . 1:1(0) ack 1 win 100
      +0 > FP. 1:11(10) ack 1`,
  "the FIN alone goes out to a window of zero": `${SHUT}
      +0 call shutdown write
      +0..0.5 > F. 1:1(0) ack 1
      +0 < . 1:1(0) ack 2 win 0
      *  call state = FIN_WAIT2`,
  "the peer takes back what it had offered (3.8.6: the right edge shrinks)": `${ACTIVE}
      +0 < . 1:1(0) ack 1 win 3000
      +0 call send 2920
      +0 > . 1:1461(1460) ack 1
      +0 > . 1461:2921(1460) ack 1
      +0 call send 1460
      +0 < . 1:1(0) ack 1461 win 0
      // Nothing new, only what was sent already, or a probe of it.
      +.19..1 > . * ack 1
      +0 < . 1:1(0) ack 2921 win 5000
      +0 > . 2921:4381(1460) ack 1`,
  "windows that change are no duplicate acknowledgements": `${PASSIVE}
      +0 call send 1460
      +0 > . 1:1461(1460) ack 1
      +0 < . 1:1(0) ack 1 win 60000
      +0 < . 1:1(0) ack 1 win 61000
      +0 < . 1:1(0) ack 1 win 62000
      +0 < . 1:1(0) ack 1 win 63000
      quiet 0.1`,
  "an older segment does not change the window (SND.WL1, SND.WL2)": `${PASSIVE}
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
});
