/** sendmsg: any pieces of memory are one stream, or one datagram; and what is wrong with them is found before anything is sent. */
import { EAGAIN, EBADF, EDESTADDRREQ, EFAULT, EINVAL, EMSGSIZE, EOPNOTSUPP } from "../../kernel/errno";
import { sys_bind, sys_close, sys_socket } from "../../net/socket/calls";
import { sys_getsockopt } from "../../net/socket/calls-options";
import { sys_recv } from "../../net/socket/calls-receive";
import { sys_send, sys_sendmsg } from "../../net/socket/calls-send";
import { IOV_MAX } from "../../net/socket/gather";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";
import { expectAllClosed, PEEK } from "./calls";
import { setUp, timePasses, user } from "./driver";
import { pattern, settle } from "./machine";
import {
  address,
  AF_INET,
  client,
  closePair,
  connectPair,
  DATAGRAM,
  DONTWAIT,
  LOOPBACK,
  NONBLOCK,
  passMilliseconds,
  server,
  setBlocking,
} from "./pair";

const OOB: u32 = 1;
/** A vector that nobody has: the idle processor woke for nothing else than what the spec did meanwhile. */
const NO_VECTOR: u32 = 0x20;

let message: u32 = 0;
let vector: u32 = 0;
let data: u32 = 0;
let inbox: u32 = 0;

/** The msghdr, for `count` pieces to `name`. */
function header(count: u32, name: u32 = 0): void {
  memory.fill(message, 0, 28);
  store<u32>(message, name);
  store<u32>(message, name != 0 ? 16 : 0, 4);
  store<u32>(message, vector, 8);
  store<u32>(message, count, 12);
}

function piece(index: u32, at: u32, length: u32): void {
  store<u32>(vector + 8 * index, at);
  store<u32>(vector + 8 * index, length, 4);
}

/** The stream from `position` on, in `count` pieces at scattered places, some empty, of `most` bytes at most together; how many. */
function scatter(position: u32, count: u32, most: u32): u32 {
  let total: u32 = 0;
  // Pieces overlap nowhere: each has its share of 64 KiB.
  const share: u32 = 65536 / max<u32>(count, 1);
  for (let i: u32 = 0; i < count; i++) {
    const length: u32 = chance(6) == 0 ? 0 : min<u32>(min(chance(share), chance(3000)), most - total);
    // From the last place to the first.
    const at = data + (count - 1 - i) * share;
    for (let j: u32 = 0; j < length; j++) store<u8>(at + j, pattern(position + total + j));
    piece(i, at, length);
    total += length;
  }
  header(count);
  return total;
}

/** Reads what is there and checks it against the stream; how much. */
function drain(position: u32): u32 {
  let done: u32 = 0;
  settle();
  for (let bytes = sys_recv(server, inbox, 8192, DONTWAIT); bytes > 0;) {
    for (let i: i32 = 0; i < bytes; i++)
      assert(load<u8>(inbox + i) == pattern(position + done + i), "wrong byte");
    done += bytes;
    bytes = sys_recv(server, inbox, 8192, DONTWAIT);
  }
  return done;
}

let drained: u32 = 0;
function peerReads(): u32 {
  drained += drain(drained);
  timePasses(1_000_000);
  return NO_VECTOR;
}
/** Another thread of the process makes something else of the vector while the call waits. */
function vectorChanges(): u32 {
  const kind = chance(4);
  for (let i: u32 = 0; i < IOV_MAX; i++) {
    if (kind == 0) piece(i, chance(<u32>0xffff_ffff), chance(<u32>0xffff_ffff));
    else if (kind == 1) piece(i, data, 0);
    else if (kind == 2) piece(i, data, 0x7fff_ffff);
    else piece(i, data, chance(100));
  }
  while (sys_recv(server, inbox, 8192, DONTWAIT) > 0) {}
  // Others send meanwhile.
  sys_send(server, data, 10, DONTWAIT);
  settle();
  timePasses(1_000_000);
  return NO_VECTOR;
}

