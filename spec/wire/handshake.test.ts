/**
 * Opening a connection, as segments (RFC 9293, 3.5 and 3.10.7). Options: options.test.ts; how long an answer is waited for:
 * timeouts.test.ts.
 */
import { ACTIVE, PASSIVE, scenarios } from "./suite.ts";

const LISTEN = "+0 call listen";
const SYN = `${LISTEN}
    +0 < S 0:0(0) win 65535 <mss 1460>
    +0 > S. 0:0(0) ack 1`;

scenarios("TCP handshake", {
  "passive: the states, what poll says, data": `${PASSIVE}
    +0 call states = SYN_RECV ESTABLISHED
    +0 call poll = out
    +0 < P. 1:6(5) ack 1 "hello"
    +0 call poll = in out
    +0 call recv 100 = "hello"`,
  "active: the states, what poll says, data": `
    +0 call socket
    +0 call poll = out hup
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0) <mss 1460> [ttl 64]
    +0 call poll = none
    +0 call connect = -EALREADY
    +0 call send 1 = -EAGAIN
    +0 < S. 0:0(0) ack 1 win 65535 <mss 1460>
    +0 > . 1:1(0) ack 1 <only>
    +0 call poll = out
    +0 call get error = 0
    +0 call connect = -EISCONN
    +0 call states = SYN_SENT ESTABLISHED
    +0 call send "hello" = 5
    +0 > P. 1:6(5) ack 1 "hello"`,
  "active: every option is offered": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0) <mss 1460,TS val * ecr 0>`,
  "active: data and FIN with the SYN,ACK are taken": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 < FS. 0:5(5) ack 1 win 65535 <mss 1460> "hello"
    +0 > . 1:1(0) ack 7
    +0 call recv 100 = "hello"
    +0 call recv 100 = 0
    +0 call states = SYN_SENT ESTABLISHED CLOSE_WAIT`,

  "the same SYN again: the same SYN,ACK": `${SYN}
    +0 < S 0:0(0) win 65535 <mss 1460>
    +0 > S. 0:0(0) ack 1
    +0 < . 1:1(0) ack 1
    *  call accept`,
  "another SYN in SYN-RECEIVED is challenged, and the first one holds": `${SYN}
    +0 < S 5000:5000(0) win 65535 <mss 1460>
    +0 > . 1:1(0) ack 1
    +0 < . 1:1(0) ack 1
    *  call accept
    +0 call state = ESTABLISHED`,
  "a client that was restarted: its RST clears SYN-RECEIVED, its new SYN opens": `${SYN}
    +0 < S 5000:5000(0) win 65535 <mss 1460>
    +0 > . 1:1(0) ack 1
    +0 < R 1:1(0)
    +0 < S 5000:5000(0) win 65535 <mss 1460>
    +0 > S. 0:0(0) ack 5001
    +0 < . 5001:5001(0) ack 1
    *  call accept`,
  "SYN-RECEIVED: an acknowledgement of nothing that was sent is reset, and the handshake goes on": `${SYN}
    +0 < . 1:1(0) ack 2
    +0 > R 2:2(0)
    +0 < . 1:1(0) ack 0
    +0 > R 0:0(0)
    +0 < . 1:1(0) ack 1
    *  call accept`,
  "SYN-RECEIVED: a RST in the window is challenged, one outside of it ignored, the exact one ends it": `${SYN}
    +0 < R 70000:70000(0)
    quiet 0.1
    +0 < R 500:500(0)
    +0 > . 1:1(0) ack 1
    +0 < R 1:1(0)
    quiet 0.1
    +0 < . 1:1(0) ack 1
    +0 > R 1:1(0)
    +0 call accept = -EAGAIN`,
  "SYN-RECEIVED: data outside of the window are answered by an acknowledgement": `${SYN}
    +0 < P. 200000:200005(5) ack 1 "hello"
    +0 > . 1:1(0) ack 1`,
  "SYN-RECEIVED: data and FIN with the final ACK are taken": `${SYN}
    +0 < FP. 1:6(5) ack 1 "hello"
    +0 > . 1:1(0) ack 7
    *  call accept
    +0 call recv 100 = "hello"
    +0 call recv 100 = 0
    +0 call states = SYN_RECV ESTABLISHED CLOSE_WAIT`,
  "SYN-RECEIVED: a segment without ACK is ignored": `${SYN}
    +0 < P 1:6(5) "hello"
    quiet 0.2
    +0 < . 1:1(0) ack 1
    *  call accept`,
  "a SYN with data: they are not taken before the handshake is complete": `${LISTEN}
    +0 < S 0:5(5) win 65535 <mss 1460> "hello"
    +0 > S. 0:0(0) ack 1
    +0 < . 1:1(0) ack 1
    *  call accept
    +0 call recv 100 = -EAGAIN
    +0 < P. 1:6(5) ack 1 "hello"
    +0 call recv 100 = "hello"`,

  "simultaneous open (RFC 9293, figure 7)": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 < S 0:0(0) win 65535 <mss 1000>
    +0 > S. 0:0(0) ack 1
    +0 < S. 0:0(0) ack 1 win 65535 <mss 1000>
    quiet 0.1
    +0 call states = SYN_SENT SYN_RECV ESTABLISHED
    +0 call get error = 0
    +0 call send 1500
    +0 > . 1:1001(1000) ack 1`,
  "simultaneous open that ends with a plain ACK": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 < S 0:0(0) win 65535 <mss 1000>
    +0 > S. 0:0(0) ack 1
    +0 < . 1:1(0) ack 1
    *  call state = ESTABLISHED`,
  "SYN-SENT: a SYN,ACK that acknowledges something else is reset, and the open goes on": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 < S. 0:0(0) ack 1000 win 65535
    +0 > R 1000:1000(0)
    +0 < S. 0:0(0) ack 1 win 65535 <mss 1460>
    +0 > . 1:1(0) ack 1`,
  "SYN-SENT: a RST that acknowledges the SYN refuses, no other does": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 < R 0:0(0)
    +0 < R. 0:0(0) ack 2
    +0 < R. 0:0(0) ack 0
    quiet 0.1
    +0 call state = SYN_SENT
    +0 < R. 0:0(0) ack 1
    *  call get error = -ECONNREFUSED
    +0 call states = SYN_SENT CLOSE`,
  "SYN-SENT: an acknowledgement without SYN or RST is not an answer": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 < . 1:1(0) ack 1
    quiet 0.2
    +0 call state = SYN_SENT`,
  "the SYN,ACK again, after the last ACK was lost, is acknowledged again": `${ACTIVE}
    +0 < S. 0:0(0) ack 1 win 65535 <mss 1460>
    +0 > . 1:1(0) ack 1
    +0 call state = ESTABLISHED`,

  "closed: SYN is answered by RST and ACK": `
    +0 call bind
    +0 < S 0:0(0) win 1000
    +0 > R. 0:0(0) ack 1 win 0 <only>
    +0 < S 0:100(100) win 1000
    +0 > R. 0:0(0) ack 101`,
  "closed: an acknowledgement is answered by RST with its number, SYN and ACK too": `
    +0 call bind
    +0 < . 5:5(0) ack 77
    +0 > R 77:77(0)
    +0 < S. 5:5(0) ack 78
    +0 > R 78:78(0)
    +0 < FP. 5:10(5) ack 79
    +0 > R 79:79(0)`,
  "closed: FIN and data without ACK are answered by RST and ACK": `
    +0 call bind
    +0 < F 5:5(0)
    +0 > R. 0:0(0) ack 6
    +0 < - 5:10(5)
    +0 > R. 0:0(0) ack 10`,
  "closed: RST is never answered": `
    +0 call bind
    +0 < R 5:5(0)
    +0 < R. 5:5(0) ack 1
    quiet 0.2`,
  "listening: RST is ignored, an acknowledgement is reset, a segment without flags and FIN alone are ignored": `${LISTEN}
    +0 < R 5:5(0)
    +0 < - 5:10(5)
    +0 < F 5:5(0)
    quiet 0.2
    +0 < . 5:5(0) ack 77
    +0 > R 77:77(0)
    +0 < S. 5:5(0) ack 77
    +0 > R 77:77(0)`,
  "listening: SYN with FIN is not answered": `${LISTEN}
    +0 < FS 0:0(0) win 1000
    quiet 0.2`,
  "listening: SYN with RST is not answered": `${LISTEN}
    +0 < RS 0:0(0) win 1000
    quiet 0.2`,
  "a listener that is closed knows half-open connections no more": `${SYN}
    +0 call close listener
    +0 < . 1:1(0) ack 1
    +0 > R 1:1(0)`,
  "a listener that is closed resets what nobody has accepted": `${SYN}
    +0 < . 1:1(0) ack 1
    +0 call close listener
    +0 > R. 1:1(0) ack 1`,
});
