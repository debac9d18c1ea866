/** Does what its manifest refuses and what it allows, and reports what came of it. */
import {
  AF_INET,
  CLOCK_MONOTONIC,
  EVF_FORK,
  SOCK_DGRAM,
  bindUdp,
  clock_gettime,
  close,
  getpid,
  getrandom,
  kill,
  nanosleep,
  onRead,
  onSock,
  onTimer,
  socket,
} from "../../../../sdk";
import { row } from "../report";

const FAR: i64 = 600_000_000_000;
const buffer = memory.data(16, 8);

function timer(jid: i32, overrun: i32): void {}
function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {}
function changed(jid: i32, fd: i32, events: i32, error: i32): void {}

export function main(): i32 {
  const pid = getpid();
  row("guarded-allowed", pid, nanosleep(1000));
  row("guarded-calls", getrandom(buffer, 16, 0), clock_gettime(CLOCK_MONOTONIC), kill(pid, 0));
  // Again: counted, and not logged again.
  row("guarded-again", getrandom(buffer, 16, 0), load<i32>(buffer));
  const fd = bindUdp(2200);
  row("guarded-types", onSock(fd, changed), <i32>(onRead(fd, received) > 0));
  row("guarded-executor", onTimer(FAR, 0, timer, EVF_FORK));
  row(
    "guarded-timers",
    <i32>(onTimer(FAR, 0, timer) > 0),
    <i32>(onTimer(FAR, 0, timer) > 0),
    onTimer(FAR, 0, timer),
  );
  row("guarded-events", onRead(fd, received));
  const second = socket(AF_INET, SOCK_DGRAM, 0);
  row("guarded-descriptors", <i32>(second >= 0), socket(AF_INET, SOCK_DGRAM, 0));
  close(second);
  row("guarded-descriptor-again", <i32>(socket(AF_INET, SOCK_DGRAM, 0) >= 0));
  row("guarded-done", 0);
  return nanosleep(FAR);
}
