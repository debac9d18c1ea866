/** What each type of event promises (docs/aem-calls.md, "What each type promises"). */
import {
  EVENT_ACCEPT,
  EVENT_ENDED,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_REGISTERED,
  EVENT_STARVED,
  EVF_ONESHOT,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  READ_LIMIT,
  SHUTDOWN_DELIVER,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_sockasync_accept } from "../../aem/sockasync";
import { sys_vmtable_free, sys_vmtable_keep } from "../../aem/vmtable";
import { ECONNREFUSED, ECONNRESET, EINVAL, ENOTCONN, ESRCH } from "../../kernel/errno";
import {
  upcallArgument1,
  upcallArgument2,
  upcallArgument3,
  upcallArgument4,
  upcallArgument5,
} from "../../kernel/glue";
import { vmtableAllocate, vmtableFree } from "../../kernel/memory/vmtable";
import { HANDLE_LIMIT, HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from "../../kernel/scheduler/wait";
import { sys_close } from "../../net/socket/calls";
import { SOCKADDR_SIZE } from "../../net/socket/sockaddr";
import * as fake from "../fake";
import {
  nextHandler,
  establish,
  fail,
  FakeSocket,
  finish,
  handlerOf,
  newDatagram,
  newListener,
  newStream,
  open,
  receive,
  receiveDatagram,
  switchTo,
} from "./machine";
import {
  user,
  statistics,
  setUp,
  expectNothingLeft,
  expectHandler,
  expectNone,
  readStatistics,
  zone,
  expectData,
  expectRead,
  onRead,
  starvedCount,
} from "./driver";

const BLOCK: u32 = 64;

/** Takes all of the vmtable but for what the caller frees of it: blocks of 64 bytes, the first one returned, linked by their first word. */
function fillVmtable(): usize {
  const vmtable = currentProcess().vmtable;
  let first: usize = 0;
  for (let block = vmtableAllocate(vmtable, BLOCK); block != 0; block = vmtableAllocate(vmtable, BLOCK)) {
    store<usize>(zone(<u32>block), first);
    first = block;
  }
  return first;
}
/** Frees `count` of them through the system call, as the application would; returns the rest. */
function freeBlocks(first: usize, count: u32): usize {
  for (let i: u32 = 0; i < count && first != 0; i++) {
    const next = load<usize>(zone(<u32>first));
    expect<i32>(sys_vmtable_free(<u32>first)).toBe(0);
    first = next;
  }
  return first;
}

beforeAll(() => {
  setUp();
});

afterEach(() => {
  expectNothingLeft();
});

describe("sockasync_accept", () => {
  it("hands over one connection for each call, in a descriptor of its own", () => {
    const listener = newListener();
    const fd = open(listener);
    establish(listener);
    const jid = sys_sockasync_accept(fd, 0, 0, 0, handlerOf(EVENT_ACCEPT));
    establish(listener);
    establish(listener);
    for (let i: u32 = 0; i < 3; i++) {
      expectHandler(EVENT_ACCEPT, "a connection, also the one that was there before");
      expect<i32>(<i32>upcallArgument1).toBe(jid);
      expect<i32>(<i32>upcallArgument2).toBe(fd);
      const socket = changetype<FakeSocket>(
        handleObject(currentProcess(), <i32>upcallArgument3, HANDLE_SOCKET),
      );
      expect<u32>(socket.flow.remote.port).toBe(1000 + i);
    }
    expectNone("no more");
    readStatistics(jid);
    expect<u64>(statistics.handled).toBe(3);
  });

  it("fills in the peer's address as accept does", () => {
    const listener = newListener();
    const length = user + 32;
    store<u32>(length, 16);
    const jid = sys_sockasync_accept(open(listener), user, length, 0, handlerOf(EVENT_ACCEPT));
    establish(listener);
    expectHandler(EVENT_ACCEPT, "called");
    expect<u16>(load<u16>(user)).toBe(2, "AF_INET");
    expect<u16>(bswap<u16>(load<u16>(user, 2))).toBe(1000);
    expect<u32>(bswap<u32>(load<u32>(user, 4))).toBe(0x0a000002);
    expect<u32>(load<u32>(length)).toBe(16);
    // Less room: cut off, and the whole length told.
    store<u32>(length, 2);
    store<u16>(user, 0, 2);
    establish(listener);
    expectHandler(EVENT_ACCEPT, "called");
    expect<u16>(load<u16>(user, 2)).toBe(0, "beyond the room");
    expect<u32>(load<u32>(length)).toBe(16);
    // Memory that is no more: counted, and the connection comes all the same.
    fake.unmapUser(user, 16);
    establish(listener);
    expectHandler(EVENT_ACCEPT, "called");
    readStatistics(jid);
    expect<u64>(statistics.errors).toBe(1);
    switchTo(currentProcess());
  });

  it("leaves connections in their queue while there is no descriptor", () => {
    const process = currentProcess();
    const listener = newListener();
    const jid = sys_sockasync_accept(open(listener), 0, 0, 0, handlerOf(EVENT_ACCEPT));
    const socket = newStream();
    const last = open(socket);
    // The table as it is when it is full.
    const free = process.handleFree;
    const capacity = process.handleCapacity;
    process.handleFree = 0;
    process.handleCapacity = HANDLE_LIMIT;
    establish(listener);
    expectNone("no descriptor");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_PENDING | EVENT_STARVED);
    establish(listener);
    expectNone("and nothing spins");
    expect<u32>(listener.waiting).toBe(2);
    expect<i32>(sys_close(last)).toBe(0);
    expectHandler(EVENT_ACCEPT, "a descriptor was closed");
    expect<i32>(<i32>upcallArgument3).toBe(last);
    expectNone("only one");
    expect<u32>(listener.waiting).toBe(1);
    process.handleCapacity = capacity;
    process.handleFree = free;
  });
});

