/** TIME-WAIT, while the socket is open and after it was closed: what it answers, and what may follow it (RFC 9293, 3.6.1; RFC 6191). */
import { PASSIVE, scenarios } from "./suite.ts";

const TIME_WAIT = `${PASSIVE}
    +0 call shutdown write
    +0 > F. 1:1(0) ack 1
    +0 < . 1:1(0) ack 2
    *  call state = FIN_WAIT2
    +0 < F. 1:1(0) ack 2
    +0 > . 2:2(0) ack 2
    *  call state = TIME_WAIT`;
/** As TIME_WAIT, when the application has let go of the socket. */
const TIME_WAIT_CLOSED = `${PASSIVE}
    +0 call close
    +0 > F. 1:1(0) ack 1
    +0 < F. 1:1(0) ack 2
    +0 > . 2:2(0) ack 2`;
/** The same of a connection with timestamps, the last of which from the peer is 1200. */
const TIME_WAIT_STAMPED = `
    +0 call listen
    +0 < S 0:0(0) win 65535 <mss 1460,TS val 1000 ecr 0>
    +0 > S. 0:0(0) ack 1
    +.3 < . 1:1(0) ack 1 <TS val 1100 ecr *>
    *  call accept
    +0 call close
    +0 > F. 1:1(0) ack 1
    +0 < F. 1:1(0) ack 2 <TS val 1200 ecr *>
    +0 > . 2:2(0) ack 2 <TS val * ecr 1200>`;

scenarios("TCP TIME-WAIT", {
  "the FIN again is acknowledged again; an acknowledgement is not": `${TIME_WAIT}
    +0 < F. 1:1(0) ack 2
    +0 > . 2:2(0) ack 2
    +0 < . 2:2(0) ack 2
    quiet 0.2
    +0 call state = TIME_WAIT`,
  "socket closed: the same": `${TIME_WAIT_CLOSED}
    +0 < F. 1:1(0) ack 2
    +0 > . 2:2(0) ack 2
    +0 < . 2:2(0) ack 2
    quiet 0.2
    +0 < F. 1:1(0) ack 2
    +0 > . 2:2(0) ack 2`,
  "socket closed: old data are acknowledged": `${TIME_WAIT_CLOSED}
    +0 < P. 1:6(5) ack 2 "hello"
    +0 > . 2:2(0) ack 2`,
  "a SYN with a greater number begins anew (RFC 9293, 3.6.1)": `${TIME_WAIT}
    +0 < S 100000:100000(0) win 65535 <mss 1460>
    +0 > S. 0:0(0) ack 100001
    +0 < . 100001:100001(0) ack 1
    *  call accept
    +0 call send "anew"
    +0 > P. 1:5(4) ack 100001 "anew"`,
  "socket closed: the same SYN": `${TIME_WAIT_CLOSED}
    +0 < S 100000:100000(0) win 65535 <mss 1460>
    +0 > S. 0:0(0) ack 100001
    +0 < . 100001:100001(0) ack 1
    *  call accept
    +0 call send "anew"
    +0 > P. 1:5(4) ack 100001 "anew"`,
  "socket closed: a SYN with a smaller number is acknowledged with what is known": `${TIME_WAIT_CLOSED}
    +0 < S -100000:-100000(0) win 65535 <mss 1460>
    +0 > . 2:2(0) ack 2`,
  "a SYN with a smaller number": `${TIME_WAIT}
    +0 < S -100000:-100000(0) win 65535 <mss 1460>
    +0 > . 2:2(0) ack 2`,
  "a SYN,ACK is acknowledged with what is known; a reset ends it": `${TIME_WAIT}
    +0 < S. 2:2(0) ack 2
    +0 > . 2:2(0) ack 2
    +0 < R 2:2(0)
    *  call state = CLOSE
    +0 call get error = 0`,
  "socket open: a SYN that nobody listens for is acknowledged, and the socket keeps its state": `${TIME_WAIT}
    +0 call close listener
    +0 < S 100000:100000(0) win 65535 <mss 1460>
    +0 > . 2:2(0) ack 2
    *  call state = TIME_WAIT`,
  "socket closed: a SYN that nobody listens for is acknowledged; a reset ends it, and the next SYN is reset": `${TIME_WAIT_CLOSED}
    +0 call close listener
    +0 < S 100000:100000(0) win 65535 <mss 1460>
    +0 > . 2:2(0) ack 2
    +0 < R 2:2(0)
    +0 < S 100000:100000(0) win 65535 <mss 1460>
    +0 > R. * ack 100001`,
  "timestamps: a later one opens even with a smaller number (RFC 6191)": `${TIME_WAIT_STAMPED}
    +0 < S -100000:-100000(0) win 65535 <mss 1460,TS val 1300 ecr 0>
    +0 > S. 0:0(0) ack -99999 <TS val * ecr 1300>
    +0 < . -99999:-99999(0) ack 1 <TS val 1301 ecr *>
    *  call accept`,
  "timestamps: an earlier one does not open even with a greater number": `${TIME_WAIT_STAMPED}
    +0 < S 100000:100000(0) win 65535 <mss 1460,TS val 900 ecr 0>
    +0 > . 2:2(0) ack 2 <TS val * ecr 1200>`,
  "timestamps: the same one, and a greater number": `${TIME_WAIT_STAMPED}
    +0 < S 100000:100000(0) win 65535 <mss 1460,TS val 1200 ecr 0>
    +0 > S. 0:0(0) ack 100001`,
  "timestamps: a SYN without them needs a greater number": `${TIME_WAIT_STAMPED}
    +0 < S -100000:-100000(0) win 65535 <mss 1460>
    +0 > . 2:2(0) ack 2
    +0 < S 100000:100000(0) win 65535 <mss 1460>
    +0 > S. 0:0(0) ack 100001`,
  "the old connection had no timestamps, the SYN has: opens even with a smaller number (RFC 6191)": `${TIME_WAIT_CLOSED}
    +0 < S -100000:-100000(0) win 65535 <mss 1460,TS val 7 ecr 0>
    +0 > S. 0:0(0) ack -99999 <TS val * ecr 7>`,
  "the same while the socket is open": `${TIME_WAIT}
    +0 < S -100000:-100000(0) win 65535 <mss 1460,TS val 7 ecr 0>
    +0 > S. 0:0(0) ack -99999 <TS val * ecr 7>`,
  "the listener's port can be bound at once": `${TIME_WAIT_CLOSED}
    +0 call close listener
    +0 call socket
    +0 call bind = 0`,
});
