/**
 * From the packet to the application's memory: one copy of each byte, whichever call or event delivers it, over the real TCP and UDP by loopback. (What TCP does with
 * small segments before that is spec/net/tcp/copies.spec.ts's.)
 */
import { EAGAIN } from "../../kernel/errno";
import { upcallArgument4 } from "../../kernel/glue";
import { networkCounters } from "../../net/counters";
import { sys_bind, sys_close, sys_socket } from "../../net/socket/calls";
import { sys_recv } from "../../net/socket/calls-receive";
import { sys_send, sys_sendto } from "../../net/socket/calls-send";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";
import { expectAllClosed, PEEK } from "./calls";
import { onRead, setUp, user } from "./driver";
import { nextHandler, settle } from "./machine";
import {
  address,
  AF_INET,
  client,
  closePair,
  connectPair,
  DATAGRAM,
  LOOPBACK,
  NONBLOCK,
  passMilliseconds,
  server,
} from "./pair";

let data: u32 = 0;

function begin(): void {
  networkCounters().payloadDelivered = 0;
  networkCounters().payloadCopied = 0;
}

function expectCopies(delivered: u64): void {
  expect<u64>(networkCounters().payloadDelivered).toBe(delivered, "delivered");
  expect<u64>(networkCounters().payloadCopied).toBe(delivered, "copied");
}

/** Sends pieces of up to `most` bytes until `total` are on their way or nothing more is taken; the bytes that were. */
function sendSome(total: u32, most: u32): u32 {
  let sent: u32 = 0;
  while (sent < total) {
    const bytes = sys_send(client, data, min<u32>(1 + chance(most), total - sent), 0);
    if (bytes < 0) {
      expect<i32>(bytes).toBe(-EAGAIN);
      break;
    }
    sent += bytes;
  }
  return sent;
}

describe("copies of what is delivered", () => {
  beforeAll(() => {
    setUp(true);
    data = user + 8192;
    seedChance(21);
  });
  beforeEach(() => {
    fake.onIdle(0);
    begin();
  });
  afterEach(expectAllClosed);

  it("of a stream that calls read, with pieces of every size on both sides", () => {
    connectPair();
    let sent: u32 = 0;
    let received: u32 = 0;
    while (sent < 2_000_000 || received < sent) {
      if (sent < 2_000_000) sent += sendSome(chance(40000), 1 + chance(chance(2) ? 60 : 6000));
      settle();
      while (chance(3) != 0) {
        const bytes = sys_recv(server, data, 1 + chance(20000), 0);
        if (bytes < 0) break;
        received += bytes;
      }
      passMilliseconds(1);
    }
    expectCopies(sent);
    closePair();
  });

  it("of a stream that a handler gets, and of one that two events share, a copy each", () => {
    for (let events: u32 = 1; events <= 2; events++) {
      connectPair();
      begin();
      for (let i = 0; i < <i32>events; i++) onRead(server);
      let sent: u32 = 0;
      let handled: u32 = 0;
      while (sent < 300_000 || handled < events * sent) {
        if (sent < 300_000) sent += sendSome(1 + chance(9000), 1 + chance(3000));
        settle();
        while (<u32>nextHandler() != 0) handled += upcallArgument4;
        passMilliseconds(1);
      }
      expect<u32>(handled).toBe(events * sent);
      expectCopies(handled);
      closePair();
    }
  });

  it("of datagrams up to 65,507 bytes, in fragments", () => {
    const fd = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
    expect<i32>(sys_bind(fd, address(0, 4003), 16)).toBe(0);
    let sent: u32 = 0;
    for (let i = 0; i < 300; i++) {
      const length: u32 = i % 20 == 0 ? 65507 - chance(2000) : chance(5000);
      expect<i32>(sys_sendto(fd, data, length, 0, address(LOOPBACK, 4003), 16)).toBe(length);
      settle();
      expect<i32>(sys_recv(fd, data, 65507, 0)).toBe(length);
      sent += length;
    }
    expectCopies(sent);
    begin();
    onRead(fd);
    expect<i32>(sys_sendto(fd, data, 9000, 0, address(LOOPBACK, 4003), 16)).toBe(9000);
    settle();
    nextHandler();
    expect<u32>(upcallArgument4).toBe(9000);
    expectCopies(9000);
    sys_close(fd);
  });

  it("are made for each look at them, and of what is cut off not at all", () => {
    const fd = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
    expect<i32>(sys_bind(fd, address(0, 4003), 16)).toBe(0);
    expect<i32>(sys_sendto(fd, data, 1000, 0, address(LOOPBACK, 4003), 16)).toBe(1000);
    settle();
    expect<i32>(sys_recv(fd, data, 400, PEEK)).toBe(400);
    expect<i32>(sys_recv(fd, data, 300, 0)).toBe(300);
    expectCopies(700);
    sys_close(fd);
  });
});