describe("sockasync_read of a stream", () => {
  it("copies what is there, over several packets", () => {
    const socket = newStream();
    const fd = open(socket);
    const jid = onRead(fd);
    receive(socket, 1000);
    receive(socket, 3000);
    expectRead(0, 4000, "coalesced");
    expect<i32>(<i32>upcallArgument1).toBe(jid);
    expect<i32>(<i32>upcallArgument2).toBe(fd);
    expect<u32>(upcallArgument5).toBe(0, "no address");
    expectNone("all taken");
    readStatistics(jid);
    expect<u64>(statistics.activations).toBe(2);
    expect<u64>(statistics.handled).toBe(1);
    expect<u64>(statistics.coalesced).toBe(1);
  });

  it("gives no more than READ_LIMIT at a time, and then the rest", () => {
    const socket = newStream();
    onRead(open(socket));
    receive(socket, READ_LIMIT * 2 + 5);
    expectRead(0, READ_LIMIT, "first");
    expect<u32>(currentProcess().vmtable.bytesInUse).toBe(READ_LIMIT);
    expectRead(READ_LIMIT, READ_LIMIT, "second");
    expectRead(READ_LIMIT * 2, 5, "rest");
    expectNone("all taken");
  });

  it("takes turns with other events when there is more than one block", () => {
    const first = newStream();
    const second = newStream();
    const a = onRead(open(first));
    const b = onRead(open(second));
    receive(first, READ_LIMIT * 2);
    receive(second, 10);
    expectHandler(EVENT_READ, "first");
    expect<i32>(<i32>upcallArgument1).toBe(a);
    expectHandler(EVENT_READ, "second");
    expect<i32>(<i32>upcallArgument1).toBe(b);
    expectHandler(EVENT_READ, "first again");
    expect<i32>(<i32>upcallArgument1).toBe(a);
  });

  it("reports data and the end that were there before the registration; the end once", () => {
    const socket = newStream();
    receive(socket, 10);
    finish(socket);
    const jid = onRead(open(socket));
    expectRead(0, 10, "data");
    expectHandler(EVENT_READ, "end");
    expect<u32>(upcallArgument3).toBe(0);
    expect<u32>(upcallArgument4).toBe(0);
    socket.wake(POLLIN | POLLRDHUP, 0);
    expectNone("once");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_ENDED);
  });

  it("reports the error that ended it after the data, once", () => {
    const socket = newStream();
    onRead(open(socket));
    receive(socket, 10);
    fail(socket, ECONNRESET);
    expectRead(0, 10, "data");
    expectHandler(EVENT_READ, "end");
    expect<i32>(<i32>upcallArgument4).toBe(-ECONNRESET);
    socket.wake(POLLERR, 0);
    expectNone("once");
  });

  it("may be registered before the connection is there", () => {
    const socket = newStream();
    socket.end = -ENOTCONN;
    socket.bits = POLLOUT | POLLHUP;
    onRead(open(socket));
    expectNone("no end of what has not begun");
    socket.end = -11;
    socket.bits = POLLOUT;
    receive(socket, 7);
    expectRead(0, 7, "data");
  });

  it("passes over data that recv has taken", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    receive(socket, 100);
    socket.taken = 100;
    expectNone("nothing is left");
    receive(socket, 50);
    expectRead(100, 50, "later data");
    readStatistics(jid);
    expect<u64>(statistics.coalesced).toBe(1);
  });

  it("EVF_ONESHOT ends after one call; its jid is valid inside the handler", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_ONESHOT);
    expectNone("nothing yet");
    receive(socket, 100);
    expectRead(0, 100, "called");
    receive(socket, 100);
    readStatistics(jid);
    expectNone("not again");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<bool>(socket.isEmpty).toBe(true);
  });

  it("with two events on one socket, each byte goes to one of them and the end to both", () => {
    const socket = newStream();
    const fd = open(socket);
    onRead(fd);
    onRead(fd);
    receive(socket, 100);
    expectRead(0, 100, "one of them");
    expectNone("not both");
    finish(socket);
    expectHandler(EVENT_READ, "the end");
    const first = upcallArgument1;
    expectHandler(EVENT_READ, "the end");
    expect<bool>(first != upcallArgument1).toBe(true);
    expectNone("no more");
  });

  it("the handler may keep its block and free it later", () => {
    const vmtable = currentProcess().vmtable;
    const socket = newStream();
    onRead(open(socket));
    receive(socket, 100);
    expectRead(0, 100, "called");
    const data = upcallArgument3;
    expect<i32>(sys_vmtable_keep(data + 1)).toBe(-EINVAL);
    expect<i32>(sys_vmtable_keep(0)).toBe(-EINVAL);
    expect<i32>(sys_vmtable_keep(data)).toBe(0);
    expect<i32>(sys_vmtable_keep(data)).toBe(-EINVAL, "kept already");
    expectNone("returns");
    expect<u32>(vmtable.blocks).toBe(1);
    expect<i32>(sys_vmtable_keep(data)).toBe(-EINVAL, "no handler runs");
    expect<i32>(sys_vmtable_free(data + 64)).toBe(-EINVAL);
    expect<i32>(sys_vmtable_free(data)).toBe(0);
    expect<i32>(sys_vmtable_free(data)).toBe(-EINVAL, "twice");
    // Freed early, inside the handler: not freed again when it returns.
    receive(socket, 100);
    expectRead(100, 100, "called");
    expect<i32>(sys_vmtable_free(upcallArgument3)).toBe(0);
    const other = vmtableAllocate(vmtable, 100);
    expectNone("returns");
    expect<u32>(vmtable.blocks).toBe(1);
    vmtableFree(vmtable, other);
  });
});

