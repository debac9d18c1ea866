/** Forks of processes: descriptors that are shared copy-on-write, vmtables, zombies and orphans. On the machine of AEM's specs, for its sockets. */
import { ECHILD, EFAULT, EINVAL } from "../../kernel/errno";
import { BREAK_DONE } from "../../kernel/memory/copy-on-write";
import { frameErrorCount, freeFrameCount } from "../../kernel/memory/frames";
import { VMTABLE_BASE, WINDOW_BASE } from "../../kernel/memory/layout";
import { translate } from "../../kernel/memory/paging";
import { vmtableAllocate, vmtableFree, vmtableHas } from "../../kernel/memory/vmtable";
import { startChild, sys_waitpid } from "../../kernel/process/family";
import { breakProcessCopy, forkProcess } from "../../kernel/process/fork";
import { HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import {
  CHILD_NO_WAIT,
  currentProcess,
  Process,
  PROCESS_ZOMBIE,
  processOfPid,
} from "../../kernel/process/process";
import { raiseThread, wakeThread } from "../../kernel/scheduler/wake";
import { sys_close } from "../../net/socket/calls";
import { setUp, user } from "../aem/driver";
import { FakeSocket, newStream, open, switchTo } from "../aem/machine";
import { chance, seedChance } from "../chance";
import { endNow } from "../reap";

let main: Process = changetype<Process>(0);

function become(process: Process): void {
  if (changetype<usize>(process) == changetype<usize>(currentProcess())) return;
  wakeThread(process.thread, 63);
  raiseThread(process.thread, 63);
  switchTo(process);
}

/** A child of the current process, which can run. */
function fork(flags: u32 = 0): Process {
  const child = forkProcess(currentProcess(), 0, 0)!;
  child.childFlags = flags;
  startChild(child, 32);
  return child;
}

beforeAll(() => {
  setUp();
  main = currentProcess();
});

afterEach(() => {
  become(main);
  while (sys_waitpid(-1, 0, 1) > 0) {}
  expect<u32>(main.childCount).toBe(0);
  expect<u32>(frameErrorCount()).toBe(0);
});

/** What the model knows of a process: its sockets by descriptor; null: none. */
class Table {
  sockets: (FakeSocket | null)[] = [];
  constructor(public process: Process) {}
}

function holders(tables: Table[], socket: FakeSocket): u32 {
  let count: u32 = 0;
  for (let i = 0; i < tables.length; i++)
    for (let fd = 0; fd < tables[i].sockets.length; fd++)
      if (changetype<usize>(tables[i].sockets[fd]) == changetype<usize>(socket)) count++;
  return count;
}

describe("descriptors after a fork", () => {
  it("are the same in both; a close in one leaves the other's open", () => {
    const socket = newStream();
    const fd = open(socket);
    const child = fork();
    expect<usize>(handleObject(child, fd, HANDLE_SOCKET)).toBe(changetype<usize>(socket));
    expect<u32>(child.handleCount).toBe(1);
    expect<i32>(sys_close(fd)).toBe(0);
    expect<u32>(socket.closed).toBe(0);
    expect<usize>(handleObject(main, fd, HANDLE_SOCKET)).toBe(0);
    expect<usize>(handleObject(child, fd, HANDLE_SOCKET)).toBe(changetype<usize>(socket));
    become(child);
    expect<i32>(sys_close(fd)).toBe(0);
    expect<u32>(socket.closed).toBe(1, "the last one");
    become(main);
    endNow(child, 0);
  });

  it("of a process that ends are let go of: the peer is told with the last one only", () => {
    const socket = newStream();
    const fd = open(socket);
    const one = fork();
    const two = fork();
    endNow(one, 0);
    expect<u32>(socket.aborted).toBe(0);
    become(two);
    open(newStream());
    become(main);
    expect<u32>(socket.sharers).toBe(1, "two has a table of its own now");
    expect<i32>(sys_close(fd)).toBe(0);
    expect<u32>(socket.closed + socket.aborted).toBe(0);
    endNow(two, 0);
    expect<u32>(socket.aborted).toBe(1);
  });

  it("do what a model does, in random trees of processes, and every socket is closed exactly once", () => {
    let closes = 0;
    for (let seed: u32 = 1; seed <= 10; seed++) {
      seedChance(seed);
      const tables = [new Table(main)];
      const all: FakeSocket[] = [];
      for (let step = 0; step < 400; step++) {
        const what = chance(100);
        const which = chance(tables.length);
        const table = tables[which];
        become(table.process);
        if (what < 35) {
          const socket = newStream();
          const fd = open(socket);
          while (table.sockets.length <= fd) table.sockets.push(null);
          assert(table.sockets[fd] === null, "a descriptor that is in use");
          table.sockets[fd] = socket;
          all.push(socket);
        } else if (what < 75) {
          if (table.sockets.length == 0) continue;
          const fd = chance(table.sockets.length);
          const socket = table.sockets[fd];
          const result = sys_close(fd);
          assert((result == 0) == (socket !== null), "close");
          table.sockets[fd] = null;
          closes++;
          if (socket !== null)
            assert(socket.closed == u32(holders(tables, socket) == 0), "closed by the last");
        } else if (what < 88) {
          if (tables.length >= 8) continue;
          const child = new Table(fork(CHILD_NO_WAIT));
          child.sockets = table.sockets.slice();
          tables.push(child);
        } else if (which != 0) {
          become(main);
          endNow(table.process, 0);
          tables.splice(which, 1);
        }
        for (let i = 0; i < tables.length; i++) {
          let count: u32 = 0;
          for (let fd = 0; fd < tables[i].sockets.length; fd++) {
            const socket = tables[i].sockets[fd];
            if (socket !== null) count++;
            assert(handleObject(tables[i].process, fd, HANDLE_SOCKET) == changetype<usize>(socket), "object");
          }
          assert(tables[i].process.handleCount == count, "count");
        }
      }
      become(main);
      while (tables.length > 1) endNow(tables.pop().process, 0);
      for (let fd = 0; fd < tables[0].sockets.length; fd++) if (tables[0].sockets[fd] !== null) sys_close(fd);
      let wrong = 0;
      for (let i = 0; i < all.length; i++) if (all[i].closed + all[i].aborted != 1) wrong++;
      expect<i32>(wrong).toBe(0);
    }
    expect<i32>(closes).toBeGreaterThan(1000);
  });
});

describe("the memory of a clone", () => {
  it("is its own from the fork on: window and vmtable", () => {
    const block = vmtableAllocate(main.vmtable, 1000);
    const address = WINDOW_BASE + <u64>block;
    store<u32>(translate(main.pageTables, address), 11);
    const child = fork();
    expect<bool>(vmtableHas(child.vmtable, block)).toBe(true);
    expect<i32>(breakProcessCopy(child, address)).toBe(BREAK_DONE);
    store<u32>(translate(child.pageTables, address), 22);
    expect<i32>(breakProcessCopy(main, address)).toBe(BREAK_DONE);
    expect<u32>(load<u32>(translate(main.pageTables, address))).toBe(11);
    expect<u32>(load<u32>(translate(child.pageTables, address))).toBe(22);
    expect<bool>(vmtableFree(child.vmtable, block)).toBe(true);
    expect<bool>(vmtableHas(main.vmtable, block)).toBe(true);
    expect<bool>(vmtableFree(main.vmtable, block)).toBe(true);
    expect<usize>(block).toBeGreaterThanOrEqual(VMTABLE_BASE);
    endNow(child, 0);
  });
});

describe("waitpid", () => {
  it("gives each child once, the first to end first, with its status", () => {
    const before = freeFrameCount();
    const children: Process[] = [];
    for (let i = 0; i < 3; i++) children.push(fork());
    const pids: i32[] = [children[0].pid, children[1].pid, children[2].pid];
    expect<i32>(sys_waitpid(-1, 0, 1)).toBe(0, "none has ended");
    endNow(children[1], 77);
    endNow(children[0], 78);
    expect<u32>(children[1].state).toBe(PROCESS_ZOMBIE);
    expect<i32>(sys_waitpid(-1, 0xefff_0000, 1)).toBe(-EFAULT);
    expect<i32>(sys_waitpid(0, 0, 1)).toBe(-EINVAL);
    expect<i32>(sys_waitpid(-1, 0, 2)).toBe(-EINVAL);
    expect<i32>(sys_waitpid(main.pid, 0, 1)).toBe(-ECHILD);
    expect<i32>(sys_waitpid(pids[2], 0, 1)).toBe(0);
    expect<i32>(sys_waitpid(-1, user, 1)).toBe(pids[1]);
    expect<i32>(load<i32>(user)).toBe(77);
    expect<bool>(processOfPid(pids[1]) === null).toBe(true);
    expect<i32>(sys_waitpid(pids[1], 0, 1)).toBe(-ECHILD, "once");
    expect<i32>(sys_waitpid(pids[0], user, 0)).toBe(pids[0]);
    expect<i32>(load<i32>(user)).toBe(78);
    endNow(children[2], 0);
    expect<i32>(sys_waitpid(-1, 0, 0)).toBe(pids[2]);
    expect<i32>(sys_waitpid(-1, 0, 0)).toBe(-ECHILD);
    // The frames that the parent was promised stay its own.
    expect<u32>(before - freeFrameCount()).toBeLessThanOrEqual(32 + 8);
  });

  it("of an orphan is nobody's: it goes when it ends, a zombie with its parent", () => {
    const child = fork(CHILD_NO_WAIT);
    become(child);
    const lives = fork();
    const zombie = fork();
    const pids: i32[] = [lives.pid, zombie.pid];
    become(main);
    endNow(zombie, 1);
    expect<u32>(zombie.state).toBe(PROCESS_ZOMBIE);
    endNow(child, 0);
    expect<bool>(processOfPid(pids[1]) === null).toBe(true);
    expect<bool>(processOfPid(pids[0]) === null).toBe(false);
    expect<usize>(changetype<usize>(lives.parent)).toBe(0);
    endNow(lives, 0);
    expect<bool>(processOfPid(pids[0]) === null).toBe(true);
  });
});
