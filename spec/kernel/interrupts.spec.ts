/** The APIC, vectors, polls, and the hardware timer with its calibration against the 8254. */
import { clearExitWork, setExitWork, WORK_RESCHEDULE } from "../../kernel/glue";
import { tsc } from "../../kernel/hal";
import { initializeApic, localApicId, VECTOR_SPURIOUS, VECTOR_TIMER } from "../../kernel/interrupts/apic";
import { armDeadline, initializeDeadline } from "../../kernel/interrupts/deadline";
import {
  deferPolls,
  initializePolls,
  leaveLevels,
  leavePoll,
  movePoll,
  POLL_PACKETS,
  POLL_RECEIVE,
  POLL_STORAGE,
  POLL_TIMERS,
  pollLevel,
  pollLevels,
  pollsFrom,
  runPolls,
  setPoll,
  takePoll,
} from "../../kernel/interrupts/polls";
import {
  allocateVector,
  handleVector,
  initializeVectors,
  interruptCount,
  setVector,
  spuriousCount,
} from "../../kernel/interrupts/vectors";
import { clockFrequency, MILLISECOND, now } from "../../kernel/time/clock";
import {
  initializeTimers,
  Timer,
  TIMER_SIZE,
  timerPrepare,
  timerStart,
  timerStop,
} from "../../kernel/time/timers";
import { growMemory, setUpArena } from "../arena";
import * as fake from "../fake";

beforeAll(() => {
  setUpArena(4096);
});

// ---- Interrupts ----

let apic: usize = 0;
let calls = "";

function onVector(argument: usize): void {
  calls += argument.toString() + " ";
}

function ends(): u32 {
  return fakeEnds;
}
let fakeEnds: u32 = 0;

/** APIC: interrupts that were ended, and the timer's count. */
let apicCount: u32 = 0;
let apicStart: u64 = 0;
function onApicWrite(address: usize, width: u32, value: u64): void {
  if (address == apic + 0xb0) fakeEnds++;
  if (address == apic + 0x380) {
    apicCount = <u32>value;
    apicStart = tsc();
  }
}
function onApicRead(address: usize, width: u32): void {
  if (address != apic + 0x390) return;
  const elapsed = <u64>((<f64>(tsc() - apicStart) * apicHz) / tscHz);
  store<u32>(address, elapsed > apicCount ? 0 : apicCount - <u32>elapsed);
}

// ---- The 8254: channel 2 in mode 0, and the time that each access to a port takes ----

let tscHz: f64 = 2.5e9;
let apicHz: f64 = 1e9;
let pitStart: u64 = 0;
let pitRuns: bool = false;
let pitLatch: u32 = 0;
let pitHigh: bool = false;
let gate: u32 = 0;
let accesses: u32 = 0;
/** Accesses at which the host takes the processor away, and for how many microseconds. */
let stallAt: u32 = 0;
let stallEvery: u32 = 0;
let stallFor: f64 = 0;

function access(): void {
  accesses++;
  fake.advance(<u64>(tscHz / 1e6));
  if (accesses == stallAt || (stallEvery != 0 && accesses % stallEvery == 0))
    fake.advance(<u64>((tscHz / 1e6) * stallFor));
}
function pitElapsed(): u64 {
  return pitRuns && gate & 1 ? <u64>((<f64>(tsc() - pitStart) * 1193182.0) / tscHz) : 0;
}
function onPortIn(port: u32, width: u32): u32 {
  access();
  if (port == 0x61) return gate | (pitElapsed() > 65535 ? 0x20 : 0);
  if (port != 0x42) return 0xff;
  pitHigh = !pitHigh;
  return pitHigh ? pitLatch & 0xff : pitLatch >> 8;
}
function onPortOut(port: u32, width: u32, value: u32): void {
  access();
  if (port == 0x61) {
    if (value & 1 && !(gate & 1)) pitStart = tsc();
    gate = value & 3;
  } else if (port == 0x43 && value == 0x80) {
    pitLatch = (65535 - <u32>(pitElapsed() % 65536)) & 0xffff;
    pitHigh = false;
  }
}

