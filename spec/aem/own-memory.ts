/** The application's own memory for received data, for specs of EVJOBBUFFER and EVJOBALLOCATOR. */
import { BUFFER_STRUCT_SIZE, EventBuffer, EVJOBBUFFER } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { setConsoleSink } from "../../kernel/console";
import { upcallArgument1, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { out8 } from "../../kernel/hal";
import { setUp, user } from "./driver";
import { ALLOCATOR_CODE, nextHandler, pattern } from "./machine";

/** Places in the application's memory. */
export let own: u32 = 0;

export function give(jid: i32, address: u32, length: u32, flags: u32 = 0): i32 {
  const buffer = changetype<EventBuffer>(<usize>user);
  buffer.size = BUFFER_STRUCT_SIZE;
  buffer.address = address;
  buffer.length = length;
  buffer.flags = flags;
  return sys_evctl(jid, EVJOBBUFFER, user);
}

/** The read handler that was called has `length` bytes from `position` on at `address` of its own memory. */
export function expectOwn(address: u32, position: u32, length: u32, what: string): void {
  expect<u32>(upcallArgument3).toBe(address, what);
  expect<u32>(upcallArgument4).toBe(length, what);
  let wrong = 0;
  for (let i: u32 = 0; i < length; i++) if (load<u8>(address + i) != pattern(position + i)) wrong++;
  expect<i32>(wrong).toBe(0, "bytes that differ");
}

/** The last call gave the allocator, which is asked for `bytes`. */
export function expectAllocator(bytes: u32, what: string): void {
  expect<u32>(<u32>nextHandler()).toBe(ALLOCATOR_CODE, what);
  expect<u32>(upcallArgument1).toBe(bytes, "bytes that it is asked for");
}

/** The allocator returns this; what is called then. */
export function answer(address: u32): u32 {
  return <u32>nextHandler(address);
}

function consoleByte(byte: u32): void {
  out8(0x3f8, byte);
}

/** Before all tests. */
export function setUpOwn(): void {
  setUp();
  setConsoleSink(consoleByte.index);
  own = user + 8192;
}
