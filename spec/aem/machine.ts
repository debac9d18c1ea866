/**
 * What the specs of AEM run on: real processes (page tables, vmtable, handles, scheduler) of one small module, and sockets that a spec plays
 * the transport of.
 *
 * A handler's code address is HANDLER_CODE + its type. Nothing is executed there: a spec asks nextHandler() and looks at the arguments.
 */
import { AEM_STORAGE, initializeAem } from "../../aem/aem";
import { dispatchNext } from "../../aem/dispatch";
import { HANDLER_ALLOCATOR, PRIORITY_DEFAULT } from "../../aem/abi";
import { EAGAIN } from "../../kernel/errno";
import { IMAGE_HANDLER_TYPES, IMAGE_PAGE_TABLES } from "../../kernel/hal";
import { initializeApic } from "../../kernel/interrupts/apic";
import { NO_DEADLINE } from "../../kernel/interrupts/deadline";
import {
  initializePolls,
  pollLevel,
  runPolls,
  POLL_OUTPUT,
  POLL_PACKETS,
  POLL_REAP,
  POLL_RECEIVE,
  POLL_STORAGE,
  setPoll,
} from "../../kernel/interrupts/polls";
import { initializeVectors } from "../../kernel/interrupts/vectors";
import { BREAK_DONE } from "../../kernel/memory/copy-on-write";
import { TABLE_BASE, VMTABLE_BASE, WINDOW_BASE } from "../../kernel/memory/layout";
import { translate } from "../../kernel/memory/paging";
import { Pool } from "../../kernel/memory/pool";
import { setUserLimits } from "../../kernel/memory/user";
import { initializeVmtables } from "../../kernel/memory/vmtable";
import {
  HANDLE_SOCKET,
  handleInstall,
  HANDLE_STORAGE,
  initializeHandles,
} from "../../kernel/process/handles";
import { createProcess } from "../../kernel/process/create";
import { END_STORAGE, initializeEnd, reapPoll } from "../../kernel/process/end";
import { initializeFamily } from "../../kernel/process/family";
import { breakProcessCopy } from "../../kernel/process/fork";
import { ModuleDescriptor, TABLE_ENTRY_SIZE } from "../../kernel/process/module";
import {
  currentProcess,
  findProcess,
  initializeProcesses,
  Process,
  PROCESS_LIMIT,
  PROCESS_STORAGE,
} from "../../kernel/process/process";
import { serve } from "../../kernel/process/workers";
import { initializeRandom, RANDOM_SIZE, seedRandom } from "../../kernel/random";
import { waitOn } from "../../kernel/scheduler/block";
import { currentThread } from "../../kernel/scheduler/running";
import { initializeScheduler, SCHEDULER_STORAGE, startScheduler } from "../../kernel/scheduler/scheduler";
import { wakeThread } from "../../kernel/scheduler/wake";
import { initializeThreads, THREAD_STORAGE } from "../../kernel/scheduler/thread";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, WAKE_ACCEPT } from "../../kernel/scheduler/wait";
import { initializeTimers } from "../../kernel/time/timers";
import { initializeInterface, networkFlush, NetworkInterface } from "../../net/interface";
import { loopbackPoll } from "../../net/loopback";
import { packetsPoll } from "../../net/packets";
import { initializeTcp } from "../../net/socket/tcp/tcp";
import { initializeNetwork } from "../../net/stack";
import { initializeSocketCalls, SOCKET_CALLS_STORAGE } from "../../net/socket/calls";
import { SOCK_DGRAM, SOCK_STREAM, Socket, SOCKET_LISTENING, SocketProtocol } from "../../net/socket/socket";
import { growMemory, setUpArena } from "../arena";
import * as fake from "../fake";
import { BUFFER_HEADER, PacketBuffer } from "../../net/buffer";
import { Endpoint } from "../../net/flow";
import { endpoint } from "../net/addresses";

