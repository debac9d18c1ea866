/**
 * The world that the TCP specs live in: the whole network stack, a clock that jumps from event to event, and a device
 * with two peers behind it.
 *
 *   MIRROR   sends every packet back with its IPv4 addresses exchanged (the checksums stay right), after a delay, and with the
 *            accidents that `accidents` asks for. A connection to it arrives at a listener of the same stack.
 *   PEER     does nothing by itself: what is sent to it is kept for the script of a spec (script.ts).
 *
 * Here is what sets it up and lets things happen. Its parts, which a spec imports from here, are clock.ts, device.ts (what arrives), path.ts (what leaves, and is on its way) and
 * accidents.ts.
 *
 * The device may offer to cut packets into segments and to put segments together (`offer`); what is on its way, and what a spec sees, are segments then, too.
 */
import { setClockFrequency, setClockStart } from "../../../kernel/time/clock";
import { initializeRandom, keySipHash, RANDOM_SIZE, seedRandom } from "../../../kernel/random";
import {
  initializePolls,
  POLL_OUTPUT,
  POLL_PACKETS,
  POLL_RECEIVE,
  POLL_STORAGE,
  pollLevel,
  setPoll,
} from "../../../kernel/interrupts/polls";
import { initializeTimers, nextTimer, runTimers } from "../../../kernel/time/timers";
import { bufferPool } from "../../../net/buffer";
import { networkFlush, setAddress } from "../../../net/interface";
import { packetsPoll } from "../../../net/packets";
import { initializeNetwork } from "../../../net/stack";
import { initializeOptionTable, OPTION_TABLE_STORAGE } from "../../../net/socket/options";
import { defineSocketOptions } from "../../../net/socket/options-socket";
import { defineTcpOptions } from "../../../net/socket/tcp/socket-options";
import { connectionPool } from "../../../net/socket/tcp/connection";
import { requestPool } from "../../../net/socket/tcp/request";
import { sackPool } from "../../../net/socket/tcp/sack";
import { timeWaitPool } from "../../../net/socket/tcp/timewait";
import { initializeTcp } from "../../../net/socket/tcp/tcp";
import { growMemory, setUpArena } from "../../arena";
import { calm } from "./accidents";
import { MILLISECOND, SECOND, setTime, time } from "./clock";
import { comeIn, device, goOut, setUpDevice, takeTurns } from "./device";
import { arriveNext, flush, flying, outbox, OWN, releaseHeld, transmit } from "./path";

export { accidents, calm } from "./accidents";
export { MILLISECOND, SECOND, standStill, time } from "./clock";
export {
  arrive,
  arriveTogether,
  beginToLook,
  collect,
  letFramesWait,
  lookAtFrames,
  lookAtOneFrame,
  offer,
  sendSingly,
  takeTurns,
} from "./device";
export { MIRROR, outbox, OWN, PEER, tellTooBig } from "./path";

const BUFFERS: u32 = 2048;
export const MAX_CONNECTIONS: u32 = 600;
export const MAX_TIME_WAITS: u32 = 4096;

/** Lets everything happen until `end`. */
export function runUntil(end: u64): void {
  networkFlush();
  takeTurns();
  for (;;) {
    const timer = nextTimer();
    const packet = flying.length != 0 ? flying[0].due : u64.MAX_VALUE;
    const next = min(timer, packet);
    if (next > end) break;
    if (next > time) setTime(next);
    if (packet <= timer) arriveNext();
    else runTimers(time);
    networkFlush();
    takeTurns();
  }
  setTime(max(time, end));
}

export function run(duration: u64): void {
  runUntil(time + duration);
}

/** The next thing happens. False: nothing ever will. */
export function step(): bool {
  networkFlush();
  const next = min(nextTimer(), flying.length != 0 ? flying[0].due : u64.MAX_VALUE);
  if (next == u64.MAX_VALUE) {
    takeTurns();
    return pollLevel >= 0;
  }
  runUntil(max(next, time));
  return true;
}

export function setUpWorld(): void {
  setUpWorldOf(4096, MAX_CONNECTIONS, MAX_TIME_WAITS);
}

/** The same with so many frames of memory, and at most so many connections, and in TIME-WAIT. */
export function setUpWorldOf(frames: u32, connections: u32, timeWaits: u32): void {
  if (changetype<usize>(device) != 0) return;
  setClockFrequency(SECOND);
  setClockStart(0);
  setTime(SECOND);
  setUpArena(frames);
  initializeTimers(growMemory(4096, 4096));
  initializePolls(growMemory(POLL_STORAGE, 8));
  setPoll(POLL_PACKETS, packetsPoll.index);
  setPoll(POLL_RECEIVE, comeIn.index);
  setPoll(POLL_OUTPUT, goOut.index);
  initializeRandom(growMemory(RANDOM_SIZE, 8));
  seedRandom(0x1234567890);
  keySipHash();
  assert(initializeNetwork(BUFFERS, 512, 16, 16));
  assert(initializeTcp(connections, timeWaits));
  initializeOptionTable(growMemory(OPTION_TABLE_STORAGE, 8));
  defineSocketOptions();
  defineTcpOptions();
  setUpDevice(transmit.index, flush.index);
  setAddress(OWN, 0xffffff00, 0);
  networkFlush();
}

/** Lets five minutes pass without accidents: TIME-WAIT and everything else comes to its end. */
export function settleWorld(): void {
  calm();
  run(300 * SECOND);
  releaseHeld();
  outbox.length = 0;
}

/** Everything that was taken has been given back; says what was not. */
export function leftOver(): string {
  if (connectionPool().inUse != 0) return "connections " + connectionPool().inUse.toString();
  if (requestPool().inUse != 0) return "requests " + requestPool().inUse.toString();
  if (timeWaitPool().inUse != 0) return "TIME-WAIT " + timeWaitPool().inUse.toString();
  if (sackPool().inUse != 0) return "blocks " + sackPool().inUse.toString();
  if (bufferPool().inUse != 0) return "buffers " + bufferPool().inUse.toString();
  return "";
}

/** Lets time pass until the stack sends something to PEER: after how many milliseconds, rounded; `limit` when it does not. */
export function silence(limit: u32): u32 {
  const start = time;
  const end = start + <u64>limit * MILLISECOND;
  networkFlush();
  while (outbox.length == 0) {
    const next = min(nextTimer(), flying.length != 0 ? flying[0].due : u64.MAX_VALUE);
    if (next > end) {
      runUntil(end);
      break;
    }
    runUntil(max(next, time));
  }
  return <u32>((time - start + MILLISECOND / 2) / MILLISECOND);
}
