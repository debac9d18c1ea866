/**
 * The one network interface: a device, an address, and where packets go that are for others.
 *
 * 127.0.0.0/8 and the interface's own address are always local (net/loopback.ts), whether or not a device is there.
 */
import {
  POLL_OUTPUT,
  POLL_RECEIVE,
  POLL_SEND,
  pollLevels,
  pollsLeft,
  takePoll,
} from "../kernel/interrupts/polls";
import { noteWork } from "../kernel/scheduler/wake";
import { WaitQueue } from "../kernel/scheduler/wait";
import { deviceFlush, NetworkDevice } from "./device";
import { VLAN_LAST } from "./wire/ethernet";


@unmanaged
export class NetworkInterface {
  /** 0 while no device is attached. */
  device: NetworkDevice;
  /** Own address, and 0 while there is none. */
  address: u32;
  netmask: u32;
  /** 0: none. */
  gateway: u32;
  /** Directed broadcast address of the net; 0 where there is none (a /31, a /32, no address). */
  broadcast: u32;
  /** Largest IPv4 packet, in bytes. */
  mtu: u32;
  /** VLAN of all frames; 0: they have no tag. */
  vlan: u32;
  /** 1: packets of TCP may be of several segments, which the device cuts, or net/cut.ts; 0: each segment goes by itself (the specs compare the two). */
  cuts: u32;
  /** 1: something was handed to the device since the last doorbell. */
  dirty: u32;
  private linkNext: usize;
  private linkPrev: usize;

  /** Who listens to the link: WAKE_SYSTEM when it has come up (detail 1) or gone down (0). */
  @inline get linkWaiters(): WaitQueue {
    return changetype<WaitQueue>(changetype<usize>(this) + offsetof<NetworkInterface>("linkNext"));
  }
}

/** 127.0.0.0, and the mask of that net. */
export const LOOPBACK_NET: u32 = 0x7f00_0000;
export const LOOPBACK_MASK: u32 = 0xff00_0000;
/** 255.255.255.255. */
export const LIMITED_BROADCAST: u32 = 0xffff_ffff;
/** Smallest MTU that an IPv4 host must handle (RFC 791), and what Ethernet has. */
export const MTU_MINIMUM: u32 = 576;
export const MTU_ETHERNET: u32 = 1500;

let networkInterface_: NetworkInterface = changetype<NetworkInterface>(0);
/** (device, frame) => void: input of the link layer. */
let receiveIndex: u32 = 0;
/** (device) => void */
let linkChangedIndex: u32 = 0;
/** () => void: the address has changed. */
let addressChangedIndex: u32 = 0;
/** () => void: hands queued loopback packets in. */
let drainIndex: u32 = 0;

/** Once at boot. `storage`: offsetof<NetworkInterface>() bytes. The others are function indices, 0 for none. */
export function initializeInterface(
  storage: usize,
  receive: u32,
  linkChanged: u32,
  addressChanged: u32,
  drain: u32,
): void {
  memory.fill(storage, 0, offsetof<NetworkInterface>());
  networkInterface_ = changetype<NetworkInterface>(storage);
  networkInterface_.mtu = MTU_ETHERNET;
  networkInterface_.linkWaiters.initialize();
  receiveIndex = receive;
  linkChangedIndex = linkChanged;
  addressChangedIndex = addressChanged;
  drainIndex = drain;
}

// @ts-ignore: decorator
@inline
export function networkInterface(): NetworkInterface {
  return networkInterface_;
}

// @ts-ignore: decorator
@inline
export function hasDevice(): bool {
  return changetype<usize>(networkInterface_.device) != 0;
}

// @ts-ignore: decorator
@inline
export function cutsSegments(): bool {
  return networkInterface_.cuts != 0;
}

/** The device is there and its link is up. */
// @ts-ignore: decorator
@inline
export function linkIsUp(): bool {
  return hasDevice() && networkInterface_.device.linkUp != 0;
}

