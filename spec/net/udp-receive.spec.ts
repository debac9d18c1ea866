/** RFC 768, RFC 1122, 4.1: UDP datagrams that arrive: what is checked, what a socket says of them, and how many may wait. */
import { EAGAIN } from "../../kernel/errno";
import { POLLIN, POLLOUT, WAKE_GONE } from "../../kernel/scheduler/wait";
import { bufferPool, CHECKSUM_VALID } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import { Socket } from "../../net/socket/socket";
import { udpDrops } from "../../net/socket/udp";
import { udpQueued } from "../../net/socket/udp-calls";
import { UDP_QUEUE_BYTES, UDP_QUEUE_COUNT, udpPool } from "../../net/socket/udp-socket";
import { packed } from "./addresses";
import * as frames from "./frames";
import { deliver, FRAME, TRANSPORT } from "./frames";
import * as link from "./link";
import { OWN, PEER } from "./link";
import { close, consume, peek, peekLength, poll } from "./socket-operations";
import { bootUdp, bound, datagram, watch, woken } from "./udp-sockets";

function peekSource(s: Socket): u64 {
  return packed(s.received.head!.source);
}

describe("udp, receiving", () => {
  beforeEach(bootUdp);

  it("hands a datagram to the socket of its port, with its source", () => {
    const socket = bound(0, 7);
    watch(socket);
    expect<usize>(peek(socket)).toBe(0);
    expect<i32>(peekLength(socket)).toBe(-EAGAIN);
    expect<u32>(poll(socket)).toBe(POLLOUT);
    datagram(PEER, 4321, OWN, 7, 100);
    expect<u32>(woken).toBe(POLLIN);
    expect<u32>(poll(socket)).toBe(POLLIN | POLLOUT);
    expect<i32>(peekLength(socket)).toBe(100);
    expect<u64>(peekSource(socket)).toBe(((<u64>PEER) << 16) | 4321);
    expect<i32>(memory.compare(peek(socket), TRANSPORT + 8, 100)).toBe(0);
    consume(socket);
    expect<usize>(peek(socket)).toBe(0);
    // Empty ones count too; the order is kept.
    datagram(PEER, 1, OWN, 7, 0);
    datagram(PEER, 2, OWN, 7, 3);
    expect<bool>(peek(socket) != 0).toBe(true);
    expect<i32>(peekLength(socket)).toBe(0);
    consume(socket);
    expect<u64>(peekSource(socket) & 0xffff).toBe(2);
    close(socket);
    expect<u32>(woken & WAKE_GONE).toBe(WAKE_GONE);
    expect<u32>(bufferPool().inUse).toBe(0);
    expect<u32>(udpPool().inUse).toBe(0);
    expect<u32>(udpQueued()).toBe(0);
  });

  it("bounds the queue by count, by bytes, and all queues together", () => {
    const socket = bound(0, 7);
    for (let i: u32 = 0; i < UDP_QUEUE_COUNT + 10; i++) datagram(PEER, 1, OWN, 7, 4);
    expect<u64>(udpDrops(socket)).toBe(10);
    expect<u64>(networkCounters().udpQueueFull).toBe(10);
    const other = bound(0, 8);
    for (let i: u32 = 0; i < 100; i++) datagram(PEER, 1, OWN, 8, 4);
    expect<u32>(udpQueued()).toBe(200);
    expect<u32>(bufferPool().inUse).toBe(200);
    close(socket);
    close(other);
    const large = bound(0, 9);
    for (let i: u32 = 0; i < 120; i++) datagram(PEER, 1, OWN, 9, 1400);
    expect<u32>(udpQueued()).toBe(UDP_QUEUE_BYTES / 1400);
    consume(large);
    datagram(PEER, 1, OWN, 9, 1400);
    expect<u32>(udpQueued()).toBe(UDP_QUEUE_BYTES / 1400);
    close(large);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("drops what is malformed or damaged, takes what has no checksum", () => {
    const counters = networkCounters();
    const socket = bound(0, 7);
    for (let length: u32 = 0; length < 80; length++) {
      frames.udp(PEER, 1, OWN, 7, 40).length = length;
      frames.udpChecksum(PEER, OWN, length < 8 ? 8 : length > 48 ? 48 : length);
      deliver();
    }
    // 8 .. 48 fit in the packet.
    expect<u64>(counters.udpMalformed).toBe(80 - 41);
    for (let length: u32 = 0; length < 8; length++) {
      frames.ipv4(PEER, OWN, 17, length);
      deliver();
    }
    frames.udp(PEER, 1, OWN, 0, 40);
    deliver();
    expect<u64>(counters.udpMalformed).toBe(48);
    while (peek(socket) != 0) consume(socket);
    let taken = 0;
    for (let bit: u32 = 0; bit < 48 * 8; bit++) {
      frames.udp(PEER, 1, OWN, 7, 40);
      const place = TRANSPORT + (bit >> 3);
      store<u8>(place, load<u8>(place) ^ (<u8>((<u32>1) << (bit & 7))));
      deliver();
      if (peek(socket) != 0) {
        taken++;
        consume(socket);
      }
    }
    expect<i32>(taken).toBe(0);
    expect<u64>(counters.udpBadChecksum).toBeGreaterThan(340);
    frames.udp(PEER, 1, OWN, 7, 40).checksum = 0;
    deliver();
    expect<bool>(peek(socket) != 0).toBe(true);
    consume(socket);
    // The device has checked it: not checked again.
    frames.udp(PEER, 1, OWN, 7, 40).checksum = 0x1234;
    link.receiveNow(FRAME, frames.frameLength, CHECKSUM_VALID);
    expect<bool>(peek(socket) != 0).toBe(true);
    close(socket);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("trims to its own length", () => {
    const socket = bound(0, 7);
    frames.udp(PEER, 1, OWN, 7, 40).length = 20;
    frames.udpChecksum(PEER, OWN, 20);
    deliver();
    expect<i32>(peekLength(socket)).toBe(12);
  });
});
