/** Packets of several segments at the virtio network device: what the driver tells the device of, and what it takes from it. */
import * as fake from "../fake";
import { growMemory, setUpArena } from "../arena";
import { seedChance, chance } from "../chance";
import { Pool } from "../../kernel/memory/pool";
import { initializeApic } from "../../kernel/interrupts/apic";
import { initializePolls, POLL_STORAGE } from "../../kernel/interrupts/polls";
import { handleVector, initializeVectors } from "../../kernel/interrupts/vectors";
import { initializeRandom, RANDOM_SIZE } from "../../kernel/random";
import { initializeTimers } from "../../kernel/time/timers";
import { setConsoleSink } from "../../kernel/console";
import { EINVAL, ENETDOWN, ENOBUFS } from "../../kernel/errno";
import {
  allocateBuffer,
  BUFFER_HEADROOM,
  CHECKSUM_PARTIAL,
  CHECKSUM_VALID,
  initializeBuffers,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import { deviceFlush, deviceTransmit, NetworkDevice, SEGMENTS_TCP4, SEGMENTS_TCP6 } from "../../net/device";
import { pciScan } from "../../drivers/pci";
import { initializeSerial, serialPut } from "../../drivers/serial";
import { virtioNetPoll, virtioNetProbe } from "../../drivers/virtio/net";
import {
  F_CSUM,
  F_GUEST_CSUM,
  F_GUEST_TSO4,
  F_GUEST_TSO6,
  F_GUEST_ECN,
  F_GUEST_UFO,
  F_HOST_TSO4,
  F_HOST_TSO6,
  F_HOST_ECN,
  F_MRG_RXBUF,
} from "./features";
import { F_EVENT_IDX, F_VERSION_1, model } from "./machine";

const SEGMENTS: u64 = F_GUEST_TSO4 | F_GUEST_TSO6 | F_HOST_TSO4 | F_HOST_TSO6;
const ALL: u64 =
  F_VERSION_1 |
  F_EVENT_IDX |
  F_CSUM |
  F_GUEST_CSUM |
  F_MRG_RXBUF |
  SEGMENTS |
  F_GUEST_ECN |
  F_HOST_ECN |
  F_GUEST_UFO;

const NEEDS_CSUM: u32 = 1;
const TCPV4: u32 = 1;
const TCPV6: u32 = 4;
/** Room of a receive buffer. */
const ROOM: u32 = 1982;

let net: NetworkDevice = changetype<NetworkDevice>(0);
let received: PacketBuffer[] = [];
let pool: Pool = changetype<Pool>(0);
let wheel: usize = 0;

function onFrame(device: NetworkDevice, frame: PacketBuffer): void {
  received.push(frame);
}

function start(features: u64, size: u32 = 64): void {
  model.setUp();
  model.features = features;
  model.size = size;
  model.forget();
  model.plug(0x1041);
  initializeApic();
  pciScan();
  net = virtioNetProbe()!;
  net.receive = onFrame.index;
}

function releaseReceived(): void {
  while (received.length != 0) releaseBuffer(received.pop());
}

/** The device writes a part of a packet into the next receive buffer: `header` bytes of virtio header are left as they are. */
function put(from: u32, length: u32, header: u32): void {
  const ring = model.rings[0];
  assert(ring.next(), "no receive buffer");
  assert(ring.length == ROOM);
  for (let i: u32 = 0; i < length; i++) store<u8>(ring.address + header + i, <u8>((from + i) % 251));
  ring.put(ring.id, length + header);
}

/** A packet of `length` bytes over as many buffers as it takes, of which the first `now` are seen at once. Returns how many there are. */
function deliver(length: u32, flags: u32, type: u32, size: u32, claimed: i32 = -1): u32 {
  const ring = model.rings[0];
  const buffers: u32 = (length + 12 + ROOM - 1) / ROOM;
  let done: u32 = 0;
  for (let i: u32 = 0; i < buffers; i++) {
    const header: u32 = i == 0 ? 12 : 0;
    const part = min(ROOM - header, length - done);
    put(done, part, header);
    if (i == 0) {
      store<u64>(ring.address, flags | (type << 8) | ((<u64>size) << 32));
      store<u32>(ring.address, (claimed < 0 ? buffers : <u32>claimed) << 16, 8);
    }
    done += part;
  }
  return buffers;
}

function interrupt(): void {
  if (model.rings[0].complete()) handleVector(model.vectorOf(model.queueVectors[0]));
  while (virtioNetPoll()) {}
}

/** The bytes of a packet count up modulo 251, and are `length`. */
function expectWhole(first: PacketBuffer, length: u32): void {
  assert(first.wholeLength == length, "length");
  let at: u32 = 0;
  for (let piece: PacketBuffer | null = first; piece !== null; piece = piece.more) {
    assert(piece.references == 1, "references");
    for (let i: u32 = 0; i < piece.length; i++) assert(load<u8>(piece.data + i) == <u8>(at++ % 251), "bytes");
  }
}

/** Segments to be sent: `pieces` buffers of `size` bytes, with 54 bytes of headers in front of the first. */
function chain(pieces: u32, size: u32): PacketBuffer {
  let last: PacketBuffer | null = null;
  for (let i: u32 = 0; i < pieces; i++) {
    const piece = allocateBuffer(BUFFER_HEADROOM)!;
    piece.length = size;
    piece.more = last;
    last = piece;
  }
  const first = last!;
  first.push(54);
  store<u8>(first.data + 46, 5 << 4);
  first.flags = CHECKSUM_PARTIAL;
  first.checksumStart = first.data + 34;
  first.checksumOffset = 16;
  first.segmentSize = <u16>size;
  first.segmentKind = <u16>SEGMENTS_TCP4;
  return first;
}

describe("segments at the virtio network device", () => {
  beforeAll(() => {
    setUpArena(4096);
    pool = changetype<Pool>(growMemory(64, 8));
    wheel = growMemory(4096, 4096);
    initializeRandom(growMemory(RANDOM_SIZE, 16));
    initializeVectors();
  });
  beforeEach(() => {
    fake.reset();
    initializeTimers(wheel);
    initializePolls(growMemory(POLL_STORAGE, 8));
    initializeBuffers(pool, 300);
    received = [];
    fake.setPort(0x3ff, 0xae);
    initializeSerial();
    setConsoleSink(serialPut.index);
  });

  it("are negotiated together with what they need, and not with more", () => {
    start(ALL);
    expect<u64>(model.accepted).toBe(ALL & ~(F_GUEST_ECN | F_HOST_ECN | F_GUEST_UFO));
    expect<u32>(net.segmented4).toBe(65535);
    expect<u32>(net.segmented6).toBe(65535);
    expect<u32>(net.pieces).toBe(16);
    start(ALL & ~F_CSUM);
    expect<u64>(model.accepted & (F_HOST_TSO4 | F_HOST_TSO6)).toBe(0, "5.1.3.1");
    expect<u32>(net.segmented4 | net.segmented6).toBe(0);
    start(ALL & ~F_GUEST_CSUM);
    expect<u64>(model.accepted & (F_GUEST_TSO4 | F_GUEST_TSO6)).toBe(0, "5.1.3.1");
    start(ALL & ~F_MRG_RXBUF);
    expect<u64>(model.accepted & (F_GUEST_TSO4 | F_GUEST_TSO6)).toBe(0, "a buffer does not hold 64 KiB");
    expect<u64>(model.accepted & F_HOST_TSO4).toBe(F_HOST_TSO4);
    start(ALL & ~SEGMENTS);
    expect<u32>(net.segmented4 | net.segmented6).toBe(0);
  });

  it("go out as one chain of descriptors, with a reference of each piece until the device is done", () => {
    start(ALL);
    const first = chain(5, 1000);
    const second = first.more!;
    expect<i32>(deviceTransmit(net, first)).toBe(0);
    // The sender's links are its own again at once.
    first.more = null;
    deviceFlush(net);
    const ring = model.rings[1];
    expect<u32>(ring.waiting).toBe(1);
    ring.next();
    expect<usize>(ring.address).toBe(first.data - 12);
    expect<u32>(ring.length).toBe(12 + 54 + 1000);
    // flags, gso_type, hdr_len, gso_size, csum_start; csum_offset
    expect<u64>(load<u64>(ring.address)).toBe(
      NEEDS_CSUM | (TCPV4 << 8) | (54 << 16) | ((<u64>1000) << 32) | ((<u64>34) << 48),
    );
    expect<u32>(load<u32>(ring.address, 8)).toBe(16);
    let piece: PacketBuffer | null = second;
    while (piece !== null) {
      expect<bool>(ring.follow()).toBe(true);
      expect<usize>(ring.address).toBe(piece.data);
      expect<u32>(ring.length).toBe(1000);
      expect<u32>(piece.references).toBe(2);
      piece = piece.more;
    }
    expect<bool>(ring.follow()).toBe(false);
    expect<u32>(first.references).toBe(2);
    expect<u64>(net.sentFrames).toBe(1);
    expect<u64>(net.sentSegmented).toBe(1);
    expect<u64>(net.sentBytes).toBe(54 + 5000);
    ring.put(ring.id, 0);
    ring.complete();
    deliver(60, 0, 0, 0);
    interrupt();
    expect<u32>(first.references).toBe(1, "given back");
    for (let piece: PacketBuffer | null = second; piece !== null; piece = piece.more)
      expect<u32>(piece.references).toBe(1);
  });

  it("say which version of IP they are of, and how long their headers are", () => {
    start(ALL);
    const first = chain(2, 500);
    first.push(20);
    store<u8>(first.checksumStart + 12, 8 << 4);
    first.segmentKind = <u16>SEGMENTS_TCP6;
    expect<i32>(deviceTransmit(net, first)).toBe(0);
    expect<u64>(load<u64>(first.data - 12)).toBe(
      NEEDS_CSUM | (TCPV6 << 8) | (86 << 16) | ((<u64>500) << 32) | ((<u64>54) << 48),
    );
  });

  it("are refused when they are too many, too long, of no kind, or not what was negotiated", () => {
    start(ALL);
    expect<i32>(deviceTransmit(net, chain(17, 100))).toBe(-EINVAL, "more pieces than the device takes");
    const long = chain(3, 1000);
    long.more!.length = 65535;
    expect<i32>(deviceTransmit(net, long)).toBe(-EINVAL, "longer than IP can say");
    let first = chain(2, 1000);
    first.flags = 0;
    expect<i32>(deviceTransmit(net, first)).toBe(-EINVAL, "no checksum is asked for");
    first = chain(2, 1000);
    first.segmentSize = 0;
    expect<i32>(deviceTransmit(net, first)).toBe(-EINVAL, "fragments");
    first = chain(2, 1000);
    first.checksumStart = first.data + 1060;
    expect<i32>(deviceTransmit(net, first)).toBe(-EINVAL, "a checksum beyond the first piece");
    expect<u64>(net.transmitDropped).toBe(5);
    expect<u64>(net.sentFrames).toBe(0);
    start(ALL & ~F_HOST_TSO4);
    expect<i32>(deviceTransmit(net, chain(2, 1000))).toBe(-EINVAL, "not offered");
  });

  it("are refused whole when the queue has too few descriptors, and a shorter packet is not", () => {
    start(ALL, 16);
    expect<u32>(net.pieces).toBe(4);
    const first = chain(4, 100);
    for (let i = 0; i < 3; i++) expect<i32>(deviceTransmit(net, first)).toBe(0);
    const single = chain(1, 100);
    expect<i32>(deviceTransmit(net, single)).toBe(0);
    expect<i32>(deviceTransmit(net, first)).toBe(-ENOBUFS);
    expect<u32>(first.references).toBe(4);
    expect<i32>(deviceTransmit(net, single)).toBe(0, "there are three left");
  });

  it("come in as they are spread over the buffers, of both versions", () => {
    start(ALL);
    for (let length: u32 = 100; length <= 65549; length += 3001) {
      const type = length & 1 ? TCPV4 : TCPV6;
      const buffers = deliver(length, NEEDS_CSUM, type, 1448);
      interrupt();
      expect<i32>(received.length).toBe(1);
      expectWhole(received[0], length);
      expect<u32>(received[0].pieces).toBe(buffers);
      expect<u32>(received[0].flags).toBe(CHECKSUM_VALID);
      expect<u32>(received[0].segmentSize).toBe(1448);
      expect<usize>((received[0].data + 14) & 3).toBe(0, "the IPv4 header is 4-aligned");
      releaseReceived();
      expect<u32>(pool.inUse).toBe(model.rings[0].waiting);
    }
    expect<u64>(net.receivedMerged).toBe(net.receivedFrames);
    expect<u64>(net.receiveDropped).toBe(0);
  });

  it("wait for what is missing when the device has not said all of it", () => {
    start(ALL);
    deliver(5000, NEEDS_CSUM, TCPV4, 1000);
    const ring = model.rings[0];
    const written = ring.written;
    ring.written = written - 2;
    interrupt();
    expect<i32>(received.length).toBe(0);
    ring.written = written - 1;
    interrupt();
    expect<i32>(received.length).toBe(0);
    ring.written = written;
    interrupt();
    expect<i32>(received.length).toBe(1);
    expectWhole(received[0], 5000);
    releaseReceived();
  });

  it("are dropped with all of their buffers when they are not what was negotiated, or nobody answers for the checksum", () => {
    start(ALL & ~F_GUEST_TSO6);
    deliver(5000, NEEDS_CSUM, TCPV6, 1000);
    deliver(5000, NEEDS_CSUM, 3, 1000); // UDP
    deliver(5000, NEEDS_CSUM, TCPV4 | 0x80, 1000); // with ECN
    deliver(5000, NEEDS_CSUM, 200, 1000);
    deliver(5000, 0, TCPV4, 1000);
    interrupt();
    deliver(5000, NEEDS_CSUM, TCPV4, 0);
    deliver(5000, NEEDS_CSUM, TCPV4, 1501); // longer than the link takes
    deliver(5000, 0, 0, 0); // one packet, and longer than the link takes
    interrupt();
    expect<i32>(received.length).toBe(0);
    expect<u64>(net.receiveDropped).toBe(8);
    deliver(60, 0, 0, 0);
    deliver(5000, NEEDS_CSUM, TCPV4, 1000);
    interrupt();
    expect<i32>(received.length).toBe(2);
    expectWhole(received[1], 5000);
    releaseReceived();
    expect<u32>(pool.inUse).toBe(model.rings[0].waiting);
  });

  it("cost nobody a buffer, whatever a device says about them", () => {
    for (let round: u32 = 1; round <= 60; round++) {
      initializeBuffers(pool, 300);
      seedChance(round);
      start(ALL);
      const ring = model.rings[0];
      for (let step = 0; step < 60; step++) {
        const parts: u32 = 1 + chance(6);
        if (ring.waiting > ring.size) ring.seen = load<u16>(ring.available, 2);
        for (let i: u32 = 0; i < parts && ring.waiting != 0; i++) {
          put(0, chance(ROOM - 12), 12);
          store<u64>(ring.address, chance(4) | (chance(6) << 8) | ((<u64>chance(3)) << 41));
          store<u32>(ring.address, chance(40) << 16, 8);
          if (chance(20) == 0) ring.put(chance(64), chance(3000));
        }
        if (chance(3) != 0) interrupt();
        for (let i = 0; i < received.length; i++) {
          const frame = received[i];
          assert(frame.more === null || frame.segmentSize != 0, "a chain that is no segments");
          for (let piece: PacketBuffer | null = frame; piece !== null; piece = piece.more)
            assert(piece.references == 1 && piece.length != 0 && piece.length <= ROOM, "a piece");
        }
        releaseReceived();
        if (net.linkUp == 0) break;
        assert(pool.inUse <= 64 + 40, "a buffer was lost");
      }
      // The device is reset, and all it had comes back.
      model.status |= 64;
      handleVector(model.vectorOf(model.configVector));
      assert(pool.inUse == 0, "a buffer was lost");
      expect<i32>(deviceTransmit(net, chain(2, 100))).toBe(-ENETDOWN);
    }
  });
});
