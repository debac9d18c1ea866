/** Messages: calls and events (docs/aem-calls.md), within a process and between two. */
import {
  EVENT_ACCEPT,
  EVENT_TYPES,
  EVENT_MESSAGE,
  EVENT_TIMER,
  EVENTS_PER_PORT,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  MESSAGE_LIMIT,
  MESSAGE_QUEUE,
  SHUTDOWN_DELIVER,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_evpost } from "../../aem/evpost";
import { sys_evsystem } from "../../aem/evsystem";
import { messagePool } from "../../aem/jobs/message";
import { sys_vmtable_free, sys_vmtable_keep } from "../../aem/vmtable";
import { EAGAIN, ECONNREFUSED, EDQUOT, EFAULT, EINVAL, EMSGSIZE, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument2, upcallArgument3 } from "../../kernel/glue";
import { currentProcess } from "../../kernel/process/process";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  onTimer,
  readStatistics,
  setUp,
  statistics,
  user,
} from "./driver";
import { handlerOf, newProcess } from "./machine";
import { endNow } from "../reap";
import { goTo, listen, post, wrong } from "./messages";

const NOWHERE: u32 = 0xff00_0000;

beforeAll(() => {
  setUp();
});

describe("3.1.1 message events", () => {
  afterEach(() => {
    expectNothingLeft();
  });

  it("are posted to by pid and port, and come with sender, bytes and length", () => {
    const pid = currentProcess().pid;
    const jid = listen(7);
    expect<i32>(post(pid, 7, 1, 300)).toBe(0);
    expect<i32>(post(pid, 7, 2, 0)).toBe(0, "no bytes");
    expectHandler(EVENT_MESSAGE, "the first");
    expect<i32>(<i32>upcallArgument1).toBe(jid);
    expect<i32>(<i32>upcallArgument2).toBe(pid);
    expect<u32>(wrong(1, 300)).toBe(0);
    expectHandler(EVENT_MESSAGE, "the second");
    expect<u32>(wrong(2, 0)).toBe(0);
    expectNone("no more");
    readStatistics(jid);
    expect<u64>(statistics.activations).toBe(2);
    expect<u64>(statistics.handled).toBe(2);
  });

  it("are posted to by jid within the process", () => {
    const jid = listen(7);
    expect<i32>(post(0, jid, 5, 64)).toBe(0);
    expectHandler(EVENT_MESSAGE, "it");
    expect<u32>(wrong(5, 64)).toBe(0);
    const timer = onTimer(1000, 0);
    expect<i32>(post(0, timer, 5, 64)).toBe(-EINVAL, "an event of another type");
    expect<i32>(post(0, 12345, 5, 64)).toBe(-ESRCH, "no event");
  });

  it("ports that share a place among those named of late are told apart", () => {
    const pid = currentProcess().pid;
    const ports: u32[] = [7, 7 + 64, 7 + 128];
    const jids: i32[] = [];
    for (let i = 0; i < ports.length; i++) jids.push(listen(ports[i]));
    expect<i32>(post(pid, 7 + 192, 0, 8)).toBe(-ECONNREFUSED, "nobody listens there");
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < ports.length; i++) {
        expect<i32>(post(pid, ports[i], i, 8)).toBe(0);
        expectHandler(EVENT_MESSAGE, "its own");
        expect<i32>(<i32>upcallArgument1).toBe(jids[i]);
        expect<u32>(wrong(i, 8)).toBe(0);
      }
    }
    expectNone("no more");
  });

  it("say what is wrong with a call", () => {
    const pid = currentProcess().pid;
    listen(7);
    expect<i32>(post(60, 7, 0, 1)).toBe(-ESRCH, "no process");
    expect<i32>(post(-1, 7, 0, 1)).toBe(-ESRCH, "no pid");
    expect<i32>(post(pid, 8, 0, 1)).toBe(-ECONNREFUSED, "no port");
    expect<i32>(sys_evpost(pid, 7, user, MESSAGE_LIMIT + 1)).toBe(-EMSGSIZE);
    expect<i32>(sys_evpost(pid, 7, user, -1)).toBe(-EINVAL);
    expect<i32>(sys_evpost(pid, 7, NOWHERE, 8)).toBe(-EFAULT);
    expect<i32>(listen(7, 1 << 31)).toBe(-EINVAL, "a flag");
    expect<i32>(sys_evsystem(EVENT_MESSAGE, 9, 0, handlerOf(EVENT_TIMER))).toBe(
      -EINVAL,
      "a handler of another type",
    );
    for (let type: u32 = EVENT_ACCEPT; type <= EVENT_TIMER; type++)
      expect<i32>(sys_evsystem(type, 0, 0, handlerOf(type))).toBe(-EINVAL, "a type with a call of its own");
    expect<i32>(sys_evsystem(EVENT_TYPES, 0, 0, 1)).toBe(-EINVAL, "no type");
    expectNone("nothing was posted");
  });

  it("3.6.5 give every listener of the port the message, in a block of its own", () => {
    const pid = currentProcess().pid;
    const jids: i32[] = [];
    for (let i: u32 = 0; i < EVENTS_PER_PORT; i++) jids.push(listen(7));
    expect<i32>(listen(7)).toBe(-EDQUOT, "one more");
    const other = listen(8);
    expect<i32>(post(pid, 7, 9, 100)).toBe(0);
    let blocks: u32[] = [];
    for (let i = 0; i < jids.length; i++) {
      expectHandler(EVENT_MESSAGE, "a listener");
      expect<i32>(<i32>upcallArgument1).toBe(jids[i]);
      expect<u32>(wrong(9, 100)).toBe(0);
      sys_vmtable_keep(upcallArgument3);
      expect<bool>(blocks.includes(upcallArgument3)).toBe(false, "a block twice");
      blocks.push(upcallArgument3);
    }
    expectNone("no other port");
    for (let i = 0; i < blocks.length; i++) expect<i32>(sys_vmtable_free(blocks[i])).toBe(0);
    readStatistics(other);
    expect<u64>(statistics.activations).toBe(0);
  });

  it("3.5.1 at a full queue all listeners are refused alike, and what is refused can be posted later", () => {
    const pid = currentProcess().pid;
    const full = listen(7);
    for (let i: u32 = 0; i < MESSAGE_QUEUE; i++) expect<i32>(post(pid, 7, i, 8)).toBe(0);
    const empty = listen(7);
    expect<i32>(post(pid, 7, MESSAGE_QUEUE, 8)).toBe(-EAGAIN);
    readStatistics(empty);
    expect<u64>(statistics.activations).toBe(0, "nobody has it");
    expectHandler(EVENT_MESSAGE, "the oldest");
    expect<u32>(wrong(0, 8)).toBe(0);
    expect<i32>(post(pid, 7, MESSAGE_QUEUE, 8)).toBe(0, "now there is room");
    for (let i: u32 = 1; i <= MESSAGE_QUEUE; i++) {
      // The other listener's turn is among them.
      do expectHandler(EVENT_MESSAGE, "in order");
      while (<i32>upcallArgument1 == empty);
      expect<i32>(<i32>upcallArgument1).toBe(full);
      expect<u32>(wrong(i, 8)).toBe(0, "order");
    }
  });

  it("leave half of the vmtable to others", () => {
    const process = currentProcess();
    const most = <u32>(process.vmtable.size >> 1);
    listen(7);
    expect<i32>(sys_evpost(process.pid, 7, user, most + 1)).toBe(-EMSGSIZE, "more than could ever wait");
    expect<i32>(post(process.pid, 7, 0, most)).toBe(0);
    expect<i32>(post(process.pid, 7, 0, 1)).toBe(-EAGAIN);
    expect<u32>(process.vmtable.bytesInUse).toBe(most);
    expectHandler(EVENT_MESSAGE, "it");
    expect<i32>(post(process.pid, 7, 0, 1)).toBe(0, "what a handler has does not wait");
    expectHandler(EVENT_MESSAGE, "the next");
  });

  it("stop, start, and shut down as other events do", () => {
    const pid = currentProcess().pid;
    const jid = listen(7);
    sys_evctl(jid, EVJOBSTOP, 0);
    for (let i: u32 = 0; i < 3; i++) post(pid, 7, i, 10);
    expectNone("it is stopped");
    readStatistics(jid);
    expect<u32>(statistics.waiting).toBe(3);
    sys_evctl(jid, EVJOBSTART, 0);
    expectHandler(EVENT_MESSAGE, "the first");
    expect<u32>(wrong(0, 10)).toBe(0);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    expect<i32>(post(pid, 7, 9, 10)).toBe(-ECONNREFUSED, "it takes nothing more");
    for (let i: u32 = 1; i < 3; i++) {
      expectHandler(EVENT_MESSAGE, "the rest");
      expect<u32>(wrong(i, 10)).toBe(0);
    }
    expectNone("it has ended");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });
});

