/** RFC 768, RFC 1122, 4.1: UDP datagrams that are sent, peers of sockets, and the errors that come back (4.1.3.3). */
import { EAGAIN } from "../../kernel/errno";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from "../../kernel/scheduler/wait";
import { bufferPool } from "../../net/buffer";
import { checksumAdd, checksumFold } from "../../net/checksum";
import { networkCounters } from "../../net/counters";
import { setAddress } from "../../net/interface";
import { SHUT_RD, SHUT_WR, SOCKET_BROADCAST } from "../../net/socket/socket";
import { EPHEMERAL_FIRST } from "../../net/socket/udp-socket";
import { IcmpHeader } from "../../net/wire/icmp";
import { UdpHeader } from "../../net/wire/udp";
import { pseudoHeaderSum } from "./addresses";
import * as frames from "./frames";
import { deliver, TRANSPORT } from "./frames";
import * as link from "./link";
import { GATEWAY, NETMASK, OWN, PEER } from "./link";
import { close, connect, consume, peek, peekLength, poll, shutdown } from "./socket-operations";
import {
  bootUdp,
  bound,
  create,
  datagram,
  forgetWoken,
  LAST,
  lastLength,
  LOOPBACK,
  resolvePeer,
  sendTo,
  watch,
  woken,
} from "./udp-sockets";

