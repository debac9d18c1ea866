/** The calls that a request can ask for, by number (spec/wire/control.ts has the same list), and the states that sockets have gone through. */
import {
  AF_INET6,
  EINVAL,
  ENOSYS,
  MSG_DONTWAIT,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  accept,
  bind,
  close,
  connect,
  getsockopt,
  listen,
  onState,
  poll,
  pollfd,
  recv,
  send,
  setAddress,
  setAddress6,
  setsockopt,
  shutdown,
  sockaddrSize,
  socket,
} from "../../../../sdk";

const SOCKET: u32 = 1;
const BIND: u32 = 2;
const LISTEN: u32 = 3;
const ACCEPT: u32 = 4;
const CONNECT: u32 = 5;
const SEND: u32 = 6;
const RECV: u32 = 7;
const SHUTDOWN: u32 = 8;
const CLOSE: u32 = 9;
const GETSOCKOPT: u32 = 10;
const SETSOCKOPT: u32 = 11;
const POLL: u32 = 12;
const STATES: u32 = 13;

/** Most bytes that one call sends or receives. */
const BUFFER: i32 = 512 * 1024;
/** What a call without data of its own sends. */
const FILL: u8 = 0x61;
const buffer = heap.alloc(BUFFER);
const name = memory.data(28, 8);
const word = memory.data(8, 8);
const entry = memory.data(8, 8);

/** For each descriptor: u8 how many, then one u8 for each state since it was made, newest last, at most STATES_KEPT. */
const DESCRIPTORS: i32 = 1024;
const STATES_KEPT: i32 = 15;
const STATES_SIZE: usize = 16;
const states = heap.alloc(<usize>DESCRIPTORS * STATES_SIZE);
/** Of each: the family with which it was made. */
const families = heap.alloc(DESCRIPTORS);
/** 2001:db8:0:1::/64 (spec/wire/translator.ts). */
const PREFIX: u64 = 0x2001_0db8_0000_0001;

function changed(jid: i32, fd: i32, oldState: i32, newState: i32): void {
  const list = states + <usize>fd * STATES_SIZE;
  const count = load<u8>(list);
  if (<i32>count == STATES_KEPT) return;
  store<u8>(list, count + 1);
  store<u8>(list + 1 + count, <u8>newState);
}

/** A descriptor that has just been made: hears of its states. */
function made(fd: i32): i32 {
  if (fd < 0 || fd >= DESCRIPTORS) return fd;
  store<u8>(states + <usize>fd * STATES_SIZE, 0);
  const jid = onState(fd, changed);
  return jid < 0 ? jid : fd;
}

/** A socket of `family`. */
function makeSocket(family: i32): i32 {
  const fd = made(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
  if (fd >= 0 && fd < DESCRIPTORS) store<u8>(families + fd, <u8>family);
  return fd;
}

/** A name for the socket: of AF_INET6 the address stands in PREFIX; 0 is :: then. */
function setName(fd: i32, address: u32, port: u32): void {
  if (fd < 0 || fd >= DESCRIPTORS || load<u8>(families + fd) != AF_INET6) setAddress(name, address, port);
  else setAddress6(name, address == 0 ? 0 : PREFIX, address, port);
}

/** Sends `length` bytes of `data`, or of the fill, as far as there is room. */
function transmit(fd: i32, length: i32, data: usize, dataLength: i32): i32 {
  if (length < 0 || length > BUFFER) return -EINVAL;
  if (dataLength != 0) return send(fd, data, dataLength, MSG_DONTWAIT);
  memory.fill(buffer, FILL, length);
  return send(fd, buffer, length, MSG_DONTWAIT);
}

/** Receives up to `length` bytes; the first `room` of them go to `answer`. */
function receive(fd: i32, length: i32, answer: usize, room: i32): i32 {
  if (length < 0 || length > BUFFER) return -EINVAL;
  const got = recv(fd, buffer, length, MSG_DONTWAIT);
  if (got > 0) memory.copy(answer, buffer, min(got, room));
  return got;
}

function readOption(fd: i32, level: i32, option: i32): i32 {
  store<i32>(word, 0);
  store<i32>(word, 4, 4);
  const error = getsockopt(fd, level, option, word, word + 4);
  return error < 0 ? error : load<i32>(word);
}

function look(fd: i32, events: i32): i32 {
  const wanted = changetype<pollfd>(entry);
  wanted.fd = fd;
  wanted.events = <u16>events;
  wanted.revents = 0;
  const ready = poll(entry, 1, 0);
  return ready < 0 ? ready : <i32>wanted.revents;
}

/**
 * Makes call number `call` with `a`, `b`, `c` and `length` bytes at `data`. Its result goes to `answer`, and behind it up to `room` bytes of
 * data: how many those are is returned.
 */
export function perform(
  call: u32,
  a: i32,
  b: i32,
  c: i32,
  data: usize,
  length: i32,
  answer: usize,
  room: i32,
): i32 {
  const into = answer + 4;
  let result: i32 = -ENOSYS;
  let bytes = 0;
  switch (call) {
    case SOCKET:
      result = makeSocket(a);
      break;
    case BIND:
      setName(a, <u32>b, <u32>c);
      result = bind(a, name, sockaddrSize(name));
      break;
    case LISTEN:
      result = listen(a, b);
      break;
    case ACCEPT:
      result = made(accept(a, 0, 0));
      break;
    case CONNECT:
      setName(a, <u32>b, <u32>c);
      result = connect(a, name, sockaddrSize(name));
      break;
    case SEND:
      result = transmit(a, b, data, length);
      break;
    case RECV:
      result = receive(a, b, into, room);
      bytes = min(max(result, 0), room);
      break;
    case SHUTDOWN:
      result = shutdown(a, b);
      break;
    case CLOSE:
      result = close(a);
      break;
    case GETSOCKOPT:
      result = readOption(a, b, c);
      break;
    case SETSOCKOPT:
      result = setsockopt(a, b, c, data, length);
      break;
    case POLL:
      result = look(a, b);
      break;
    case STATES:
      result = a < 0 || a >= DESCRIPTORS ? -EINVAL : <i32>load<u8>(states + <usize>a * STATES_SIZE);
      bytes = max(result, 0);
      memory.copy(into, states + <usize>a * STATES_SIZE + 1, bytes);
      break;
  }
  store<i32>(answer, result);
  return bytes;
}
