/** The table of jids: as many events as there may be at once, each found by its own jid; and how long a jid is not used again. */
import { Event } from "../../aem/event";
import {
  allocateEvent,
  EVENT_LIMIT,
  EVENT_STORAGE,
  eventOfJid,
  eventPool,
  forgetJid,
  initializeEvents,
  releaseEvent,
} from "../../aem/jids";
import { allocateFrames, freeFrames } from "../../kernel/memory/frames";
import { allocateProcess, initializeProcesses, Process, PROCESS_STORAGE } from "../../kernel/process/process";
import { initializeRandom, RANDOM_SIZE, seedRandom } from "../../kernel/random";
import { growMemory, setUpArena } from "../arena";

/** Of 4 KiB: 96 bytes for each of 4 million events, their words in the table, and a little. */
const FRAMES: u32 = 105_000;

let owner: Process = changetype<Process>(0);
let other: Process = changetype<Process>(0);
/** Jids by number. */
let jids: usize = 0;

let storage: usize = 0;

beforeAll(() => {
  setUpArena(FRAMES);
  initializeRandom(growMemory(RANDOM_SIZE, 8));
  seedRandom(1);
  initializeProcesses(growMemory(PROCESS_STORAGE, 8));
  owner = allocateProcess()!;
  other = allocateProcess()!;
  storage = growMemory(EVENT_STORAGE, 8);
  jids = growMemory((<usize>EVENT_LIMIT) << 2, 8);
});

function jidAt(number: u32): i32 {
  return load<i32>(jids + ((<usize>number) << 2));
}

function make(): Event {
  const event = allocateEvent()!;
  event.process = owner;
  return event;
}

function end(event: Event): void {
  forgetJid(event);
  releaseEvent(event);
}

describe("jids", () => {
  it("are not used again before two million events have come and gone, however few there are", () => {
    initializeEvents(storage, EVENT_LIMIT);
    const first = make();
    const jid = first.jid;
    end(first);
    let rounds: u32 = 0;
    let known: u32 = 0;
    while (rounds < 2_000_000) {
      const event = make();
      if (event.jid == jid) break;
      if (eventOfJid(owner, jid) !== null) known++;
      end(event);
      rounds++;
    }
    expect<u32>(rounds).toBe(2_000_000);
    expect<u32>(known).toBe(0);
  });

  it("have slots also where there is no memory for more of them", () => {
    initializeEvents(storage, 2);
    const first = make();
    let taken: usize = 0;
    for (let frame = allocateFrames(0); frame != 0; frame = allocateFrames(0)) {
      store<usize>(frame, taken);
      taken = frame;
    }
    // Fewer slots are free than are kept.
    const second = make();
    expect<bool>(eventOfJid(owner, second.jid) === second).toBe(true);
    expect<Event | null>(allocateEvent()).toBeNull("the limit");
    end(first);
    end(second);
    while (taken != 0) {
      const next = load<usize>(taken);
      freeFrames(taken, 0);
      taken = next;
    }
  });

  it("find each of as many events as there may be, four million, and nobody else's", () => {
    initializeEvents(storage, u32.MAX_VALUE);
    expect<u32>(EVENT_LIMIT).toBeGreaterThan(4_000_000);
    for (let i: u32 = 0; i < EVENT_LIMIT; i++) {
      const event = make();
      // To be recognized by.
      event.count = i;
      store<i32>(jids + ((<usize>i) << 2), event.jid);
    }
    expect<Event | null>(allocateEvent()).toBeNull("the limit");
    let wrong: u32 = 0;
    for (let i: u32 = 0; i < EVENT_LIMIT; i++) {
      const event = eventOfJid(owner, jidAt(i));
      if (event === null || event.count != i) wrong++;
      if (eventOfJid(other, jidAt(i)) !== null) wrong++;
    }
    expect<u32>(wrong).toBe(0);
  });

  it("of those are unknown once they have ended, also when all slots are in use again", () => {
    let wrong: u32 = 0;
    for (let i: u32 = 0; i < EVENT_LIMIT; i++) {
      const event = eventOfJid(owner, jidAt(i));
      if (event === null) wrong++;
      else end(event);
      if (eventOfJid(owner, jidAt(i)) !== null) wrong++;
    }
    for (let i: u32 = 0; i < EVENT_LIMIT; i++) make();
    for (let i: u32 = 0; i < EVENT_LIMIT; i++) if (eventOfJid(owner, jidAt(i)) !== null) wrong++;
    expect<u32>(wrong).toBe(0);
    expect<u32>(eventPool().inUse).toBe(EVENT_LIMIT);
  });
});
