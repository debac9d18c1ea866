/** The device of the world (world.ts), on its way in: it puts together what comes at the same time, if it is to, and hands it to the stack, at once or from a queue; and the turns of what that has left to be done. */
import { leavePoll, POLL_RECEIVE, pollLevel, runPolls } from "../../../kernel/interrupts/polls";
import { allocateBuffer, PacketBuffer } from "../../../net/buffer";
import { checksumAdd, internetChecksum } from "../../../net/checksum";
import { DEVICE_CHECKSUM_TX, NetworkDevice } from "../../../net/device";
import { attachDevice, networkFlush, networkInterface } from "../../../net/interface";
import { receiveLevel } from "../../../net/levels";
import { loopbackPoll } from "../../../net/loopback";
import { growMemory } from "../../arena";
import { chance } from "../../chance";
import { accidents } from "./accidents";
import { fits, merge } from "./segments";

export let device: NetworkDevice = changetype<NetworkDevice>(0);

/** Once; `send` and `flush`: the device's operations for what leaves (path.ts). */
export function setUpDevice(send: u32, flush: u32): void {
  device = changetype<NetworkDevice>(growMemory(offsetof<NetworkDevice>(), 8));
  device.address0 = 0x33221100;
  device.address4 = 0x6644;
  device.mtu = 1500;
  device.linkUp = 1;
  device.transmit = send;
  device.flush = flush;
  attachDevice(device);
}

// ---- What arrives ----

/** The device puts together what comes at the same time. */
export let together: bool = false;
/** `collect`: what has come, and is not handed in yet. */
let collecting: bool = false;
let collected: Uint8Array[] = [];

/** The device cuts packets into segments, and puts segments together; or it does not. */
export function offer(cutting: bool, merging: bool): void {
  device.features = cutting ? DEVICE_CHECKSUM_TX : 0;
  device.segmented4 = cutting ? 65535 : 0;
  device.pieces = 64;
  attachDevice(device);
  together = merging;
}

/** From now on, until `offer`, no segments go down together. */
export function sendSingly(): void {
  networkInterface().cuts = 0;
}

/** What arrives from now on is kept until `arriveTogether`. */
export function collect(): void {
  collecting = true;
}

/**
 * Hands in what was collected, of which each packet goes on where the one before ends: as one, over buffers of `room` bytes. `at`: of its IPv4 header that octet becomes `value`; 0: it
 * stays as it is.
 */
export function arriveTogether(room: u32, at: u32 = 0, value: u8 = 0): void {
  collecting = false;
  const list = collected;
  collected = [];
  for (let i = 1; i < list.length; i++)
    assert(fits(list.slice(0, i), list[i]), "they do not belong together");
  const frame = merge(list, room);
  if (frame !== null && at != 0) {
    const ip = frame.data + 14;
    store<u8>(ip + at, value);
    store<u16>(ip, 0, 10);
    store<u16>(ip, internetChecksum(checksumAdd(ip, 20, 0)), 10);
  }
  handIn(frame);
}

/** Hands an IPv4 packet to the stack, as if it came from the device. */
export function arrive(bytes: Uint8Array): void {
  if (collecting) {
    collected.push(bytes);
    return;
  }
  const frame = allocateBuffer(12);
  if (frame === null) return;
  frame.length = bytes.length + 14;
  memory.copy(frame.data + 14, bytes.dataStart, bytes.length);
  handIn(frame);
}

/** A frame with an IPv4 packet, whose link header is written here. */
export function handIn(frame: PacketBuffer | null): void {
  if (frame === null) return;
  store<u32>(frame.data, device.address0);
  store<u16>(frame.data, device.address4, 4);
  store<u32>(frame.data, 0x33221102, 6);
  store<u16>(frame.data, 0x5544, 10);
  store<u16>(frame.data, 0x0008, 12);
  if (waiting) {
    ring.push(changetype<usize>(frame));
    return;
  }
  call_indirect<void>(device.receive, device, frame);
  networkFlush();
  takeTurns();
}

// ---- Frames that wait ----

/** Frames stay in `ring` until they are looked at, ROUND at a time. */
let waiting: bool = false;
let ring: usize[] = [];
const ROUND: i32 = 8;

/** What arrives from now on waits in the device's queue, until `lookAtFrames`. */
export function letFramesWait(): void {
  waiting = true;
}

export function lookAtFrames(): void {
  beginToLook();
  takeTurns();
}

/** One of them, and nothing else. */
export function lookAtOneFrame(): void {
  call_indirect<void>(device.receive, device, changetype<PacketBuffer>(ring.shift()));
}

/** The first turn of those that do is the caller's to run. */
export function beginToLook(): void {
  waiting = false;
  leavePoll(POLL_RECEIVE, receiveLevel);
}

// ---- Whose turn it is ----

/** The poll of what was received. */
export function comeIn(level: u32): bool {
  loopbackPoll();
  for (let i = 0; i < ROUND && ring.length != 0; i++)
    call_indirect<void>(device.receive, device, changetype<PacketBuffer>(ring.shift()));
  return ring.length != 0;
}

/** The poll of what is to be sent. */
export function goOut(level: u32): bool {
  networkFlush();
  return false;
}

/** What interrupts and calls have left to be done has its turn, or some of it. */
export function takeTurns(): void {
  while (pollLevel >= 0 && (accidents.lazy == 0 || chance(1000) >= accidents.lazy)) {
    runPolls();
    networkFlush();
  }
}
