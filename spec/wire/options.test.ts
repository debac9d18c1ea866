/** TCP options at the opening of a connection: which are answered, and which are believed (RFC 9293, 3.2; RFC 7323). */
import { scenarios } from "./suite.ts";

const LISTEN = "+0 call listen";

scenarios(
  "TCP options",
  {
    "none from the client, none but MSS in the answer": `${LISTEN}
    +0 < S 0:0(0) win 1000
    +0 > S. 0:0(0) ack 1 <only,mss 1460>`,
    "window scale alone is answered alone": `${LISTEN}
    +0 < S 0:0(0) win 1000 <mss 1000,wscale 3>
    +0 > S. 0:0(0) ack 1 <only,mss 1460,wscale *>`,
    "timestamps alone are answered alone, and stand on every segment": `${LISTEN}
    +0 < S 0:0(0) win 1000 <mss 1000,TS val 4711 ecr 0>
    +0 > S. 0:0(0) ack 1 <only,mss 1460,TS val * ecr 4711>
    +0 < . 1:1(0) ack 1 win 1000 <TS val 4712 ecr *>
    *  call accept
    +0 call send "hello"
    +0 > P. 1:6(5) ack 1 <only,TS val * ecr 4712> "hello"`,
    "those of the SYN count, not those of the final ACK": `${LISTEN}
    +0 < S 0:0(0) win 1000 <mss 1000>
    +0 > S. 0:0(0) ack 1 <only,mss 1460>
    +0 < . 1:1(0) ack 1 win 65535 <mss 500,wscale 14,TS val 1 ecr 1>
    *  call accept
    +0 call send 1000
    +0 > P. 1:1001(1000) ack 1 <only>`,
    "unknown ones, and experimental ones, are stepped over": `${LISTEN}
    +0 < S 0:0(0) win 1000 <kind 34,kind 254 0xf9891234,mss 800,kind 19 0x00112233445566778899aabbccddeeff>
    +0 > S. 0:0(0) ack 1 <only,mss 1460>
    +0 < . 1:1(0) ack 1 win 65535 <kind 254 0xf989>
    *  call accept
    +0 call send 800
    +0 > P. 1:801(800) ack 1`,
    "in any order, with the end of the list before its end": `${LISTEN}
    +0 < S 0:0(0) win 1000 <raw 0x01030302010402020405b400ffffffff>
    +0 > S. 0:0(0) ack 1 <mss 1460,wscale *>`,
    "a length of 0 is dropped, and so is one that leaves the header": `${LISTEN}
    +0 < S 0:0(0) win 1000 <raw 0x02000000>
    quiet 0.2
    +0 < S 0:0(0) win 1000 <raw 0x010102ff>
    quiet 0.2
    +0 < S 0:0(0) win 1000 <mss 1460>
    +0 > S. 0:0(0) ack 1`,
    "a length that is not that of the kind makes the option void": `${LISTEN}
    +0 < S 0:0(0) win 1000 <raw 0x02060500000003040000>
    +0 > S. 0:0(0) ack 1 <only,mss 1460>
    +0 < . 1:1(0) ack 1 win 65535
    *  call accept
    +0 call send 1000
    // No MSS was said: 536 (RFC 9293, 3.7.1).
    +0 > . 1:537(536) ack 1`,
    "a window scale above 14 counts as 14 (RFC 7323, 2.3)": `${LISTEN}
    +0 < S 0:0(0) win 65535 <mss 1000,wscale 255>
    +0 > S. 0:0(0) ack 1
    +0 < . 1:1(0) ack 1 win 1
    *  call accept
    +0 call send 3000
    +0 > . 1:1001(1000) ack 1
    +0 > . 1001:2001(1000) ack 1
    +0 > P. 2001:3001(1000) ack 1`,
    "an MSS of a few bytes is not believed": `${LISTEN}
    +0 < S 0:0(0) win 65535 <mss 1>
    +0 > S. 0:0(0) ack 1
    // As PASSIVE, against the time-out.
    +.3 < . 1:1(0) ack 1
    *  call accept
    +0 call send 200
    +0 > . 1:89(88) ack 1
    +0 > . 89:177(88) ack 1
    quiet 0.1`,
    "the window of a SYN is not scaled": `${LISTEN}
    +0 < S 0:0(0) win 500 <mss 1000,wscale 7>
    +0 > S. 0:0(0) ack 1
    +0 < . 1:1(0) ack 1 win 4
    *  call accept
    +0 call send 1000
    +0 > . 1:513(512) ack 1`,
  },
  () => {},
  // What a peer takes that says nothing is another size.
  ["a length that is not that of the kind"],
);
