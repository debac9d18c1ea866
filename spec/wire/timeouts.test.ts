/**
 * What happens when nobody answers, up to some 10 s; how long it goes on and how it ends is a matter of the specs with a clock of
 * their own (spec/net/tcp). All wait at the same time. RFC 6298; RFC 9293, 3.8.1 and 3.8.3.
 */
import { ACTIVE, PASSIVE, scenarios } from "./suite.ts";

scenarios("TCP time-outs", {
  "SYN: again after 1, 2 and 4 s, the same one, with timestamps of its own": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0) <mss 1460,TS val +0 ecr 0>
    +.95..1.5 > S 0:0(0) <mss 1460,TS val +1000 ecr 0>
    +1.9..2.6 > S 0:0(0) <TS val +3000 ecr 0>
    +3.9..4.8 > S 0:0(0) <TS val +7000 ecr 0>
    +0 call state = SYN_SENT
    +0 < S. 0:0(0) ack 1 win 65535 <mss 1460>
    +0 > . 1:1(0) ack 1
    +0 call get error = 0
    // RFC 6298, 5.7: with 3 s for the first data.
    +0 call send "hello"
    +0 > P. 1:6(5) ack 1 "hello"
    +2.9..3.6 > P. 1:6(5) ack 1 "hello"`,
  "SYN: an unreachable host does not end it, an unreachable port does": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 < icmp unreachable host 0:0(0)
    +.95..1.5 > S 0:0(0)
    +0 < icmp time_exceeded 0 0:0(0)
    +1.9..2.6 > S 0:0(0)
    +0 call state = SYN_SENT
    +0 < icmp unreachable port 0:0(0)
    *  call get error = -ECONNREFUSED
    quiet 5`,
  "SYN,ACK: again after 1, 2 and 4 s; then the ACK opens": `
    +0 call listen
    +0 < S 0:0(0) win 65535 <mss 1460>
    +0 > S. 0:0(0) ack 1
    +.95..1.5 > S. 0:0(0) ack 1
    +1.9..2.6 > S. 0:0(0) ack 1
    +3.9..4.8 > S. 0:0(0) ack 1
    +0 call accept = -EAGAIN
    +0 < . 1:1(0) ack 1
    *  call accept`,
  "SYN,ACK of a simultaneous open: the same": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 < S 0:0(0) win 65535 <mss 1460>
    +0 > S. 0:0(0) ack 1
    +.95..1.5 > S. 0:0(0) ack 1
    +1.9..2.6 > S. 0:0(0) ack 1
    +0 < . 1:1(0) ack 1
    *  call state = ESTABLISHED`,
  "data: again after a time-out that doubles, from 0.2 s where the round trip is short": `${ACTIVE}
    +0 call send "hello"
    +0 > P. 1:6(5) ack 1 "hello"
    +.19..0.7 > P. 1:6(5) ack 1 "hello"
    +.38..1 > P. 1:6(5) ack 1 "hello"
    +.76..1.6 > P. 1:6(5) ack 1 "hello"
    +1.55..2.5 > P. 1:6(5) ack 1 "hello"
    +3.1..4.2 > P. 1:6(5) ack 1 "hello"
    +0 < . 1:1(0) ack 6
    +0 call state = ESTABLISHED
    quiet 0.3`,
  "data: 1 s where no round trip was measured (RFC 6298, 2.1)": `
    +0 call listen
    +0 < S 0:0(0) win 65535 <mss 1460>
    +0 > S. 0:0(0) ack 1
    wait 0.3
    +0 < . 1:1(0) ack 1
    *  call accept
    +0 call send "hello"
    +0 > P. 1:6(5) ack 1 "hello"
    +.88..1.6 > P. 1:6(5) ack 1 "hello"`,
  "data: a time-out that has doubled holds until a round trip was measured (Karn)": `${ACTIVE}
    +0 call send "hello"
    +0 > P. 1:6(5) ack 1
    +.19..0.7 > P. 1:6(5) ack 1
    +.38..1 > P. 1:6(5) ack 1
    +0 < . 1:1(0) ack 6
    +0 call send "again"
    +0 > P. 6:11(5) ack 1
    +.76..1.6 > P. 6:11(5) ack 1
    +0 < . 1:1(0) ack 11
    +0 call send "third"
    +0 > P. 11:16(5) ack 1
    +0 < . 1:1(0) ack 16
    +0 call send "forth"
    +0 > P. 16:21(5) ack 1
    +.19..0.7 > P. 16:21(5) ack 1`,
  "data: an acknowledgement of some begins the time-out anew (RFC 6298, 5.3)": `${ACTIVE}
    +0 call send 2920
    +0 > . 1:1461(1460) ack 1
    +0 > . 1461:2921(1460) ack 1
    +.12 < . 1:1(0) ack 1461
    +.19..0.7 > . 1461:2921(1460) ack 1`,
  "data: after a time-out one segment goes, then as in slow start (RFC 5681, 3.1)": `${PASSIVE}
    +0 call send 5840
    +0 > . 1:1461(1460) ack 1
    +0 > . 1461:2921(1460) ack 1
    +0 > . 2921:4381(1460) ack 1
    +0 > P. 4381:5841(1460) ack 1
    +.88..2 > . 1:1461(1460) ack 1
    quiet 0.1
    +0 < . 1:1(0) ack 1461
    +0 > . 1461:2921(1460) ack 1
    +0 > . 2921:4381(1460) ack 1
    quiet 0.1
    +0 < . 1:1(0) ack 5841
    quiet 0.5`,
  "data: an error about them does not end the connection (RFC 1122, 4.2.3.9)": `${ACTIVE}
    +0 call send "hello"
    +0 > P. 1:6(5) ack 1
    +0 < icmp unreachable net 1:6(5)
    +0 < icmp unreachable host 1:6(5)
    +0 < icmp unreachable source_route 1:6(5)
    +.19..0.7 > P. 1:6(5) ack 1
    +0 < . 1:1(0) ack 6
    +0 call state = ESTABLISHED
    +0 call get error = 0`,
  "FIN: as data": `${ACTIVE}
    +0 call shutdown write
    +0 > F. 1:1(0) ack 1
    +.19..1.6 > F. 1:1(0) ack 1
    +.38..3 > F. 1:1(0) ack 1
    +.76..5 > F. 1:1(0) ack 1
    +0 < . 1:1(0) ack 2
    *  call state = FIN_WAIT2`,
  "keep-alive: a probe from before the window, which an answer satisfies": `${PASSIVE}
    +0 call get keepalive = 0
    +0 call set keepalive 1
    +0 call set keepidle 1
    +0 call set keepintvl 1
    +0 call set keepcnt 2
    // Its time begins again with what comes.
    +0 < . 1:1(0) ack 1
    +.95..1.6 > . 0:0(0) ack 1
    +0 < . 1:1(0) ack 1
    +.95..1.6 > . 0:0(0) ack 1
    +0 < . 1:1(0) ack 1
    +0 call state = ESTABLISHED`,
  "keep-alive: a peer that does not answer is given up": `${PASSIVE}
    +0 call set keepalive 1
    +0 call set keepidle 1
    +0 call set keepintvl 1
    +0 call set keepcnt 2
    // Its time begins again with what comes.
    +0 < . 1:1(0) ack 1
    +.95..1.6 > . 0:0(0) ack 1
    +.95..1.6 > . 0:0(0) ack 1
    +.5..2 call state = CLOSE
    +0 call get error = -ETIMEDOUT`,
});
