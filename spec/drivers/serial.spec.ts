/** The ring of the serial port (drivers/serial.ts): nobody waits for a port that is slow, and nothing is lost. (The port alone: pci.spec.ts.) */
import {
  initializeRing,
  initializeSerial,
  RING_STORAGE,
  serialFlush,
  serialPut,
  serialRoom,
} from "../../drivers/serial";
import { consoleLost } from "../../kernel/console";
import { setClockFrequency, setClockStart } from "../../kernel/time/clock";
import { addTimerLevel, initializeTimers, nextTimer, runTimers } from "../../kernel/time/timers";
import { growMemory, setUpArena } from "../arena";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";

const FIFO: u32 = 16;
const RING: u32 = 16384;
const SECOND: u64 = 1_000_000_000;
const NEVER: u64 = u64.MAX_VALUE;

/** The port: what its FIFO has room for, looks at its status, and the bytes that it has got. */
let room: u32 = 0;
let looks: u32 = 0;
let got: u8[] = [];
let clock: u64 = 0;

function portIn(port: u32, width: u32): u32 {
  if (port == 0x3ff) return 0xae;
  if (port == 0x3fa) return 0xc1;
  if (port != 0x3fd) return 0xff;
  looks++;
  return room == FIFO ? 0x60 : 0;
}

function portOut(port: u32, width: u32, value: u32): void {
  if (port != 0x3f8 || !counting) return;
  assert(room > 0, "a byte for a FIFO that is full");
  room--;
  got.push(<u8>value);
}
let counting: bool = false;

function setTime(time: u64): void {
  clock = time;
  fake.setTsc(time);
}

/** The timer's next turn; false: none is running. */
function turn(): bool {
  const next = nextTimer();
  if (next == NEVER) return false;
  setTime(next);
  runTimers(next);
  return true;
}

let written: u32 = 0;
let lostBefore: u64 = 0;

function write(count: u32): void {
  for (; count != 0; count--) serialPut(0x30 + (written++ % 64));
}

function expectAll(): void {
  expect<u32>(got.length).toBe(written);
  for (let i: i32 = 0; i < got.length; i++) assert(got[i] == <u8>(0x30 + (i % 64)), "in order");
}

const timers: usize = growMemory(4096, 4096);
const storage: usize = growMemory(RING_STORAGE, 8);

describe("the ring", () => {
  beforeAll(() => {
    setUpArena(64);
  });
  beforeEach(() => {
    fake.reset();
    counting = false;
    setClockFrequency(1_000_000_000);
    setClockStart(0);
    setTime(0);
    initializeTimers(timers);
    addTimerLevel(32);
    fake.onIn(portIn.index);
    fake.onOut(portOut.index);
    initializeSerial();
    initializeRing(storage);
    counting = true;
    room = FIFO;
    looks = 0;
    written = 0;
    lostBefore = consoleLost;
    got = [];
  });

  it("is passed by as long as the port takes what comes", () => {
    for (let i = 0; i < 100; i++) {
      write(FIFO);
      room = FIFO;
    }
    expectAll();
    expect<u32>(looks).toBe(100);
    expect<bool>(turn()).toBe(false, "no timer");
  });

  it("keeps what the port does not take, and the timer sends it when it does", () => {
    write(1000);
    expect<u32>(got.length).toBe(FIFO);
    expect<bool>(looks < 1100).toBe(true, "a look at most for each byte: nobody waits");
    let turns: u32 = 0;
    while (turn()) {
      turns++;
      // Each other time it is still busy.
      if (turns % 2 == 0) room = FIFO;
    }
    expectAll();
    expect<bool>(turns > 100).toBe(true);
    expect<u64>(consoleLost - lostBefore).toBe(0);
    room = FIFO;
    write(3);
    expectAll();
  });

  it("that is full loses what comes: nobody waits with interrupts off, and the bytes are counted", () => {
    write(FIFO + RING);
    expect<u64>(consoleLost - lostBefore).toBe(0);
    looks = 0;
    write(5);
    expect<u32>(looks).toBe(5, "a look for each, for the port may have room now");
    expect<u64>(consoleLost - lostBefore).toBe(5);
    // It goes on where it stopped.
    room = FIFO;
    write(1);
    expect<u64>(consoleLost - lostBefore).toBe(5);
    expect<u32>(got.length).toBe(2 * FIFO);
  });

  it("has room for applications as long as half of it is free", () => {
    expect<bool>(serialRoom()).toBe(true);
    setTime(5 * SECOND);
    write(FIFO + RING / 2);
    expect<bool>(serialRoom()).toBe(true);
    write(1);
    expect<bool>(serialRoom()).toBe(false);
    room = FIFO;
    expect<bool>(serialRoom()).toBe(true, "it sends what the port takes now");
    expect<u32>(got.length).toBe(2 * FIFO);
    write(2 * FIFO);
    expect<bool>(serialRoom()).toBe(false);
    setTime(clock + SECOND);
    expect<bool>(serialRoom()).toBe(false, "the port may be slow");
    setTime(clock + 1000);
    expect<bool>(serialRoom()).toBe(true, "it takes nothing any more, and nobody waits for ever");
    room = FIFO;
    expect<bool>(serialRoom()).toBe(false, "it does, but has not taken enough");
    expect<u64>(consoleLost - lostBefore).toBe(0);
    serialFlush();
    expect<bool>(serialRoom()).toBe(true, "at the end of the machine");
  });

  it("is sent to its end by a flush, and then each byte goes out when it comes", () => {
    write(FIFO);
    room = FIFO - 1;
    write(FIFO);
    expect<u32>(got.length).toBe(FIFO);
    room = FIFO;
    serialFlush();
    expectAll();
    room = FIFO;
    write(FIFO);
    expectAll();
    expect<bool>(turn()).toBe(false, "the timer is stopped");
    room = 0;
    write(1);
    expect<u64>(consoleLost - lostBefore).toBe(1, "with nobody to send it later");
  });

  it("keeps the order, whenever the port has time", () => {
    seedChance(11);
    for (let step = 0; step < 20_000; step++) {
      const what = chance(8);
      if (what < 2) room = FIFO;
      else if (what < 4) turn();
      else write(chance(40));
      if (what < 2 && chance(4) == 0) while (got.length < <i32>written && turn()) room = FIFO;
    }
    do room = FIFO;
    while (turn());
    expectAll();
    expect<u64>(consoleLost - lostBefore).toBe(0);
  });
});
