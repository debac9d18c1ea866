/** What interrupts leave to be done (kernel/interrupts/polls.ts): its order, its levels, and when it ends. */
import { clearExitWork, setExitWork, WORK_RESCHEDULE } from "../../kernel/glue";
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
import { initializeVectors, setVector } from "../../kernel/interrupts/vectors";
import { growMemory, setUpArena } from "../arena";
import * as fake from "../fake";

beforeAll(() => {
  setUpArena(4096);
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

  it("let interrupts in behind a piece; those leave all but what ranks highest", () => {
    assert(initializeVectors(), "vectors");
    setVector(0x31, onPollVector.index, 0);
    leavePoll(POLL_RECEIVE, 32);
    interruptIn = 1;
    seen = 0;
    expect<bool>(runPolls()).toBe(true);
    expect<u32>(seen).toBe(63);
    expect<u32>(pollsFrom).toBe(0, "as before");
    takePoll(POLL_RECEIVE);
    expect<i32>(pollLevel).toBe(20);
    interruptIn = 0;
    deferPolls(50);
    leavePoll(POLL_RECEIVE, 32);
    interruptIn = secondRound + 1;
    runPolls();
    expect<u32>(seen).toBe(63);
    deferPolls(0);
  });
});
