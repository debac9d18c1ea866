/**
 * The serial port COM1, a 16550 UART (National Semiconductor PC16550D, 8): where the console goes. Polled, 115200 baud, 8N1.
 *
 * What the port does not take at once stands in a ring, from which a timer sends it: a line takes milliseconds to go out, and whoever writes it has interrupts
 * off. So nobody waits here for the port, and a ring that is full loses bytes. Applications ask for room before they write, and leave half of the ring to the kernel (`serialRoom`).
 * Only at boot, and from `serialFlush` on, when the machine ends, each byte waits.
 *
 * No write waits for ever: a port that stops taking bytes loses them, after one wait that is paid once and not for each byte. What is lost is counted (`consoleLost`).
 */
import { countLost } from "../kernel/console";
import { in8, out8, pause } from "../kernel/hal";
import { POLL_LEVEL_DEFAULT } from "../kernel/interrupts/polls";
import { now } from "../kernel/time/clock";
import {
  Timer,
  TIMER_SIZE,
  timerPending,
  timerPrepare,
  timerStartAt,
  timerStop,
} from "../kernel/time/timers";

const PORT: u32 = 0x3f8;
const DATA: u32 = PORT;
const INTERRUPT_ENABLE: u32 = PORT + 1;
const FIFO_CONTROL: u32 = PORT + 2;
const INTERRUPT_IDENTIFICATION: u32 = PORT + 2;
const LINE_CONTROL: u32 = PORT + 3;
const MODEM_CONTROL: u32 = PORT + 4;
const LINE_STATUS: u32 = PORT + 5;
const SCRATCH: u32 = PORT + 7;

const LINE_8N1: u32 = 0x03;
const LINE_DIVISOR_ACCESS: u32 = 0x80;
const DIVISOR_115200: u32 = 1;
/** On, both FIFOs emptied. */
const FIFO_ENABLE: u32 = 0x07;
/** Both bits read as set where the FIFOs work. */
const FIFO_WORKS: u32 = 0xc0;
const MODEM_DTR_RTS: u32 = 0x03;
const STATUS_TRANSMITTER_EMPTY: u32 = 0x20;
const FIFO_SIZE: u32 = 16;
const SCRATCH_VALUE: u32 = 0xae;

/**
 * Status reads before a byte is given up: about a second. A real port sends a full FIFO in 1.4 ms, but the other end of a virtual one is
 * a program that has to get its turn on a busy host. A port that is stuck costs this once (`stuck`).
 */
const WAIT_READS: u32 = 1_000_000;

/** Bytes of the ring, a power of two: the report of a trap is 2 KiB. */
const RING_SIZE: u32 = 16384;
/** Bytes that `initializeRing` needs, 8-aligned. */
export const RING_STORAGE: usize = TIMER_SIZE + RING_SIZE;
/** Nanoseconds in which a full FIFO goes out; and bytes that are sent in a row, to a port that takes them. */
const FIFO_TIME: u64 = 1_400_000;
const DRAIN_BUDGET: u32 = 256;
/** Nanoseconds without a byte that it took after which the port is stuck: to let applications wait for it has no use. */
const PATIENCE: u64 = 1_000_000_000;

/** Bytes that go out each time the transmitter is found empty; 0: there is no port. */
let burst: u32 = 0;
/** Of those, how many may still be written without a look at the status. */
let credit: u32 = 0;
/** The last wait was in vain: look once, do not wait. */
let stuck: bool = false;
/** The timer and the bytes behind it; 0: whoever writes waits. Bytes that were put there, and that have been sent, modulo 2^32. */
let ring: usize = 0;
let ringPut: u32 = 0;
let ringSent: u32 = 0;
/** When the port last took some of them, or the first came into the ring. */
let sentAt: u64 = 0;

