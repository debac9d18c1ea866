/**
 * The table of socket options: who defines one fills in a row at boot, and setsockopt and getsockopt (calls-options.ts) look it up. What has no
 * row is -ENOPROTOOPT. The numbers are Linux's; those that Linux has not begin at OWN_OPTIONS.
 */
import { SOCK_DGRAM, SOCK_STREAM, Socket } from "./socket";

export const SOL_SOCKET: u32 = 1;
export const SOL_IP: u32 = 0;
export const SOL_TCP: u32 = 6;
export const SOL_IPV6: u32 = 41;
/** Of both kinds of sockets, each of which has a row of its own. */
export const SO_RCVBUF: u32 = 8;
/** Numbers from here on are aemos's own. */
export const OWN_OPTIONS: u32 = 0x4000;

/** Sockets that have the option: bit n for those of type n. */
export const OF_STREAMS: u32 = 1 << SOCK_STREAM;
export const OF_DATAGRAMS: u32 = 1 << SOCK_DGRAM;
export const OF_ALL: u32 = OF_STREAMS | OF_DATAGRAMS;

/** Bytes of nearly every value. */
export const OPTION_WORD: u32 = 4;
/** Longest value. */
export const OPTION_SIZE: u32 = 104;


@unmanaged
export class SocketOption {
  /** Level << 16 | name. */
  key: u32;
  /** OF_* bits. */
  sockets: u32;
  /** Bytes that setsockopt has to be given at least. */
  size: u32;
  /** (socket: Socket, place: usize) => i32: puts the value, up to OPTION_SIZE bytes, at `place`; its length, or a negative errno. 0: -ENOPROTOOPT. */
  get: u32;
  /** (socket: Socket, place: usize) => i32: takes the value at `place`. 0 or a negative errno. 0 in this field: -ENOPROTOOPT. */
  set: u32;
  /** (socket: Socket) => void: the application has been told the value. 0: nobody wants to know. */
  told: u32;
}

const ROW: usize = offsetof<SocketOption>();
/** Rows that there may be. */
const ROWS: u32 = 32;

/** Bytes that `initializeOptionTable` needs. */
export const OPTION_TABLE_STORAGE: usize = ROW * ROWS;

let table: usize = 0;
let count: u32 = 0;

/** Once at boot, ahead of the first defineOption. `storage`: OPTION_TABLE_STORAGE bytes. */
export function initializeOptionTable(storage: usize): void {
  table = storage;
  count = 0;
}

/** Fills in a row. The value is a word, unless `size` says otherwise. */
export function defineOption(
  level: u32,
  name: u32,
  sockets: u32,
  get: u32,
  set: u32,
  size: u32 = OPTION_WORD,
  told: u32 = 0,
): void {
  assert(count < ROWS);
  const row = changetype<SocketOption>(table + ROW * count++);
  row.key = (level << 16) | name;
  row.sockets = sockets;
  row.size = size;
  row.get = get;
  row.set = set;
  row.told = told;
}

/** The row of an option that sockets like this one have, or null. */
export function findOption(socket: Socket, level: u32, name: u32): SocketOption | null {
  if ((level | name) > 0xffff) return null;
  const key = (level << 16) | name;
  for (let i: u32 = 0; i < count; i++) {
    const row = changetype<SocketOption>(table + ROW * i);
    if (row.key == key && ((row.sockets >> socket.type) & 1) != 0) return row;
  }
  return null;
}

// ---- Parts of rows ----

/** The value is a word. */
// @ts-ignore: decorator
@inline
export function answer(place: usize, value: u32): i32 {
  store<u32>(place, value);
  return OPTION_WORD;
}

/** The value is a flag of the socket. */
export function answerFlag(socket: Socket, place: usize, flag: u32): i32 {
  return answer(place, socket.flags & flag ? 1 : 0);
}

export function takeFlag(socket: Socket, place: usize, flag: u32): i32 {
  if (load<u32>(place) == 0) socket.flags &= ~flag;
  else socket.flags |= flag;
  return 0;
}
