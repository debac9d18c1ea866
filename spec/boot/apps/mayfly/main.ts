/**
 * A short life (spec/boot/aem/isolation.test.ts): sockets, events, timers, a handler on a thread, a message block that it keeps, a child in a clone. It tells its
 * supervisor that it is there, and ends when it is told to, or is ended.
 */
import {
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVF_THREAD,
  bindUdp,
  enter_keepalive,
  evpost,
  exit,
  fork,
  getpid,
  listenTcp,
  onAccept,
  onMessage,
  onRead,
  onTimer,
  vmtable_keep,
} from "../../../../sdk";
import { parentPid } from "../identity";

const letter = memory.data(100);

function accepted(jid: i32, listener: i32, fd: i32): void {}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {}

function nothing(jid: i32, overrun: i32): void {}

function kept(jid: i32, from: i32, data: usize, length: i32): void {
  vmtable_keep(data);
}

function told(jid: i32, from: i32, data: usize, length: i32): void {
  exit(0);
}

export function main(): i32 {
  onAccept(listenTcp(7000 + getpid()), accepted);
  onRead(bindUdp(7000 + getpid()), received);
  for (let n: i32 = 0; n < 8; n++) onTimer(1_000_000 * (n + 1), 1_000_000, nothing);
  onTimer(1_000_000, 0, nothing, EVF_THREAD);
  onMessage(1, told);
  onMessage(2, kept);
  evpost(getpid(), 2, letter, 100);
  onTimer(0, 0, nothing, EVF_FORK | EVF_NOCLDWAIT);
  // Half of them leave a grandchild behind that nobody has waited for.
  if ((getpid() & 1) == 0 && fork(0) == 0) exit(0);
  evpost(parentPid(), 1, 0, 0);
  enter_keepalive();
  return 0;
}
