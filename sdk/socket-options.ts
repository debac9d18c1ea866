/** The options of setsockopt and getsockopt: levels, names and values, with Linux's numbers; docs/aem-calls.md has the table. */

export const SOL_SOCKET: i32 = 1;
export const SO_REUSEADDR: i32 = 2;
export const SO_TYPE: i32 = 3;
export const SO_ERROR: i32 = 4;
export const SO_BROADCAST: i32 = 6;
export const SO_SNDBUF: i32 = 7;
export const SO_RCVBUF: i32 = 8;
/** aemos's own. Of UDP, to be read only: datagrams that the receive buffer had no room for, since the socket was made. */
export const SO_DROPS: i32 = 0x4004;
export const SO_KEEPALIVE: i32 = 9;
/** Always on: urgent data is in line. */
export const SO_OOBINLINE: i32 = 10;
/** A value of 8 bytes: struct linger. */
export const SO_LINGER: i32 = 13;
/** To be read only: whether it listens; IPPROTO_TCP or IPPROTO_UDP; AF_INET or AF_INET6. */
export const SO_ACCEPTCONN: i32 = 30;
export const SO_PROTOCOL: i32 = 38;
export const SO_DOMAIN: i32 = 39;
/** Level of IP_TOS, IP_TTL and IP_MTU_DISCOVER. */
export const IPPROTO_IP: i32 = 0;
export const IP_TOS: i32 = 1;
export const IP_TTL: i32 = 2;
/** Of UDP: IP_PMTUDISC_DONT (datagrams above the MTU go in fragments) or IP_PMTUDISC_DO (-EMSGSIZE). */
export const IP_MTU_DISCOVER: i32 = 10;
export const IP_PMTUDISC_DONT: i32 = 0;
export const IP_PMTUDISC_DO: i32 = 2;
/** With IPPROTO_TCP, as all that follow: small segments are not held back (Nagle's algorithm). */
export const TCP_NODELAY: i32 = 1;
export const TCP_MAXSEG: i32 = 2;
/** Keep-alive: seconds of silence before the first probe, between probes, and how many. */
export const TCP_KEEPIDLE: i32 = 4;
export const TCP_KEEPINTVL: i32 = 5;
export const TCP_KEEPCNT: i32 = 6;
/** What the connection knows: Linux's struct tcp_info, 104 bytes (`tcp_info`). To be read only. */
export const TCP_INFO: i32 = 11;
/** Milliseconds after which a connection whose data is not acknowledged ends; 0: after 11 retransmissions. */
export const TCP_USER_TIMEOUT: i32 = 18;
/** aemos's own: a soft error (POLLMSG) as a positive errno, or 0. To be read only; reading it is hearing of it. */
export const TCP_SOFT_ERROR: i32 = 0x4001;
/** aemos's own: bytes up to the end of the urgent data (POLLPRI), or 0. To be read only. */
export const TCP_URGENT: i32 = 0x4002;
/** aemos's own: 1: user time-outs are exchanged with the peer (RFC 5482). */
export const TCP_UTO: i32 = 0x4003;

/** With IPPROTO_IPV6, as those that follow. Before the socket has a name: it leaves IPv4 to others. */
export const IPV6_V6ONLY: i32 = 26;
/** IP_TTL and IP_TOS by the names of IPv6: a socket has one of each, for both versions. */
export const IPV6_UNICAST_HOPS: i32 = 16;
export const IPV6_TCLASS: i32 = 67;

/** What SO_LINGER takes and gives. */
@unmanaged
export class linger {
  /** 0: off. */
  onoff: i32;
  seconds: i32;
}

/** What TCP_INFO gives; what is not named is 0. Times in microseconds. */
@unmanaged
export class tcp_info {
  /** TCP_* state. */
  state: u8;
  ca_state: u8;
  /** Retransmissions since the peer acknowledged something last; probes of a shut window, or keep-alive probes. */
  retransmits: u8;
  probes: u8;
  backoff: u8;
  options: u8;
  scales: u8;
  private flags: u8;
  rto: u32;
  private ato: u32;
  /** Payload of a segment of ours, and of the peer's largest. */
  snd_mss: u32;
  rcv_mss: u32;
  /** Segments in flight. */
  unacked: u32;
  private unused0: u32;
  private unused1: u32;
  private unused2: u32;
  private unused3: u32;
  private unused4: u32;
  private unused5: u32;
  private unused6: u32;
  private unused7: u32;
  pmtu: u32;
  private rcv_ssthresh: u32;
  rtt: u32;
  rttvar: u32;
  /** In segments. */
  snd_ssthresh: u32;
  snd_cwnd: u32;
  advmss: u32;
  private reordering: u32;
  private rcv_rtt: u32;
  rcv_space: u32;
  /** Segments that were sent more than once, in all. */
  total_retrans: u32;
}
