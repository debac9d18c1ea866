/**
 * A process that does on demand what wasm forbids. The same module stands several times in the image, behind one other: each
 * instance has a UDP port of its own from 3001 on; the first byte of a datagram says what its handler shall do.
 */
import {
  MSG_DONTWAIT,
  SOCKADDR_SIZE,
  bindUdp,
  enter_keepalive,
  getpid,
  onRead,
  sendto,
} from "../../../../sdk";
import { row } from "../report";

const FIRST_PORT: u32 = 3001;
const FIRST_PID: i32 = 2;
/** Not a constant for the compiler. */
let zero: i32 = 0;

// @ts-ignore: decorator
@noinline
function divide(a: i32): i32 {
  return a / zero;
}

// @ts-ignore: decorator
@noinline
function overflow(a: i32): i32 {
  return a / (zero - 1);
}

// @ts-ignore: decorator
@noinline
function readAt(address: usize): i32 {
  return load<i32>(address);
}

// @ts-ignore: decorator
@noinline
function writeAt(address: usize): void {
  store<i32>(address, 1);
}

// @ts-ignore: decorator
@noinline
function recurse(depth: i32): i32 {
  return depth == -1 ? 0 : recurse(depth + 1) + (depth ^ recurse(depth + 2));
}

// @ts-ignore: decorator
@noinline
function callEntry(index: u32): void {
  call_indirect<void>(index, 1);
}

// @ts-ignore: decorator
@noinline
function fillBeyond(address: usize): void {
  memory.fill(address, 1, 100000);
}

// @ts-ignore: decorator
@noinline
function convert(value: f64): i32 {
  return <i32>value;
}

function command(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  switch (length > 0 ? load<u8>(data) : 0) {
    case 0x75: // u
      unreachable();
    case 0x72: // r
      row("read", readAt(0x7fff0000 + <usize>zero));
      break;
    case 0x77: // w
      writeAt(<usize>(zero - 4));
      break;
    case 0x66: // f
      fillBeyond(<usize>memory.size() * 65536 - 50000);
      break;
    case 0x64: // d
      row("divide", divide(1));
      break;
    case 0x6f: // o
      row("overflow", overflow(i32.MIN_VALUE));
      break;
    case 0x73: // s
      row("stack", recurse(0));
      break;
    case 0x69: // i
      callEntry(100000);
      break;
    case 0x74: // t: an entry of another type, this handler itself
      callEntry(command.index);
      break;
    case 0x63: // c
      row("convert", convert(1e300 + <f64>zero));
      break;
    case 0x61: // a
      assert(zero == 1, "zero is not one");
      break;
    default:
      sendto(fd, data, length, MSG_DONTWAIT, from, SOCKADDR_SIZE);
  }
}

export function main(): i32 {
  const port = FIRST_PORT + max(getpid() - FIRST_PID, 0);
  const fd = bindUdp(port);
  if (fd < 0) return -fd;
  row("traps-port", port);
  const jid = onRead(fd, command);
  return jid < 0 ? -jid : -enter_keepalive();
}