let storage: usize = 0;
let expired: u32 = 0;
function onExpired(timer: Timer): void {
  expired++;
}

function machine(): void {
  fake.reset();
  if (apic == 0) {
    apic = growMemory(4096, 4096);
    storage = growMemory(4096 + TIMER_SIZE * 4 + 64, 4096);
  }
  memory.fill(apic, 0, 4096);
  store<u32>(apic, 3 << 24, 0x20);
  fake.setCpuid(1, 0, 3, 1 << 9);
  fake.setMsr(0x1b, apic | 0x100);
  fake.onWrite(onApicWrite.index);
  fake.onRead(onApicRead.index);
  fake.onIn(onPortIn.index);
  fake.onOut(onPortOut.index);
  fakeEnds = 0;
  calls = "";
  tscHz = 2.5e9;
  apicHz = 1e9;
  pitRuns = true;
  gate = 0;
  accesses = 0;
  stallAt = 0;
  stallEvery = 0;
  stallFor = 0;
  assert(initializeApic(), "apic");
}

describe("the APIC", () => {
  beforeEach(machine);

  it("is enabled with all but the timer and NMI masked", () => {
    expect<u64>(fake.getMsr(0x1b)).toBe((<u64>apic) | 0x900);
    expect<u32>(load<u32>(apic, 0xf0)).toBe(0x1ff);
    expect<u32>(load<u32>(apic, 0x80)).toBe(0);
    expect<u32>(load<u32>(apic, 0x360)).toBe(0x400);
    for (let register: usize = 0x320; register <= 0x370; register += 0x10) {
      if (register != 0x360) expect<u32>(load<u32>(apic + register)).toBe(0x10000);
    }
    expect<u32>(localApicId()).toBe(3);
  });

  it("is missed", () => {
    fake.setCpuid(1, 0, 3, 0);
    expect<bool>(initializeApic()).toBe(false);
  });
});

describe("vectors", () => {
  beforeEach(machine);

  it("are given out once each, until none is left", () => {
    expect<bool>(initializeVectors()).toBe(true);
    let count: u32 = 0;
    let last: u32 = 0;
    let wrong = 0;
    for (
      let vector = allocateVector(onVector.index, 7);
      vector != 0;
      vector = allocateVector(onVector.index, count)
    ) {
      if (vector <= last || vector < 0x30 || vector >= VECTOR_TIMER) wrong++;
      last = vector;
      count++;
    }
    expect<i32>(wrong).toBe(0);
    expect<u32>(count).toBe(VECTOR_TIMER - 0x30);
    expect<u32>(allocateVector(onVector.index, 1)).toBe(0);
    handleVector(0x30);
    handleVector(0x32);
    handleVector(VECTOR_TIMER - 1);
    expect<string>(calls).toBe("7 2 175 ");
    expect<u32>(ends()).toBe(3);
  });

  it("nobody asked for are counted, and ended where the APIC waits for that", () => {
    const before = spuriousCount;
    const all = interruptCount;
    handleVector(0xf3);
    expect<u32>(ends()).toBe(1);
    handleVector(VECTOR_SPURIOUS);
    handleVector(0x27);
    handleVector(0x2f);
    expect<u32>(ends()).toBe(1);
    expect<u64>(spuriousCount - before).toBe(4);
    expect<u64>(interruptCount - all).toBe(4);
  });
});

let pollOrder = "";
let firstLeft: u32 = 0;
function firstPoll(level: u32): bool {
  pollOrder += "1";
  if (firstLeft == 0) return false;
  firstLeft--;
  return true;
}
/** Round in which an interrupt comes; 0: none. */
let secondRound: u32 = 0;
let interruptIn: u32 = 0;
function secondPoll(level: u32): bool {
  pollOrder += "2";
  secondRound++;
  if (secondRound == interruptIn) fake.queueInterrupt(0x31);
  return true;
}
let asked: u32[] = [];
function levelPoll(level: u32): bool {
  asked.push(level);
  return false;
}
/** An interrupt leaves packets of level 20, and does not see to what ranks lower. */
let seen: u32 = 0;
function onPollVector(argument: usize): void {
  seen = pollsFrom;
  leavePoll(POLL_PACKETS, 20);
}

