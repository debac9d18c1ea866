/**
 * Two processes of this module, `left` and `right`, send each other 10,000 messages, from main code, while handlers take those of
 * the other one. `right` is slow at times. Each message is named by its number: length and bytes follow from it.
 */
import {
  EAGAIN,
  ECONNREFUSED,
  MESSAGE_LIMIT,
  evpost,
  getpid,
  nanosleep,
  onMessage,
  processNamed,
} from "../../../../sdk";
import { row } from "../report";

const MESSAGES: i32 = 10_000;
const PORT: i32 = 0x7fff_0001;
const MILLISECOND: i64 = 1_000_000;

const buffer = heap.alloc(65536);

let slow: bool = false;
let peer: i32 = 0;
let received: i32 = 0;
let bytes: i64 = 0;
let wrong: i32 = 0;
let refused: i32 = 0;

function mix(value: u64): u64 {
  value = (value ^ (value >> 31)) * 0x9e3779b97f4a7c15;
  return value ^ (value >> 29);
}

/** Of message `number`: most are short, some are of any size up to the largest. */
function lengthOf(number: i32): i32 {
  const chance = mix(number + 1);
  const most = number % 16 == 0 ? MESSAGE_LIMIT + 1 : 512;
  return number % 1024 == 0 ? MESSAGE_LIMIT : <i32>(<u32>chance % <u32>most);
}

/** Eight bytes at a time; the last ones singly. */
function fill(number: i32, length: i32): void {
  const seed = mix(number);
  let at = 0;
  for (; at + 8 <= length; at += 8) store<u64>(buffer + at, seed + at);
  for (; at < length; at++) store<u8>(buffer + at, <u8>(seed + at));
}

function isRight(number: i32, data: usize, length: i32): bool {
  if (length != lengthOf(number)) return false;
  const seed = mix(number);
  let at = 0;
  for (; at + 8 <= length; at += 8) if (load<u64>(data + at) != seed + at) return false;
  for (; at < length; at++) if (load<u8>(data + at) != <u8>(seed + at)) return false;
  return true;
}

function onReceived(jid: i32, from: i32, data: usize, length: i32): void {
  if (from != peer || !isRight(received, data, length)) wrong++;
  received++;
  bytes += length;
  if (slow && received % 100 == 0) nanosleep(2 * MILLISECOND);
}

export function main(): i32 {
  const own = getpid();
  const left = processNamed("left");
  slow = own != left;
  peer = slow ? left : processNamed("right");
  onMessage(PORT, onReceived);
  for (let number = 0; number < MESSAGES; number++) {
    const length = lengthOf(number);
    fill(number, length);
    let result = evpost(peer, PORT, buffer, length);
    while (result == -EAGAIN || (result == -ECONNREFUSED && number == 0)) {
      if (result == -EAGAIN) refused++;
      nanosleep(MILLISECOND / 4);
      result = evpost(peer, PORT, buffer, length);
    }
    if (result < 0) {
      row("messages-failed", number, result);
      return 1;
    }
  }
  while (received < MESSAGES) nanosleep(MILLISECOND);
  row("messages", slow ? 1 : 0, received, wrong, refused, bytes);
  row("messages-nobody", processNamed("nobody"));
  return 0;
}