/** Code address of the handler of event type t is this + t; its index in the function table is t + 1. Index 0 is null. */
export const HANDLER_CODE: u32 = 0x0010_0000;
export const OTHER_CODE: u32 = 0x0020_0000;
/** Index of a function with a type that no handler has. */
export const WRONG_HANDLER: u32 = HANDLER_ALLOCATOR + 2;
/** The zone of each process: 2^VMTABLE_ORDER frames. */
export const VMTABLE_ORDER: u32 = 5;
const TYPE_CODE: u32 = 32;
/** All kinds of functions that can be registered, and one more. */
const KINDS: u32 = HANDLER_ALLOCATOR + 2;
/** More than any spec has. */
export const EVENTS: u32 = 4096;
export const EVENTS_OF_PROCESS: u32 = 3000;
export const MESSAGES: u32 = 500;
/** Of each process: its workers, its children, and of those its capsules. */
export const WORKERS: u32 = 4;
export const CHILDREN: u32 = 64;
export const CAPSULES: u32 = 4;

let module: ModuleDescriptor = changetype<ModuleDescriptor>(0);
let typeCodes: u32 = 0;

function noSwitch(save: usize, stackPointer: u64): void {}
function lastExit(status: i32): void {}

function pool(): Pool {
  return changetype<Pool>(growMemory(offsetof<Pool>(), 8));
}

/** Once in each spec file. The first process is the current one. `network`: with the real one, of which only loopback can be used. */
export function setUpMachine(network: bool = false): void {
  setUpArena(16384);
  fake.reset();
  fake.setImage(IMAGE_PAGE_TABLES, growMemory(4096, 4096));
  typeCodes = <u32>growMemory(TYPE_CODE * KINDS, 8);
  for (let type: u32 = 0; type < KINDS; type++)
    memory.fill(typeCodes + type * TYPE_CODE, <u8>(0x40 + type), TYPE_CODE);
  fake.setImage(IMAGE_HANDLER_TYPES, typeCodes);
  fake.onSwitch(noSwitch.index);
  fake.onWindow(window.index);
  // An APIC whose registers are plain memory.
  fake.setCpuid(1, 0, 3, 1 << 9);
  fake.setMsr(0x1b, growMemory(4096, 4096));
  assert(initializeApic() && initializeVectors(), "interrupts");
  initializePolls(growMemory(POLL_STORAGE, 8));
  setPoll(POLL_RECEIVE, comeIn.index);
  setPoll(POLL_PACKETS, packetsPoll.index);
  setPoll(POLL_OUTPUT, flush.index);
  setPoll(POLL_REAP, reapPoll.index);
  initializeRandom(growMemory(RANDOM_SIZE, 8));
  seedRandom(1);
  initializeTimers(growMemory(4096, 4096));
  initializeScheduler(growMemory(SCHEDULER_STORAGE, 8));
  initializeThreads(growMemory(THREAD_STORAGE, 8), 5 * PROCESS_LIMIT);
  initializeProcesses(growMemory(PROCESS_STORAGE, 8));
  initializeEnd(growMemory(END_STORAGE, 8), lastExit.index);
  initializeFamily(growMemory(4, 4));
  initializeHandles(growMemory(HANDLE_STORAGE, 8));
  initializeVmtables(pool(), PROCESS_LIMIT);
  if (network) assert(initializeNetwork(2000, 256, 64, 500) && initializeTcp(500, 1000), "network");
  else initializeInterface(growMemory(offsetof<NetworkInterface>(), 8), 0, 0, 0, 0);
  initializeSocketCalls(growMemory(SOCKET_CALLS_STORAGE, 8));
  initializeAem(growMemory(AEM_STORAGE, 8), EVENTS, EVENTS_OF_PROCESS, MESSAGES);
  initializeFakeSockets();
  module = changetype<ModuleDescriptor>(growMemory(offsetof<ModuleDescriptor>(), 8));
  module.memoryPages = 1;
  module.memoryMaxPages = 2;
  module.instanceSize = 4096;
  module.tableEntries = 64;
  module.tableMax = 64;
  module.vmtableOrder = VMTABLE_ORDER;
  module.stackBytes = 4096;
  module.priority = PRIORITY_DEFAULT;
  module.threads = WORKERS;
  module.threadStackBytes = 65536;
  module.children = CHILDREN;
  module.capsules = CAPSULES;
  newProcess();
  startScheduler(0);
  switchTo(currentProcess());
}

