/**
 * The virtio network device (virtio 1.2, 5.1): features, configuration, interrupts. The packets are net-queues.ts's.
 *
 * An interrupt of the receive queue runs one round of bounded length; what that leaves over, virtioNetPoll() takes in.
 */
import { leavePoll, POLL_RECEIVE, pollsFrom } from "../../kernel/interrupts/polls";
import { random32 } from "../../kernel/random";
import { Timer, timerPrepare } from "../../kernel/time/timers";
import {
  LOG_INFO,
  LOG_NOTICE,
  logEnd,
  logHex,
  logMac,
  logStart,
  logText,
  logUnsigned,
} from "../../kernel/console";
import { PacketBuffer, releaseBuffer } from "../../net/buffer";
import { DEVICE_CHECKSUM_TX, NetworkDevice } from "../../net/device";
import { receiveLevel } from "../../net/levels";
import { pciLogAddress } from "../pci";
import { addReceiveBuffers, flush, receiveFrames, reclaim, startTimer, transmit } from "./net-queues";
import {
  ETHERNET_HEADER,
  HEADER,
  HEADER_F_DATA_VALID,
  HEADER_F_NEEDS_CSUM,
  RECEIVE_ROOM,
  VirtioNet,
} from "./net-state";
import { dropPart, GSO_TCPV4, GSO_TCPV6, SEGMENTED_LIMIT } from "./segments";
import { allocateZeroed, findVirtio, VIRTIO_F_EVENT_IDX, VirtioDevice } from "./transport";
import { Virtqueue } from "./virtqueue";

const TYPE: u32 = 1;
const TRANSITIONAL_ID: u32 = 0x1000;
const RECEIVE_QUEUE: u32 = 0;
const TRANSMIT_QUEUE: u32 = 1;

// Features (5.1.3).
const VIRTIO_NET_F_CSUM: u64 = 1 << 0;
const VIRTIO_NET_F_GUEST_CSUM: u64 = 1 << 1;
const VIRTIO_NET_F_MTU: u64 = 1 << 3;
const VIRTIO_NET_F_MAC: u64 = 1 << 5;
const VIRTIO_NET_F_GUEST_TSO4: u64 = 1 << 7;
const VIRTIO_NET_F_GUEST_TSO6: u64 = 1 << 8;
const VIRTIO_NET_F_HOST_TSO4: u64 = 1 << 11;
const VIRTIO_NET_F_HOST_TSO6: u64 = 1 << 12;
const VIRTIO_NET_F_MRG_RXBUF: u64 = 1 << 15;
const VIRTIO_NET_F_STATUS: u64 = 1 << 16;
/** What a device must offer to put segments together for us. */
const MERGES: u64 = VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MRG_RXBUF;

// Device configuration (5.1.4).
const CONFIG_MAC: u32 = 0;
const CONFIG_STATUS: u32 = 6;
const CONFIG_MTU: u32 = 10;
const STATUS_LINK_UP: u32 = 1;
/** How often fields are read anew when the device changes them meanwhile. */
const CONFIG_TRIES: u32 = 8;

/** Largest packet sent, and least that IPv4 allows a link to have (RFC 791). */
const MTU: u32 = 1500;
const MTU_MINIMUM: u32 = 68;
/** The part of the transmit queue, 1/2^n, from which on sent frames are taken back with a round. */
const TAKE_BACK_SHIFT: u32 = 4;
const FACILITY: string = "virtio-net";

/** The device that was found; 0 until then. The kernel drives one. */
let net: VirtioNet = changetype<VirtioNet>(0);

/**
 * Finds the first virtio network device and starts it, after pciScan() and initializeBuffers(). Null, with the reason in the log unless
 * there simply is no such device. `receive` and `linkChanged` of the result are the caller's to set.
 */
export function virtioNetProbe(): NetworkDevice | null {
  let found = findVirtio(TYPE, TRANSITIONAL_ID);
  while (found !== null) {
    const storage = allocateZeroed(storageSize());
    if (storage == 0) return null;
    const candidate = lay(storage);
    if (candidate.virtio.open(found, FACILITY) && initialize(candidate)) {
      net = candidate;
      return candidate.device;
    }
    found = findVirtio(TYPE, TRANSITIONAL_ID);
  }
  return null;
}

/** Takes in what the last interrupt left over; true when there is still more. Cheap when there is nothing: to be called often. */
export function virtioNetPoll(): bool {
  if (changetype<usize>(net) == 0 || net.more == 0) return false;
  work(net);
  return net.more != 0;
}

/** Times that there was no buffer for the receive queue. */
export function virtioNetStarved(): u32 {
  return changetype<usize>(net) == 0 ? 0 : net.starved;
}

