/** The scheduler (kernel/scheduler/), with stacks that are not switched: in random operations no thread is lost or in two places, and the highest one runs. */
import { exitWork, WORK_DISPATCH, WORK_RESCHEDULE } from "../../kernel/glue";
import { createWorkers } from "../../kernel/process/workers";
import { giveWay, settle, yieldPoint } from "../../kernel/scheduler/preempt";
import { setShare, SHARE_PERIOD } from "../../kernel/scheduler/quantum";
import { readyFirst, readyLevel } from "../../kernel/scheduler/ready";
import { currentThread, noteDispatch } from "../../kernel/scheduler/running";
import {
  Thread,
  THREAD_BLOCKED,
  THREAD_PARKED,
  THREAD_RUNNABLE,
  THREAD_WAITING,
  threadOfMember,
} from "../../kernel/scheduler/thread";
import { raiseThread, wakeThread } from "../../kernel/scheduler/wake";
import { chance, seedChance } from "../chance";
import {
  block,
  finish,
  finishAll,
  first,
  interrupt,
  passes,
  processes,
  same,
  setUpScheduler,
  start,
  threads,
} from "./schedule";

/** What has to be so whenever kernel code is done with something. */
function check(): void {
  const running = currentThread();
  assert(running.state == THREAD_RUNNABLE && running.isEmpty, "the running thread");
  let ready = 0;
  let waiting = 0;
  for (let level: u32 = 0; level < 64; level++) {
    // A level's list ends where its head is, which is no thread: it is known by the way back.
    const start = readyFirst(level);
    const head = start.prev;
    let link = start;
    while (changetype<usize>(link) != changetype<usize>(head)) {
      const thread = changetype<Thread>(link);
      assert(thread.state == THREAD_RUNNABLE && thread.priority == level, "in the run queue");
      assert(same(thread.process.active, thread), "ready without the memory");
      ready++;
      link = link.next;
      if (changetype<usize>(start) == changetype<usize>(head)) break;
    }
  }
  let runnable = 0;
  let waits = 0;
  for (let i = 0; i < threads.length; i++) {
    const thread = threads[i];
    assert(thread.priority >= thread.level || thread.state == THREAD_BLOCKED, "less than what it does");
    if (thread.state == THREAD_RUNNABLE) runnable++;
    else if (thread.state == THREAD_WAITING) {
      waits++;
      assert(!thread.isEmpty && !same(thread.process.active, thread), "waits and has");
      assert(thread.process.active.priority >= thread.priority, "an inversion");
    } else assert(thread.isEmpty, "in a queue");
    if (thread.state == THREAD_PARKED) assert(thread.process.shareSpent != 0, "parked for nothing");
  }
  for (let i = 0; i < processes.length; i++) {
    const process = processes[i];
    for (let level: u32 = 0; level < 64; level++) {
      if (!((process.waiting.levels >> level) & 1)) continue;
      const start = process.waiting.first(level);
      for (let link = start; ; link = link.next) {
        waiting++;
        assert(changetype<Thread>(link).priority == level, "level in the process's queue");
        if (changetype<usize>(link.next.prev) != changetype<usize>(link)) break;
        if (changetype<usize>(link.next) == changetype<usize>(start.prev)) break;
      }
    }
    if (changetype<usize>(process.active) == 0)
      assert(process.waiting.isEmpty, "waits for memory that is free");
  }
  assert(runnable == ready + 1, "a thread is lost");
  assert(waits == waiting, "a thread that waits is lost");
  const level = readyLevel();
  if (level > <i32>running.priority)
    assert((exitWork & WORK_RESCHEDULE) != 0, "outranked, and nobody says so");
  if (running.process.waiting.top >= <i32>running.level + i32(running.handling != 0))
    assert((exitWork & WORK_DISPATCH) != 0, "has what another one of its process waits for, and nobody says so");
}

/** After the running thread has given others their chance. */
function checkTurn(): void {
  check();
  assert(readyLevel() <= <i32>currentThread().priority, "outranked");
}

beforeAll(setUpScheduler);
afterEach(finishAll);

describe("the scheduler, in random operations", () => {
  it("lose no thread, and after each scheduling point the highest one runs", () => {
    let preemptions = 0;
    let blocks = 0;
    for (let seed: u32 = 1; seed <= 12; seed++) {
      seedChance(seed);
      start(5, 32, 32);
      processes.push(first);
      threads.push(first.thread);
      for (let i = 0; i < 3; i++) {
        assert(createWorkers(processes[i]) == 0, "workers");
        let link = processes[i].workers.next;
        while (changetype<usize>(link) != changetype<usize>(processes[i].workers)) {
          threads.push(threadOfMember(link));
          link = link.next;
        }
        if (i < 2) setShare(processes[i], 30);
      }
      for (let step = 0; step < 2500; step++) {
        const what = chance(100);
        const thread = threads[chance(threads.length)];
        if (what < 30) {
          wakeThread(thread, chance(64));
          check();
        } else if (what < 40) {
          if (thread.state == THREAD_RUNNABLE || thread.state == THREAD_WAITING)
            raiseThread(thread, chance(64));
          check();
        } else if (what < 55) {
          blocks++;
          currentThread().level = chance(64);
          block();
          checkTurn();
        } else if (what < 75) {
          const running = currentThread();
          const main = same(running.process.thread, running) && chance(2) == 0;
          settle(main ? running.process.priority : chance(64), main);
          // As dispatch does behind it.
          noteDispatch();
          checkTurn();
        } else if (what < 80) {
          yieldPoint();
          checkTurn();
        } else if (what < 85) {
          if (exitWork != WORK_RESCHEDULE) continue;
          giveWay();
          checkTurn();
        } else {
          passes(chance(3) * 600_000);
          if (exitWork & WORK_RESCHEDULE) preemptions++;
          interrupt();
          checkTurn();
        }
      }
      // Those that are parked go on in the next period, and then without a limit.
      for (let i = 0; i < 2; i++) {
        processes[i].share = 0;
        if (processes[i].shareSpent != 0) passes(2 * SHARE_PERIOD);
        assert(processes[i].shareSpent == 0, "the next period");
      }
      processes.pop();
      if (seed < 12) finish();
    }
    expect<i32>(preemptions).toBeGreaterThan(1000);
    expect<i32>(blocks).toBeGreaterThan(3000);
  });
});