/** A process more, with its function table filled in. It is not the current one. */
export function newProcess(): Process {
  const pid = createProcess(module);
  assert(pid > 0, "createProcess");
  const process = findProcess(pid)!;
  for (let type: u32 = 0; type < KINDS; type++) {
    const entry = translate(process.pageTables, TABLE_BASE + <u64>(type + 1) * TABLE_ENTRY_SIZE);
    store<u32>(entry, typeCodes + type * TYPE_CODE);
    store<u32>(entry, HANDLER_CODE + type, 8);
    const other = translate(process.pageTables, TABLE_BASE + <u64>otherHandlerOf(type) * TABLE_ENTRY_SIZE);
    store<u32>(other, typeCodes + type * TYPE_CODE);
    store<u32>(other, OTHER_CODE + type, 8);
  }
  return process;
}

/** Makes `process` current, which must not have activated events. The spec's own memory is its linear memory. */
export function switchTo(process: Process): void {
  if (changetype<usize>(currentProcess()) != changetype<usize>(process)) {
    wakeThread(process.thread, 0);
    waitOn(null, 0, NO_DEADLINE);
  }
  assert(changetype<usize>(currentProcess()) == changetype<usize>(process), "not switched");
  setUserLimits(VMTABLE_BASE, process.vmtableBytes);
  fake.clearUser();
}

/** As the processor and the exception handler do it: a write to what a fork has shared makes a copy first. */
function window(user: usize, write: u32): usize {
  const process = currentProcess();
  const address = WINDOW_BASE + <u64>user;
  if (write && breakProcessCopy(process, address) != BREAK_DONE) return 0;
  return translate(process.pageTables, address);
}

function noReturn(save: usize, stackPointer: u64): void {
  unreachable();
}

/** As boot/runtime.c does it in a thread that only has handlers to run, up to where it ends or waits and another thread gets the processor. */
export function serveAndLeave(): void {
  leaveBy(() => {
    serve();
  });
}

/** The current thread makes a call from which it does not come back: another one gets the processor. */
export function leaveBy(call: () => void): void {
  fake.onSwitch(noReturn.index);
  const stack = __stack_pointer;
  expect(call).toThrow("it does not return");
  // What the trap left behind of the specs' own stack.
  __stack_pointer = stack;
  fake.onSwitch(noSwitch.index);
  setUserLimits(VMTABLE_BASE, currentProcess().vmtableBytes);
}

/** The module of all processes. A spec that changes it changes it back. */
export function theModule(): ModuleDescriptor {
  return module;
}

/** As the glue does it: the handler, or the allocator, that the last call gave, if it gave one, has returned (the allocator: `result`). */
export function nextHandler(result: u32 = 0): usize {
  return dispatchNext(currentThread().handling != 0, result);
}

/** Index in the function table of the handler of a type of event. */
export function handlerOf(type: u32): u32 {
  return type + 1;
}

/** Of another function of the same type; its code address is OTHER_CODE + type. */
export function otherHandlerOf(type: u32): u32 {
  return KINDS + 1 + type;
}

/** Of the application's allocators. */
export const ALLOCATOR: u32 = HANDLER_ALLOCATOR + 1;
export const ALLOCATOR_CODE: u32 = HANDLER_CODE + HANDLER_ALLOCATOR;

// ---- Sockets ----

const RING: u32 = 65536;
/** What stands together in one packet of a stream. */
export const PACKET: u32 = 1448;

/** What `end` says when nothing is known of an end. */
export const NO_END: i32 = -EAGAIN;