function onHigher(argument: usize): void {
  leavePoll(POLL_PACKETS, 60);
}
function onReschedule(argument: usize): void {
  setExitWork(WORK_RESCHEDULE);
}

describe("polls", () => {
  beforeEach(() => {
    initializePolls(growMemory(POLL_STORAGE, 8));
    setPoll(POLL_TIMERS, firstPoll.index);
    setPoll(POLL_RECEIVE, secondPoll.index);
    setPoll(POLL_PACKETS, levelPoll.index);
    pollOrder = "";
    firstLeft = 0;
    secondRound = 0;
    interruptIn = 0;
    asked = [];
    clearExitWork(WORK_RESCHEDULE);
  });

  it("nothing is called that was not left, and once what was", () => {
    expect<i32>(pollLevel).toBe(-1);
    expect<bool>(runPolls()).toBe(false);
    leavePoll(POLL_TIMERS, 32);
    leavePoll(POLL_TIMERS, 32);
    expect<i32>(pollLevel).toBe(32);
    expect<bool>(runPolls()).toBe(false);
    expect<string>(pollOrder).toBe("1");
    expect<i32>(pollLevel).toBe(-1);
  });

  it("run by level, the kinds of one level in order, and say when there is more", () => {
    leaveLevels(POLL_PACKETS, ((<u64>1) << 63) | (1 << 5) | (1 << 40));
    leavePoll(POLL_TIMERS, 40);
    firstLeft = 2;
    while (pollLevel > 5) runPolls();
    expect<string>(pollOrder).toBe("111");
    expect<i32>(asked.length).toBe(2);
    expect<u32>(asked[0]).toBe(63);
    expect<u32>(asked[1]).toBe(40);
    expect<u64>(pollLevels).toBe(1 << 5);
    leavePoll(POLL_RECEIVE, 32);
    pollOrder = "";
    expect<bool>(runPolls(5)).toBe(true, "of level 32");
    expect<i32>(asked.length).toBe(3);
    expect<string>(pollOrder).toBe("");
    expect<bool>(runPolls()).toBe(true);
    expect<string>(pollOrder).toBe("2");
    takePoll(POLL_RECEIVE);
    expect<bool>(runPolls()).toBe(false);
  });

  it("may become work of another level", () => {
    movePoll(POLL_RECEIVE, 50);
    expect<i32>(pollLevel).toBe(-1, "there is none");
    leavePoll(POLL_RECEIVE, 32);
    movePoll(POLL_RECEIVE, 50);
    expect<u64>(pollLevels).toBe((<u64>1) << 50);
    takePoll(POLL_RECEIVE);
    expect<u64>(pollLevels).toBe(0);
  });

  it("end early when an interrupt has brought work that ranks higher, or lets a thread run", () => {
    assert(initializeVectors(), "vectors");
    setVector(0x31, onHigher.index, 0);
    leavePoll(POLL_TIMERS, 32);
    leavePoll(POLL_RECEIVE, 32);
    fake.queueInterrupt(0x31);
    expect<bool>(runPolls()).toBe(true);
    expect<string>(pollOrder).toBe("1");
    expect<i32>(pollLevel).toBe(60);
    runPolls();
    expect<u32>(asked[0]).toBe(60);
    setVector(0x31, onReschedule.index, 0);
    leavePoll(POLL_TIMERS, 32);
    fake.queueInterrupt(0x31);
    runPolls();
    expect<string>(pollOrder).toBe("11");
    expect<i32>(pollLevel).toBe(32);
    takePoll(POLL_RECEIVE);
  });

  it("let interrupts in behind a piece; those leave what ranks below it", () => {
    assert(initializeVectors(), "vectors");
    setVector(0x31, onPollVector.index, 0);
    leavePoll(POLL_RECEIVE, 32);
    interruptIn = 1;
    seen = 0;
    expect<bool>(runPolls()).toBe(true);
    expect<u32>(seen).toBe(32);
    expect<u32>(pollsFrom).toBe(0, "as before");
    takePoll(POLL_RECEIVE);
    expect<i32>(pollLevel).toBe(20);
    interruptIn = 0;
    deferPolls(50);
    leavePoll(POLL_RECEIVE, 32);
    interruptIn = secondRound + 1;
    runPolls();
    expect<u32>(seen).toBe(50);
    deferPolls(0);
  });
});

