/** For the specs of the calls on sockets (net/socket/calls*.ts): places in the application's memory, and options. */
import { currentProcess } from "../../kernel/process/process";
import { sys_getsockopt } from "../../net/socket/calls-options";
import { expectNothingLeft, setUp, user } from "./driver";
import { pattern } from "./machine";
import { passMilliseconds } from "./pair";

export const PEEK: u32 = 2;

export const SOL_SOCKET: u32 = 1;

/** Places in the application's memory. */
export let name: u32 = 0;
export let length: u32 = 0;
export let value: u32 = 0;
export let data: u32 = 0;

export function portOf(at: u32): u32 {
  return bswap<u16>(load<u16>(at, 2));
}

export function optionOf(fd: i32, level: u32, option: u32): i32 {
  store<u32>(length, 4);
  const result = sys_getsockopt(fd, level, option, value, length);
  return result < 0 ? result : load<i32>(value);
}
export function fill(bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i++) store<u8>(data + i, pattern(i));
}

export function setUpCalls(): void {
  setUp(true);
  name = user;
  length = user + 64;
  value = user + 128;
  data = user + 8192;
}

/** After each test. */
export function expectAllClosed(): void {
  expectNothingLeft();
  passMilliseconds(5);
  expect<u32>(currentProcess().handleCount).toBe(0, "descriptors left open");
}
