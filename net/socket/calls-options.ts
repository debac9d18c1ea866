/** setsockopt and getsockopt: to and from the application's memory; what the options are is in the table (options.ts). */
import { EBADF, EFAULT, EINVAL, ENOPROTOOPT } from "../../kernel/errno";
import { readUser, writeUser } from "../../kernel/memory/user";
import { networkFlush } from "../interface";
import { socketOf } from "./descriptor";
import { findOption, initializeOptionTable, OPTION_SIZE, OPTION_TABLE_STORAGE, OPTION_WORD } from "./options";
import { defineSocketOptions } from "./options-socket";
import { defineTcpOptions } from "./tcp/socket-options";
import { defineUdpOptions } from "./udp-options";

/** Bytes that `initializeOptions` needs. */
export const OPTIONS_STORAGE: usize = OPTION_TABLE_STORAGE + OPTION_SIZE;

/** Room for a value. */
let scratch: usize = 0;

/** Once at boot. `storage`: OPTIONS_STORAGE bytes, 8-aligned. */
export function initializeOptions(storage: usize): void {
  scratch = storage + OPTION_TABLE_STORAGE;
  initializeOptionTable(storage);
  defineSocketOptions();
  defineTcpOptions();
  defineUdpOptions();
}

/** 0; -ENOPROTOOPT, -EINVAL (too short, or a value that the option cannot have), -EFAULT, -EBADF. */
export function sys_setsockopt(fd: i32, level: u32, name: u32, value: usize, length: u32): i32 {
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  const option = findOption(socket, level, name);
  if (option === null || option.set == 0) return -ENOPROTOOPT;
  if (length < option.size) return -EINVAL;
  if (readUser(scratch, value, option.size) < 0) return -EFAULT;
  const result = call_indirect<i32>(option.set, socket, scratch);
  networkFlush();
  return result;
}

/** 0; the value, cut to the room that there is, at `value`, and its length at `lengthPointer`. Errors as above. */
export function sys_getsockopt(fd: i32, level: u32, name: u32, value: usize, lengthPointer: usize): i32 {
  const socket = socketOf(fd);
  if (socket === null) return -EBADF;
  if (readUser(scratch, lengthPointer, OPTION_WORD) < 0) return -EFAULT;
  const room = load<i32>(scratch);
  if (room < 0) return -EINVAL;
  const option = findOption(socket, level, name);
  if (option === null || option.get == 0) return -ENOPROTOOPT;
  const length = call_indirect<i32>(option.get, socket, scratch);
  if (length < 0) return length;
  const bytes = min(<u32>room, <u32>length);
  if (writeUser(value, scratch, bytes) < 0) return -EFAULT;
  if (option.told != 0) call_indirect<void>(option.told, socket);
  store<u32>(scratch, bytes);
  return writeUser(lengthPointer, scratch, OPTION_WORD);
}