describe("3.4.2 messages of another process", () => {
  it("are copied into a process that does not run, which then has them", () => {
    const receiver = currentProcess();
    const sender = newProcess();
    listen(40);
    goTo(sender);
    for (let i: u32 = 0; i < 20; i++) expect<i32>(post(receiver.pid, 40, i, i * 100)).toBe(0);
    expect<i32>(post(sender.pid, 40, 0, 1)).toBe(-ECONNREFUSED, "a port belongs to its process");
    goTo(receiver);
    for (let i: u32 = 0; i < 20; i++) {
      expectHandler(EVENT_MESSAGE, "one");
      expect<i32>(<i32>upcallArgument2).toBe(sender.pid);
      expect<u32>(wrong(i, i * 100)).toBe(0);
    }
    expectNone("no more");
    expectNothingLeft();
    endNow(sender, 0);
  });

  it("go with a receiver that ends, and its pid is unknown then", () => {
    const receiver = newProcess();
    const sender = currentProcess();
    goTo(receiver);
    listen(41);
    goTo(sender);
    for (let i: u32 = 0; i < 5; i++) expect<i32>(post(receiver.pid, 41, i, 1000)).toBe(0);
    expect<u32>(messagePool().inUse).toBe(5);
    const pid = receiver.pid;
    endNow(receiver, 0);
    expect<u32>(messagePool().inUse).toBe(0, "records left");
    expect<i32>(post(pid, 41, 0, 1)).toBe(-ESRCH);
  });
});