/** Makes `device`, which is filled in, the interface's. Its frames come in from here on. */
export function attachDevice(device: NetworkDevice): void {
  const mtu = <u32>device.mtu;
  networkInterface_.device = device;
  networkInterface_.mtu = mtu < MTU_MINIMUM || mtu > MTU_ETHERNET ? MTU_ETHERNET : mtu;
  networkInterface_.cuts = 1;
  device.receive = receiveIndex;
  device.linkChanged = linkChangedIndex;
}

/** From now on all frames are of this VLAN, 1 .. 4094, and others are not taken; 0: frames have no tag. False: no such VLAN. */
export function setVlan(vlan: i32): bool {
  if (vlan < 0 || <u32>vlan > VLAN_LAST) return false;
  networkInterface_.vlan = vlan;
  return true;
}

/**
 * Sets the address, which takes effect at once; 0 takes it away. True when the three make sense together: a unicast address, a mask of
 * leading ones, and a gateway (or 0) other than ourselves on the same net. Else nothing is changed.
 */
export function setAddress(address: u32, netmask: u32, gateway: u32): bool {
  let broadcast: u32 = 0;
  if (address == 0) {
    netmask = 0;
    gateway = 0;
  } else {
    if (!isUnicast(address) || (address & LOOPBACK_MASK) == LOOPBACK_NET) return false;
    const hostBits = ~netmask;
    if (netmask == 0 || (hostBits & (hostBits + 1)) != 0) return false;
    if (hostBits > 1) {
      broadcast = address | hostBits;
      // The net itself and its broadcast are no host's addresses.
      if (address == broadcast || (address & hostBits) == 0) return false;
    }
    if (gateway != 0) {
      if (gateway == address || ((gateway ^ address) & netmask) != 0) return false;
      if (hostBits > 1 && (gateway == broadcast || (gateway & hostBits) == 0)) return false;
    }
  }
  networkInterface_.address = address;
  networkInterface_.netmask = netmask;
  networkInterface_.gateway = gateway;
  networkInterface_.broadcast = broadcast;
  if (addressChangedIndex != 0) call_indirect<void>(addressChangedIndex);
  return true;
}

/**
 * To be called at the end of every interrupt and of every system call that may have sent: hands loopback packets in and rings
 * the device's doorbell once for all that was queued.
 */
export function networkFlush(): void {
  // Each of these leaves a poll: without any there is nothing to do.
  if (pollLevels == 0) return;
  if (pollsLeft(POLL_RECEIVE) != 0 && drainIndex != 0) call_indirect<void>(drainIndex);
  const sends = pollsLeft(POLL_SEND);
  if (sends != 0) noteWork(63 - <u32>clz(sends));
  networkDoorbell();
  takePoll(POLL_OUTPUT);
}

/** The doorbell alone: what it does is short, and for nobody in particular. */
export function networkDoorbell(): void {
  if (networkInterface_.dirty == 0) return;
  networkInterface_.dirty = 0;
  deviceFlush(networkInterface_.device);
}

/** Neither 0.0.0.0/8, multicast, reserved nor broadcast (RFC 1122, 3.2.1.3): an address that one host can have. */
// @ts-ignore: decorator
@inline
export function isUnicast(address: u32): bool {
  return address >= 0x0100_0000 && address < 0xe000_0000;
}

// @ts-ignore: decorator
@inline
export function isMulticast(address: u32): bool {
  return address >> 28 == 0xe;
}

// @ts-ignore: decorator
@inline
export function isLoopback(address: u32): bool {
  return (address & LOOPBACK_MASK) == LOOPBACK_NET;
}

/** One of our own: the interface's or 127.0.0.0/8. */
// @ts-ignore: decorator
@inline
export function isLocalAddress(address: u32): bool {
  return (address == networkInterface_.address && address != 0) || isLoopback(address);
}

/** 255.255.255.255 or the broadcast of our net. */
// @ts-ignore: decorator
@inline
export function isBroadcast(address: u32): bool {
  return address == LIMITED_BROADCAST || (address == networkInterface_.broadcast && address != 0);
}

/** On our own net: reached without a gateway. */
// @ts-ignore: decorator
@inline
export function isOnLink(address: u32): bool {
  return (
    ((address ^ networkInterface_.address) & networkInterface_.netmask) == 0 && networkInterface_.address != 0
  );
}