describe("sendmsg", () => {
  beforeAll(() => {
    setUp(true);
    message = user + 64;
    vector = user + 1024;
    inbox = user + 4096;
    data = user + 16384;
    seedChance(31);
  });
  beforeEach(() => {
    fake.onIdle(0);
  });
  afterEach(expectAllClosed);

  it("any pieces of a stream arrive as one, whatever of them is taken at a time", () => {
    connectPair();
    let sent: u32 = 0;
    let received: u32 = 0;
    let parts = 0;
    for (let round = 0; round < 4000; round++) {
      const total = scatter(sent, chance(IOV_MAX + 1), 60000);
      const bytes = sys_sendmsg(client, message, 0);
      if (bytes < 0) assert(bytes == -EAGAIN);
      else {
        assert(<u32>bytes <= total);
        if (<u32>bytes < total) parts++;
        sent += bytes;
      }
      if (chance(4) == 0) {
        received += drain(received);
        passMilliseconds(1);
      }
    }
    while (received < sent) {
      received += drain(received);
      passMilliseconds(1);
    }
    expect<i32>(parts).toBeGreaterThan(50, "some ended in the middle");
    closePair();
  });

  it("blocks until all of it is taken", () => {
    connectPair();
    setBlocking(client, true);
    drained = 0;
    fake.onIdle(peerReads.index);
    let sent: u32 = 0;
    for (let round = 0; round < 100; round++) {
      const total = scatter(sent, 1 + chance(IOV_MAX), 60000);
      expect<i32>(sys_sendmsg(client, message, 0)).toBe(total);
      sent += total;
    }
    while (drained < sent) peerReads();
    closePair();
  });

  it("stays within its total and the application's memory when the vector changes meanwhile", () => {
    fake.onIdle(vectorChanges.index);
    let faults = 0;
    for (let round = 0; round < 60; round++) {
      connectPair();
      setBlocking(client, true);
      for (let i = 0; i < 12; i++) {
        for (let j: u32 = 0; j < IOV_MAX; j++) piece(j, data, 1024);
        header(IOV_MAX);
        const bytes = sys_sendmsg(client, message, 0);
        if (bytes == -EFAULT || (bytes >= 0 && bytes < 65536)) faults++;
        else expect<i32>(bytes).toBe(65536);
      }
      closePair();
    }
    expect<i32>(faults).toBeGreaterThan(20);
  });

  it("marks all of it urgent with MSG_OOB", () => {
    connectPair();
    scatter(0, 1, 0);
    piece(0, data, 3);
    piece(1, data, 0);
    piece(2, data, 4);
    header(3);
    expect<i32>(sys_sendmsg(client, message, OOB)).toBe(7);
    settle();
    store<u32>(inbox, 4);
    expect<i32>(sys_getsockopt(server, 6, 0x4002, inbox + 8, inbox)).toBe(0);
    expect<u32>(load<u32>(inbox, 8)).toBe(7, "TCP_URGENT");
    expect<i32>(sys_recv(server, inbox, 100, 0)).toBe(7);
    closePair();
  });

  it("any pieces are one datagram, also one in fragments", () => {
    const fd = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
    const sender = sys_socket(AF_INET, DATAGRAM | NONBLOCK, 0);
    expect<i32>(sys_bind(fd, address(LOOPBACK, 4009), 16)).toBe(0);
    const name = address(LOOPBACK, 4009);
    for (let round = 0; round < 500; round++) {
      const count = chance(IOV_MAX + 1);
      const total = scatter(0, count, round % 5 == 0 ? 8000 : 1472);
      header(count, name);
      expect<i32>(sys_sendmsg(sender, message, 0)).toBe(total);
      settle();
      expect<i32>(sys_recv(fd, inbox, 8192, 0)).toBe(total);
      for (let i: u32 = 0; i < total; i++) assert(load<u8>(inbox + i) == pattern(i), "wrong byte");
    }
    expect<i32>(sys_recv(fd, inbox, 8192, PEEK)).toBe(-EAGAIN, "one each");
    // No more than a datagram takes; and the peer's name, if there is one.
    piece(0, data, 32768);
    piece(1, data, 32739);
    header(2, name);
    expect<i32>(sys_sendmsg(sender, message, 0)).toBe(65507);
    settle();
    expect<i32>(sys_recv(fd, inbox, 8192, 0)).toBe(8192);
    piece(2, data, 1);
    header(3, name);
    expect<i32>(sys_sendmsg(sender, message, 0)).toBe(-EMSGSIZE);
    header(1);
    expect<i32>(sys_sendmsg(sender, message, 0)).toBe(-EDESTADDRREQ);
    header(1, name);
    store<u32>(message, 3, 4);
    expect<i32>(sys_sendmsg(sender, message, 0)).toBe(-EINVAL, "a short name");
    header(1, 0xffff0000);
    expect<i32>(sys_sendmsg(sender, message, 0)).toBe(-EFAULT);
    header(1, name);
    expect<i32>(sys_sendmsg(sender, message, OOB)).toBe(-EOPNOTSUPP);
    header(0, name);
    expect<i32>(sys_sendmsg(sender, message, 0)).toBe(0);
    settle();
    expect<i32>(sys_recv(fd, inbox, 8192, 0)).toBe(0, "an empty datagram");
    expect<i32>(sys_recv(fd, inbox, 8192, 0)).toBe(-EAGAIN);
    sys_close(sender);
    sys_close(fd);
  });

  it("refuses what is wrong, and sends nothing of it", () => {
    connectPair();
    scatter(0, 3, 3000);
    expect<i32>(sys_sendmsg(99, message, 0)).toBe(-EBADF);
    expect<i32>(sys_sendmsg(client, message, 0x100)).toBe(-EOPNOTSUPP);
    expect<i32>(sys_sendmsg(client, 0xffff0000, 0)).toBe(-EFAULT);
    store<u32>(message, 12, 20);
    expect<i32>(sys_sendmsg(client, message, 0)).toBe(-EOPNOTSUPP, "ancillary data");
    header(IOV_MAX + 1);
    expect<i32>(sys_sendmsg(client, message, 0)).toBe(-EMSGSIZE);
    header(<u32>-1);
    expect<i32>(sys_sendmsg(client, message, 0)).toBe(-EMSGSIZE);
    header(3);
    store<u32>(message, 0xffff0000, 8);
    expect<i32>(sys_sendmsg(client, message, 0)).toBe(-EFAULT, "the vector");
    // Each piece, whichever it is, the first ones being good.
    for (let i: u32 = 0; i < IOV_MAX; i++) {
      for (let j: u32 = 0; j < IOV_MAX; j++) piece(j, data, 100);
      header(IOV_MAX);
      piece(i, 0xffff0000, 1);
      expect<i32>(sys_sendmsg(client, message, 0)).toBe(-EFAULT);
      piece(i, data, 0xffff_ff00);
      expect<i32>(sys_sendmsg(client, message, 0)).toBeLessThan(0);
      piece(i, data, 0x8000_0000);
      expect<i32>(sys_sendmsg(client, message, 0)).toBeLessThan(0);
    }
    // Each fits into the memory, but not all together into an i32.
    for (let j: u32 = 0; j < IOV_MAX; j++) piece(j, 0, 0x0400_0000);
    header(IOV_MAX);
    expect<i32>(sys_sendmsg(client, message, 0)).toBe(-EINVAL);
    header(0);
    expect<i32>(sys_sendmsg(client, message, 0)).toBe(0);
    settle();
    expect<i32>(sys_recv(server, inbox, 100, 0)).toBe(-EAGAIN, "nothing was sent");
    closePair();
  });
});
