/*
 * A part of aemos.h. How this machine is attached to the network, now: DHCP and routers may change it. Fields of IPv4 are in host order; 0: there is none.
 * New fields are added at the end only. The DNS resolver (sdk/dns.ts) is a library in TypeScript, and has no counterpart here.
 */
#ifndef AEMOS_NETINFO_H
#define AEMOS_NETINFO_H

/* Bits of `state`: there is a network device; its link is up. */
#define NETWORK_DEVICE 1
#define NETWORK_LINK_UP 2

/* States of an address of IPv6: nobody may have it yet; it is used; another host has it, so it is not; it is used for old conversations only. */
#define NETWORK_ADDRESS_TENTATIVE 1
#define NETWORK_ADDRESS_VALID 2
#define NETWORK_ADDRESS_DUPLICATE 3
#define NETWORK_ADDRESS_DEPRECATED 4

#define NETWORK_NAME_SERVERS 4
#define NETWORK_ADDRESSES 4

struct network_address6 {
  struct in6_addr address;
  uint32_t prefix_length; /* bits that all on this link have in common with it; 0: no others do */
  uint32_t state;         /* NETWORK_ADDRESS_* */
};

struct network_information {
  uint32_t state;                /* NETWORK_* bits */
  uint32_t mtu;                  /* largest IPv4 packet, in bytes */
  uint32_t hardware0, hardware4; /* the MAC address as it stands in memory: its first four bytes, and the last two */
  uint32_t address, netmask, gateway, broadcast;
  uint32_t name_server0, name_server1; /* the first two of the name servers that have an address of IPv4 */
  uint32_t mtu6;                       /* largest IPv6 packet, in bytes; 0: there is no IPv6 */
  uint32_t name_server_count, address6_count;
  uint32_t unused;
  struct in6_addr router6; /* router for IPv6; :: for none */
  /* In the order in which they are to be asked, ::ffff:a.b.c.d for one of IPv4: from `dns=` of the kernel command line, else from DHCP and then from routers. */
  struct in6_addr name_servers[NETWORK_NAME_SERVERS];
  struct network_address6 addresses6[NETWORK_ADDRESSES]; /* the first is the link-local one */
};
#define NETWORK_INFORMATION_SIZE 232
_Static_assert(sizeof(struct network_information) == NETWORK_INFORMATION_SIZE, "network_information: 14 fields of 32 bits, and 9 addresses");

/* Writes up to `length` bytes of the struct. The bytes written: fewer from a kernel that knows less. -EFAULT, -EINVAL. */
AEMOS_CALL(netinfo) int netinfo(struct network_information *buffer, int length);

#endif
