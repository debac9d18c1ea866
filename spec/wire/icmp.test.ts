/** ICMP errors about segments of the guest, true and forged ones (RFC 1122, 4.2.3.9; RFC 1191; RFC 5927; RFC 6633). */
import { PASSIVE, scenarios } from "./suite.ts";

/** Two full segments of the guest on their way, of a connection that works. */
const IN_FLIGHT = `${PASSIVE}
    +0 call send 2920
    +0 > . 1:1461(1460) ack 1
    +0 > . 1461:2921(1460) ack 1`;

scenarios(
  "TCP and ICMP",
  {
    "hard errors do not end an established connection (RFC 5927, 5.2)": `${IN_FLIGHT}
    +0 < icmp unreachable protocol 1:1461(1460)
    +0 < icmp unreachable port 1:1461(1460)
    +0 < icmp unreachable admin_prohibited 1461:2921(1460)
    +0 < icmp parameter 0 1:1461(1460)
    wait 0.1
    +0 call state = ESTABLISHED
    +0 call get error = 0
    +0 < . 1:1(0) ack 2921`,
    "in SYN-SENT a hard error about another number is ignored": `
    +0 call connect = -EINPROGRESS
    +0 > S 0:0(0)
    +0 < icmp unreachable port 1:1(0)
    +0 < icmp unreachable port -1:-1(0)
    +0 < icmp unreachable protocol 100000:100000(0)
    wait 0.1
    +0 call state = SYN_SENT
    +0 < icmp unreachable protocol 0:0(0)
    *  call state = CLOSE`,
    "a smaller MTU of the path is believed for what is in flight (RFC 1191)": `${IN_FLIGHT}
    +0 < icmp unreachable frag_needed mtu 1000 1:1461(1460)
    +0 > . 1:961(960) ack 1
    +0 < . 1:1(0) ack 961`,
    "a smaller MTU for what is not in flight is not believed (RFC 5927, 7.2)": `${IN_FLIGHT}
    +0 < . 1:1(0) ack 2921
    +0 < icmp unreachable frag_needed mtu 600 1:1461(1460)
    +0 < icmp unreachable frag_needed mtu 600 100000:101460(1460)
    +0 < icmp unreachable frag_needed mtu 600 2921:4381(1460)
    wait 0.1
    +0 call send 1460
    +0 > P. 2921:4381(1460) ack 1`,
    "an MTU below 576, or above what is used, changes nothing more": `${IN_FLIGHT}
    +0 < icmp unreachable frag_needed mtu 9000 1:1461(1460)
    quiet 0.1
    +0 < icmp unreachable frag_needed mtu 68 1:1461(1460)
    +0 > . 1:537(536) ack 1
    +0 < . 1:1(0) ack 537`,
    "source quench is ignored (RFC 6633)": `${IN_FLIGHT}
    +0 < icmp source_quench 0 1:1461(1460)
    quiet 0.1
    +0 < . 1:1(0) ack 2921
    +0 call send 4380
    +0 > . 2921:4381(1460) ack 1
    +0 > . 4381:5841(1460) ack 1
    +0 > . 5841:7301(1460) ack 1`,
    "an error about a listener's answer does not end anything": `
    +0 call listen
    +0 < S 0:0(0) win 65535 <mss 1460>
    +0 > S. 0:0(0) ack 1
    +0 < icmp unreachable host 0:0(0)
    +0 < icmp unreachable port 100:100(0)
    +0 < . 1:1(0) ack 1
    *  call accept
    +0 call state = ESTABLISHED`,
  },
  () => {},
  // IPv6 believes no less than 1,280.
  ["a smaller MTU", "an MTU below 576"],
);
