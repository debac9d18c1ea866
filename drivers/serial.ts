/**
 * The serial port COM1, a 16550 UART (National Semiconductor PC16550D, 8): where the console goes. Polled, 115200 baud, 8N1.
 *
 * No write waits for ever: a port that stops taking bytes loses them, after one wait that is paid once and not for each byte.
 */
import { in8, out8, pause } from "../kernel/hal";

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

/** Bytes that go out each time the transmitter is found empty; 0: there is no port. */
let burst: u32 = 0;
/** Of those, how many may still be written without a look at the status. */
let credit: u32 = 0;
/** The last wait was in vain: look once, do not wait. */
let stuck: bool = false;
/** Bytes lost. */
let lost: u32 = 0;

/** Sets the port up. False when there is none. `serialPut.index` is what the console wants (setConsoleSink). */
export function initializeSerial(): bool {
  burst = 0;
  credit = 0;
  stuck = false;
  lost = 0;
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

/** Sends a byte, a line feed as carriage return and line feed. */
export function serialPut(byte: u32): void {
  if (byte == 0x0a) put(0x0d);
  put(byte);
}

/** Bytes that the port did not take. */
export function serialLost(): u32 {
  return lost;
}

function put(byte: u32): void {
  if (credit == 0 && !waitForRoom()) {
    lost++;
    return;
  }
  credit--;
  out8(DATA, byte);
}

/** An empty transmitter takes as many bytes as its FIFO has places. */
function waitForRoom(): bool {
  if (burst == 0) return false;
  const reads: u32 = stuck ? 1 : WAIT_READS;
  for (let i: u32 = 0; i < reads; i++) {
    if (in8(LINE_STATUS) & STATUS_TRANSMITTER_EMPTY) {
      credit = burst;
      stuck = false;
      return true;
    }
    pause();
  }
  stuck = true;
  return false;
}
