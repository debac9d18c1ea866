/** A reset that comes in each state, and what the application hears of it (RFC 9293, 3.10.7.4, second). Blind ones: attack.test.ts. */
import { CLOSE_WAIT, CLOSING, FIN_WAIT_2, PASSIVE, scenarios } from "./suite.ts";

scenarios("TCP reset", {
  "in ESTABLISHED: told once, data before it are read": `${PASSIVE}
    +0 < P. 1:6(5) ack 1 "hello"
    +0 > . 1:1(0) ack 6
    +0 < R. 6:6(0) ack 1
    *  call state = CLOSE
    +0 call recv 100 = "hello"
    +0 call recv 100 = -ECONNRESET
    +0 call recv 100 = 0
    +0 call send 1 = -EPIPE`,
  "in ESTABLISHED: poll, SO_ERROR": `${PASSIVE}
    +0 < R 1:1(0)
    *  call poll = in out err hup rdhup
    +0 call get error = -ECONNRESET
    +0 call get error = 0
    +0 call poll = in out hup rdhup`,
  "in SYN-RECEIVED of a simultaneous open; an acknowledgement of nothing sent is reset": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 < S 0:0(0) win 65535 <mss 1000>
    +0 > S. 0:0(0) ack 1
    +0 < . 1:1(0) ack 100
    +0 > R 100:100(0)
    +0 < R 1:1(0)
    *  call get error = -ECONNREFUSED`,
  "in CLOSE-WAIT": `${CLOSE_WAIT}
    +0 < R 2:2(0)
    *  call state = CLOSE
    +0 call get error = -EPIPE`,
  "in FIN-WAIT-1": `${PASSIVE}
    +0 call shutdown write
    +0 > F. 1:1(0) ack 1
    +0 < R 1:1(0)
    *  call state = CLOSE
    +0 call get error = -ECONNRESET`,
  "in FIN-WAIT-2": `${FIN_WAIT_2}
    +0 < R 1:1(0)
    *  call state = CLOSE
    +0 call get error = -ECONNRESET`,
  "in CLOSING": `${CLOSING}
    +0 < R 2:2(0)
    *  call state = CLOSE
    +0 call get error = 0`,
  "in LAST-ACK": `${CLOSE_WAIT}
    +0 call shutdown write
    +0 > F. 1:1(0) ack 2
    +0 < R 2:2(0)
    *  call state = CLOSE
    +0 call get error = 0
    quiet 0.5`,
});
