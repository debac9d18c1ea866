/**
 * Priority levels of reception (AEM 3.2.1): at which level a frame is looked at. What is received for a socket is worked off at the level of the socket
 * (net/socket/rank.ts), but a frame must be looked at before anybody knows for whom it is. That is done at the level of the highest socket there is
 * (`receiveLevel`).
 */
import { movePoll, POLL_LEVEL_DEFAULT, POLL_RECEIVE, pollLevel } from "../kernel/interrupts/polls";
import { noteWork } from "../kernel/scheduler/wake";

/** Highest level of a socket, the default one at least: ARP, ICMP and what nobody wants come in at it. */
export let receiveLevel: u32 = POLL_LEVEL_DEFAULT;
/** There is a socket of another level than the default one. */
export let levelsMatter: bool = false;

/** 64 counts: sockets of each level. And bit l: there is one of level l. */
let counts: usize = 0;
let present: u64 = 0;

/** Bytes of storage for initializeLevels. */
export const LEVELS_STORAGE: usize = 64 * 4;

/** Once at boot. */
export function initializeLevels(storage: usize): void {
  counts = storage;
  memory.fill(storage, 0, LEVELS_STORAGE);
  present = 0;
  update();
}

/** There are `change` more sockets of a level. */
export function countLevel(level: u32, change: i32): void {
  const word = counts + ((<usize>level) << 2);
  const bit = (<u64>1) << level;
  const sockets = load<u32>(word) + change;
  store<u32>(word, sockets);
  if (sockets != 0 && (present & bit) != 0) return;
  present = sockets == 0 ? present & ~bit : present | bit;
  update();
}

function update(): void {
  const level = max(POLL_LEVEL_DEFAULT, 63 - <u32>clz(present | 1));
  if (level != receiveLevel) {
    receiveLevel = level;
    // Among the frames that nobody has looked at may be some for the new socket.
    movePoll(POLL_RECEIVE, level);
    if (pollLevel >= <i32>level) noteWork(level);
  }
  levelsMatter = (present & ~((<u64>1) << POLL_LEVEL_DEFAULT)) != 0;
}