describe("udp, sending", () => {
  beforeEach(bootUdp);

  it("sends right datagrams", () => {
    resolvePeer();
    const socket = bound(0, 7);
    let wrong = 0;
    for (let payload: u32 = 0; payload <= 1472; payload += 7) {
      if (sendTo(socket, PEER, 99, payload) != 0) wrong++;
      const header = changetype<UdpHeader>(LAST + 34);
      if (header.sourcePort != 7 || header.destinationPort != 99 || header.length != 8 + payload) wrong++;
      const sum = pseudoHeaderSum(OWN, PEER, 17, 8 + payload);
      if (checksumFold(checksumAdd(LAST + 34, 8 + payload, sum)) != 0xffff) wrong++;
      if (payload != 0 && load<u8>(LAST + 42) != 1) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    expect<i32>(sendTo(socket, PEER, 0, 1)).toBe(-22);
    expect<i32>(sendTo(socket, 0, 0, 1)).toBe(-89);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("says when it cannot be sent", () => {
    const socket = bound(OWN, 7);
    const other = create();
    setAddress(OWN, NETMASK, 0);
    expect<i32>(sendTo(other, 0x0808_0808, 53, 1)).toBe(-101);
    expect<i32>(connect(other, 0x0808_0808, 53)).toBe(-101);
    link.linkDevice().linkUp = 0;
    expect<i32>(sendTo(other, PEER, 53, 1)).toBe(-100);
    link.linkDevice().linkUp = 1;
    setAddress(OWN + 5, NETMASK, GATEWAY);
    expect<i32>(sendTo(socket, PEER, 53, 1)).toBe(-99);
  });

  it("sends to all hosts only with SO_BROADCAST", () => {
    const s = bound(0, 4711);
    expect<i32>(sendTo(s, 0xffffffff, 9, 1)).toBe(-13);
    expect<i32>(sendTo(s, OWN | 0xff, 9, 1)).toBe(-13);
    s.flags |= SOCKET_BROADCAST;
    const before = networkCounters().ipSent;
    expect<i32>(sendTo(s, 0xffffffff, 9, 1)).toBe(0);
    expect<u64>(networkCounters().ipSent - before).toBe(1);
    close(s);
  });

  it("connects, sends to the peer, connects elsewhere, and lets go", () => {
    resolvePeer();
    const socket = create();
    expect<i32>(connect(socket, PEER, 53)).toBe(0);
    expect<u32>(socket.flow.local.ipv4).toBe(OWN);
    expect<bool>(socket.flow.local.port >= EPHEMERAL_FIRST).toBe(true);
    expect<i32>(sendTo(socket, 0, 0, 3)).toBe(0);
    expect<u32>(changetype<UdpHeader>(LAST + 34).destinationPort).toBe(53);
    expect<i32>(connect(socket, LOOPBACK, 54)).toBe(0);
    expect<u32>(socket.flow.local.ipv4).toBe(LOOPBACK);
    expect<i32>(connect(socket, 0, 0)).toBe(0);
    expect<u32>(socket.flow.local.ipv4).toBe(0);
    expect<i32>(sendTo(socket, 0, 0, 3)).toBe(-89);
    expect<i32>(connect(socket, PEER, 0)).toBe(-22);
  });

  it("hears of errors about its datagrams, once, when it is connected", () => {
    resolvePeer();
    const socket = create();
    connect(socket, PEER, 53);
    watch(socket);
    const codes: u32[] = [3, 111, 2, 92, 1, 113, 0, 101, 4, 90];
    for (let i = 0; i < codes.length; i += 2) {
      sendTo(socket, 0, 0, 3);
      // The peer quotes what it got.
      const quoted = lastLength - 14;
      memory.copy(TRANSPORT + 8, LAST + 14, quoted);
      frames.ipv4(PEER, OWN, 1, 8 + quoted);
      const icmp = changetype<IcmpHeader>(TRANSPORT);
      icmp.type = 3;
      icmp.code = codes[i];
      icmp.rest = 0;
      icmp.checksum = 0;
      icmp.checksum = ~checksumFold(checksumAdd(TRANSPORT, 8 + quoted, 0));
      forgetWoken();
      deliver();
      expect<u32>(woken & POLLERR).toBe(POLLERR);
      expect<u32>(poll(socket) & POLLERR).toBe(POLLERR);
      expect<i32>(peekLength(socket)).toBe(-(<i32>codes[i + 1]));
      expect<i32>(peekLength(socket)).toBe(-EAGAIN);
    }
    // From loopback: nobody is there.
    const other = create();
    connect(other, LOOPBACK, 99);
    expect<i32>(sendTo(other, 0, 0, 3)).toBe(0);
    link.run(0);
    expect<i32>(sendTo(other, 0, 0, 3)).toBe(-111);
    expect<i32>(sendTo(other, 0, 0, 3)).toBe(0);
    // Who is not connected cannot know which datagram it is about.
    const unconnected = create();
    expect<i32>(sendTo(unconnected, LOOPBACK, 99, 3)).toBe(0);
    link.run(0);
    expect<u32>(poll(unconnected)).toBe(POLLOUT);
    close(unconnected);
    // ARP gets no answer.
    const third = create();
    connect(third, PEER + 1, 99);
    sendTo(third, 0, 0, 3);
    link.run(5_000_000_000);
    expect<i32>(peekLength(third)).toBe(-113);
    close(socket);
    close(other);
    close(third);
    link.run(0);
    expect<u32>(bufferPool().inUse).toBe(0);
  });

  it("shuts down each direction", () => {
    const socket = create();
    expect<i32>(shutdown(socket, SHUT_RD)).toBe(-107);
    connect(socket, PEER, 53);
    datagram(PEER, 53, OWN, socket.flow.local.port, 10);
    expect<i32>(shutdown(socket, 5)).toBe(-22);
    expect<i32>(shutdown(socket, SHUT_RD)).toBe(0);
    expect<usize>(peek(socket)).toBe(0);
    expect<i32>(peekLength(socket)).toBe(0);
    expect<u32>(poll(socket)).toBe(POLLIN | POLLRDHUP | POLLOUT);
    datagram(PEER, 53, OWN, socket.flow.local.port, 10);
    expect<u32>(bufferPool().inUse).toBe(0);
    expect<i32>(shutdown(socket, SHUT_WR)).toBe(0);
    expect<i32>(sendTo(socket, 0, 0, 1)).toBe(-32);
    expect<u32>(poll(socket) & POLLHUP).toBe(POLLHUP);
  });

  it("talks to itself through the mirror over a bad link", () => {
    link.setHook(link.mirrorHook.index);
    link.setImpairments(50, 50, 200, 50, 1_000_000, 500_000);
    link.setHolding(true);
    const server = bound(0, 7);
    const socket = create();
    connect(socket, PEER, 7);
    let got = 0;
    let wrong = 0;
    for (let i = 0; i < 500; i++) {
      sendTo(socket, 0, 0, 100);
      link.run(2_000_000);
      while (peek(server) != 0) {
        got++;
        if (peekLength(server) != 100 || load<u8>(peek(server) + 99) != 100) wrong++;
        consume(server);
      }
    }
    expect<i32>(wrong).toBe(0);
    expect<i32>(got).toBeGreaterThan(400);
    expect<u32>(link.lost).toBeGreaterThan(5);
    expect<u32>(link.duplicated).toBeGreaterThan(5);
    expect<u32>(link.corrupted).toBeGreaterThan(5);
    expect<u32>(link.overwritten).toBe(0);
    link.run(10_000_000_000);
    close(server);
    close(socket);
    expect<u32>(bufferPool().inUse).toBe(0);
  });
});
