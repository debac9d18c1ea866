/** poll over sockets that the spec plays the transport of: what is ready, waits and their ends, and that no waiter is left anywhere. */
import { activate } from "../../aem/activation";
import { eventOfJid } from "../../aem/jids";
import { EFAULT, EINTR, EINVAL, ENOMEM, ERESTART } from "../../kernel/errno";
import { setQuietCall } from "../../kernel/glue";
import { VECTOR_TIMER } from "../../kernel/interrupts/apic";
import { setVector } from "../../kernel/interrupts/vectors";
import { allocateFrames, freeFrameCount, freeFrames } from "../../kernel/memory/frames";
import { currentProcess } from "../../kernel/process/process";
import { sys_kill, sys_sigtake, SIGUSR1 } from "../../kernel/process/calls";
import { currentThread } from "../../kernel/scheduler/running";
import { THREAD_BLOCKED, THREAD_RUNNABLE } from "../../kernel/scheduler/thread";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from "../../kernel/scheduler/wait";
import { createWaitSet } from "../../kernel/scheduler/waitset";
import { MILLISECOND, now } from "../../kernel/time/clock";
import { nextTimer, runTimers } from "../../kernel/time/timers";
import { sys_close } from "../../net/socket/calls";
import { POLL_LIMIT, POLLNVAL, sys_poll } from "../../net/socket/calls-poll";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";
import { endNow } from "../reap";
import { expectNothingLeft, onTimer, setUp, user } from "../aem/driver";
import {
  FakeSocket,
  fail,
  newProcess,
  newStream,
  nextHandler,
  open,
  readElsewhere,
  receive,
  recycle,
  switchTo,
} from "../aem/machine";

/** A vector that nobody has. */
const NO_VECTOR: u32 = 0x40;

let sockets: FakeSocket[] = [];
let descriptors: i32[] = [];

// ---- What happens while the processor is idle ----

const NOTHING: u32 = 0;
const DATA: u32 = 1;
const SIGNAL: u32 = 2;
const EVENT: u32 = 3;
const CLOSE: u32 = 4;
const OTHER_BIT: u32 = 5;
let happens: u32 = NOTHING;
let which: i32 = 0;
let jid: i32 = 0;
let idles: i32 = 0;
let frames: u32 = 0;
/** State of the thread after the event came. */
let stateAfter: u32 = 0;
/** Frames that the spec has taken, linked. */
let taken: u32 = 0;

function idle(): u32 {
  assert(++idles < 1000, "waits for ever");
  const what = happens;
  happens = NOTHING;
  if (what == NOTHING) {
    const next = nextTimer();
    assert(next != u64.MAX_VALUE, "nothing will ever happen");
    if (next > now()) fake.advance(next - now());
    return VECTOR_TIMER;
  }
  if (what == DATA) receive(sockets[which], 10);
  else if (what == SIGNAL) sys_kill(currentProcess().pid, SIGUSR1);
  else if (what == EVENT) {
    activate(eventOfJid(currentProcess(), jid)!);
    stateAfter = currentThread().state;
  } else if (what == CLOSE) sys_close(descriptors[which]);
  else if (what == OTHER_BIT) {
    sockets[which].wake(POLLOUT, 0);
    happens = DATA;
  }
  return NO_VECTOR;
}
function timer(argument: usize): void {
  runTimers(now());
}

function put(index: u32, fd: i32, events: u32): void {
  store<i32>(user + (index << 3), fd);
  store<u16>(user + (index << 3), <u16>events, 4);
  store<u16>(user + (index << 3), 0xeeee, 6);
}
function got(index: u32): u32 {
  return load<u16>(user + (index << 3), 6);
}
function openOne(): void {
  const socket = newStream();
  sockets.push(socket);
  descriptors.push(open(socket));
}

