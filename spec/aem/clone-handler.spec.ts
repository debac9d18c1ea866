/** A fork inside of a handler (3.4.1, 3.6.2): the child is in that handler, too, until it returns, and has the data of its own. */
import { EVENT_READ, EVENT_TIMER } from "../../aem/abi";
import { dispatchNext } from "../../aem/dispatch";
import { sys_vmtable_free, sys_vmtable_keep } from "../../aem/vmtable";
import { EBUSY } from "../../kernel/errno";
import { upcallArgument3 } from "../../kernel/glue";
import { sys_enter_keepalive } from "../../kernel/process/calls";
import { FORK_EVENTS, FORK_NO_WAIT, sys_fork } from "../../kernel/process/family";
import { currentProcess, Process, processOfPid } from "../../kernel/process/process";
import { MILLISECOND } from "../../kernel/time/clock";
import { endNow } from "../reap";
import { become, expectAllGone, main, setUpClones } from "./clones";
import { expectHandler, expectNone, onRead, onTimer, timePasses, zone } from "./driver";
import { newStream, open, pattern, receive } from "./machine";

beforeAll(setUpClones);
afterEach(expectAllGone);

/** A read handler of the current process begins, which has `length` bytes from the start of its stream. */
function beginHandler(length: u32): void {
  const socket = newStream();
  onRead(open(socket));
  receive(socket, length);
  expectHandler(EVENT_READ, "in the parent");
}

function fork(flags: u32): Process {
  const pid = sys_fork(flags | FORK_NO_WAIT);
  assert(pid > 0, "fork");
  return processOfPid(pid)!;
}

/** What the handler of the current process was given is there, and nothing of its own events is called over it. */
function expectUndisturbed(data: u32): void {
  onTimer(MILLISECOND, 0);
  timePasses(2 * MILLISECOND);
  for (let call = 0; call < 3; call++) expect<usize>(dispatchNext()).toBe(0, "no handler over a handler");
  expect<i32>(sys_enter_keepalive()).toBe(-EBUSY);
  expect<u32>(currentProcess().vmtable.blocks).toBe(1);
  expectBytes(data);
}

function expectBytes(data: u32): void {
  let wrong = 0;
  for (let i: u32 = 0; i < 100; i++) if (load<u8>(zone(data + i)) != pattern(i)) wrong++;
  expect<i32>(wrong).toBe(0, "bytes that differ");
}

describe("3.6.2 a fork inside of a handler", () => {
  it("has its child go on in the handler: no other one is called until it has returned, and then the data go", () => {
    beginHandler(100);
    const data = upcallArgument3;
    const child = fork(0);
    become(child);
    expectUndisturbed(data);
    expectHandler(EVENT_TIMER, "behind the handler");
    expect<u32>(child.vmtable.blocks).toBe(0, "the data have gone");
    expectNone("that was all");
    expect<u32>(child.vmtable.badFrees).toBe(0);
    become(main);
    expectBytes(data);
    expect<u32>(main.vmtable.blocks).toBe(1);
    expectNone("the parent's has returned");
    expect<u32>(main.vmtable.blocks).toBe(0);
    endNow(child, 0);
  });

  it("goes for the child's children", () => {
    beginHandler(100);
    const data = upcallArgument3;
    const child = fork(0);
    become(child);
    const grandchild = fork(0);
    become(grandchild);
    expectUndisturbed(data);
    expectHandler(EVENT_TIMER, "behind the handler");
    expect<u32>(grandchild.vmtable.blocks).toBe(0);
    const last = fork(0);
    become(last);
    expectNone("the timer's handler has returned");
    expectNone("nothing waits");
    become(main);
    expectNone("the parent's has returned");
    endNow(last, 0);
    endNow(grandchild, 0);
    endNow(child, 0);
  });

  it("lets its child keep the data, and free them early", () => {
    beginHandler(100);
    const data = upcallArgument3;
    const keeper = fork(0);
    const giver = fork(0);
    become(keeper);
    expect<i32>(sys_vmtable_keep(data)).toBe(0);
    expectNone("returned");
    expect<u32>(keeper.vmtable.blocks).toBe(1, "the application's");
    become(giver);
    expect<i32>(sys_vmtable_free(data)).toBe(0);
    expectNone("returned");
    expect<u32>(giver.vmtable.blocks).toBe(0);
    expect<u32>(giver.vmtable.badFrees).toBe(0);
    become(main);
    expectNone("the parent's has returned");
    endNow(giver, 0);
    endNow(keeper, 0);
  });

  it("with FORK_EVENTS has the events of the child wait as well; one that ends in it leaves nothing", () => {
    beginHandler(100);
    onTimer(MILLISECOND, 0);
    const child = fork(FORK_EVENTS);
    const dying = fork(FORK_EVENTS);
    endNow(dying, 0);
    become(child);
    timePasses(2 * MILLISECOND);
    expect<usize>(dispatchNext()).toBe(0);
    expectHandler(EVENT_TIMER, "behind the handler");
    expectNone("that was all");
    become(main);
    expectHandler(EVENT_TIMER, "the parent's own");
    expectNone("returned");
    endNow(child, 0);
  });
});