// ---- Set-up ----

function storageSize(): u32 {
  return (
    <u32>offsetof<VirtioNet>() +
    <u32>offsetof<NetworkDevice>() +
    VirtioDevice.storageSize +
    2 * <u32>offsetof<Virtqueue>() +
    32
  );
}

/** The structs of the driver, one after the other. */
function lay(storage: usize): VirtioNet {
  const it = changetype<VirtioNet>(storage);
  let at = align8(storage + offsetof<VirtioNet>());
  it.device = changetype<NetworkDevice>(at);
  at = align8(at + offsetof<NetworkDevice>());
  it.virtio = changetype<VirtioDevice>(at);
  at = align8(at + VirtioDevice.storageSize);
  it.receiveQueue = changetype<Virtqueue>(at);
  it.transmitQueue = changetype<Virtqueue>(at + offsetof<Virtqueue>());
  it.device.driver = storage;
  return it;
}

// @ts-ignore: decorator
@inline
function align8(address: usize): usize {
  return (address + 7) & ~7;
}

function initialize(it: VirtioNet): bool {
  const virtio = it.virtio;
  const argument = changetype<usize>(it);
  let wanted =
    VIRTIO_NET_F_CSUM |
    VIRTIO_NET_F_GUEST_CSUM |
    VIRTIO_NET_F_MAC |
    VIRTIO_NET_F_MRG_RXBUF |
    VIRTIO_NET_F_STATUS |
    VIRTIO_F_EVENT_IDX;
  // 5.1.4.2: who accepts an MTU must be able to receive packets of that size. Fields may be read before the features are settled.
  const offered = virtio.offered();
  const mtu = offered & VIRTIO_NET_F_MTU ? virtio.config16(CONFIG_MTU) : MTU;
  if (mtu >= MTU_MINIMUM && mtu + ETHERNET_HEADER + HEADER <= RECEIVE_ROOM) wanted |= VIRTIO_NET_F_MTU;
  // 5.1.3.1: segmentation goes with checksums; and a packet of 64 KiB is received into buffers of ours only when it may be spread.
  if (offered & VIRTIO_NET_F_CSUM) wanted |= VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6;
  if ((offered & MERGES) == MERGES) wanted |= VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6;
  if (!virtio.negotiate(wanted, FACILITY)) return false;
  it.checksumFlags = virtio.has(VIRTIO_NET_F_GUEST_CSUM) ? HEADER_F_DATA_VALID | HEADER_F_NEEDS_CSUM : 0;
  it.mergeable = virtio.has(VIRTIO_NET_F_MRG_RXBUF) ? 1 : 0;

  const device = it.device;
  device.mtu = <u16>(virtio.has(VIRTIO_NET_F_MTU) && mtu < MTU ? mtu : MTU);
  device.features = virtio.has(VIRTIO_NET_F_CSUM) ? DEVICE_CHECKSUM_TX : 0;
  it.mergedKinds =
    ((<u32>virtio.has(VIRTIO_NET_F_GUEST_TSO4)) << GSO_TCPV4) |
    ((<u32>virtio.has(VIRTIO_NET_F_GUEST_TSO6)) << GSO_TCPV6);
  device.segmented4 = virtio.has(VIRTIO_NET_F_HOST_TSO4) ? SEGMENTED_LIMIT : 0;
  device.segmented6 = virtio.has(VIRTIO_NET_F_HOST_TSO6) ? SEGMENTED_LIMIT : 0;
  device.transmit = transmit.index;
  device.flush = flush.index;
  device.receive = dropFrame.index;
  device.linkChanged = ignoreLink.index;
  readAddress(it);
  device.linkUp = readLink(it);

  if (!virtio.enableInterrupts(onConfiguration.index, argument, FACILITY)) return false;
  if (!virtio.setUpQueue(it.receiveQueue, RECEIVE_QUEUE, onReceive.index, argument, FACILITY)) return false;
  if (!virtio.setUpQueue(it.transmitQueue, TRANSMIT_QUEUE, 0, 0, FACILITY)) return false;
  timerPrepare(it, onTimer.index);
  const batch = it.receiveQueue.size >> 4;
  it.batch = batch != 0 ? batch : 1;
  // Some packets at once, however many pieces they have.
  device.pieces = it.transmitQueue.size >> 2;
  it.transmitQueue.disableInterrupts();
  it.receiveQueue.enableInterrupts();
  addReceiveBuffers(it);
  // No notification before the device is live (3.1.1).
  virtio.start();
  it.receiveQueue.publish();
  if (it.receiveQueue.free != 0) startTimer(it);
  report(it);
  return true;
}

