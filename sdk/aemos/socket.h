/*
 * A part of aemos.h. Sockets: the calls of 4.4BSD with Linux's numbers. -EAGAIN instead of waiting: SOCK_NONBLOCK or MSG_DONTWAIT.
 */
#ifndef AEMOS_SOCKET_H
#define AEMOS_SOCKET_H

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
/* Or-ed into the type: no call on the socket blocks. */
#define SOCK_NONBLOCK 0x800
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_IPV6 41
/* send on a TCP socket: the data is urgent. */
#define MSG_OOB 0x01
/* recv: the data stay where they are. */
#define MSG_PEEK 0x02
/* recv of a datagram: its own length is returned, also when the buffer is shorter. */
#define MSG_TRUNC 0x20
/* This call does not block. */
#define MSG_DONTWAIT 0x40
/* Says nothing: there is no SIGPIPE here. */
#define MSG_NOSIGNAL 0x4000
/* send on a TCP socket: the next call sends more, or is shutdown or close. */
#define MSG_MORE 0x8000
#define SHUT_RD 0
#define SHUT_WR 1
#define SHUT_RDWR 2
#define SOL_SOCKET 1
#define SO_REUSEADDR 2
#define SO_TYPE 3
#define SO_ERROR 4
#define SO_BROADCAST 6
#define SO_SNDBUF 7
#define SO_RCVBUF 8
/* aemos's own. Of UDP, to be read only: datagrams that the receive buffer had no room for, since the socket was made. */
#define SO_DROPS 0x4004
#define SO_KEEPALIVE 9
/* Always on: urgent data is in line. */
#define SO_OOBINLINE 10
/* A struct linger. */
#define SO_LINGER 13
/* To be read only: whether it listens; IPPROTO_TCP or IPPROTO_UDP; AF_INET or AF_INET6. */
#define SO_ACCEPTCONN 30
#define SO_PROTOCOL 38
#define SO_DOMAIN 39
/* Level of IP_TOS, IP_TTL and IP_MTU_DISCOVER. */
#define IPPROTO_IP 0
#define IP_TOS 1
#define IP_TTL 2
/* Of UDP: IP_PMTUDISC_DONT (datagrams above the MTU go in fragments) or IP_PMTUDISC_DO (-EMSGSIZE). */
#define IP_MTU_DISCOVER 10
#define IP_PMTUDISC_DONT 0
#define IP_PMTUDISC_DO 2
/* With IPPROTO_TCP, as all that follow: small segments are not held back. */
#define TCP_NODELAY 1
#define TCP_MAXSEG 2
/* Keep-alive: seconds of silence before the first probe, between probes, and how many. */
#define TCP_KEEPIDLE 4
#define TCP_KEEPINTVL 5
#define TCP_KEEPCNT 6
/* A struct tcp_info, to be read only. */
#define TCP_INFO 11
/* Milliseconds after which a connection whose data is not acknowledged ends; 0: after 11 retransmissions. */
#define TCP_USER_TIMEOUT 18
/* aemos's own: a soft error (POLLMSG) as a positive errno; bytes up to the end of urgent data (POLLPRI); RFC 5482 on or off. */
#define TCP_SOFT_ERROR 0x4001
#define TCP_URGENT 0x4002
#define TCP_UTO 0x4003
/* With IPPROTO_IPV6, as those that follow. Before the socket has a name: it leaves IPv4 to others. */
#define IPV6_V6ONLY 26
/* IP_TTL and IP_TOS by the names of IPv6: a socket has one of each, for both versions. */
#define IPV6_UNICAST_HOPS 16
#define IPV6_TCLASS 67
/* Bits of the `events` of a sock handler. */
#define POLLIN 0x0001
#define POLLPRI 0x0002 /* urgent data is ahead */
#define POLLOUT 0x0004
#define POLLERR 0x0008
#define POLLHUP 0x0010
#define POLLMSG 0x0400 /* a soft error, which may pass */
#define POLLRDHUP 0x2000

typedef int socklen_t;
typedef uint16_t sa_family_t;

struct sockaddr {
  sa_family_t sa_family;
  char sa_data[14];
};

