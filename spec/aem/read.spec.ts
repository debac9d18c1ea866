/** sockasync_read (docs/aem-calls.md): streams and datagrams. */
import {
  EVENT_ENDED,
  EVENT_READ,
  EVENT_REGISTERED,
  EVF_ONESHOT,
  EVJOBLOOKUP,
  READ_LIMIT,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
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
import { currentProcess } from "../../kernel/process/process";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from "../../kernel/scheduler/wait";
import { SOCKADDR_SIZE } from "../../net/socket/sockaddr";
import {
  fail,
  finish,
  newDatagram,
  newStream,
  open,
  readElsewhere,
  receive,
  receiveDatagram,
} from "./machine";
import {
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
} from "./driver";

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

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
    readElsewhere(socket, 100);
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

  it("with two events on one socket, each gets all of it, and the end", () => {
    const socket = newStream();
    const fd = open(socket);
    onRead(fd);
    onRead(fd);
    receive(socket, 100);
    expectRead(0, 100, "one of them");
    expect<u32>(socket.went).toBe(0, "it waits for the other one");
    expectRead(0, 100, "the other one");
    expect<u32>(socket.went).toBe(100);
    expectNone("no more");
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
