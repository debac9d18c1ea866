/** The events of evsystem that tell of limits and of errors (docs/aem-calls.md). */
import {
  EVENT_ACCEPT,
  EVENT_ERROR,
  EVENT_LIMIT,
  EVENT_MESSAGE,
  EVENT_OVERLOAD,
  EVENT_READ,
  EVENT_SIGNAL,
  EVENT_STARVED,
  EVENTS_PER_SOCKET,
  EVF_PRIORITY_SHIFT,
  EVJOBLOOKUP,
  EVJOBSTART,
  EVJOBSTOP,
  PRIORITY_DEFAULT,
  PRIORITY_URGENT,
} from "../../aem/abi";
import { LACK_UNIT } from "../../aem/event";
import { sys_evctl } from "../../aem/evctl";
import { sys_evpost } from "../../aem/evpost";
import { reportError } from "../../aem/jobs/error";
import { sys_sockasync_accept } from "../../aem/sockasync";
import { sys_vmtable_free, sys_vmtable_keep } from "../../aem/vmtable";
import { EAGAIN, EDQUOT, EINVAL, EMFILE, ENOMEM } from "../../kernel/errno";
import { upcallArgument2, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { vmtableAllocate, vmtableFree } from "../../kernel/memory/vmtable";
import { SIGTERM } from "../../kernel/process/calls";
import { HANDLE_LIMIT, HANDLE_SOCKET, handleInstall } from "../../kernel/process/handles";
import { LIMIT_DESCRIPTORS, LIMIT_SOURCE_EVENTS, reportLimit } from "../../kernel/process/limits";
import { currentProcess } from "../../kernel/process/process";
import { sys_close } from "../../net/socket/calls";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  onRead,
  readStatistics,
  setUp,
  statistics,
  user,
  starvedCount,
} from "./driver";
import { establish, handlerOf, newListener, newStream, open, receive } from "./machine";
import { expectArguments, register } from "./system";

/** All of the vmtable, in blocks of the smallest size. */
function fill(): usize[] {
  const blocks: usize[] = [];
  const vmtable = currentProcess().vmtable;
  for (let block = vmtableAllocate(vmtable, 64); block != 0; block = vmtableAllocate(vmtable, 64))
    blocks.push(block);
  return blocks;
}

function free(blocks: usize[]): void {
  const vmtable = currentProcess().vmtable;
  while (blocks.length > 0) vmtableFree(vmtable, blocks.pop());
}

function freeOne(blocks: usize[]): void {
  sys_vmtable_free(<u32>blocks.pop());
}

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

describe("3.5.4 limit events", () => {
  it("tell of a call that was refused: which limit, and its value", () => {
    const jid = register(EVENT_LIMIT, 0);
    const socket = newStream();
    const fd = open(socket);
    for (let i: u32 = 0; i < EVENTS_PER_SOCKET; i++) expect<bool>(onRead(fd) > 0).toBe(true);
    expectNone("not yet");
    expect<i32>(onRead(fd)).toBe(-EDQUOT);
    expect<i32>(onRead(fd)).toBe(-EDQUOT);
    expectHandler(EVENT_LIMIT, "told");
    expectArguments(jid, LIMIT_SOURCE_EVENTS, EVENTS_PER_SOCKET, "which");
    expectNone("once for both");
    sys_close(fd);
    expect<i32>(register(EVENT_LIMIT, 1)).toBe(-EINVAL);
  });

  it("tell of descriptors, and of each limit by itself", () => {
    const jid = register(EVENT_LIMIT, 0);
    const process = currentProcess();
    const capacity = process.handleCapacity;
    const free = process.handleFree;
    // As if all descriptors were taken.
    process.handleCapacity = HANDLE_LIMIT;
    process.handleFree = 0;
    expect<i32>(handleInstall(process, 8, HANDLE_SOCKET)).toBe(-EMFILE);
    process.handleCapacity = capacity;
    process.handleFree = free;
    reportLimit(process, 9, 77);
    expectHandler(EVENT_LIMIT, "one");
    expectArguments(jid, LIMIT_DESCRIPTORS, HANDLE_LIMIT, "descriptors");
    expectHandler(EVENT_LIMIT, "and the other");
    expectArguments(jid, 9, 77, "someone else's limit");
    expectNone("no more");
  });

  it("have the highest priority unless another is given", () => {
    const kinds: u32[] = [EVENT_LIMIT, EVENT_ERROR, EVENT_OVERLOAD];
    for (let i = 0; i < kinds.length; i++) {
      readStatistics(register(kinds[i], kinds[i] == EVENT_OVERLOAD ? 5 : 0));
      expect<u32>(statistics.priority).toBe(PRIORITY_URGENT);
    }
    readStatistics(register(EVENT_LIMIT, 0, 8 << EVF_PRIORITY_SHIFT));
    expect<u32>(statistics.priority).toBe(7);
    readStatistics(register(EVENT_SIGNAL, SIGTERM));
    expect<u32>(statistics.priority).toBe(PRIORITY_DEFAULT);
  });
});