struct sockaddr_in {
  sa_family_t sin_family;
  in_port_t sin_port; /* network order */
  struct in_addr sin_addr;
  unsigned char sin_zero[8];
};
#define SOCKADDR_SIZE 16
_Static_assert(sizeof(struct sockaddr) == SOCKADDR_SIZE, "sockaddr: 16 bytes");
_Static_assert(sizeof(struct sockaddr_in) == SOCKADDR_SIZE, "sockaddr_in: 16 bytes");
_Static_assert(offsetof(struct sockaddr_in, sin_addr) == 4, "sockaddr_in: the address follows the port");

/* Of sockets of AF_INET6; on :: they serve both versions, and a peer of IPv4 is ::ffff:a.b.c.d. A read handler's `data` begin 32 bytes behind it. */
struct sockaddr_in6 {
  sa_family_t sin6_family;
  in_port_t sin6_port;    /* network order */
  uint32_t sin6_flowinfo; /* 0 */
  struct in6_addr sin6_addr;
  uint32_t sin6_scope_id; /* there is one interface: not looked at */
};
#define SOCKADDR6_SIZE 28
_Static_assert(sizeof(struct sockaddr_in6) == SOCKADDR6_SIZE, "sockaddr_in6: 28 bytes");
_Static_assert(offsetof(struct sockaddr_in6, sin6_addr) == 8, "sockaddr_in6: the address follows the flow label");

/* A piece of memory. */
struct iovec {
  void *iov_base;
  size_t iov_len;
};

/* What a field has no use for is 0. */
struct msghdr {
  void *msg_name; /* destination of a datagram, as of sendto; 0: the peer. A stream does not look at it. */
  socklen_t msg_namelen;
  struct iovec *msg_iov;
  int msg_iovlen;    /* up to IOV_MAX */
  void *msg_control; /* ancillary data: there are none */
  socklen_t msg_controllen;
  int msg_flags; /* not looked at */
};
#define IOV_MAX 64
_Static_assert(sizeof(struct iovec) == 8 && offsetof(struct iovec, iov_len) == 4, "iovec: two words");
_Static_assert(sizeof(struct msghdr) == 28 && offsetof(struct msghdr, msg_iov) == 8, "msghdr: seven words");

struct linger {
  int l_onoff;
  int l_linger; /* seconds */
};
_Static_assert(sizeof(struct linger) == 8, "linger: two words");

/* Linux's, as of its first 104 bytes; what is not named is 0. Times in microseconds. */
struct tcp_info {
  uint8_t tcpi_state;
  uint8_t tcpi_ca_state;
  uint8_t tcpi_retransmits; /* since the peer acknowledged something last */
  uint8_t tcpi_probes;      /* of a shut window, or keep-alive probes */
  uint8_t tcpi_backoff;
  uint8_t tcpi_options;
  uint8_t tcpi_scales;
  uint8_t tcpi_flags;
  uint32_t tcpi_rto;
  uint32_t tcpi_ato;
  uint32_t tcpi_snd_mss;
  uint32_t tcpi_rcv_mss;
  uint32_t tcpi_unacked; /* segments in flight */
  uint32_t tcpi_unused[8];
  uint32_t tcpi_pmtu;
  uint32_t tcpi_rcv_ssthresh;
  uint32_t tcpi_rtt;
  uint32_t tcpi_rttvar;
  uint32_t tcpi_snd_ssthresh; /* in segments */
  uint32_t tcpi_snd_cwnd;
  uint32_t tcpi_advmss;
  uint32_t tcpi_reordering;
  uint32_t tcpi_rcv_rtt;
  uint32_t tcpi_rcv_space;
  uint32_t tcpi_total_retrans;
};
_Static_assert(sizeof(struct tcp_info) == 104, "tcp_info: 104 bytes");

/*
 * ---- The calls (docs/aem-calls.md). Each returns 0 or more, or a negative errno ----
 *
 * Of all of them: -EBADF: `fd` is no socket of this process; -EFAULT; -EINVAL: a length that is negative, or too short for what it is of; -EPERM: the manifest's policy refuses the
 * call. Where a name is given: -EAFNOSUPPORT: it is of another family than the socket; -ENETUNREACH: of IPv4, for a socket with IPV6_V6ONLY. Where a call may wait (accept, connect,
 * send, recv and their like): -EAGAIN: it must not; -EINTR: a signal; -EBADF: another thread has closed the socket meanwhile. "What has ended the connection" is -ECONNRESET, -ETIMEDOUT,
 * -ECONNREFUSED, or what ICMP said: -EHOSTUNREACH, -ENETUNREACH, ... What a call has beside these stands with it.
 */

