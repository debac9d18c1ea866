/** For the specs of the virtio drivers: the network device of the model (machine.ts), plugged in and started, and what it receives and sends. */
import * as fake from "../fake";
import { setUpArena, growMemory } from "../arena";
import { Pool } from "../../kernel/memory/pool";
import { initializeApic } from "../../kernel/interrupts/apic";
import { initializePolls, POLL_STORAGE } from "../../kernel/interrupts/polls";
import { handleVector, initializeVectors } from "../../kernel/interrupts/vectors";
import { initializeRandom, RANDOM_SIZE } from "../../kernel/random";
import { initializeTimers } from "../../kernel/time/timers";
import { setConsoleSink } from "../../kernel/console";
import {
  allocateBuffer,
  BUFFER_HEADROOM,
  initializeBuffers,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import { NetworkDevice } from "../../net/device";
import { pciScan } from "../../drivers/pci";
import { initializeSerial, serialPut } from "../../drivers/serial";
import { virtioNetProbe } from "../../drivers/virtio/net";
import {
  F_CSUM,
  F_GUEST_CSUM,
  F_MTU,
  F_MAC,
  F_GUEST_TSO4,
  F_HOST_TSO6,
  F_MRG_RXBUF,
  F_STATUS,
  F_CTRL_VQ,
} from "./features";
import { F_EVENT_IDX, F_VERSION_1, model } from "./machine";

export const ALL: u64 =
  F_VERSION_1 |
  F_EVENT_IDX |
  F_CSUM |
  F_GUEST_CSUM |
  F_MTU |
  F_MAC |
  F_GUEST_TSO4 |
  F_HOST_TSO6 |
  F_MRG_RXBUF |
  F_STATUS |
  F_CTRL_VQ;

export const MODERN_NET: u32 = 0x1041;

export let net: NetworkDevice = changetype<NetworkDevice>(0);
export let received: PacketBuffer[] = [];
let keep: bool = false;
export let linkChanges: u32 = 0;
export let pool: Pool = changetype<Pool>(0);
let wheel: usize = 0;
let randomState: usize = 0;
export let taken: PacketBuffer[] = [];

/** From now on, in a test: received frames stay. */
export function keepFrames(): void {
  keep = true;
}

function onFrame(device: NetworkDevice, frame: PacketBuffer): void {
  received.push(frame);
  if (!keep) releaseBuffer(frame);
}

function onLink(device: NetworkDevice): void {
  linkChanges++;
}

/** Configuration of a network device: 52:54:00:12:34:56, link up, MTU 1500. */
export function configure(): void {
  store<u32>(model.config, 0x12005452);
  store<u16>(model.config, 0x5634, 4);
  store<u16>(model.config, 1, 6);
  store<u16>(model.config, 1500, 10);
}

/** Plugs the model in and starts the driver; false when it refuses. */
export function start(id: u32): bool {
  configure();
  return startConfigured(id);
}

export function startConfigured(id: u32): bool {
  model.forget();
  model.plug(id);
  initializeApic();
  pciScan();
  const device = virtioNetProbe();
  if (device === null) return false;
  net = device;
  net.receive = onFrame.index;
  net.linkChanged = onLink.index;
  return true;
}

/** The device receives a frame whose bytes count up. `word`: flags | gso_type << 8. */
export function deliver(length: u32, word: u32, buffers: u32): void {
  const ring = model.rings[0];
  assert(ring.next(), "no receive buffer");
  store<u64>(ring.address, word);
  store<u32>(ring.address, buffers << 16, 8);
  for (let i: u32 = 0; i < length; i++) store<u8>(ring.address + 12 + i, <u8>i);
  ring.put(ring.id, length + 12);
}

export function interruptReceive(): void {
  if (model.rings[0].complete()) handleVector(model.vectorOf(model.queueVectors[0]));
}

export function newFrame(length: u32): PacketBuffer {
  const frame = allocateBuffer(BUFFER_HEADROOM)!;
  frame.length = length;
  return frame;
}

/** Once, in beforeAll. */
export function setUpVirtio(): void {
  setUpArena(4096);
  pool = changetype<Pool>(growMemory(64, 8));
  wheel = growMemory(4096, 4096);
  randomState = growMemory(RANDOM_SIZE, 16);
  initializeRandom(randomState);
  initializeVectors();
}

/** Before each test: a device that offers everything, and whose driver has not been started. */
export function plugIn(): void {
  fake.reset();
  initializeTimers(wheel);
  initializePolls(growMemory(POLL_STORAGE, 8));
  initializeBuffers(pool, 60);
  model.setUp();
  model.features = ALL;
  received = [];
  taken = [];
  keep = false;
  linkChanges = 0;
  fake.setPort(0x3ff, 0xae);
  initializeSerial();
  setConsoleSink(serialPut.index);
}
