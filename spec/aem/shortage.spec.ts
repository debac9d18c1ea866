/** Events that starve for want of vmtable memory (docs/aem-calls.md): nothing is lost, each waits in its place, and the process can help itself. */
import {
  EVENT_PENDING,
  EVENT_READ,
  EVENT_REGISTERED,
  EVENT_STARVED,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  SHUTDOWN_DELIVER,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_vmtable_free } from "../../aem/vmtable";
import { ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { vmtableAllocate } from "../../kernel/memory/vmtable";
import { currentProcess } from "../../kernel/process/process";
import { nextHandler, newDatagram, newStream, open, receive, receiveDatagram } from "./machine";
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

afterEach(expectNothingLeft);

describe("shortage of vmtable memory", () => {
  it("leaves data in the socket, and loses nothing", () => {
    let blocks = fillVmtable();
    const socket = newStream();
    const jid = onRead(open(socket));
    receive(socket, 1000);
    expectNone("no block");
    receive(socket, 1000);
    expectNone("and nothing spins");
    expect<u32>(socket.went).toBe(0);
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
