/**
 * How a process ends. Its threads go at once; what else it has, which may be a million events or a gigabyte of memory, goes back bit by bit
 * in the polls (kernel/interrupts/polls.ts), so that no section with interrupts off is long. Then its parent can learn of it.
 */
import { setPageTables, image, IMAGE_PAGE_TABLES } from "../hal";
import { leavePoll, movePoll, POLL_LEVEL_DEFAULT, POLL_REAP, pollsLeft } from "../interrupts/polls";
import { Link } from "../list";
import { unreserveFrames } from "../memory/frames";
import { destroySomeOfWindow } from "../memory/paging";
import { vmtableDestroy } from "../memory/vmtable";
import { exitThread, killThread, stopThread } from "../scheduler/end";
import { currentThread } from "../scheduler/running";
import { runsNow } from "../scheduler/scheduler";
import { noteWork } from "../scheduler/wake";
import { graveThread, Thread, threadOfMember } from "../scheduler/thread";
import { POLLHUP, POLLIN, Waiter } from "../scheduler/wait";
import { timerStop } from "../time/timers";
import { closeSomeHandles, freeHandleTable } from "./handles";
import {
  CHILD_CAPSULE,
  CHILD_NO_WAIT,
  CHILD_STILLBORN,
  countAlive,
  freeProcess,
  liveProcesses,
  Process,
  PROCESS_ALIVE,
  PROCESS_DYING,
  PROCESS_NEW,
  processOfCapsule,
  processOfSibling,
  PROCESS_ZOMBIE,
  SHORTAGE_KINDS,
} from "./process";

/** Of `childWait`: a child has ended that leaves no status. Events do not hear of those. */
export const WAKE_UNWAITED: u32 = POLLHUP;

const HOOK_LIMIT: u32 = 4;
/** Bytes that `initializeEnd` needs, 8-aligned. */
export const END_STORAGE: usize = 8 + <usize>HOOK_LIMIT * 4;

/** Processes that are dying, by `capsule`. */
let dying: Link = changetype<Link>(0);
let hooks: usize = 0;
let hookCount: u32 = 0;
/** (parent: Process, flags: u32) => void: a process with these CHILD_* bits is gone: its pid is free, and its place with its parent (0: none). */
let processGone: u32 = 0;
/** First status other than 0 that a process without a parent ended with. */
let firstStatus: i32 = 0;
/** (status: i32) => void: called when the last process has ended. */
let lastExit: u32 = 0;

/** Once at boot. `onLastExit`: (status: i32) => void. */
export function initializeEnd(storage: usize, onLastExit: u32): void {
  dying = changetype<Link>(storage);
  dying.initialize();
  hooks = storage + 8;
  hookCount = 0;
  lastExit = onLastExit;
}

/** Registers a function index (process: Process) => bool: gives back some of what the process has, true when nothing is left. */
export function onProcessExit(index: u32): void {
  if (hookCount == HOOK_LIMIT) unreachable();
  store<u32>(hooks + (hookCount++ << 2), index);
}

/** () => void: a process's memory has gone back; 0: nobody asked. */
let memoryFreed: u32 = 0;

export function onMemoryFreed(index: u32): void {
  memoryFreed = index;
}

export function onProcessGone(index: u32): void {
  processGone = index;
}

/** Ends a process: it never runs again, and all that it has goes back. Returns only when it is not the current one. */
export function endProcess(process: Process, status: i32): void {
  if (process.state >= PROCESS_DYING) return;
  if (process.state == PROCESS_ALIVE) countAlive(-1);
  process.state = PROCESS_DYING;
  process.status = status;
  // No period begins any more.
  process.share = 0;
  timerStop(process.shareTimer);
  process.inheritance.remove();
  const running = currentThread();
  const loaded = changetype<usize>(running.process) == changetype<usize>(process);
  // Not when the scheduler only waits on its stack.
  const current = loaded && runsNow(running);
  // Workers stay in the list, for the reaper: none of them runs again.
  const workers = process.workers;
  let link = workers.next;
  while (changetype<usize>(link) != changetype<usize>(workers)) {
    const worker = threadOfMember(link);
    link = link.next;
    // Its events are still there, and may be activated.
    worker.idle.remove();
    // The one that does this goes last, by itself.
    if (current && changetype<usize>(worker) == changetype<usize>(running)) worker.member.remove();
    else stopThread(worker);
  }
  const main = process.thread;
  if (current) abandon(running);
  if (changetype<usize>(main) != 0 && (!current || changetype<usize>(main) != changetype<usize>(running))) {
    // At once: what it had been given may be another process's.
    abandon(main);
    killThread(main);
  }
  process.thread = graveThread();
  // A capsule that is idle is in its parent's list.
  process.capsule.remove();
  dying.append(process.capsule);
  const level = levelOfEnd(process);
  leavePoll(POLL_REAP, level);
  noteWork(level);
  // Its page tables must not be loaded when they go; nor may they be looked at again: the kernel's own are as good.
  if (loaded) setPageTables(image(IMAGE_PAGE_TABLES));
  if (current) exitThread();
}