describe("shortage of vmtable memory", () => {
  it("leaves data in the socket, and loses nothing", () => {
    let blocks = fillVmtable();
    const socket = newStream();
    const jid = onRead(open(socket));
    receive(socket, 1000);
    expectNone("no block");
    receive(socket, 1000);
    expectNone("and nothing spins");
    expect<u32>(socket.taken).toBe(0);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_PENDING | EVENT_STARVED);
    readStatistics(jid);
    expect<u64>(statistics.waiting).toBe(1);
    expect<u64>(statistics.errors).toBe(1);
    blocks = freeBlocks(blocks, 1);
    expect<bool>(currentProcess().thread.canDispatch).toBe(true, "tried again");
    let position: u32 = 0;
    // Whatever size there is a block of, the stream goes on.
    for (let i = 0; i < 2000 && position < 2000; i++) {
      if (<u32>nextHandler() == 0) break;
      const length = upcallArgument4;
      expectData(position, length, "a piece");
      position += length;
    }
    expect<u32>(position).toBe(2000);
    freeBlocks(blocks, u32.MAX_VALUE);
  });

  it("a datagram waits for a block that is large enough, others do not wait for it", () => {
    let blocks = fillVmtable();
    const large = newDatagram();
    const small = newStream();
    onRead(open(large));
    onRead(open(small));
    receiveDatagram(large, 1000);
    receive(small, 10);
    expectNone("no block");
    blocks = freeBlocks(blocks, 1);
    expectRead(0, 10, "the small one");
    expectNone("the large one still waits");
    expect<u32>(large.waiting).toBe(1);
    blocks = freeBlocks(blocks, u32.MAX_VALUE);
    expectHandler(EVENT_READ, "the large one");
    expect<u32>(upcallArgument4).toBe(1000);
  });

  it("ends when another handler returns its block", () => {
    const blocks = freeBlocks(fillVmtable(), 1);
    const first = newStream();
    const second = newStream();
    const a = onRead(open(first));
    const b = onRead(open(second));
    receive(first, 10);
    receive(second, 20);
    expectRead(0, 10, "has the only block");
    expect<i32>(<i32>upcallArgument1).toBe(a);
    expectRead(0, 20, "has it next");
    expect<i32>(<i32>upcallArgument1).toBe(b);
    expectNone("no more");
    // Two that wait, and a handler that frees its block early.
    receive(first, 10);
    receive(second, 20);
    expectRead(10, 10, "has the only block");
    expect<i32>(sys_vmtable_free(upcallArgument3)).toBe(0);
    expectRead(20, 20, "has it next");
    freeBlocks(blocks, u32.MAX_VALUE);
  });

  it("a starved event can be stopped, started, and shut down", () => {
    const blocks = fillVmtable();
    const socket = newStream();
    const jid = onRead(open(socket));
    receive(socket, 100);
    expectNone("no block");
    sys_evctl(jid, EVJOBSTOP, 0);
    expect<i32>(starvedCount(currentProcess())).toBe(0);
    sys_evctl(jid, EVJOBSTART, 0);
    expectNone("no block");
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    expectNone("still none");
    freeBlocks(blocks, u32.MAX_VALUE);
    expectHandler(EVENT_READ, "delivered, then ended");
    expectNone("ended");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });
});

