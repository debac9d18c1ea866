/*
 * A part of aemos.h. How this machine is attached to the network, now: DHCP may change it. Addresses are IPv4 in host order; 0: there is none.
 * New fields are added at the end only. The DNS resolver (sdk/dns.ts) is a library in TypeScript, and has no counterpart here.
 */
#ifndef AEMOS_NETINFO_H
#define AEMOS_NETINFO_H

/* Bits of `state`: there is a network device; its link is up. */
#define NETWORK_DEVICE 1
#define NETWORK_LINK_UP 2

struct network_information {
  uint32_t state;                /* NETWORK_* bits */
  uint32_t mtu;                  /* largest IPv4 packet, in bytes */
  uint32_t hardware0, hardware4; /* the MAC address as it stands in memory: its first four bytes, and the last two */
  uint32_t address, netmask, gateway, broadcast;
  uint32_t name_server0, name_server1; /* DNS servers: from `dns=` of the kernel command line, else from DHCP */
};
_Static_assert(sizeof(struct network_information) == 40, "network_information: 10 fields of 32 bits");

/* Writes up to `length` bytes of the struct. The bytes written: fewer from a kernel that knows less. -EFAULT, -EINVAL. */
AEMOS_CALL(netinfo) int netinfo(struct network_information *buffer, int length);

#endif