/** The level at which a dying process is taken apart: that of the highest that waits for it, a thread or an event, or for its place with its parent. */
function levelOfEnd(process: Process): u32 {
  let level: i32 = POLL_LEVEL_DEFAULT;
  const parent = process.parent;
  if (changetype<usize>(parent) == 0) return level;
  const waiters = parent.childWait;
  if (!waiters.isEmpty) level = max(level, <i32>changetype<Waiter>(waiters.next).level);
  for (let what: u32 = 0; what < SHORTAGE_KINDS; what++)
    level = max(level, max(parent.starved(what).top, parent.unreported(what).top));
  return level;
}

/** Something of `level` waits from now on for what dying processes give back: it does not wait for who ranks lower, either. */
export function hurryEnds(level: u32): void {
  if (pollsLeft(POLL_REAP) >>> level != 0) return;
  movePoll(POLL_REAP, level);
  if (!dying.isEmpty) noteWork(level);
}

/** (thread: Thread) => void: whatever AEM has on a thread that ends; 0: nothing. */
let threadEnded: u32 = 0;

export function onThreadEnded(index: u32): void {
  threadEnded = index;
}

/** A thread that has ended lets go of what it did. */
function abandon(thread: Thread): void {
  if (threadEnded != 0) call_indirect<void>(threadEnded, thread);
}

/** A poll: gives back some of what a dying process has. True when there is more to do. */
export function reapPoll(level: u32): bool {
  if (dying.isEmpty) return false;
  const process = processOfCapsule(dying.next);
  if (!freeSomeWorkers(process.workers)) return true;
  for (let i: u32 = 0; i < hookCount; i++)
    if (!call_indirect<bool>(load<u32>(hooks + (i << 2)), process)) return true;
  if (!closeSomeHandles(process, false)) return true;
  if (process.pageTables != 0) {
    if (!destroySomeOfWindow(process.pageTables)) return true;
    process.pageTables = 0;
  }
  // One of the children may be what this poll has interrupted: then this does not return, and the next poll goes on here.
  if (!orphanSome(process.children)) return true;
  process.capsule.remove();
  // Of one that could not be finished nothing comes back that was not missing before.
  const born = !(process.childFlags & CHILD_STILLBORN);
  bury(process);
  if (born && memoryFreed != 0) call_indirect<void>(memoryFreed);
  return !dying.isEmpty;
}

/** False: there are more. One at a time, for it may have stood in a poll of many descriptors. */
function freeSomeWorkers(workers: Link): bool {
  if (workers.isEmpty) return true;
  const worker = threadOfMember(workers.next);
  worker.member.remove();
  abandon(worker);
  killThread(worker);
  return workers.isEmpty;
}

/** All has gone back. */
function bury(process: Process): void {
  if (changetype<usize>(process.vmtable) != 0) vmtableDestroy(process.vmtable);
  freeHandleTable(process);
  unreserveFrames(process.promised);
  process.promised = 0;
  const parent = process.parent;
  if (changetype<usize>(parent) == 0) {
    if (firstStatus == 0) firstStatus = process.status;
    release(process);
    if (liveProcesses() == 0 && dying.isEmpty) call_indirect<void>(lastExit, firstStatus);
    return;
  }
  if (process.childFlags & CHILD_CAPSULE) parent.capsuleCount--;
  if (process.childFlags & CHILD_NO_WAIT) {
    release(process);
  } else {
    process.state = PROCESS_ZOMBIE;
    parent.zombies.append(process.capsule);
    parent.childWait.wake(POLLIN, process.pid);
  }
}

/** Its parent, if it has one, is done with a process that has ended: there is room for another one. */
export function release(process: Process): void {
  const parent = process.parent;
  const waited = process.state == PROCESS_ZOMBIE;
  const flags = process.childFlags;
  process.sibling.remove();
  process.capsule.remove();
  freeProcess(process);
  if (changetype<usize>(parent) != 0) {
    parent.childCount--;
    // Nobody has waited for it, but somebody may wait for all.
    if (!waited) parent.childWait.wake(WAKE_UNWAITED, 0);
  }
  if (processGone != 0) call_indirect<void>(processGone, parent, flags);
}

/** Children that one step lets go of, of which one is ended at most. */
const CHILD_BUDGET: u32 = 8;

/** The children of a process that ends: nobody waits for them any more; those that only serve it end as well. False: there are more. */
function orphanSome(children: Link): bool {
  let forgotten = false;
  let servant: usize = 0;
  for (let budget = CHILD_BUDGET; budget != 0 && !children.isEmpty; budget--) {
    const child = processOfSibling(children.next);
    child.sibling.remove();
    if (child.state == PROCESS_ZOMBIE) {
      child.capsule.remove();
      freeProcess(child);
      forgotten = true;
      continue;
    }
    child.parent = changetype<Process>(0);
    if (child.state == PROCESS_NEW || (child.childFlags & CHILD_CAPSULE) != 0) {
      servant = changetype<usize>(child);
      break;
    }
  }
  // Their pids are free, once for all of these: somebody may have waited for one.
  if (forgotten && processGone != 0) call_indirect<void>(processGone, changetype<Process>(0), 0);
  if (servant != 0) endProcess(changetype<Process>(servant), 0);
  return children.isEmpty;
}