/* A new socket's descriptor. -EAFNOSUPPORT, -ESOCKTNOSUPPORT, -EPROTONOSUPPORT; -EINVAL: an unknown flag; -EMFILE; -ENOBUFS: as many sockets as there may be. */
AEMOS_CALL(socket) int socket(int domain, int type, int protocol);
/* Gives a local address. 0; -EADDRINUSE; -EADDRNOTAVAIL: it is not this machine's; -EINVAL: the socket has one, or a connection; -ENOBUFS. */
AEMOS_CALL(bind) int bind(int fd, const struct sockaddr *address, socklen_t length);
/* Takes connections, up to `backlog` (1 to 4096) waiting. 0; -EADDRINUSE: another one listens there; -EINVAL: it is connected, or was; -EOPNOTSUPP: UDP; -ENOBUFS: 256 listen. */
AEMOS_CALL(listen) int listen(int fd, int backlog);
/*
 * The next connection's descriptor. `length`: room in, length out; both pointers may be 0. -EINVAL: the socket does not listen; -EOPNOTSUPP: UDP; -EMFILE: the connection stays in the
 * queue; -EFAULT: it is reset.
 */
AEMOS_CALL(accept) int accept(int fd, struct sockaddr *address, socklen_t *length);
/*
 * 0 when connected (UDP: at once; address and port 0 take the peer away). -EINPROGRESS on a non-blocking socket, and -EALREADY after that; -EISCONN; -ENETUNREACH; -EADDRNOTAVAIL: no local port is left
 * for this peer, or its port is 0 (UDP: -EINVAL); -EADDRINUSE: there is this connection; -ENOBUFS; what has ended the connection.
 */
AEMOS_CALL(connect) int connect(int fd, const struct sockaddr *address, socklen_t length);
/*
 * Bytes taken; without blocking as many as there is room for; blocking all, or fewer if a handler's turn came. -EPIPE: this end was shut down; -ENOTCONN; what has ended the connection; -EOPNOTSUPP: an unknown
 * flag, MSG_OOB or MSG_MORE of a datagram. A datagram: see sendto; -EDESTADDRREQ: no peer.
 */
AEMOS_CALL(send) int send(int fd, const void *data, int length, int flags);
/* Bytes received; 0 at the end of the stream. -ENOTCONN; what has ended the connection, or become of an earlier datagram to the peer, once; -EOPNOTSUPP: an unknown flag. */
AEMOS_CALL(recv) int recv(int fd, void *buffer, int length, int flags);
/*
 * As send, to `address` (0: the peer; a stream does not look at it). A datagram goes as a whole, up to 65,507 bytes (over IPv6 65,527), and never waits; else -EMSGSIZE: too long, or above the MTU and not to be
 * fragmented; -ENETUNREACH; -ENETDOWN: no link; -ENOBUFS: no memory; -EACCES: a broadcast without SO_BROADCAST; -EADDRNOTAVAIL: its own address is no longer this machine's; -EADDRINUSE: no port is
 * left; -EINVAL: to port 0; what has become of an earlier datagram to the peer, once, and this one was not sent.
 */
AEMOS_CALL(sendto)
int sendto(int fd, const void *data, int length, int flags, const struct sockaddr *address, socklen_t address_length);
/*
 * As send and sendto, of several pieces, one behind the other: what stands together of a stream, or one datagram. Bytes taken, which may end in the middle of a
 * piece. -EMSGSIZE: more than IOV_MAX pieces, or too long for a datagram; -EINVAL: more bytes than an int says; -EFAULT; -EOPNOTSUPP: ancillary data.
 * A call that waits may read message and vector again: they, and the bytes, stay unchanged until it returns.
 */
