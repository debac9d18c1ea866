/**
 * netinfo: the configuration of the network interface for applications (sdk/netinfo.ts has the same struct). New fields are added at the end
 * only. Numbers that count are in sysinfo (aem/sysinfo.ts).
 */
import { EINVAL } from "../kernel/errno";
import { writeUser } from "../kernel/memory/user";
import { hasDevice, linkIsUp, networkInterface } from "./interface";
import { nameServer } from "./name-servers";

/** Bits of `state`. */
const NETWORK_DEVICE: u32 = 1;
const NETWORK_LINK_UP: u32 = 2;


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
}

/** Bytes of storage for initializeNetworkInformation. */
export const NETWORK_INFORMATION_SIZE: usize = offsetof<NetworkInformation>();
let information: NetworkInformation = changetype<NetworkInformation>(0);

/** Once at boot. `storage`: NETWORK_INFORMATION_SIZE bytes. */
export function initializeNetworkInformation(storage: usize): void {
  memory.fill(storage, 0, NETWORK_INFORMATION_SIZE);
  information = changetype<NetworkInformation>(storage);
}

/** Writes up to `length` bytes of the configuration to `buffer`. The bytes written, -EFAULT, -EINVAL for a negative length. */
export function sys_netinfo(buffer: usize, length: i32): i32 {
  if (length < 0) return -EINVAL;
  const bytes = min(<usize>length, NETWORK_INFORMATION_SIZE);
  const networkInterface_ = networkInterface();
  information.state = (hasDevice() ? NETWORK_DEVICE : 0) | (linkIsUp() ? NETWORK_LINK_UP : 0);
  information.mtu = networkInterface_.mtu;
  if (hasDevice()) {
    information.hardware0 = networkInterface_.device.address0;
    information.hardware4 = networkInterface_.device.address4;
  }
  information.address = networkInterface_.address;
  information.netmask = networkInterface_.netmask;
  information.gateway = networkInterface_.gateway;
  information.broadcast = networkInterface_.broadcast;
  information.nameServer0 = nameServer(0);
  information.nameServer1 = nameServer(1);
  const error = writeUser(buffer, changetype<usize>(information), bytes);
  return error < 0 ? error : <i32>bytes;
}
