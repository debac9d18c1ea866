/** Messages and clones: into whose memory they go, and whose they are while they wait. */
import {
  EVENT_MESSAGE,
  EVENT_READ,
  EVF_CAPSULE,
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVJOBSTART,
  EVJOBSTOP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_evpost } from "../../aem/evpost";
import { sys_evsystem } from "../../aem/evsystem";
import { sys_vmtable_free } from "../../aem/vmtable";
import { EINVAL } from "../../kernel/errno";
import { upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { vmtableAllocate, vmtableFree, vmtableHas } from "../../kernel/memory/vmtable";
import { become, begin, children, expectAllGone, finish, main, setUpClones } from "./clones";
import { expectNone, onRead, user, zone } from "./driver";
import { HANDLER_CODE, handlerOf, newStream, nextHandler, open, receive } from "./machine";

beforeAll(setUpClones);
afterEach(expectAllGone);

describe("3.4.2 messages", () => {
  it("go from the sender into the memory of a clone", () => {
    const jid = sys_evsystem(EVENT_MESSAGE, 5, EVF_FORK | EVF_NOCLDWAIT, handlerOf(EVENT_MESSAGE));
    expect<i32>(jid).toBeGreaterThan(0);
    for (let round: u32 = 0; round < 3; round++) {
      for (let i: u32 = 0; i < 9000; i++) store<u8>(user + 8192 + i, <u8>(i * 3 + round));
      expect<i32>(sys_evpost(main.pid, 5, user + 8192, 9000)).toBe(0);
      expect<u32>(main.vmtable.blocks).toBe(1, "waits in the receiver's memory");
      expectNone("launched");
      begin(children()[0], EVENT_MESSAGE);
      expect<u32>(upcallArgument4).toBe(9000);
      expect<u32>(main.vmtable.blocks).toBe(0, "and is in the clone's now");
      expect<u32>(main.messageBytes).toBe(0);
      let wrong = 0;
      for (let i: u32 = 0; i < 9000; i++)
        if (load<u8>(zone(upcallArgument3 + i)) != <u8>(i * 3 + round)) wrong++;
      expect<i32>(wrong).toBe(0);
      finish();
    }
  });
});

describe("3.2.3, 3.6.5 messages that wait", () => {
  it("are the parent's: a clone has none of their blocks, and its vmtable is whole", () => {
    const port = sys_evsystem(EVENT_MESSAGE, 5, 0, handlerOf(EVENT_MESSAGE));
    sys_evctl(port, EVJOBSTOP, 0);
    const kept = vmtableAllocate(main.vmtable, 100);
    for (let i: u32 = 0; i < 5; i++) {
      store<u8>(user, <u8>i);
      expect<i32>(sys_evpost(main.pid, 5, user, 1000 + 2000 * i)).toBe(0);
    }
    expect<u32>(main.vmtable.blocks).toBe(6);
    const executors: u32[] = [EVF_FORK, EVF_CAPSULE];
    for (let i = 0; i < 2; i++) {
      const socket = newStream();
      onRead(open(socket), executors[i]);
      receive(socket, 10);
      expectNone("launched");
      const clone = children()[i];
      expect<u32>(clone.vmtable.blocks).toBe(1, "what the process has kept");
      expect<u32>(clone.vmtable.bytesInUse).toBe(128);
      expect<bool>(vmtableHas(clone.vmtable, kept)).toBe(true);
      const half = vmtableAllocate(clone.vmtable, 65536);
      expect<bool>(half != 0).toBe(true, "room");
      vmtableFree(clone.vmtable, half);
      begin(clone, EVENT_READ);
      become(main);
    }
    sys_evctl(port, EVJOBSTART, 0);
    for (let i: u32 = 0; i < 5; i++) {
      expect<u32>(<u32>nextHandler()).toBe(HANDLER_CODE + EVENT_MESSAGE);
      expect<u32>(upcallArgument4).toBe(1000 + 2000 * i);
      expect<u32>(load<u8>(zone(upcallArgument3))).toBe(i);
    }
    expectNone("all");
    expect<u32>(main.vmtable.blocks).toBe(1);
    expect<u32>(main.messageBytes).toBe(0);
    vmtableFree(main.vmtable, kept);
  });

  it("are nobody's to free: the application has not got them yet", () => {
    const port = sys_evsystem(EVENT_MESSAGE, 5, 0, handlerOf(EVENT_MESSAGE));
    // What is freed is the next that is had.
    const block = vmtableAllocate(main.vmtable, 64);
    vmtableFree(main.vmtable, block);
    expect<i32>(sys_evpost(0, port, user, 64)).toBe(0);
    expect<i32>(sys_vmtable_free(<u32>block)).toBe(-EINVAL);
    expect<u32>(main.vmtable.blocks).toBe(1);
    expect<u32>(<u32>nextHandler()).toBe(HANDLER_CODE + EVENT_MESSAGE);
    expect<u32>(upcallArgument3).toBe(<u32>block);
    expect<i32>(sys_vmtable_free(<u32>block)).toBe(0);
    expectNone("one");
  });
});
