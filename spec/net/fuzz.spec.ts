/** Frames that nobody in his right mind would send: nothing traps, and every buffer comes back. */
import { setLogLevel } from "../../kernel/console";
import { allocateBuffer, bufferPool, PacketBuffer, releaseBuffer } from "../../net/buffer";
import { checksumAdd, checksumFold } from "../../net/checksum";
import { networkCounters } from "../../net/counters";
import { reassemblyHeld } from "../../net/reassembly";
import { registerTransport } from "../../net/transports";
import { Socket } from "../../net/socket/socket";
import { udpCreate } from "../../net/socket/udp";
import { ETHERTYPE_ARP } from "../../net/wire/ethernet";
import { IcmpHeader } from "../../net/wire/icmp";
import { Ipv4Header } from "../../net/wire/ipv4";
import * as frames from "./frames";
import { deliver, FRAME, NETWORK, TRANSPORT } from "./frames";
import * as link from "./link";
import { OWN, PEER, PEER4 } from "./link";
import { endpoint } from "./addresses";

function boot(): void {
  link.bootStack(1000, 7);
  setLogLevel(0);
}

function bound(address: u32, port: u32): Socket {
  const socket = changetype<Socket>(changetype<usize>(udpCreate()));
  assert(call_indirect<i32>(socket.protocol.bind, socket, endpoint(address, port)) == 0, "bind");
  return socket;
}
function peek(s: Socket): usize {
  const head = s.received.head;
  return head === null ? 0 : head.data;
}
function peekLength(s: Socket): i32 {
  const head = s.received.head;
  return head !== null ? <i32>head.wholeLength : call_indirect<i32>(s.protocol.end, s);
}
function consume(s: Socket): void {
  call_indirect<void>(s.protocol.consume, s, <u32>0);
}

let transports: u32 = 0;

function sink(buffer: PacketBuffer): void {
  transports++;
  // What IPv4 promises to a transport.
  const header = changetype<Ipv4Header>(buffer.networkHeader);
  const base = changetype<usize>(buffer);
  assert(buffer.networkHeader > base && buffer.data >= buffer.networkHeader + 20, "headers");
  assert(buffer.data - buffer.networkHeader + buffer.length == header.totalLength, "length");
  assert(buffer.data + buffer.length <= base + 2048, "beyond the buffer");
  releaseBuffer(buffer);
}

/** A frame of one of the kinds that the stack knows. */
function anyFrame(): void {
  const kind = link.random() % 6;
  if (kind == 0) {
    frames.arp(1 + (link.random() & 1), PEER + (link.random() & 3), PEER4, OWN);
  } else if (kind == 1) {
    frames.udp(
      PEER,
      link.random() & 0xffff,
      OWN,
      link.random() & 1 ? 7 : link.random() & 0xffff,
      link.random() % 300,
    );
  } else if (kind == 2) {
    frames.ipv4(PEER, OWN, 6, link.random() % 200);
  } else if (kind == 3) {
    const payload = 8 + (link.random() % 100);
    frames.ipv4(PEER, OWN, 1, payload);
    const icmp = changetype<IcmpHeader>(TRANSPORT);
    icmp.type = link.random() & 1 ? 8 : 3;
    icmp.checksum = 0;
    icmp.checksum = ~checksumFold(checksumAdd(TRANSPORT, payload, 0));
  } else if (kind == 4) {
    frames.ipv4(PEER, OWN, link.random() & 0xff, link.random() % 64);
    store<u8>(NETWORK, <u8>(0x40 | (link.random() & 15)));
    frames.ipChecksum();
  } else {
    frames.udp(PEER, 67, 0xffff_ffff, 68, 300);
  }
}

function mutate(): void {
  let changes = link.random() & 3;
  while (changes-- != 0) {
    const place = FRAME + (link.random() % (frames.frameLength < 64 ? frames.frameLength : 64));
    store<u8>(place, <u8>link.random());
  }
  if ((link.random() & 7) == 0) frames.setFrameLength(link.random() % (frames.frameLength + 1));
  // Half of the damaged headers with a right checksum, so that it does not hide the other checks.
  if (
    (link.random() & 1) != 0 &&
    frames.frameLength >= 94 &&
    load<u16>(FRAME + 12) != bswap<u16>(<u16>ETHERTYPE_ARP)
  ) {
    frames.ipChecksum();
  }
}

describe("any input", () => {
  beforeEach(boot);

  it("60,000 mutated frames: nothing traps, every buffer comes back", () => {
    transports = 0;
    registerTransport(6, sink.index, 0, 0);
    const socket = bound(0, 7);
    let wrong = 0;
    for (let i = 0; i < 60_000; i++) {
      anyFrame();
      mutate();
      link.receiveNow(FRAME, frames.frameLength, 0);
      while (peek(socket) != 0) {
        if (peek(socket) + peekLength(socket) > changetype<usize>(peek(socket) & ~2047) + 2048) wrong++;
        consume(socket);
      }
      if ((i & 255) == 0) {
        link.run(10_000_000);
        if (bufferPool().inUse > 64 + reassemblyHeld()) wrong++;
      }
    }
    link.run(180_000_000_000);
    expect<i32>(wrong).toBe(0);
    expect<u32>(transports).toBeGreaterThan(1000);
    expect<u64>(networkCounters().udpReceived).toBeGreaterThan(1000);
    expect<u64>(networkCounters().icmpEchoes).toBeGreaterThan(100);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("20,000 frames of noise", () => {
    for (let i = 0; i < 20_000; i++) {
      const length = link.random() % 200;
      for (let j: u32 = 0; j < length; j++) store<u8>(FRAME + j, <u8>link.random());
      if ((i & 1) != 0) frames.ethernet((i & 2) != 0 ? 0x0800 : 0x0806);
      link.receiveNow(FRAME, length, 0);
    }
    link.run(180_000_000_000);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("lives on with no buffer left, and recovers", () => {
    const taken: PacketBuffer[] = [];
    for (;;) {
      const buffer = allocateBuffer(0);
      if (buffer === null) break;
      taken.push(buffer);
    }
    const one = taken.pop();
    releaseBuffer(one);
    // The one buffer that there is carries each frame in; there is none for an answer.
    for (let i = 0; i < 1000; i++) {
      anyFrame();
      link.receiveNow(FRAME, frames.frameLength, 0);
    }
    link.run(10_000_000_000);
    for (let i = 0; i < taken.length; i++) releaseBuffer(taken[i]);
    expect<u32>(bufferPool().inUse).toBe(0);
    const socket = bound(0, 7);
    frames.udp(PEER, 1, OWN, 7, 4);
    deliver();
    expect<bool>(peek(socket) != 0).toBe(true);
  });
});
