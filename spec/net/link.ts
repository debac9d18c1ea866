/**
 * A simulated link for specs: one device, attached to the stack, and a wire that loses, duplicates, reorders, delays and corrupts
 * frames, all from a seeded generator and the fake clock, so that every run is the same.
 *
 * What stands at the other end is a hook, (frame: usize, length: u32) => void, which sees every frame the stack sends (a copy) and may
 * `inject` frames into the wire. `mirrorHook` is one: it answers ARP for any address and sends every IPv4 packet back with source and
 * destination swapped. So the stack talks to itself as if to a peer: connecting to PEER, port p, reaches a listener on p, whose
 * connection has the four-tuple the other way round. Checksums stay right, because their pseudo header is symmetrical.
 */
import { setUpArena, growMemory } from "../arena";
import * as fake from "../fake";
import { initializeRandom, keySipHash, RANDOM_SIZE, seedRandom } from "../../kernel/random";
import { now } from "../../kernel/time/clock";
import { initializePolls, POLL_STORAGE } from "../../kernel/interrupts/polls";
import { initializeTimers, nextTimer, runTimers } from "../../kernel/time/timers";
import {
  allocateBuffer,
  BUFFER_HEADER,
  CHECKSUM_PARTIAL,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import { deviceReceive, NetworkDevice } from "../../net/device";
import { attachDevice, networkFlush, setAddress } from "../../net/interface";
import { initializeNetwork } from "../../net/stack";
import { ARP_REPLY, ARP_REQUEST, ArpPacket } from "../../net/wire/arp";
import { ETHERNET_HEADER, EthernetHeader, ETHERTYPE_ARP, ETHERTYPE_IPV4 } from "../../net/wire/ethernet";
import { Ipv4Header } from "../../net/wire/ipv4";

/** The stack's address 10.0.0.1/24, its gateway, and a peer on the link. */
export const OWN: u32 = 0x0a00_0001;
export const GATEWAY: u32 = 0x0a00_00fe;
export const PEER: u32 = 0x0a00_0002;
export const NETMASK: u32 = 0xffff_ff00;
/** Link addresses 02:00:00:00:00:01 and 02:00:00:00:00:02. */
export const OWN0: u32 = 0x0000_0002;
export const OWN4: u16 = 0x0100;
export const PEER0: u32 = 0x0000_0002;
export const PEER4: u16 = 0x0200;

/** Bytes that a driver has in front of a frame it received (virtio-net's header). */
const DRIVER_HEADROOM: u32 = 12;

class Flight {
  constructor(
    public time: u64,
    public bytes: StaticArray<u8>,
  ) {}
}

class Held {
  constructor(
    public frame: PacketBuffer,
    public data: usize,
    public length: u32,
    public hash: u32,
  ) {}
}

let device: NetworkDevice = changetype<NetworkDevice>(0);
let hook: u32 = 0;
let flights: Flight[] = [];
let held: Held[] = [];
let holding: bool = false;
let state: u64 = 1;
let loss: u32 = 0;
let duplication: u32 = 0;
let reordering: u32 = 0;
let corruption: u32 = 0;
let delay: u64 = 0;
let jitter: u64 = 0;

/** Frames: sent by the stack, handed to it, lost, duplicated, corrupted; doorbells; frames that changed while the device had them. */
export let sent: u32 = 0;
export let received: u32 = 0;
export let lost: u32 = 0;
export let duplicated: u32 = 0;
export let corrupted: u32 = 0;
export let doorbells: u32 = 0;
export let overwritten: u32 = 0;
/** The next transmissions fail with -ENOBUFS: that many. */
export let refuse: u32 = 0;

export function setRefuse(count: u32): void {
  refuse = count;
}

/** A pseudo-random number of the link's own (xorshift64*). */
export function random(): u32 {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return <u32>((state * 0x2545_f491_4f6c_dd1d) >> 32);
}

/** A new machine: clock, timers, random numbers, stack with `buffers` packet buffers, and this link. The address is set. */
export function bootStack(buffers: u32, seed: u64): void {
  setUpArena(12288);
  fake.reset();
  fake.setTsc(1_000_000);
  initializeRandom(growMemory(RANDOM_SIZE, 8));
  seedRandom(seed);
  keySipHash();
  initializeTimers(growMemory(4096, 4096));
  initializePolls(growMemory(POLL_STORAGE, 8));
  assert(initializeNetwork(buffers, 64, 64, 200), "no memory for the network");
  device = changetype<NetworkDevice>(growMemory(offsetof<NetworkDevice>(), 8));
  device.address0 = OWN0;
  device.address4 = OWN4;
  device.mtu = 1500;
  device.linkUp = 1;
  device.transmit = transmit.index;
  device.flush = flush.index;
  hook = 0;
  flights = [];
  held = [];
  holding = false;
  state = seed | 1;
  setImpairments(0, 0, 0, 0, 0, 0);
  attachDevice(device);
  assert(setAddress(OWN, NETMASK, GATEWAY), "address refused");
  sent = received = lost = duplicated = corrupted = doorbells = overwritten = refuse = 0;
}

export function linkDevice(): NetworkDevice {
  return device;
}

/** Who is at the other end: (frame: usize, length: u32) => void; 0: nobody. */
export function setHook(index: u32): void {
  hook = index;
}

/** Probabilities in 1/1000, times in ns. A reordered frame is delayed by up to four times the delay (at least 1 ms) more. */
export function setImpairments(
  lossRate: u32,
  duplicationRate: u32,
  reorderingRate: u32,
  corruptionRate: u32,
  delayTime: u64,
  jitterTime: u64,
): void {
  loss = lossRate;
  duplication = duplicationRate;
  reordering = reorderingRate;
  corruption = corruptionRate;
  delay = delayTime;
  jitter = jitterTime;
}

/** The device keeps a reference to each frame until the clock moves, as one that reads by DMA does, and checks that nobody wrote to it. */
export function setHolding(on: bool): void {
  holding = on;
}

function hash(address: usize, length: u32): u32 {
  let result: u32 = 0x811c_9dc5;
  for (let i: u32 = 0; i < length; i++) result = (result ^ load<u8>(address + i)) * 0x0100_0193;
  return result;
}

function transmit(device: NetworkDevice, frame: PacketBuffer): i32 {
  if (refuse != 0) {
    refuse--;
    return -105;
  }
  assert(
    frame.data >= changetype<usize>(frame) + BUFFER_HEADER + DRIVER_HEADROOM,
    "no room for the driver's header",
  );
  sent++;
  device.sentFrames++;
  if ((frame.flags & CHECKSUM_PARTIAL) != 0) {
    const field = frame.checksumStart + frame.checksumOffset;
    assert(
      frame.checksumStart >= frame.data + 34 && field + 2 <= frame.data + frame.length,
      "checksum where?",
    );
  }
  if (holding) {
    frame.references++;
    held.push(new Held(frame, frame.data, frame.length, hash(frame.data, frame.length)));
  }
  if (hook != 0) {
    const copy = new StaticArray<u8>(frame.length);
    memory.copy(changetype<usize>(copy), frame.data, frame.length);
    call_indirect<void>(hook, changetype<usize>(copy), frame.length);
  }
  return 0;
}

function flush(device: NetworkDevice): void {
  doorbells++;
}

function releaseHeld(): void {
  const list = held;
  held = [];
  for (let i = 0; i < list.length; i++) {
    const one = list[i];
    if (hash(one.data, one.length) != one.hash) overwritten++;
    releaseBuffer(one.frame);
  }
}

function chance(rate: u32): bool {
  return rate != 0 && random() % 1000 < rate;
}

/** Puts a frame on the wire towards the stack. It arrives when the clock moves (`run`). */
export function inject(frame: usize, length: u32): void {
  if (chance(loss)) {
    lost++;
    return;
  }
  let copies = 1;
  if (chance(duplication)) {
    copies = 2;
    duplicated++;
  }
  while (copies-- != 0) {
    const bytes = new StaticArray<u8>(length);
    memory.copy(changetype<usize>(bytes), frame, length);
    if (chance(corruption)) {
      corrupted++;
      bytes[random() % length] ^= <u8>((<u32>1) << (random() & 7));
    }
    let time = now() + delay;
    if (jitter != 0) time += <u64>random() % jitter;
    if (chance(reordering)) time += <u64>random() % (delay * 4 > 1_000_000 ? delay * 4 : 1_000_000);
    // In order of time; later ones of the same time behind.
    let i = flights.length;
    flights.push(new Flight(time, bytes));
    const flight = flights[i];
    while (i > 0 && flights[i - 1].time > time) {
      flights[i] = flights[i - 1];
      i--;
    }
    flights[i] = flight;
  }
}

/** Hands a frame to the stack at once, in a fresh buffer with `flags` (CHECKSUM_VALID). False: no buffer, or it does not fit. */
export function receiveNow(frame: usize, length: u32, flags: u32): bool {
  const buffer = allocateBuffer(DRIVER_HEADROOM);
  if (buffer === null) return false;
  if (length > buffer.tailroom) {
    releaseBuffer(buffer);
    return false;
  }
  memory.copy(buffer.data, frame, length);
  buffer.length = length;
  buffer.flags = flags;
  received++;
  deviceReceive(device, buffer);
  return true;
}

/** Lets `time` ns pass: frames arrive and timers expire, each at its time. */
export function run(time: u64): void {
  const end = now() + time;
  for (;;) {
    networkFlush();
    releaseHeld();
    let next = nextTimer();
    if (flights.length != 0 && flights[0].time < next) next = flights[0].time;
    if (next > end) break;
    const present = now();
    if (next > present) fake.advance(next - present);
    while (flights.length != 0 && flights[0].time <= now()) {
      const flight = flights.shift();
      receiveNow(changetype<usize>(flight.bytes), flight.bytes.length, 0);
    }
    runTimers(now());
  }
  const present = now();
  if (end > present) fake.advance(end - present);
}

/** Frames under way. */
export function inFlight(): i32 {
  return flights.length;
}

/** See the head of this file. */
export function mirrorHook(frame: usize, length: u32): void {
  const header = changetype<EthernetHeader>(frame);
  const type = header.type;
  header.setSource(PEER0, PEER4);
  header.setDestination(OWN0, OWN4);
  if (type == ETHERTYPE_ARP) {
    const packet = changetype<ArpPacket>(frame + ETHERNET_HEADER);
    const sender = packet.senderAddress;
    const target = packet.targetAddress;
    if (packet.operation != ARP_REQUEST || sender == target) return;
    packet.operation = ARP_REPLY;
    packet.setTarget(OWN0, OWN4);
    packet.setSender(PEER0, PEER4);
    packet.senderAddress = target;
    packet.targetAddress = sender;
    inject(frame, length);
  } else if (type == ETHERTYPE_IPV4) {
    const network = changetype<Ipv4Header>(frame + ETHERNET_HEADER);
    const source = network.source;
    network.source = network.destination;
    network.destination = source;
    inject(frame, length);
  }
}
