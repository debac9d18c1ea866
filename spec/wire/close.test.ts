/** Ends of a connection, as segments (RFC 9293, 3.6 and 3.10.4 to 3.10.7): every state, from both sides. */
import { ACTIVE, CLOSE_WAIT, CLOSING, FIN_WAIT_2, PASSIVE, passive, scenarios } from "./suite.ts";

scenarios("TCP close", {
  "by the guest: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT": `${PASSIVE}
    +0 call shutdown write
    +0 > F. 1:1(0) ack 1
    +0 call state = FIN_WAIT1
    +0 call send 1 = -EPIPE
    +0 call poll = out
    +0 < . 1:1(0) ack 2
    *  call state = FIN_WAIT2
    +0 < F. 1:1(0) ack 2
    +0 > . 2:2(0) ack 2
    +0 call recv 1 = 0
    +0 call poll = in out hup rdhup
    +0 call states = SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2 TIME_WAIT`,
  "by the guest, half: what the peer still says is received": `${FIN_WAIT_2}
    +0 < P. 1:6(5) ack 2 "hello"
    +0 call recv 100 = "hello"
    +0 > . 2:2(0) ack 6
    +0 < P. 6:11(5) ack 2 "world"
    +0 call recv 100 = "world"
    +0 > . 2:2(0) ack 11
    +0 < F. 11:11(0) ack 2
    +0 > . 2:2(0) ack 12
    +0 call recv 100 = 0`,
  "by the guest: what was sent goes before the FIN": `${passive(1000)}
    +0 call send 1000 = 1000
    +0 > P. 1:1001(1000) ack 1
    +0 call send 500 = 500
    +0 call close
    quiet 0.1
    +0 < . 1:1(0) ack 1001 win 1000
    +0 > FP. 1001:1501(500) ack 1
    +0 < . 1:1(0) ack 1502`,
  "by the guest: FIN and the acknowledgement of its own in one segment": `${PASSIVE}
    +0 call shutdown write
    +0 > F. 1:1(0) ack 1
    +0 < F. 1:1(0) ack 2
    +0 > . 2:2(0) ack 2
    +0 call states = SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2 TIME_WAIT`,
  "by the guest: data with the FIN of the peer are received": `${FIN_WAIT_2}
    +0 < FP. 1:6(5) ack 2 "hello"
    +0 > . 2:2(0) ack 7
    +0 call recv 100 = "hello"
    +0 call recv 100 = 0
    +0 call state = TIME_WAIT`,
  "by the guest: its FIN is sent again, later each time": `${ACTIVE}
    +0 call shutdown write
    +0 > F. 1:1(0) ack 1
    +.19..0.7 > F. 1:1(0) ack 1
    +.38..1 > F. 1:1(0) ack 1
    +.76..1.6 > F. 1:1(0) ack 1
    +0 < . 1:1(0) ack 2
    *  call state = FIN_WAIT2`,
  "by the guest, who has closed: data that come are reset": `${PASSIVE}
    +0 call close
    +0 > F. 1:1(0) ack 1
    +0 < . 1:1(0) ack 2
    +0 < P. 1:6(5) ack 2 "hello"
    +0 > R 2:2(0)`,
  "by the guest, with data that it has not read: a reset (RFC 2525, 2.17)": `${PASSIVE}
    +0 < P. 1:6(5) ack 1 "hello"
    +0 > . 1:1(0) ack 6
    +0 call close
    +0 > R. 1:1(0) ack 6`,
  "by the guest, with data of its own on their way: data that come are reset": `${PASSIVE}
    +0 call send 5
    +0 > P. 1:6(5) ack 1
    +0 call close
    +0 > F. 6:6(0) ack 1
    +0 < P. 1:6(5) ack 6 "hello"
    +0 > R 6:6(0)`,
  "by the guest, abortively (SO_LINGER of 0 s)": `${PASSIVE}
    +0 call send 5
    +0 > P. 1:6(5) ack 1
    +0 call abort
    +0 > R. 6:6(0) ack 1
    +0 < . 1:1(0) ack 6
    +0 > R 6:6(0)`,
  "by both at once: CLOSING, TIME-WAIT": `${CLOSING}
    +0 call poll = in out hup rdhup
    +0 < . 2:2(0) ack 2
    *  call state = TIME_WAIT
    +0 call states = SYN_RECV ESTABLISHED FIN_WAIT1 CLOSING TIME_WAIT`,
  "CLOSING: the FIN of the peer again is acknowledged again": `${CLOSING}
    +0 < F. 1:1(0) ack 1
    +0 > . 2:2(0) ack 2
    +0 call state = CLOSING`,
  "CLOSING: data with the FIN of the peer are received": `${PASSIVE}
    +0 call shutdown write
    +0 > F. 1:1(0) ack 1
    +0 < FP. 1:6(5) ack 1 "hello"
    +0 > . 2:2(0) ack 7
    +0 call state = CLOSING
    +0 call recv 100 = "hello"
    +0 < . 7:7(0) ack 2
    *  call state = TIME_WAIT`,
  "CLOSING: its FIN is sent again": `${CLOSING}
    +.88..3 > F. 1:1(0) ack 2
    +0 < . 2:2(0) ack 2
    *  call state = TIME_WAIT`,

  "by the peer: CLOSE-WAIT, LAST-ACK, CLOSED": `${CLOSE_WAIT}
    +0 call poll = in out rdhup
    +0 call recv 1 = 0
    +0 call shutdown write
    +0 > F. 1:1(0) ack 2
    +0 call state = LAST_ACK
    +0 < . 2:2(0) ack 2
    *  call state = CLOSE
    +0 call get error = 0
    +0 call recv 1 = 0
    +0 call states = SYN_RECV ESTABLISHED CLOSE_WAIT LAST_ACK CLOSE
    // Nothing is left of it.
    +0 < . 2:2(0) ack 2
    +0 > R 2:2(0)`,
  "by the peer, half: the guest goes on sending": `${CLOSE_WAIT}
    +0 call send "hello" = 5
    +0 > P. 1:6(5) ack 2 "hello"
    +0 < . 2:2(0) ack 6
    +0 call send "world" = 5
    +0 call close
    +0 > P. 6:11(5) ack 2 "world"
    +0 > F. 11:11(0) ack 2
    +0 < . 2:2(0) ack 12`,
  "by the peer: its FIN again is acknowledged again": `${CLOSE_WAIT}
    +0 < F. 1:1(0) ack 1
    +0 > . 1:1(0) ack 2
    +0 call state = CLOSE_WAIT`,
  "by the peer: what comes behind its FIN is not received": `${CLOSE_WAIT}
    +0 < P. 2:7(5) ack 1 "hello"
    wait 0.1
    +0 call recv 100 = 0
    +0 call state = CLOSE_WAIT`,
  "by the peer: a FIN that has overtaken data waits for them": `${PASSIVE}
    +0 < F. 6:6(0) ack 1
    +0 > . 1:1(0) ack 1
    +0 call state = ESTABLISHED
    +0 < P. 1:6(5) ack 1 "hello"
    +0 > . 1:1(0) ack 7
    +0 call recv 100 = "hello"
    +0 call recv 100 = 0
    +0 call state = CLOSE_WAIT`,
  "by the peer: LAST-ACK sends its FIN again": `${ACTIVE}
    +0 < F. 1:1(0) ack 1
    +0 > . 1:1(0) ack 2
    +0 call close
    +0 > F. 1:1(0) ack 2
    +.19..0.7 > F. 1:1(0) ack 2
    +.38..1 > F. 1:1(0) ack 2
    +0 < . 2:2(0) ack 2
    quiet 0.9`,

  "shutdown of reading: data are taken and thrown away, and the end is read": `${PASSIVE}
    +0 call shutdown read
    +0 call recv 1 = 0
    +0 call poll = in out rdhup
    +0 < P. 1:6(5) ack 1 "hello"
    +0 > . 1:1(0) ack 6
    +0 call recv 100 = 0
    +0 call send "still" = 5
    +0 > P. 1:6(5) ack 6 "still"`,
  "shutdown of both": `${PASSIVE}
    +0 call shutdown both
    +0 > F. 1:1(0) ack 1
    +0 call poll = in out hup rdhup
    +0 call send 1 = -EPIPE
    +0 < F. 1:1(0) ack 2
    +0 > . 2:2(0) ack 2`,
  "shutdown twice, and of what is not connected": `
    +0 call socket
    +0 call shutdown write = -ENOTCONN
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 call shutdown both = -ENOTCONN
    +.3 < S. 0:0(0) ack 1 win 65535 <mss 1460>
    +0 > . 1:1(0) ack 1
    +0 call shutdown write
    +0 > F. 1:1(0) ack 1
    +0 call shutdown write = 0
    +0 < . 1:1(0) ack 2
    quiet 0.1`,
  "close in SYN-SENT: nothing is said, and an answer is reset": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 call close
    quiet 0.1
    +0 < S. 0:0(0) ack 1 win 65535
    +0 > R 1:1(0)`,
  "close in SYN-RECEIVED: the FIN comes with the handshake's end": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 < S 0:0(0) win 65535 <mss 1460>
    +0 > S. 0:0(0) ack 1
    +0 call shutdown write
    quiet 0.1
    +0 < . 1:1(0) ack 1
    +0 > F. 1:1(0) ack 1
    +0 call states = SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1`,
});
