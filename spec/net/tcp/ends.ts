/** Sockets for the specs: calls through the operations of the protocol, and ends that send and check a known stream. */
import { Waiter } from "../../../kernel/scheduler/wait";
import { setUserLimits } from "../../../kernel/memory/user";
import { gatherOne } from "../../../net/socket/gather";
import { MSG_MORE, MSG_OOB, Socket } from "../../../net/socket/socket";
import { ENOPROTOOPT } from "../../../kernel/errno";
import { findOption, OPTION_SIZE } from "../../../net/socket/options";
import { tcpCreate } from "../../../net/socket/tcp/tcp";
import { growMemory } from "../../arena";
import { bind, consume, listen, peek, peekLength } from "../socket-operations";
import { takeTurns } from "./world";

export {
  abort_,
  accept,
  bind,
  close,
  connect,
  consume,
  listen,
  peek,
  peekLength,
  poll,
  shutdown,
} from "../socket-operations";

export function create(): Socket {
  return tcpCreate()!;
}

export function listener(port: u32, backlog: i32): Socket {
  const s = create();
  assert(bind(s, 0, port) == 0);
  assert(listen(s, backlog) == 0);
  return s;
}

/** The octet that stands at `position` of stream `stream`. */
export function octet(stream: u32, position: u32): u8 {
  return <u8>(((position * 2654435761) >> 13) + position + stream * 97);
}

/** What is written at once at most, and where it stands meanwhile. */
const WRITTEN: u32 = 2048;
const bytes = memory.data(2048);

/** Gives a stream up to `length` bytes at `address` to be sent; how many it has taken. */
export function fill(s: Socket, address: usize, length: u32): u32 {
  setUserLimits(0xffff_0000, 0);
  gatherOne(address, length);
  return call_indirect<u32>(s.protocol.fill, s, length);
}

/** Writes up to `length` octets of the stream from `position` on, `urgent`: with MSG_OOB; as many as there was room for. */
export function write(s: Socket, stream: u32, position: u32, length: u32, urgent: bool = false): u32 {
  let written: u32 = 0;
  while (written < length) {
    const part = min<u32>(WRITTEN, length - written);
    for (let i: u32 = 0; i < part; i++) store<u8>(bytes + i, octet(stream, position + written + i));
    const taken = fill(s, bytes, part);
    written += taken;
    if (taken != part) break;
  }
  call_indirect<void>(s.protocol.push, s, urgent && written != 0 ? MSG_OOB : 0);
  takeTurns();
  return written;
}

/** Gives a stream `length` octets, with MSG_MORE: nothing of them leaves yet. */
export function writeMore(s: Socket, stream: u32, position: u32, length: u32): void {
  for (let i: u32 = 0; i < length; i++) store<u8>(bytes + i, octet(stream, position + i));
  assert(fill(s, bytes, length) == length);
  call_indirect<void>(s.protocol.push, s, MSG_MORE);
}

/** Sends a text in one piece, `urgent`: with MSG_OOB. */
export function writeText(s: Socket, text: string, urgent: bool = false): void {
  for (let i = 0; i < text.length; i++) store<u8>(bytes + i, <u8>text.charCodeAt(i));
  assert(fill(s, bytes, text.length) == text.length);
  call_indirect<void>(s.protocol.push, s, urgent ? MSG_OOB : 0);
  takeTurns();
}

/** Reads what is there, at most `limit` octets, and checks it against the stream at `position`; how much. Traps on a wrong octet. */
export function read(s: Socket, stream: u32, position: u32, limit: u32): u32 {
  let done: u32 = 0;
  while (done < limit) {
    const data = peek(s);
    if (data == 0) break;
    const part = min<u32>(peekLength(s), limit - done);
    for (let i: u32 = 0; i < part; i++)
      assert(load<u8>(data + i) == octet(stream, position + done + i), "wrong octet");
    consume(s, part);
    done += part;
  }
  return done;
}

/** All text that is there. */
export function readText(s: Socket): string {
  let text = "";
  for (let data = peek(s); data != 0; data = peek(s)) {
    const length = peekLength(s);
    for (let i = 0; i < length; i++) text += String.fromCharCode(load<u8>(data + i));
    consume(s, length);
  }
  return text;
}

// ---- Options, by the table that setsockopt and getsockopt have ----

const place: usize = growMemory(OPTION_SIZE, 8);

/** A value of 4 bytes, and `second` behind it for those of 8. 0 or a negative errno. */
export function setOption(s: Socket, level: u32, name: u32, value: i32, second: i32 = 0): i32 {
  const option = findOption(s, level, name);
  if (option === null || option.set == 0) return -ENOPROTOOPT;
  store<i32>(place, value);
  store<i32>(place, second, 4);
  return call_indirect<i32>(option.set, s, place);
}

/** The word at `offset` of the value, which has been told then; a negative errno. */
export function getOption(s: Socket, level: u32, name: u32, offset: usize = 0): i32 {
  const option = findOption(s, level, name);
  if (option === null || option.get == 0) return -ENOPROTOOPT;
  const length = call_indirect<i32>(option.get, s, place);
  if (length < 0) return length;
  assert(offset + 4 <= <usize>length);
  if (option.told != 0) call_indirect<void>(option.told, s);
  return load<i32>(place + offset);
}

// ---- Watching a socket ----

const WATCHERS: u32 = 16;
const watchers: usize = growMemory(WATCHERS * 32, 8);
/** What watchers saw: "old>new" of transitions, or the bits in hexadecimal. */
export let seen: string[] = [];

/** Writes down the events in `mask` of `s` from now on; `index`: 0 .. 15, one watcher each. */
export function watch(index: u32, s: Socket, mask: u32): void {
  const w = changetype<Waiter>(watchers + index * 32);
  w.prepare(onWake.index, mask);
  s.append(w);
}

function onWake(waiter: Waiter, events: u32, detail: u32): void {
  if (events & 0x40000) {
    waiter.remove();
    seen.push("gone");
  } else if (events & 0x20000) seen.push((detail >> 8).toString() + ">" + (detail & 255).toString());
  else seen.push((<i32>events).toString(16));
}

/** What was seen since the last call. */
export function taken(): string {
  const text = seen.join(" ");
  seen = [];
  return text;
}
