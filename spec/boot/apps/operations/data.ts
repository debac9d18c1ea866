/** Event data (AEM 3.4.1): the kernel's memory, kept and freed by the application if it wants; its own buffers, its own allocator. */
import {
  INADDR_LOOPBACK,
  SOCKADDR_SIZE,
  bindUdp,
  close,
  giveBuffer,
  nanosleep,
  onRead,
  sendto,
  setAddress,
  setAllocator,
  vmtable_free,
  vmtable_keep,
} from "../../../../sdk";
import { row } from "../report";
import { MILLISECOND, look, note, noted } from "./trace";

const BYTES: i32 = 900;
const ROUNDS: i32 = 2000;

const name = memory.data(16, 8);
const message = memory.data(1024, 8);
const own = memory.data(1024, 16);
const pool = memory.data(1024, 16);
const kept = memory.data(64, 8);

let fd: i32 = -1;
let keptCount: i32 = 0;
let wrong: i32 = 0;
let received: i32 = 0;
/** What the last data stood in: 1 the kernel's memory, 2 the buffer, 3 what the allocator found. */
let place: i32 = 0;
let keep: bool = false;

function check(data: usize, length: i32): void {
  if (length != BYTES) wrong++;
  for (let i = 0; i < length; i += 97) if (load<u8>(data + i) != <u8>(i * 3)) wrong++;
}

function datagram(jid: i32, socket: i32, data: usize, length: i32, from: usize): void {
  received++;
  check(data, length);
  place = data == own + 16 ? 2 : data == pool + 16 ? 3 : 1;
  note(place);
  if (keep && keptCount < 16) {
    if (vmtable_keep(from) != 0) wrong++;
    store<u32>(kept + ((<usize>keptCount) << 2), <u32>from);
    keptCount++;
  }
}

function send(): void {
  const before = received;
  sendto(fd, message, BYTES, 0, name, SOCKADDR_SIZE);
  for (let i = 0; i < 1000 && received == before; i++) nanosleep(MILLISECOND / 10);
}

function allocate(bytes: i32): usize {
  return bytes <= 1024 ? pool : 0;
}

export function data(): void {
  for (let i = 0; i < BYTES; i++) store<u8>(message + i, <u8>(i * 3));
  setAddress(name, INADDR_LOOPBACK, 3300);
  fd = bindUdp(3300);
  const jid = onRead(fd, datagram);
  const before = look().vmtableUsed;
  // Far more than the zone holds: each block goes back by itself.
  for (let i = 0; i < ROUNDS; i++) send();
  noted();
  row("by-kernel", received, wrong, look().vmtableUsed - before, look().vmtableFailures);
  keep = true;
  for (let i = 0; i < 16; i++) send();
  keep = false;
  const used = look().vmtableUsed;
  // Kept blocks stay as they are while others come and go.
  for (let i = 0; i < 100; i++) send();
  for (let i = 0; i < 16; i++) check(load<u32>(kept + (i << 2)) + 16, BYTES);
  row("kept", keptCount, used >= <u64>(16 * BYTES) ? 1 : 0, look().vmtableUsed - used, wrong);
  let freed = 0;
  for (let i = 15; i >= 0; i--) if (vmtable_free(load<u32>(kept + (i << 2))) == 0) freed++;
  row("freed", freed, look().vmtableUsed - before, vmtable_free(load<u32>(kept)));
  noted();
  giveBuffer(jid, own, 1024);
  send();
  send();
  setAllocator(jid, allocate);
  send();
  row("places", noted(), wrong);
  close(fd);
  row("whole", look().vmtableUsed, look().vmtablePeak > 0 ? 1 : 0, look().vmtableFailures);
}
