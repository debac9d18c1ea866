/** The checksum in all its ways, and which Ethernet frames are taken. */
import {
  allocateBuffer,
  BUFFER_HEADROOM,
  bufferPool,
  CHECKSUM_PARTIAL,
  PacketBuffer,
  releaseBuffer,
} from "../../net/buffer";
import {
  checksumAdd,
  checksumFold,
  checksumUpdate,
  finishChecksum,
  internetChecksum,
} from "../../net/checksum";
import { networkCounters } from "../../net/counters";
import { BROADCAST0, BROADCAST4, ETHERNET_HEADER, EthernetHeader } from "../../net/wire/ethernet";
import * as frames from "./frames";
import { deliver, FRAME } from "./frames";
import * as link from "./link";
import { OWN, PEER, PEER0, PEER4 } from "./link";
import { boot, resolvePeer, seen, send } from "./recorder";
import { pseudoHeaderSum } from "./addresses";

describe("checksum", () => {
  it("is that of RFC 1071, 3", () => {
    const bytes: u8[] = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    const sum = checksumFold(checksumAdd(bytes.dataStart, 8, 0));
    expect<u16>(bswap<u16>(sum)).toBe(0xddf2);
    expect<u16>(bswap<u16>(internetChecksum(checksumAdd(bytes.dataStart, 8, 0)))).toBe(0x220d);
  });

  it("agrees with a naive model for all lengths and alignments", () => {
    const area = new StaticArray<u8>(4096);
    const base = changetype<usize>(area);
    let wrong = 0;
    for (let round = 0; round < 4000; round++) {
      const length: u32 = round < 2000 ? round : link.random() % 1600;
      const offset = link.random() & 15;
      const mode = link.random() & 3;
      for (let i: u32 = 0; i < length; i++) {
        store<u8>(base + offset + i, mode == 0 ? 0xff : mode == 1 ? 0 : <u8>link.random());
      }
      const start = link.random();
      let model: u64 = (start & 0xffff) + (start >> 16);
      for (let i: u32 = 0; i < length; i++) {
        model += (<u64>load<u8>(base + offset + i)) << ((i & 1) << 3);
      }
      while (model >> 16 != 0) model = (model & 0xffff) + (model >> 16);
      if (checksumFold(checksumAdd(base + offset, length, start)) != <u16>model) wrong++;
    }
    expect<i32>(wrong).toBe(0);
  });

  it("can be chained, and updated word by word", () => {
    const area = new StaticArray<u8>(256);
    const base = changetype<usize>(area);
    let wrong = 0;
    for (let round = 0; round < 1000; round++) {
      for (let i: u32 = 0; i < 256; i++) store<u8>(base + i, <u8>link.random());
      const cut = (link.random() & 127) << 1;
      const whole = internetChecksum(checksumAdd(base, 255, 0));
      if (internetChecksum(checksumAdd(base + cut, 255 - cut, checksumAdd(base, cut, 0))) != whole) wrong++;
      const place = base + ((link.random() & 63) << 1);
      const before = load<u16>(place);
      store<u16>(place, <u16>link.random());
      if (checksumUpdate(whole, before, load<u16>(place)) != internetChecksum(checksumAdd(base, 255, 0))) {
        wrong++;
      }
    }
    expect<i32>(wrong).toBe(0);
  });

  it("is finished in software as the receiver checks it", () => {
    boot();
    let wrong = 0;
    for (let round: u32 = 0; round < 500; round++) {
      const buffer = changetype<PacketBuffer>(changetype<usize>(allocateBuffer(BUFFER_HEADROOM)));
      buffer.length = 8 + (link.random() % 600);
      for (let i: u32 = 0; i < buffer.length; i++) store<u8>(buffer.data + i, <u8>link.random());
      const pseudo = pseudoHeaderSum(OWN, PEER, 17, buffer.length);
      store<u16>(buffer.data + 6, checksumFold(pseudo));
      buffer.flags = CHECKSUM_PARTIAL;
      buffer.checksumStart = buffer.data;
      buffer.checksumOffset = 6;
      finishChecksum(buffer);
      if (checksumFold(checksumAdd(buffer.data, buffer.length, pseudo)) != 0xffff) wrong++;
      if (load<u16>(buffer.data + 6) == 0 || buffer.flags != 0) wrong++;
      releaseBuffer(buffer);
    }
    expect<i32>(wrong).toBe(0);
  });
});

describe("ethernet", () => {
  beforeEach(boot);
  afterEach(() => {
    expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
  });

  it("drops what is too short, not for us, from a group address, or of no type", () => {
    const counters = networkCounters();
    for (let length: u32 = 0; length < ETHERNET_HEADER; length++) {
      frames.ipv4(PEER, OWN, 6, 20);
      frames.setFrameLength(length);
      deliver();
    }
    expect<u64>(counters.frameTooShort).toBe(ETHERNET_HEADER);
    frames.ipv4(PEER, OWN, 6, 20);
    changetype<EthernetHeader>(FRAME).setDestination(PEER0, PEER4);
    deliver();
    frames.ipv4(PEER, OWN, 6, 20);
    changetype<EthernetHeader>(FRAME).setDestination(0x005e_0001, 0x0100); // multicast
    deliver();
    expect<u64>(counters.frameNotForUs).toBe(2);
    frames.ipv4(PEER, OWN, 6, 20);
    changetype<EthernetHeader>(FRAME).setSource(BROADCAST0, BROADCAST4);
    deliver();
    expect<u64>(counters.frameBadSource).toBe(1);
    frames.ipv4(PEER, OWN, 6, 20);
    changetype<EthernetHeader>(FRAME).type = 0x86dd;
    deliver();
    expect<u64>(counters.frameUnknownType).toBe(1);
    expect<u32>(seen.delivered).toBe(0);
    expect<u64>(counters.ipReceived).toBe(0);
  });

  it("rings one doorbell for what was queued", () => {
    resolvePeer();
    link.run(0);
    const before = link.doorbells;
    send(PEER, 10, 0);
    send(PEER, 10, 0);
    expect<u32>(link.doorbells).toBe(before);
    link.run(0);
    link.run(0);
    expect<u32>(link.doorbells).toBe(before + 1);
  });
});