/** The device's address, or without one of its own a random locally administered one (5.1.5). */
function readAddress(it: VirtioNet): void {
  const virtio = it.virtio;
  const device = it.device;
  if (!virtio.has(VIRTIO_NET_F_MAC)) {
    device.address0 = (random32() & ~0xff) | 0x02;
    device.address4 = <u16>random32();
    return;
  }
  for (let tries: u32 = 0; tries < CONFIG_TRIES; tries++) {
    const generation = virtio.generation();
    let address: u64 = 0;
    for (let i: u32 = 0; i < 6; i++) address |= (<u64>virtio.config8(CONFIG_MAC + i)) << (i * 8);
    device.address0 = <u32>address;
    device.address4 = <u16>(address >> 32);
    if (virtio.generation() == generation) return;
  }
}

/** 1 when the link is up; always without VIRTIO_NET_F_STATUS. */
function readLink(it: VirtioNet): u32 {
  return it.virtio.has(VIRTIO_NET_F_STATUS) ? it.virtio.config16(CONFIG_STATUS) & STATUS_LINK_UP : 1;
}

function report(it: VirtioNet): void {
  if (!logStart(LOG_INFO, FACILITY)) return;
  const device = it.device;
  logText("device ");
  pciLogAddress(it.virtio.pci);
  logText(" address ");
  logMac(device.address0, device.address4);
  logText(" mtu ");
  logUnsigned(device.mtu);
  logText(" queues ");
  logUnsigned(it.receiveQueue.size);
  logText("/");
  logUnsigned(it.transmitQueue.size);
  logText(" features ");
  logHex(it.virtio.features);
  logText(device.linkUp ? " link up" : " link down");
  logEnd();
}

function dropFrame(device: NetworkDevice, frame: PacketBuffer): void {
  device.receiveDropped++;
  releaseBuffer(frame);
}

function ignoreLink(device: NetworkDevice): void {}

// ---- Interrupts ----

function onReceive(argument: usize): void {
  workOrLeave(changetype<VirtioNet>(argument));
}

/**
 * One round now where the processor idles; else in its turn: after what is more urgent, and in a section with interrupts off of its own.
 */
function workOrLeave(it: VirtioNet): void {
  if (receiveLevel <= pollsFrom && !it.stopped) {
    it.receiveQueue.disableInterrupts();
    it.more = 1;
    leavePoll(POLL_RECEIVE, receiveLevel);
  } else work(it);
}

/** The configuration has changed: the link, or the device asks for a reset. */
function onConfiguration(argument: usize): void {
  const it = changetype<VirtioNet>(argument);
  if (it.stopped) return;
  if (it.virtio.needsReset()) {
    stop(it, "it reports an error of its own (DEVICE_NEEDS_RESET)");
    return;
  }
  const up = readLink(it);
  if (up == it.device.linkUp) return;
  it.device.linkUp = up;
  if (logStart(LOG_NOTICE, FACILITY)) {
    logText(up ? "link up" : "link down");
    logEnd();
  }
  call_indirect<void>(it.device.linkChanged, it.device);
}

function onTimer(timer: Timer): void {
  const it = changetype<VirtioNet>(timer);
  if (!it.stopped) reclaim(it);
  workOrLeave(it);
  if (!it.stopped && (it.transmitQueue.inFlight != 0 || it.receiveQueue.free >= it.batch)) startTimer(it);
}

/** One round. Sent frames are taken back some at a time: to find one or two with each interrupt costs it 80 instructions. */
function work(it: VirtioNet): void {
  if (it.stopped) return;
  if (it.transmitQueue.inFlight >= it.transmitQueue.size >> TAKE_BACK_SHIFT) reclaim(it);
  receiveFrames(it);
  if (it.more != 0) leavePoll(POLL_RECEIVE, receiveLevel);
  if (it.receiveQueue.broken != 0 || it.transmitQueue.broken != 0)
    stop(it, "it broke the rules of its queues");
}

/** Resets the device and takes back all it had. */
function stop(it: VirtioNet, reason: string): void {
  it.stopped = 1;
  it.more = 0;
  it.receiveQueue.broken = 1;
  it.transmitQueue.broken = 1;
  // A device that does not even finish its reset may still write to them: then they stay lost.
  if (it.virtio.stop(FACILITY, reason)) {
    releaseAll(it.receiveQueue);
    releaseAll(it.transmitQueue);
  }
  dropPart(it);
  it.missing = 0;
  if (it.device.linkUp == 0) return;
  it.device.linkUp = 0;
  call_indirect<void>(it.device.linkChanged, it.device);
}

function releaseAll(queue: Virtqueue): void {
  let token = queue.reclaim();
  while (token != 0) {
    releaseBuffer(changetype<PacketBuffer>(token));
    token = queue.reclaim();
  }
}
