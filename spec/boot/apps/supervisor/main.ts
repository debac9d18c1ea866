/**
 * Starts mayflies and sees them end, one after the other, in four ways: killed before they have run, killed while they wait, told to exit, and
 * interrupted by a signal. What the system has of memory and events is the same at the end as after the first hundred: rows `leak ROUNDS FREE EVENTS PROCESSES`.
 */
import {
  EVF_KEEPALIVE,
  EVF_ONESHOT,
  SIGKILL,
  SIGTERM,
  SYSTEM_INFORMATION_SIZE,
  SystemInformation,
  enter_keepalive,
  evpost,
  kill,
  nanosleep,
  onMessage,
  spawnNamed,
  sysinfo,
  waitpid,
} from "../../../../sdk";
import { row } from "../report";

const ROUNDS: i32 = 10_000;
const WARM: i32 = 100;
const SETTLE: i64 = 20_000_000;
const information = memory.data(256, 8);
const status = memory.data(4);
/** Ends by their status: killed; exited or returned. */
let killed: i32 = 0;
let orderly: i32 = 0;

function tell(rounds: i32): void {
  nanosleep(SETTLE);
  sysinfo(information, SYSTEM_INFORMATION_SIZE);
  const i = changetype<SystemInformation>(information);
  row("leak", rounds, i.memoryFree, i.events, i.processes);
}

function there(jid: i32, from: i32, data: usize, length: i32): void {}

function live(round: i32): bool {
  // Before there is anybody who could post.
  if (round % 4 != 0) onMessage(1, there, EVF_ONESHOT | EVF_KEEPALIVE);
  const pid = spawnNamed("mayfly");
  if (pid < 0) {
    row("spawn", round, pid);
    return false;
  }
  // Returns when the handler has run.
  if (round % 4 != 0) enter_keepalive();
  if (round % 4 < 2) kill(pid, SIGKILL);
  else if (round % 4 == 2) evpost(pid, 1, 0, 0);
  else kill(pid, SIGTERM);
  if (waitpid(pid, status, 0) != pid) return false;
  const how = load<i32>(status);
  if (how == 64 + SIGKILL) killed++;
  else if (how == 0) orderly++;
  return true;
}

export function main(): i32 {
  for (let round: i32 = 0; round < ROUNDS; round++) {
    if (round == WARM) tell(round);
    if (round % 1000 == 999) row("round", round);
    if (!live(round)) {
      row("failed", round);
      return 1;
    }
  }
  tell(ROUNDS);
  row("ends", killed, orderly);
  return 0;
}
