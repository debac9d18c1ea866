/**
 * Starts one sinner after the other, as UDP port 5000 asks for (spec/boot/aem/isolation.test.ts), kills it when asked, and tells what the system has before it
 * and when it has gone: rows `before` and `after` with free bytes, registered events, processes, and its own events and descriptors.
 */
import {
  SIGKILL,
  SYSTEM_INFORMATION_SIZE,
  SystemInformation,
  bindUdp,
  enter_keepalive,
  evpost,
  kill,
  onChild,
  onMessage,
  onRead,
  onTimer,
  spawn,
  sysinfo,
} from "../../../../sdk";
import { row } from "../report";

const PERIOD: i64 = 10_000_000;
/** Periods after which all has gone back, and to which it may take while other processes have connections of their own. */
const SETTLE: i32 = 3;
const PATIENCE: i32 = 200;
const name = memory.data<u8>([0x73, 0x69, 0x6e, 0x6e, 0x65, 0x72]);
const information = memory.data(256, 8);
const order = memory.data(2);
let child: i32 = 0;
let settling: i32 = 0;
let eventsBefore: u64 = 0;

function look(): SystemInformation {
  sysinfo(information, SYSTEM_INFORMATION_SIZE);
  return changetype<SystemInformation>(information);
}

function tell(what: string): void {
  const i = look();
  row(what, i.memoryFree, i.events, i.processes);
}

function ready(jid: i32, from: i32, data: usize, length: i32): void {
  tell("during");
  row("posted", evpost(child, 1, order, 2));
}

/** A timer that is always there, so that it does not count as a difference. */
function passed(jid: i32, overrun: i32): void {
  if (settling == 0) return;
  settling++;
  if (settling <= SETTLE || (settling < PATIENCE && look().events > eventsBefore)) return;
  settling = 0;
  tell("after");
}

function ended(jid: i32, pid: i32, status: i32): void {
  row("ended", pid == child ? 1 : 0, status);
  child = 0;
  settling = 1;
}

/** `k` kills; anything else is an order for a new sinner. Repeated datagrams are no new orders. */
function commanded(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length < 2) return;
  if (load<u8>(data) == 0x6b) {
    if (child > 0) kill(child, SIGKILL);
    return;
  }
  if (child > 0) return;
  store<u16>(order, load<u16>(data));
  tell("before");
  eventsBefore = look().events;
  child = spawn(name, 6, 0);
  row("spawned", child);
}

export function main(): i32 {
  onTimer(PERIOD, PERIOD, passed);
  onRead(bindUdp(5000), commanded);
  onMessage(1, ready);
  onChild(0, ended);
  return enter_keepalive();
}
