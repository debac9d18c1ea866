/** Thread executors (EVF_THREAD): workers beside the main code, and what others do while they are made. */
import {
  EVENT_READ,
  EVENT_TIMER,
  EVF_PRIORITY_SHIFT,
  EVF_THREAD,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVTBLINIT,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { dispatchNext } from "../../aem/dispatch";
import { sys_evctl } from "../../aem/evctl";
import { inheritEvents } from "../../aem/inherit";
import { EINVAL, ERESTART, ESRCH } from "../../kernel/errno";
import { exitWork, upcallArgument1, WORK_DISPATCH } from "../../kernel/glue";
import { setVector } from "../../kernel/interrupts/vectors";
import { endProcess } from "../../kernel/process/end";
import { forkProcess } from "../../kernel/process/fork";
import { currentProcess } from "../../kernel/process/process";
import { serve } from "../../kernel/process/workers";
import { currentThread } from "../../kernel/scheduler/running";
import { Thread, threadOfMember } from "../../kernel/scheduler/thread";
import { MILLISECOND } from "../../kernel/time/clock";
import { SOCKET_LISTENING } from "../../net/socket/socket";
import { sys_sockasync_read } from "../../aem/sockasync";
import * as fake from "../fake";
import { endNow, reapAll } from "../reap";
import { become, expectAllGone, main, setUpClones } from "./clones";
import { expectNone, onRead, onTimer, timePasses } from "./driver";
import {
  FakeSocket,
  HANDLER_CODE,
  handlerOf,
  newProcess,
  newStream,
  nextHandler,
  open,
  receive,
  serveAndLeave,
  switchTo,
  WORKERS,
} from "./machine";

beforeAll(setUpClones);
afterEach(expectAllGone);

function isWorker(thread: Thread): bool {
  let link = main.workers.next;
  while (changetype<usize>(link) != changetype<usize>(main.workers)) {
    if (changetype<usize>(threadOfMember(link)) == changetype<usize>(thread)) return true;
    link = link.next;
  }
  return false;
}

const VECTOR: u32 = 0x60;

/** What happens while threads are made: this event ends, or this socket listens. */
let ending: i32 = 0;
let listening: FakeSocket | null = null;

function meanwhile(argument: usize): void {
  if (ending != 0) sys_evctl(ending, EVJOBSHTDN, SHUTDOWN_DROP);
  if (listening !== null) listening!.flags |= SOCKET_LISTENING;
}

describe("others run while threads are made", () => {
  beforeEach(() => {
    setVector(VECTOR, meanwhile.index, 0);
    ending = 0;
    listening = null;
  });

  it("what a registration needs of a socket is looked at afterwards", () => {
    switchTo(newProcess());
    const process = currentProcess();
    const socket = newStream();
    const fd = open(socket);
    listening = socket;
    fake.queueInterrupt(VECTOR);
    expect<i32>(sys_sockasync_read(fd, EVF_THREAD, handlerOf(EVENT_READ))).toBe(-EINVAL);
    expect<u32>(process.workerCount).toBe(WORKERS);
    expect<u32>(process.eventCount).toBe(0);
    become(main);
    endNow(process, 0);
  });

  it("an event that ends meanwhile is not inherited", () => {
    ending = onTimer(1000 * MILLISECOND, 0, EVF_THREAD);
    onTimer(1000 * MILLISECOND, 0, EVF_THREAD);
    onTimer(1000 * MILLISECOND, 0);
    const child = forkProcess(main, 0, 0)!;
    expect<u32>(child.workerCount).toBe(0);
    fake.queueInterrupt(VECTOR);
    expect<i32>(inheritEvents(main, child)).toBe(0);
    expect<i32>(sys_evctl(ending, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<u32>(child.workerCount).toBe(WORKERS);
    expect<u32>(child.eventCount).toBe(2);
    expect<u32>(main.eventCount).toBe(2);
    endNow(child, 0);
  });
});

describe("3.2.3 a thread executor", () => {
  it("runs beside the main code, between its calls", () => {
    const jid = onTimer(MILLISECOND, 0, EVF_THREAD);
    expect<u32>(main.workerCount).toBe(WORKERS);
    timePasses(2 * MILLISECOND);
    expect<bool>((exitWork & WORK_DISPATCH) != 0).toBe(true, "the main code's next call lets it run");
    // As the glue does it at the end of that call: the main thread gives the memory away. (No stack is switched in a spec.)
    expectNone("the main code has none");
    const worker = currentThread();
    expect<bool>(isWorker(worker)).toBe(true);
    expect<bool>(changetype<usize>(main.active) == changetype<usize>(worker)).toBe(true);
    expect<i32>(serve()).toBe(-ERESTART);
    expect<u32>(<u32>nextHandler()).toBe(HANDLER_CODE + EVENT_TIMER);
    expect<i32>(<i32>upcallArgument1).toBe(jid);
    expectNone("one");
    serveAndLeave();
    expect<usize>(changetype<usize>(currentThread())).toBe(changetype<usize>(main.thread));
    expect<bool>((exitWork & WORK_DISPATCH) == 0).toBe(true, "nobody waits any more");
  });

  it("lets a handler of the main thread finish first, unless it ranks higher", () => {
    const priorities: u32[] = [32, 50];
    for (let i = 0; i < priorities.length; i++) {
      const socket = newStream();
      onRead(open(socket), 0);
      receive(socket, 10);
      expect<u32>(<u32>nextHandler()).toBe(HANDLER_CODE + EVENT_READ);
      onTimer(MILLISECOND, 0, EVF_THREAD | ((priorities[i] + 1) << EVF_PRIORITY_SHIFT));
      timePasses(2 * MILLISECOND);
      const higher = priorities[i] > 32;
      expect<bool>((exitWork & WORK_DISPATCH) != 0).toBe(higher);
      // At the end of a call of the handler.
      expect<u32>(<u32>dispatchNext()).toBe(0);
      expect<bool>(isWorker(currentThread())).toBe(higher);
      if (!higher) expectNone("after the handler's return");
      expect<bool>(isWorker(currentThread())).toBe(true);
      expect<i32>(serve()).toBe(-ERESTART);
      expect<u32>(<u32>nextHandler()).toBe(HANDLER_CODE + EVENT_TIMER);
      expectNone("one");
      serveAndLeave();
      expect<usize>(changetype<usize>(currentThread())).toBe(changetype<usize>(main.thread));
      if (higher) expectNone("the main thread's handler has returned");
      sys_evctl(0, EVTBLINIT, 0);
    }
  });

  it("makes its event unknown to no one else: the process ends, and a timer that fires then touches nothing that is gone", () => {
    const victim = newProcess();
    const other = currentProcess();
    become(victim);
    onTimer(MILLISECOND, MILLISECOND, EVF_THREAD);
    become(other);
    endProcess(victim, 0);
    expect<bool>(victim.idleWorkers.isEmpty).toBe(true, "threads that are gone wait for work");
    // The threads' memory is another one's now.
    const heir = newProcess();
    const state = heir.thread.state;
    timePasses(2 * MILLISECOND);
    expect<u32>(heir.thread.state).toBe(state);
    reapAll();
    endNow(heir, 0);
  });
});