/** Sets the port up. False when there is none. `serialPut.index` is what the console wants (setConsoleSink). */
export function initializeSerial(): bool {
  burst = 0;
  credit = 0;
  stuck = false;
  ring = 0;
  ringPut = 0;
  ringSent = 0;
  out8(SCRATCH, SCRATCH_VALUE);
  if (in8(SCRATCH) != SCRATCH_VALUE) return false;
  out8(INTERRUPT_ENABLE, 0);
  out8(LINE_CONTROL, LINE_DIVISOR_ACCESS);
  out8(DATA, DIVISOR_115200);
  out8(DATA + 1, 0);
  out8(LINE_CONTROL, LINE_8N1);
  out8(FIFO_CONTROL, FIFO_ENABLE);
  out8(MODEM_CONTROL, MODEM_DTR_RTS);
  burst = (in8(INTERRUPT_IDENTIFICATION) & FIFO_WORKS) == FIFO_WORKS ? FIFO_SIZE : 1;
  return true;
}

/** Once the timers are there. `storage`: RING_STORAGE bytes, 8-aligned. */
export function initializeRing(storage: usize): void {
  ring = storage;
  ringPut = 0;
  ringSent = 0;
  timerPrepare(changetype<Timer>(storage), drain.index);
}

/** Sends what is in the ring, and does without it from here on: the machine ends. */
export function serialFlush(): void {
  if (ring == 0) return;
  timerStop(changetype<Timer>(ring));
  while (ringSent != ringPut && (credit != 0 || waitForRoom(stuck ? 1 : WAIT_READS))) sendRing(credit);
  countLost(ringPut - ringSent);
  ringSent = ringPut;
  ring = 0;
}

/** Sends a byte, a line feed as carriage return and line feed. */
export function serialPut(byte: u32): void {
  // Nearly all of them.
  if (credit != 0 && byte != 0x0a) {
    credit--;
    out8(DATA, byte);
    return;
  }
  if (byte == 0x0a) put(0x0d);
  put(byte);
}

/**
 * Whether an application's line may come: then half of the ring is free, after what the port takes now; or the port takes nothing, so that it is no use to wait, and the line
 * may be lost.
 */
export function serialRoom(): bool {
  if (ring == 0 || ringPut - ringSent <= RING_SIZE / 2) return true;
  if (waitForRoom(1)) sendRing(credit);
  return ringPut - ringSent <= RING_SIZE / 2 || now() - sentAt > PATIENCE;
}

function put(byte: u32): void {
  // While bytes wait in the ring there is no credit: they have used it.
  if (credit == 0 && !makeRoom(byte)) return;
  credit--;
  out8(DATA, byte);
}

/** Before a byte for which no room is known. False: it stands in the ring, or is lost. */
function makeRoom(byte: u32): bool {
  const waiting = ringPut - ringSent;
  // With none in it: as long as the port takes them, bytes do not pass through the ring.
  if (waiting == 0 && waitForRoom(ring != 0 || stuck ? 1 : WAIT_READS)) return true;
  if (waiting == 0) sentAt = now();
  if (waiting == RING_SIZE && waitForRoom(1)) sendRing(credit);
  if (ring == 0 || ringPut - ringSent == RING_SIZE) countLost(1);
  else {
    store<u8>(ring + TIMER_SIZE + (ringPut++ & (RING_SIZE - 1)), byte);
    startDrain();
  }
  return false;
}

function startDrain(): void {
  const timer = changetype<Timer>(ring);
  if (!timerPending(timer)) timerStartAt(timer, now() + FIFO_TIME, POLL_LEVEL_DEFAULT);
}

/** The timer: sends what the port takes. */
function drain(timer: Timer): void {
  for (let sent: u32 = 0; sent < DRAIN_BUDGET && ringSent != ringPut && waitForRoom(1); sent += burst)
    sendRing(credit);
  if (ringSent != ringPut) startDrain();
}

/** Sends up to `count` bytes of the ring, which the port has room for. */
function sendRing(count: u32): void {
  sentAt = now();
  for (; count != 0 && ringSent != ringPut; count--) {
    credit--;
    out8(DATA, load<u8>(ring + TIMER_SIZE + (ringSent++ & (RING_SIZE - 1))));
  }
}

/** An empty transmitter takes as many bytes as its FIFO has places. False: it was not found empty `reads` times. */
function waitForRoom(reads: u32): bool {
  if (burst == 0) return false;
  for (let i: u32 = 0; i < reads; i++) {
    if (in8(LINE_STATUS) & STATUS_TRANSMITTER_EMPTY) {
      credit = burst;
      stuck = false;
      return true;
    }
    pause();
  }
  if (reads == WAIT_READS) stuck = true;
  return false;
}