AEMOS_CALL(sendmsg) int sendmsg(int fd, const struct msghdr *message, int flags);
/* As recv; the sender goes to `address` (see accept). A datagram longer than the buffer loses its rest. */
AEMOS_CALL(recvfrom)
int recvfrom(int fd, void *buffer, int length, int flags, struct sockaddr *address, socklen_t *address_length);
/* Lets go of the descriptor and ends its events. TCP closes in order, and waits only with SO_LINGER. 0, -EBADF; -ENOMEM: in a fresh fork, and it is open still. */
AEMOS_CALL(close) int close(int fd);
/* Ends one direction or both (SHUT_*). 0, -ENOTCONN; -EINVAL: another `how`. */
AEMOS_CALL(shutdown) int shutdown(int fd, int how);
/* The socket's own name. 0; errors: those of all. */
AEMOS_CALL(getsockname) int getsockname(int fd, struct sockaddr *address, socklen_t *length);
/* The peer's name. 0; -ENOTCONN. */
AEMOS_CALL(getpeername) int getpeername(int fd, struct sockaddr *address, socklen_t *length);
/* docs/aem-calls.md has the table. An int, if nothing else is said. 0; -ENOPROTOOPT: the socket has no such option, or it is to be read only; -EINVAL: it cannot have that value. */
AEMOS_CALL(setsockopt) int setsockopt(int fd, int level, int name, const void *value, socklen_t length);
/* `length`: room in, length out. SO_ERROR is told once, and then 0. 0; -ENOPROTOOPT. */
AEMOS_CALL(getsockopt) int getsockopt(int fd, int level, int name, void *value, socklen_t *length);

/* ---- Helpers ---- */

/* Bytes of a sockaddr, by its family: what sendto wants to hear of the `from` of a read handler. */
static inline socklen_t sockaddr_size(const void *address) {
  return ((const struct sockaddr *)address)->sa_family == AF_INET6 ? SOCKADDR6_SIZE : SOCKADDR_SIZE;
}

/* sendmsg to the peer. */
static inline int writev_flags(int fd, const struct iovec *vector, int count, int flags) {
  struct msghdr message = {.msg_iov = (struct iovec *)vector, .msg_iovlen = count};
  return sendmsg(fd, &message, flags);
}

/* The same without flags, as POSIX has it. */
static inline int writev(int fd, const struct iovec *vector, int count) { return writev_flags(fd, vector, count, 0); }

/* An option whose value is an int. 0, or an errno of setsockopt. */
static inline int set_option(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof(value)); }

/* Its value, which is never negative, or an errno of getsockopt. */
static inline int get_option(int fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof(value);
  int error = getsockopt(fd, level, name, &value, &length);
  return error < 0 ? error : value;
}

/* A non-blocking socket of `type` on `port` of every address; AF_INET6: of both versions. Its descriptor or a negative errno. */
static inline int aemos_bound(int family, int type, uint32_t port) {
  if (port > 65535) return -EINVAL;
  int fd = socket(family, type | SOCK_NONBLOCK, 0);
  if (fd < 0) return fd;
  /* Family and port stand at the same place in both, and the address is 0. */
  struct sockaddr_in6 address = {.sin6_family = (sa_family_t)family, .sin6_port = htons((uint16_t)port)};
  int error = bind(fd, (struct sockaddr *)&address, sockaddr_size(&address));
  if (error >= 0) return fd;
  close(fd);
  return error;
}

static inline int aemos_listening(int family, uint32_t port, int backlog) {
  int fd = aemos_bound(family, SOCK_STREAM, port);
  if (fd < 0) return fd;
  int error = listen(fd, backlog);
  if (error >= 0) return fd;
  close(fd);
  return error;
}

/* A non-blocking TCP socket that listens on `port`. Its descriptor, or the negative errno of the call that failed. */
static inline int listen_tcp(uint32_t port, int backlog) { return aemos_listening(AF_INET, port, backlog); }

/* A non-blocking UDP socket on `port`. Its descriptor or a negative errno. */
static inline int bind_udp(uint32_t port) { return aemos_bound(AF_INET, SOCK_DGRAM, port); }

/* The same for both versions of IP; their names are sockaddr_in6. */
static inline int listen_tcp6(uint32_t port, int backlog) { return aemos_listening(AF_INET6, port, backlog); }
static inline int bind_udp6(uint32_t port) { return aemos_bound(AF_INET6, SOCK_DGRAM, port); }

#endif
