/** For the specs of messages: who listens, who posts, and what bytes. */
import { EVENT_MESSAGE } from "../../aem/abi";
import { sys_evpost } from "../../aem/evpost";
import { sys_evsystem } from "../../aem/evsystem";
import { upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { currentProcess, Process } from "../../kernel/process/process";
import { user, zone } from "./driver";
import { handlerOf, switchTo } from "./machine";

export function listen(port: u32, flags: u32 = 0): i32 {
  return sys_evsystem(EVENT_MESSAGE, port, flags, handlerOf(EVENT_MESSAGE));
}

/** The application fills its buffer with what `seed` names, and posts `length` bytes of it. */
export function post(pid: i32, to: u32, seed: u32, length: u32): i32 {
  for (let i: u32 = 0; i < length; i++) store<u8>(user + i, byteOf(seed, i));
  return sys_evpost(pid, to, user, length);
}

export function byteOf(seed: u32, at: u32): u8 {
  return <u8>(seed * 31 + at * 7 + (at >> 8));
}

/** Bytes of the message that was delivered which are not those. */
export function wrong(seed: u32, length: u32): u32 {
  if (upcallArgument4 != length) return u32.MAX_VALUE;
  if (length == 0) return upcallArgument3;
  let count: u32 = 0;
  for (let i: u32 = 0; i < length; i++) if (load<u8>(zone(upcallArgument3 + i)) != byteOf(seed, i)) count++;
  return count;
}

/** Another process comes to run, as if this one were blocked inside of a handler. */
export function goTo(process: Process): void {
  const left = currentProcess();
  const handling = left.thread.handling;
  if (handling == 0) left.thread.handling = 1;
  switchTo(process);
  left.thread.handling = handling;
}
