/** For the specs of evsystem. */
import { sys_evsystem } from "../../aem/evsystem";
import { upcallArgument1, upcallArgument2, upcallArgument3 } from "../../kernel/glue";
import { handlerOf } from "./machine";

export function register(kind: u32, argument: u32, flags: u32 = 0): i32 {
  return sys_evsystem(kind, argument, flags, handlerOf(kind));
}

export function expectArguments(jid: i32, second: u32, third: u32, what: string): void {
  expect<i32>(<i32>upcallArgument1).toBe(jid, what);
  expect<u32>(upcallArgument2).toBe(second, what);
  expect<u32>(upcallArgument3).toBe(third, what);
}
