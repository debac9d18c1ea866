/** Levels and names of options as setsockopt's callers give them: Linux's numbers, and aemos's own from 0x4001 on (docs/aem-calls.md has the table). */
export const SOL_SOCKET: u32 = 1;
export const IPPROTO_IP: u32 = 0;
export const IPPROTO_TCP: u32 = 6;

export const SO_REUSEADDR: u32 = 2;
export const SO_ERROR: u32 = 4;
export const SO_SNDBUF: u32 = 7;
export const SO_RCVBUF: u32 = 8;
export const SO_KEEPALIVE: u32 = 9;
export const SO_LINGER: u32 = 13;

export const IP_TOS: u32 = 1;
export const IP_TTL: u32 = 2;

export const TCP_NODELAY: u32 = 1;
export const TCP_MAXSEG: u32 = 2;
export const TCP_KEEPIDLE: u32 = 4;
export const TCP_KEEPINTVL: u32 = 5;
export const TCP_KEEPCNT: u32 = 6;
export const TCP_INFO: u32 = 11;
export const TCP_USER_TIMEOUT: u32 = 18;
export const TCP_SOFT_ERROR: u32 = 0x4001;
export const TCP_URGENT: u32 = 0x4002;
export const TCP_UTO: u32 = 0x4003;