@unmanaged
export class FakeSocket extends Socket {
  /** Bytes that came, and that were consumed: byte n has the value pattern(n). */
  came: u32;
  went: u32;
  /** What `end` of the protocol says. */
  end: i32;
  /** Further POLL* bits. */
  bits: u32;
  /** Datagrams waiting, or connections waiting. */
  waiting: u32;
  /** Names the next datagram's source, and counts accepted connections. */
  serial: u32;
  closed: u32;
  aborted: u32;
  /** Receive buffer: bytes for which there is room. */
  buffer: u32;
  /** By how much the addresses of two peers in succession differ. */
  spread: u32;
  /** Upper half of the addresses of peers; 0: they are of IPv4. */
  high: u64;
}

let streamProtocol: SocketProtocol = changetype<SocketProtocol>(0);
/** Sockets of the fake transport that exist now. */
export let socketCount: i32 = 0;
/** Sockets that were reset. */
export let aborts: i32 = 0;
let freeSockets: FakeSocket[] = [];
/** Buffers of what came, whose bytes are the ring's. */
let freeBuffers: PacketBuffer[] = [];
let ring: usize = 0;

function comeIn(level: u32): bool {
  loopbackPoll();
  return false;
}

function flush(level: u32): bool {
  networkFlush();
  return false;
}

/** What calls have left is done, and packets go round until there are none. */
export function settle(): void {
  networkFlush();
  for (let round = 0; round < 1000 && pollLevel >= 0; round++) runPolls();
}

function initializeFakeSockets(): void {
  streamProtocol = changetype<SocketProtocol>(growMemory(offsetof<SocketProtocol>(), 8));
  const p = streamProtocol;
  p.accept = fakeAccept.index;
  p.poll = fakePoll.index;
  p.consume = fakeConsume.index;
  p.end = fakeEnd.index;
  p.close = fakeClose.index;
  p.abort = fakeAbort.index;
  p.room = fakeRoom.index;
  ring = growMemory(RING + PACKET, 8);
  for (let i: u32 = 0; i < RING + PACKET; i++) store<u8>(ring + i, pattern(i % RING));
}

export function pattern(position: u32): u8 {
  const p = position % RING;
  return <u8>(p * 7 + (p >> 8) * 13);
}

function fakeSocket(type: u32): FakeSocket {
  if (freeSockets.length == 0) {
    const size = (offsetof<FakeSocket>() + 7) & ~7;
    const address = growMemory(64 * size, 8);
    for (let i: usize = 0; i < 64; i++) freeSockets.push(changetype<FakeSocket>(address + i * size));
  }
  const socket = freeSockets.pop();
  socketCount++;
  memory.fill(changetype<usize>(socket), 0, offsetof<FakeSocket>());
  socket.initialize();
  socket.protocol = streamProtocol;
  socket.type = <u8>type;
  socket.end = NO_END;
  socket.buffer = RING;
  return socket;
}

/** For sockets that are in no process any more. */
export function recycle(socket: FakeSocket): void {
  assert(socket.isEmpty, "somebody still listens to a socket that is gone");
  while (socket.received.head !== null) freeBuffers.push(socket.received.take()!);
  socketCount--;
  freeSockets.push(socket);
}

export function newStream(): FakeSocket {
  return fakeSocket(SOCK_STREAM);
}
export function newDatagram(): FakeSocket {
  return fakeSocket(SOCK_DGRAM);
}
export function newListener(): FakeSocket {
  const socket = fakeSocket(SOCK_STREAM);
  socket.flags = SOCKET_LISTENING;
  return socket;
}

/** Descriptor of the socket in the current process. */
export function open(socket: FakeSocket): i32 {
  return handleInstall(currentProcess(), changetype<usize>(socket), HANDLE_SOCKET);
}

/** `length` bytes from `position` on are the last that came. */
function queueBytes(socket: FakeSocket, position: u32, length: u32): PacketBuffer {
  if (freeBuffers.length == 0) {
    const address = growMemory(64 * BUFFER_HEADER, 8);
    for (let i: usize = 0; i < 64; i++)
      freeBuffers.push(changetype<PacketBuffer>(address + i * BUFFER_HEADER));
  }
  const buffer = freeBuffers.pop();
  memory.fill(changetype<usize>(buffer), 0, BUFFER_HEADER);
  buffer.data = ring + (position % RING);
  buffer.length = length;
  buffer.references = 1;
  socket.received.append(buffer);
  return buffer;
}

