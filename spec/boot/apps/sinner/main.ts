/**
 * A process that has sockets, events, timers and memory, and then does what no process should (spec/boot/aem/isolation.test.ts). What, its
 * supervisor says in a message: a letter, and for loops in a handler the priority.
 */
import {
  EVF_KEEPALIVE,
  EVF_ONESHOT,
  bindUdp,
  enter_keepalive,
  evctl,
  evpost,
  listenTcp,
  onAccept,
  onMessage,
  onRead,
  onTimer,
  vmtable_keep,
  EVJOBSHTDN,
} from "../../../../sdk";
import { parentPid, prioritized } from "../identity";

const ORDER_PORT: i32 = 1;
const READY_PORT: i32 = 1;
/** Not a constant for the compiler. */
let zero: i32 = 0;
let turns: u64 = 0;
let order: i32 = 0;
let argument: i32 = 0;

// @ts-ignore: decorator
@noinline
function recurse(depth: i32): i32 {
  return depth == -1 ? 0 : recurse(depth + 1) + (depth ^ recurse(depth + 2));
}

function loop(jid: i32, overrun: i32): void {
  while (true) turns++;
}

function nothing(jid: i32, overrun: i32): void {}

function accepted(jid: i32, listener: i32, fd: i32): void {}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {}

function sin(): void {
  switch (order) {
    case 0x72: // r
      turns += load<u32>(0x7fff0000 + <usize>zero);
      break;
    case 0x77: // w
      store<u32>(<usize>(zero - 4), 1);
      break;
    case 0x6e: // n: the first entry of the table is null
      call_indirect<void>(<u32>zero, 1);
      break;
    case 0x75: // u
      unreachable();
    case 0x64: // d
      turns += 1 / zero;
      break;
    case 0x73: // s
      turns += recurse(0);
      break;
    case 0x6d: // m
      while (true) turns++;
    case 0x68: // h
      onTimer(1_000_000, 0, loop, prioritized(argument));
      enter_keepalive();
  }
}

/** The message's own block is kept: one thing more that has to go back. */
function ordered(jid: i32, from: i32, data: usize, length: i32): void {
  order = load<u8>(data);
  argument = length > 1 ? load<u8>(data + 1) : 0;
  vmtable_keep(data);
}

export function main(): i32 {
  for (let n: i32 = 0; n < 4; n++) {
    onAccept(listenTcp(6000 + n), accepted);
    onRead(bindUdp(6100 + n), received);
  }
  for (let n: i32 = 1; n <= 100; n++) onTimer(1_000_000 * n, 1_000_000 * n, nothing);
  memory.grow(32);
  memory.fill(heap.alloc(500_000), 1, 500_000);
  onMessage(ORDER_PORT, ordered, EVF_ONESHOT | EVF_KEEPALIVE);
  evpost(parentPid(), READY_PORT, 0, 0);
  enter_keepalive();
  // In main code, when the handler has returned.
  sin();
  return evctl(0, EVJOBSHTDN, 0);
}
