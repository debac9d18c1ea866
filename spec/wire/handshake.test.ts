/** Opening a connection (RFC 9293, 3.5 and 3.10.7). */
import { ACTIVE, PASSIVE, scenarios } from "./suite.ts";

scenarios("TCP handshake", {
  "passive: states and poll": `${PASSIVE}
    +0 call states = SYN_RECV ESTABLISHED
    +0 call poll = out
    +0 < P. 1:6(5) ack 1 "hello"
    +0 call recv 100 = "hello"`,
  "active: states": `${ACTIVE}
    +0 call states = SYN_SENT ESTABLISHED`,
});
