/**
 * netinfo: the configuration of the network interface for applications (sdk/netinfo.ts has the same struct). New fields are added at the end
 * only. Numbers that count are in sysinfo (aem/sysinfo.ts).
 */
import { EINVAL } from "../kernel/errno";
import { writeUser } from "../kernel/memory/user";
import { now } from "../kernel/time/clock";
import { hasDevice, linkIsUp, networkInterface } from "./interface";
import { linkMtu6 } from "./link-parameters";
import { NAME_SERVERS, nameServer, nameServer4 } from "./name-servers";
import { ADDRESS_NONE, ADDRESS_VALID, OWN_ADDRESSES, ownAddress } from "./own-addresses";
import { defaultRouter } from "./routers";
import { hasIpv6 } from "./slaac";
import { storeAddress } from "./wire/ipv6";

/** Bits of `state`. */
const NETWORK_DEVICE: u32 = 1;
const NETWORK_LINK_UP: u32 = 2;

/** State of an address, beside ADDRESS_*: for old conversations only. */
const ADDRESS_DEPRECATED: u32 = 4;

/** Bytes of an address as on the wire, and of one of ours with its prefix length and its state. */
const ADDRESS_SIZE: usize = 16;
const OWN_SIZE: usize = 24;


@unmanaged
class NetworkInformation {
  state: u32;
  mtu: u32;
  hardware0: u32;
  hardware4: u32;
  address: u32;
  netmask: u32;
  gateway: u32;
  broadcast: u32;
  nameServer0: u32;
  nameServer1: u32;
  mtu6: u32;
  nameServerCount: u32;
  address6Count: u32;
  private unused: u32;

  /** Where an address of the router for IPv6 stands, as on the wire, then NAME_SERVERS of name servers and OWN_ADDRESSES of ours. */
  @inline get router6(): usize {
    return changetype<usize>(this) + ROUTER6;
  }


  @inline nameServer(index: u32): usize {
    return changetype<usize>(this) + SERVERS + <usize>index * ADDRESS_SIZE;
  }


  @inline address6(index: u32): usize {
    return changetype<usize>(this) + ADDRESSES + <usize>index * OWN_SIZE;
  }
}

const ROUTER6: usize = offsetof<NetworkInformation>();
const SERVERS: usize = ROUTER6 + ADDRESS_SIZE;
const ADDRESSES: usize = SERVERS + ADDRESS_SIZE * NAME_SERVERS;
const INFORMATION_SIZE: usize = ADDRESSES + OWN_SIZE * OWN_ADDRESSES;

/** Bytes of storage for initializeNetworkInformation. */
export const NETWORK_INFORMATION_SIZE: usize = INFORMATION_SIZE;
let information: NetworkInformation = changetype<NetworkInformation>(0);

/** Once at boot. `storage`: NETWORK_INFORMATION_SIZE bytes, 8-aligned. */
export function initializeNetworkInformation(storage: usize): void {
  information = changetype<NetworkInformation>(storage);
}

/** Writes up to `length` bytes of the configuration to `buffer`. The bytes written, -EFAULT, -EINVAL for a negative length. */
export function sys_netinfo(buffer: usize, length: i32): i32 {
  if (length < 0) return -EINVAL;
  memory.fill(changetype<usize>(information), 0, INFORMATION_SIZE);
  describeLink();
  describeIpv4();
  describeNameServers();
  if (hasIpv6()) describeIpv6();
  const bytes = min(<usize>length, INFORMATION_SIZE);
  const error = writeUser(buffer, changetype<usize>(information), bytes);
  return error < 0 ? error : <i32>bytes;
}

function describeLink(): void {
  information.state = (hasDevice() ? NETWORK_DEVICE : 0) | (linkIsUp() ? NETWORK_LINK_UP : 0);
  if (!hasDevice()) return;
  const device = networkInterface().device;
  information.hardware0 = device.address0;
  information.hardware4 = device.address4;
}

function describeIpv4(): void {
  const networkInterface_ = networkInterface();
  information.mtu = networkInterface_.mtu;
  information.address = networkInterface_.address;
  information.netmask = networkInterface_.netmask;
  information.gateway = networkInterface_.gateway;
  information.broadcast = networkInterface_.broadcast;
}

function describeNameServers(): void {
  information.nameServer0 = nameServer4(0);
  information.nameServer1 = nameServer4(1);
  for (let i: u32 = 0; i < NAME_SERVERS; i++) {
    const server = nameServer(i);
    if (server === null) break;
    storeAddress(information.nameServer(i), server);
    information.nameServerCount = i + 1;
  }
}

function describeIpv6(): void {
  information.mtu6 = linkMtu6();
  const router = defaultRouter();
  if (router !== null) storeAddress(information.router6, router);
  const time = now();
  let count: u32 = 0;
  for (let i: u32 = 0; i < OWN_ADDRESSES; i++) {
    const own = ownAddress(i);
    if (own.state == ADDRESS_NONE) continue;
    const deprecated = own.state == ADDRESS_VALID && own.preferredUntil <= time;
    const at = information.address6(count++);
    storeAddress(at, own);
    store<u32>(at, own.prefixLength, ADDRESS_SIZE);
    store<u32>(at, deprecated ? ADDRESS_DEPRECATED : own.state, ADDRESS_SIZE + 4);
  }
  information.address6Count = count;
}