/** The peer sent `bytes`. */
export function receive(socket: FakeSocket, bytes: u32): void {
  socket.receivedBytes += bytes;
  while (bytes != 0) {
    const inPacket = socket.came % PACKET;
    const part = min(bytes, PACKET - inPacket);
    const tail = socket.received.tail;
    if (inPacket != 0 && tail !== null) tail.length += part;
    else queueBytes(socket, socket.came, part);
    socket.came += part;
    bytes -= part;
  }
  socket.wake(POLLIN, 0);
}

/** Somebody else reads some bytes of what came of a stream, or all of them. */
export function readElsewhere(socket: FakeSocket, bytes: u32 = socket.receivedBytes): void {
  if (bytes != 0) fakeConsume(socket, bytes);
}

/** A datagram of `length` bytes came. */
export function receiveDatagram(socket: FakeSocket, length: u32): void {
  const serial = socket.serial + socket.waiting;
  queueBytes(socket, serial, length).source.copy(
    peerOf(socket, serial, 0x0a00_0003, 2000 + (serial & 0x3fff)),
  );
  socket.receivedBytes += length;
  socket.waiting++;
  socket.wake(POLLIN, 0);
}

/** A connection was established. */
export function establish(listener: FakeSocket): void {
  listener.waiting++;
  listener.wake(WAKE_ACCEPT | POLLIN, 0);
}

/** The peer has sent its FIN. */
export function finish(socket: FakeSocket): void {
  socket.end = 0;
  socket.bits |= POLLIN | POLLRDHUP;
  socket.wake(POLLIN | POLLRDHUP, 0);
}

/** The connection has failed. */
export function fail(socket: FakeSocket, errno: i32): void {
  socket.error = errno;
  socket.end = -errno;
  socket.bits |= POLLERR | POLLHUP;
  socket.wake(POLLIN | POLLOUT | POLLERR | POLLHUP, 0);
}

function fakeAccept(socket: FakeSocket): FakeSocket | null {
  if (socket.waiting == 0) return null;
  socket.waiting--;
  const connection = newStream();
  connection.flow.remote.copy(peerOf(socket, socket.serial, 0x0a00_0002, 1000 + socket.serial));
  socket.serial++;
  return connection;
}

function fakePoll(socket: FakeSocket): u32 {
  const some = socket.waiting != 0 || socket.came != socket.went;
  return socket.bits | (some ? POLLIN : 0);
}

function fakeEnd(socket: FakeSocket): i32 {
  if (socket.type != SOCK_DGRAM || socket.error == 0) return socket.end;
  const error = socket.error;
  socket.error = 0;
  return -error;
}

function fakeConsume(socket: FakeSocket, bytes: u32): void {
  const datagram = socket.type == SOCK_DGRAM;
  if (datagram) {
    bytes = socket.received.head!.length;
    socket.waiting--;
    socket.serial++;
  } else {
    assert(bytes <= socket.came - socket.went, "consumed more than there was");
    socket.went += bytes;
  }
  socket.left(datagram ? 1 : bytes);
  socket.receivedBytes -= bytes;
  do {
    const head = socket.received.head!;
    const part = min(bytes, head.length);
    head.pull(part);
    bytes -= part;
    if (head.length == 0) freeBuffers.push(socket.received.take()!);
  } while (bytes != 0);
}

/** The peer with this number. */
function peerOf(socket: FakeSocket, serial: u32, first: u32, port: u32): Endpoint {
  const it = endpoint(first + socket.spread * serial, port);
  if (socket.high == 0) return it;
  it.low = it.ipv4;
  it.high = socket.high;
  return it;
}

function fakeRoom(socket: FakeSocket): u32 {
  const there = socket.came - socket.went;
  return there >= socket.buffer ? 0 : socket.buffer - there;
}

function fakeClose(socket: FakeSocket): void {
  socket.closed++;
}

function fakeAbort(socket: FakeSocket): void {
  socket.aborted++;
  aborts++;
}