// ---- The hardware timer ----

function timer(index: usize): Timer {
  return changetype<Timer>(storage + 4096 + index * ((TIMER_SIZE + 7) & ~7));
}

function startDeadline(deadlineMode: bool): u64 {
  fake.setCpuid(1, 0, 2, deadlineMode ? 1 << 24 : 0);
  assert(initializeVectors(), "vectors");
  initializeTimers(storage);
  for (let i: usize = 1; i < 4; i++) timerPrepare(timer(i), onExpired.index);
  expired = 0;
  return initializeDeadline(changetype<usize>(timer(0)));
}

function initializedWithin(wanted: f64, measured: u64, part: f64): bool {
  return abs<f64>(<f64>measured - wanted) <= wanted * part;
}

describe("the hardware timer", () => {
  beforeEach(machine);

  it("is measured to 0.3 % at all frequencies, in a few milliseconds", () => {
    const frequencies: f64[] = [1e8, 1e9, 2.5e9, 3.7e9, 1e10];
    for (let i = 0; i < frequencies.length; i++) {
      machine();
      tscHz = frequencies[i];
      apicHz = i & 1 ? 6.25e7 : 1e9;
      const measured = startDeadline(false);
      expect<bool>(initializedWithin(tscHz, measured, 0.003)).toBe(true, measured.toString());
      expect<u32>(accesses).toBeLessThan(3000);
    }
  });

  it("is measured again when the host stops the machine for so long that the count goes round", () => {
    for (let stop: u32 = 20; stop < 1200; stop += 59) {
      machine();
      stallAt = stop;
      stallFor = 60_000;
      const measured = startDeadline(false);
      expect<bool>(initializedWithin(tscHz, measured, 0.003)).toBe(
        true,
        stop.toString() + ": " + measured.toString(),
      );
    }
  });

  it("is measured right when the host stops the machine between two readings", () => {
    for (let stop: u32 = 8; stop < 60; stop++) {
      machine();
      stallAt = stop;
      stallFor = 2000;
      const measured = startDeadline(false);
      expect<bool>(initializedWithin(tscHz, measured, 0.005)).toBe(
        true,
        stop.toString() + ": " + measured.toString(),
      );
    }
  });

  it("is given up when the 8254 does not count, or the host never lets it be read", () => {
    pitRuns = false;
    expect<u64>(startDeadline(false)).toBe(0);
    machine();
    stallEvery = 50;
    stallFor = 60_000;
    expect<u64>(startDeadline(false)).toBe(0);
  });

  it("is refined after 40 ms, without waiting", () => {
    tscHz = 3.123_456_7e9;
    startDeadline(true);
    fake.advance(<u64>(tscHz * 0.041));
    const before = accesses;
    handleVector(VECTOR_TIMER);
    expect<u32>(accesses - before).toBeLessThan(20);
    expect<bool>(initializedWithin(tscHz, clockFrequency(), 0.0001)).toBe(true, clockFrequency().toString());
  });

  it("is not refined with a count that has gone round", () => {
    startDeadline(true);
    const measured = clockFrequency();
    fake.advance(<u64>(tscHz * 0.06));
    handleVector(VECTOR_TIMER);
    expect<u64>(clockFrequency()).toBe(measured);
  });

  it("in deadline mode always has the first timer, whoever starts it", () => {
    startDeadline(true);
    expect<u32>(load<u32>(apic, 0x320)).toBe(VECTOR_TIMER | 0x40000);
    timerStop(timer(0));
    armDeadline(u64.MAX_VALUE);
    expect<u64>(fake.getMsr(0x6e0)).toBe(0, "nothing to wait for");
    const began = now();
    timerStart(timer(1), began + 50 * MILLISECOND);
    const first = fake.getMsr(0x6e0);
    expect<u64>(first).toBeGreaterThan(tsc());
    timerStart(timer(2), now() + 90 * MILLISECOND);
    expect<u64>(fake.getMsr(0x6e0)).toBe(first, "a later one changes nothing");
    timerStart(timer(3), now() + 10 * MILLISECOND);
    const earlier = fake.getMsr(0x6e0);
    expect<u64>(earlier).toBeLessThan(first);
    // They come, one after the other, with nobody's help; the wheel may want to move them before.
    let interrupts = 0;
    while (expired < 3 && interrupts++ < 20) {
      const next = fake.getMsr(0x6e0);
      assert(next != 0, "nothing is programmed");
      if (next > tsc()) fake.setTsc(next);
      // The processor disarms it as it fires.
      fake.setMsr(0x6e0, 0);
      handleVector(VECTOR_TIMER);
    }
    expect<u32>(expired).toBe(3);
    expect<u64>(fake.getMsr(0x6e0)).toBe(0);
    expect<u64>(now() - began).toBeLessThan(91 * MILLISECOND);
    timerStart(timer(1), 0);
    expect<u64>(fake.getMsr(0x6e0)).toBeLessThanOrEqual(tsc(), "a past one fires at once");
    expect<u64>(fake.getMsr(0x6e0)).not.toBe(0);
  });

  it("takes a limit that is nearer than all timers", () => {
    startDeadline(true);
    const limit = now() + 1000;
    armDeadline(limit);
    const programmed = fake.getMsr(0x6e0);
    expect<u64>(programmed - tsc()).toBeLessThan(<u64>(tscHz / 1e6) + 20);
    armDeadline(u64.MAX_VALUE);
    expect<u64>(fake.getMsr(0x6e0)).toBeGreaterThan(programmed);
  });

  it("one-shot counts at the APIC's rate, at most a second at a time, and never 0", () => {
    apicHz = 6.25e7;
    startDeadline(false);
    expect<u32>(load<u32>(apic, 0x320)).toBe(VECTOR_TIMER);
    timerStop(timer(0));
    armDeadline(now() + 8 * MILLISECOND);
    expect<bool>(initializedWithin(500_000, apicCount, 0.01)).toBe(true, apicCount.toString());
    armDeadline(now() + 100_000 * MILLISECOND);
    expect<bool>(initializedWithin(62_500_000, apicCount, 0.01)).toBe(true, apicCount.toString());
    handleVector(VECTOR_TIMER);
    armDeadline(1);
    expect<u32>(apicCount).toBe(1);
    armDeadline(u64.MAX_VALUE);
    expect<u32>(apicCount).toBe(0);
  });

  it("one-shot reaches a far timer in steps, and is never early", () => {
    startDeadline(false);
    timerStop(timer(0));
    const due = now() + 3_500 * MILLISECOND;
    timerStart(timer(1), due);
    let steps = 0;
    while (expired == 0 && steps++ < 20) {
      assert(apicCount != 0, "it stands still");
      fake.advance(<u64>((<f64>apicCount * tscHz) / apicHz));
      handleVector(VECTOR_TIMER);
    }
    expect<u32>(expired).toBe(1);
    expect<u64>(now()).toBeGreaterThanOrEqual(due);
    expect<u64>(now()).toBeLessThan(due + MILLISECOND);
  });
});
