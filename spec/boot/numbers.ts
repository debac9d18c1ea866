/** Numbers that applications see: negative errnos, signals, poll bits, TCP states; as in kernel/errno.ts and sdk/aem.ts. */
import { address } from "../wire/frame.ts";

export const EINTR = -4;
export const EBADF = -9;
export const EAGAIN = -11;
export const EFAULT = -14;
export const EBUSY = -16;
export const EINVAL = -22;
export const ESRCH = -3;
export const EDESTADDRREQ = -89;
export const EMSGSIZE = -90;
export const EPROTONOSUPPORT = -93;
export const ESOCKTNOSUPPORT = -94;
export const EOPNOTSUPP = -95;
export const EAFNOSUPPORT = -97;
export const EADDRINUSE = -98;
export const EADDRNOTAVAIL = -99;
export const ECONNRESET = -104;
export const ENOTCONN = -107;
export const ECONNREFUSED = -111;
export const EINPROGRESS = -115;
export const SIGUSR1 = 10;
export const SIGUSR2 = 12;
export const SIGTERM = 15;
export const POLLIN = 1;
export const POLLOUT = 4;
export const POLLRDHUP = 0x2000;

/** TCP states, Linux's numbers. */
export const ESTABLISHED = 1;
export const SYN_SENT = 2;
export const SYN_RECV = 3;
export const FIN_WAIT1 = 4;
export const FIN_WAIT2 = 5;
export const TIME_WAIT = 6;
export const CLOSE = 7;
export const CLOSE_WAIT = 8;
export const LAST_ACK = 9;
export const LISTEN = 10;
export const CLOSING = 11;

/** The host as the guest sees it through QEMU's user network; also the frame peer. */
export const HOST = address("10.0.2.2");