describe("poll", () => {
  beforeAll(() => {
    setUp();
    setVector(VECTOR_TIMER, timer.index, 0);
    fake.onIdle(idle.index);
    // Pools keep their frames: they take them now.
    onTimer(1_000_000_000_000, 0);
    expectNothingLeft();
    endNow(newProcess(), 0);
  });
  beforeEach(() => {
    sockets = [];
    descriptors = [];
    idles = 0;
    happens = NOTHING;
    for (let i = 0; i < 4; i++) openOne();
    for (let i = 0; i < 4; i++) put(i, descriptors[i], POLLIN);
    frames = freeFrameCount();
  });
  afterEach(() => {
    assert(freeFrameCount() == frames, "frames left");
    assert(currentThread().waitSet == 0, "a wait set left");
    assert(currentThread().deadline == 0, "a deadline left");
    for (let i = 0; i < sockets.length; i++) {
      assert(sockets[i].isEmpty, "a waiter left");
      sys_close(descriptors[i]);
      recycle(sockets[i]);
    }
    while (sys_sigtake() != 0) {}
    currentThread().takeInterruption();
    expectNothingLeft();
  });

  it("reports what is ready at once, without memory, and what is not with 0", () => {
    receive(sockets[2], 1);
    fail(sockets[0], 104);
    expect<i32>(sys_poll(user, 4, -1)).toBe(2);
    expect<u32>(got(0)).toBe(POLLERR | POLLHUP, "errors unasked");
    expect<u32>(got(1)).toBe(0);
    expect<u32>(got(2)).toBe(POLLIN);
    expect<u32>(got(3)).toBe(0);
    expect<i32>(idles).toBe(0);
  });

  it("does not report what was not asked for", () => {
    receive(sockets[2], 1);
    put(2, descriptors[2], POLLOUT);
    expect<i32>(sys_poll(user, 4, 0)).toBe(0);
    expect<u32>(got(2)).toBe(0);
  });

  it("says POLLNVAL for what is no descriptor, and passes over negative ones", () => {
    put(0, -1, POLLIN);
    put(1, 100_000, POLLIN);
    expect<i32>(sys_poll(user, 2, -1)).toBe(1);
    expect<u32>(got(0)).toBe(0);
    expect<u32>(got(1)).toBe(POLLNVAL);
  });

  it("waits for whichever comes, and sleeps on through what it did not ask for", () => {
    for (which = 0; which < 4; which++) {
      happens = OTHER_BIT;
      idles = 0;
      expect<i32>(sys_poll(user, 4, -1)).toBe(1);
      for (let i = 0; i < 4; i++) expect<u32>(got(i)).toBe(i == which ? POLLIN : 0);
      expect<i32>(idles).toBe(2);
      readElsewhere(sockets[which]);
    }
  });

  it("ends at its time, not before and not much later; with nothing to wait for as well", () => {
    for (let count: u32 = 0; count <= 4; count += 4) {
      const start = now();
      expect<i32>(sys_poll(user, count, 5)).toBe(0);
      expect<u64>(now() - start).toBeGreaterThanOrEqual(5 * MILLISECOND);
      expect<u64>(now() - start).toBeLessThan(5 * MILLISECOND + 70_000);
    }
    idles = 0;
    expect<i32>(sys_poll(user, 4, 0)).toBe(0);
    expect<i32>(idles).toBe(0, "0 does not wait");
  });

  it("ends with -EINTR for a signal", () => {
    happens = SIGNAL;
    expect<i32>(sys_poll(user, 4, -1)).toBe(-EINTR);
  });

  it("reports POLLNVAL for a socket that is closed meanwhile", () => {
    happens = CLOSE;
    which = 1;
    const socket = sockets[1];
    expect<i32>(sys_poll(user, 4, -1)).toBe(1);
    expect<u32>(got(1)).toBe(POLLNVAL);
    assert(socket.isEmpty, "a waiter left at a closed socket");
    recycle(socket);
    sockets.splice(1, 1);
    descriptors.splice(1, 1);
  });

  it("lets handlers run, and goes on to its first deadline", () => {
    jid = onTimer(1_000_000_000_000, 0);
    happens = EVENT;
    const start = now();
    expect<i32>(sys_poll(user, 4, 20)).toBe(-ERESTART);
    expect<u32>(<u32>currentThread().waitSet).toBe(0, "nothing is held while handlers run");
    fake.advance(15 * MILLISECOND);
    expect<u32>(stateAfter).toBe(THREAD_RUNNABLE, "woken by the event");
    nextHandler();
    nextHandler();
    expect<i32>(sys_poll(user, 4, 20)).toBe(0);
    expect<u64>(now() - start).toBeGreaterThanOrEqual(20 * MILLISECOND);
    expect<u64>(now() - start).toBeLessThan(21 * MILLISECOND, "not 20 ms from when it was made again");
  });

  it("inside a handler waits on though others are pending, with a deadline of its own", () => {
    jid = onTimer(1_000_000_000_000, 0);
    currentThread().deadline = now() + 500 * MILLISECOND; // the main code's own wait, interrupted
    currentThread().handling = 1;
    happens = EVENT;
    const start = now();
    expect<i32>(sys_poll(user, 4, 3)).toBe(0);
    expect<u64>(now() - start).toBeLessThan(4 * MILLISECOND);
    expect<u64>(currentThread().deadline).toBeGreaterThan(now());
    currentThread().handling = 0;
    currentThread().deadline = 0;
  });

  it("as a quiet call is not disturbed by events: no -ERESTART, not even woken", () => {
    jid = onTimer(1_000_000_000_000, 0);
    happens = EVENT;
    setQuietCall(1);
    expect<i32>(sys_poll(user, 4, 3)).toBe(0);
    expect<u32>(stateAfter).toBe(THREAD_BLOCKED);
    setQuietCall(0);
    expect<u32>(currentThread().quiet).toBe(0);
    expect<bool>(currentThread().canDispatch).toBe(true, "it is still to be handled");
  });

  it("leaves nothing of a process that ends while it waits", () => {
    const process = newProcess();
    const set = createWaitSet(process.thread, 300)!;
    for (let i = 0; i < 300; i++) set.join(i % 7 == 0 ? null : sockets[i & 3], POLLIN);
    endNow(process, 0);
    for (let i = 0; i < 4; i++) expect<bool>(sockets[i].isEmpty).toBe(true);
    expect<u32>(freeFrameCount()).toBe(frames);
  });

  it("takes 1024 descriptors, the same one many times over too, and no more", () => {
    for (let i: u32 = 0; i < POLL_LIMIT; i++) put(i, descriptors[i & 3], POLLIN);
    happens = DATA;
    which = 3;
    expect<i32>(sys_poll(user, POLL_LIMIT, -1)).toBe(256);
    expect<u32>(got(1023)).toBe(POLLIN);
    expect<u32>(got(1022)).toBe(0);
    expect<i32>(sys_poll(user, POLL_LIMIT + 1, -1)).toBe(-EINVAL);
    expect<i32>(sys_poll(user, 0xffffffff, -1)).toBe(-EINVAL);
  });

  it("refuses memory that is not the application's, and leaves nothing", () => {
    expect<i32>(sys_poll(0xffff_fff0, 4, -1)).toBe(-EFAULT);
    fake.unmapUser(user + 16, 8);
    expect<i32>(sys_poll(user, 4, -1)).toBe(-EFAULT);
    fake.clearUser();
    switchTo(currentProcess());
  });

  it("without frames: -ENOMEM if it had to wait, and an answer if not", () => {
    for (let frame = allocateFrames(0); frame != 0; frame = allocateFrames(0)) {
      store<u32>(frame, taken);
      taken = <u32>frame;
    }
    const waited = sys_poll(user, 4, -1);
    const looked = sys_poll(user, 4, 0);
    receive(sockets[0], 1);
    const ready = sys_poll(user, 4, -1);
    while (taken != 0) {
      const frame = taken;
      taken = load<u32>(frame);
      freeFrames(frame, 0);
    }
    expect<i32>(waited).toBe(-ENOMEM);
    expect<i32>(looked).toBe(0);
    expect<i32>(ready).toBe(1);
  });

  it("does what a simple model does, in random sets and events", () => {
    seedChance(7);
    for (let round = 0; round < 3000; round++) {
      for (let i = 0; i < 4; i++) {
        if (chance(4) == 0) receive(sockets[i], 1);
        if (chance(2) == 0) readElsewhere(sockets[i]);
      }
      const count = chance(9);
      let expected = 0;
      const wanted = new StaticArray<u32>(9);
      for (let i: u32 = 0; i < count; i++) {
        const index = chance(6);
        const fd = index < 4 ? descriptors[index] : index == 4 ? -5 : 5000;
        const events = chance(2) ? POLLIN : POLLOUT | POLLRDHUP;
        put(i, fd, events);
        const readable = index < 4 && sockets[index].came != sockets[index].went;
        wanted[i] = index == 5 ? POLLNVAL : readable && events == POLLIN ? POLLIN : 0;
        if (wanted[i] != 0) expected++;
      }
      idles = 0;
      assert(sys_poll(user, count, chance(3)) == expected, "how many");
      for (let i: u32 = 0; i < count; i++) assert(got(i) == wanted[i], "which");
      for (let i = 0; i < 4; i++) assert(sockets[i].isEmpty, "a waiter left");
    }
  });
});