describe("sockasync_read of datagrams", () => {
  it("hands over one for each call, its sender in front", () => {
    const socket = newDatagram();
    onRead(open(socket));
    receiveDatagram(socket, 100);
    receiveDatagram(socket, 0);
    receiveDatagram(socket, 1472);
    for (let i: u32 = 0; i < 3; i++) {
      expectHandler(EVENT_READ, "a datagram");
      const length: u32 = i == 0 ? 100 : i == 1 ? 0 : 1472;
      expectData(i, length, "its data");
      expect<u32>(upcallArgument5 + SOCKADDR_SIZE).toBe(upcallArgument3);
      const from = zone(upcallArgument5);
      expect<u16>(load<u16>(from)).toBe(2);
      expect<u16>(bswap<u16>(load<u16>(from, 2))).toBe(<u16>(2000 + i));
      expect<u32>(bswap<u32>(load<u32>(from, 4))).toBe(0x0a000003);
      expect<u64>(load<u64>(from, 8)).toBe(0);
    }
    expectNone("no more");
  });

  it("reports an error behind the datagrams, and goes on", () => {
    const socket = newDatagram();
    onRead(open(socket));
    receiveDatagram(socket, 5);
    socket.error = ECONNREFUSED;
    socket.wake(POLLIN | POLLERR, 0);
    expectHandler(EVENT_READ, "the datagram");
    expect<u32>(upcallArgument4).toBe(5);
    expectHandler(EVENT_READ, "the error");
    expect<i32>(<i32>upcallArgument4).toBe(-ECONNREFUSED);
    expect<u32>(upcallArgument5).toBe(0);
    expectNone("once");
    receiveDatagram(socket, 6);
    expectHandler(EVENT_READ, "goes on");
    expect<u32>(upcallArgument4).toBe(6);
  });

  it("a block is kept and freed by the address of its data, or of its sender", () => {
    const socket = newDatagram();
    onRead(open(socket));
    receiveDatagram(socket, 100);
    receiveDatagram(socket, 100);
    expectHandler(EVENT_READ, "first");
    const data = upcallArgument3;
    expect<i32>(sys_vmtable_keep(data)).toBe(0);
    expectHandler(EVENT_READ, "second");
    const from = upcallArgument5;
    expect<i32>(sys_vmtable_keep(from)).toBe(0);
    expectNone("returns");
    expect<i32>(sys_vmtable_free(data)).toBe(0);
    expect<i32>(sys_vmtable_free(from)).toBe(0);
  });
});