describe("3.5.2 error events", () => {
  it("tell which event waits, for what and how much; when memory is freed it is tried again", () => {
    const error = register(EVENT_ERROR, 0);
    const socket = newStream();
    const fd = open(socket);
    const jid = onRead(fd);
    const blocks = fill();
    receive(socket, 1024);
    expectHandler(EVENT_ERROR, "told");
    expectArguments(error, jid, <u32>-ENOMEM, "about, errno");
    expect<u32>(upcallArgument4).toBe(1024, "bytes");
    expectNone("told once");
    expect<bool>((sys_evctl(jid, EVJOBLOOKUP, 0) & EVENT_STARVED) != 0).toBe(true, "still waits");
    expect<u32>(currentProcess().waitingCount).toBe(1);
    freeOne(blocks);
    expectHandler(EVENT_READ, "tried again");
    expect<u32>(upcallArgument4).toBe(64);
    expectHandler(EVENT_READ, "and the rest, in pieces");
    const second = upcallArgument4;
    free(blocks);
    expectHandler(EVENT_READ, "and the rest");
    expect<u32>(upcallArgument4).toBe(1024 - 64 - second);
    sys_close(fd);
  });

  it("tell of each starved event by itself, in order, without memory, and of a second failure again", () => {
    const sockets = 20;
    const blocks = fill();
    const fds: i32[] = [];
    const jids: i32[] = [];
    for (let i = 0; i < sockets; i++) {
      const socket = newStream();
      fds.push(open(socket));
      jids.push(onRead(fds[i]));
      receive(socket, 100 + 30 * i);
    }
    expectNone("all starve");
    // Those that starve already are told to whoever registers now.
    const error = register(EVENT_ERROR, 0);
    for (let i = 0; i < sockets; i++) {
      expectHandler(EVENT_ERROR, "each");
      expectArguments(error, jids[i], <u32>-ENOMEM, "about");
      expect<u32>(upcallArgument4).toBe((100 + 30 * i + LACK_UNIT - 1) & ~(LACK_UNIT - 1));
    }
    expectNone("each once");
    freeOne(blocks);
    let read = 0;
    for (let i = 0; i < sockets; i++) sys_evctl(jids[i], EVJOBLOOKUP, 0);
    expectHandler(EVENT_READ, "one finds a block");
    sys_vmtable_keep(upcallArgument3);
    const kept = upcallArgument3;
    for (let i = 0; i < sockets; i++) {
      expectHandler(EVENT_ERROR, "the others are told of again, and it as well: it has more");
      read++;
    }
    expectNone("all");
    expect<i32>(read).toBe(sockets);
    readStatistics(error);
    sys_vmtable_free(kept);
    free(blocks);
    for (let i = 0; i < sockets; i++) sys_close(fds[i]);
    expect<i32>(starvedCount(currentProcess())).toBe(0, "starved events left");
  });

  it("tell of descriptors", () => {
    const error = register(EVENT_ERROR, 0);
    const process = currentProcess();
    const listener = newListener();
    const fd = open(listener);
    const jid = sys_sockasync_accept(fd, 0, 0, 0, handlerOf(EVENT_ACCEPT));
    const capacity = process.handleCapacity;
    const free = process.handleFree;
    process.handleCapacity = HANDLE_LIMIT;
    process.handleFree = 0;
    establish(listener);
    expectHandler(EVENT_ERROR, "told");
    expectArguments(error, jid, <u32>-EMFILE, "descriptors");
    expect<u32>(upcallArgument4).toBe(0);
    process.handleCapacity = capacity;
    process.handleFree = free;
    sys_close(fd);
  });

  it("tell of what others report: of a starved event anew, else in one place", () => {
    const process = currentProcess();
    const error = register(EVENT_ERROR, 0);
    reportError(process, 0, EAGAIN, 1);
    reportError(process, 5, ENOMEM, 123456);
    expectHandler(EVENT_ERROR, "the newest");
    expectArguments(error, 5, <u32>-ENOMEM, "about");
    expect<u32>(upcallArgument4).toBe(123456);
    expectNone("once");
    const blocks = fill();
    const socket = newStream();
    const fd = open(socket);
    const jid = onRead(fd);
    receive(socket, 10);
    expectHandler(EVENT_ERROR, "starved");
    reportError(process, jid, EAGAIN, 20_000_000);
    freeOne(blocks);
    expectHandler(EVENT_READ, "delivered after all");
    free(blocks);
    sys_close(fd);
  });

  it("a message's block that goes back is tried at once", () => {
    const process = currentProcess();
    register(EVENT_ERROR, 0);
    const port = register(EVENT_MESSAGE, 3);
    expect<i32>(sys_evpost(0, port, user, 64)).toBe(0);
    const blocks = fill();
    const socket = newStream();
    const fd = open(socket);
    const jid = onRead(fd);
    receive(socket, 10);
    expect<u32>(process.waitingCount).toBe(2);
    // The read event goes first.
    sys_evctl(port, EVJOBSTOP, 0);
    expectHandler(EVENT_ERROR, "starved");
    expect<i32>(<i32>upcallArgument2).toBe(jid);
    sys_evctl(port, EVJOBSTART, 0);
    expectHandler(EVENT_MESSAGE, "the message");
    expectHandler(EVENT_READ, "its block is the read event's");
    free(blocks);
    sys_close(fd);
  });
});
