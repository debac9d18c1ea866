/**
 * Handles (file descriptors): small numbers of a process for kernel objects. Allocation, look-up and release are O(1).
 *
 * A fork shares the chunks: one that is written to by either side is copied first, and each object in it then has one more holder.
 *
 *     directory (one frame) ──► chunk (one frame): 512 × { u32 object, u32 kind }, kind 0 = free: object is then the next free handle + 1
 */
import { EMFILE, ENOMEM } from "../errno";
import {
  allocateFrames,
  freeFrames,
  FRAME_SIZE,
  isShared,
  releaseFrame,
  shareFrame,
  takeReservedFrame,
} from "../memory/frames";
import { LIMIT_DESCRIPTORS, reportLimit } from "./limits";
import { CHILD_HANDLER, Process } from "./process";
import { yieldPoint } from "../scheduler/preempt";
import { usageOf } from "./usage";

export const HANDLE_SOCKET: u32 = 1;
const KIND_LIMIT: u32 = 4;
const CHUNK_ENTRIES: u32 = 512;
/** Most handles of a process. */
export const HANDLE_LIMIT: u32 = 262_144;

/** KIND_LIMIT function indices (object: usize, orderly: bool) => void: lets go of an object. As many behind them, (object: usize) => void: one more holder. */
let releases: usize = 0;
let holds: usize = 0;

/** Once at boot. `storage`: HANDLE_STORAGE bytes. */
export const HANDLE_STORAGE: usize = (<usize>KIND_LIMIT) << 3;
export function initializeHandles(storage: usize): void {
  releases = storage;
  holds = storage + ((<usize>KIND_LIMIT) << 2);
}

/** What is called when an object of `kind` gets one more handle, in another process: a function index (object: usize) => void. */
export function onHandleHeld(kind: u32, index: u32): void {
  store<u32>(holds + (kind << 2), index);
}

/**
 * What is called for each handle of `kind` that is closed with all others: a function index (object: usize, orderly: bool) => void. `orderly`: as
 * by a call of the process; else the process has ended.
 */
export function onHandleAbandoned(kind: u32, index: u32): void {
  store<u32>(releases + (kind << 2), index);
}


@inline
function entryOf(process: Process, handle: u32): usize {
  return (
    <usize>load<u32>(process.handleDirectory + ((handle / CHUNK_ENTRIES) << 2)) +
    ((handle % CHUNK_ENTRIES) << 3)
  );
}

/** (process: Process, limit: u32) => void: a process wanted a handle more than its manifest allows; 0: nobody asked. */
let limitHook: u32 = 0;

export function onHandleLimit(index: u32): void {
  limitHook = index;
}

/** Whether the process has as many handles as its manifest allows: counted, and told. */
@inline
function atLimit(process: Process): bool {
  const limit = process.module.descriptorLimit;
  if (limit == 0 || process.handleCount < limit) return false;
  usageOf(process).limitRefusals++;
  if (limitHook != 0) call_indirect<void>(limitHook, process, limit);
  return true;
}

/** Why there was no handle: the process has as many as it may; else there was no frame. */
export function handlesExhausted(process: Process): bool {
  const limit = process.module.descriptorLimit;
  if (limit != 0 && process.handleCount >= limit) return true;
  return process.handleFree == 0 && process.handleCapacity >= HANDLE_LIMIT;
}

/** A handle for `object`, -EMFILE at the limit, -ENOMEM without frames. */
export function handleInstall(process: Process, object: usize, kind: u32): i32 {
  if (atLimit(process)) return -EMFILE;
  if (process.handleFree == 0) {
    const error = addChunk(process);
    if (error == -EMFILE) reportLimit(process, LIMIT_DESCRIPTORS, HANDLE_LIMIT);
    if (error < 0) return error;
  }
  const handle = process.handleFree - 1;
  if (!handleWritable(process, handle)) return -ENOMEM;
  const entry = entryOf(process, handle);
  process.handleFree = load<u32>(entry);
  store<u32>(entry, <u32>object);
  store<u32>(entry, kind, 4);
  process.handleCount++;
  return <i32>handle;
}

/**
 * A frame for a table; 0: there is none. A clone that was made for a handler takes one of those that it was promised rather than end for want of it: its
 * end would give it back, and have another one made that ends so.
 */
function tableFrame(process: Process): usize {
  const frame = allocateFrames(0);
  if (frame != 0 || process.promised == 0 || !(process.childFlags & CHILD_HANDLER)) return frame;
  process.promised--;
  return takeReservedFrame();
}

function addChunk(process: Process): i32 {
  if (process.handleCapacity >= HANDLE_LIMIT) return -EMFILE;
  if (process.handleDirectory == 0) {
    process.handleDirectory = tableFrame(process);
    if (process.handleDirectory == 0) return -ENOMEM;
  }
  const chunk = tableFrame(process);
  if (chunk == 0) return -ENOMEM;
  const first = process.handleCapacity;
  store<u32>(process.handleDirectory + ((first / CHUNK_ENTRIES) << 2), <u32>chunk);
  // Linked so that low numbers are given out first.
  for (let i: u32 = 0; i < CHUNK_ENTRIES; i++) {
    store<u32>(chunk + (i << 3), i + 1 < CHUNK_ENTRIES ? first + i + 2 : 0);
    store<u32>(chunk + (i << 3), 0, 4);
  }
  process.handleFree = first + 1;
  process.handleCapacity += CHUNK_ENTRIES;
  return 0;
}

/** Whether handleInstall can succeed now: for what must not be taken from its source unless it can be handed over. */
@inline
export function handleAvailable(process: Process): bool {
  if (atLimit(process)) return false;
  if (process.handleFree == 0 && addChunk(process) < 0) return false;
  return handleWritable(process, process.handleFree - 1);
}

/** Makes the chunk of a handle in the table this process's own. False without a frame. */
@inline
export function handleWritable(process: Process, handle: u32): bool {
  const slot = process.handleDirectory + ((handle / CHUNK_ENTRIES) << 2);
  return !isShared(<usize>load<u32>(slot)) || copyChunk(process, slot);
}

function copyChunk(process: Process, slot: usize): bool {
  const chunk = <usize>load<u32>(slot);
  const own = tableFrame(process);
  if (own == 0) return false;
  memory.copy(own, chunk, FRAME_SIZE);
  for (let entry = own; entry < own + FRAME_SIZE; entry += 8) {
    const kind = load<u32>(entry, 4);
    if (kind == 0) continue;
    const hold = load<u32>(holds + (kind << 2));
    if (hold != 0) call_indirect<void>(hold, <usize>load<u32>(entry));
  }
  releaseFrame(chunk);
  store<u32>(slot, <u32>own);
  return true;
}

/** Whether shareHandles can give the process handles without asking for a frame: now it can, unless there is none. */
export function handlesPrepared(process: Process): bool {
  if (process.handleDirectory == 0) process.handleDirectory = allocateFrames(0);
  return process.handleDirectory != 0;
}

/** Gives `child`, which has none, all handles of `parent`. One step for 512 of them. False without a frame. */
export function shareHandles(parent: Process, child: Process): bool {
  if (parent.handleDirectory == 0) return true;
  if (!handlesPrepared(child)) return false;
  const directory = child.handleDirectory;
  for (let first: u32 = 0; first < parent.handleCapacity; first += CHUNK_ENTRIES) {
    const slot = (first / CHUNK_ENTRIES) << 2;
    const chunk = load<u32>(parent.handleDirectory + slot);
    if (!shareFrame(<usize>chunk)) return false;
    store<u32>(directory + slot, chunk);
    child.handleCapacity = first + CHUNK_ENTRIES;
  }
  child.handleFree = parent.handleFree;
  child.handleCount = parent.handleCount;
  return true;
}

/** The object of `handle` if it is of `kind`; else 0. */
@inline
export function handleObject(process: Process, handle: i32, kind: u32): usize {
  if (<u32>handle >= process.handleCapacity) return 0;
  const entry = entryOf(process, <u32>handle);
  return load<u32>(entry, 4) == kind ? <usize>load<u32>(entry) : 0;
}

/** Makes `handle` free again; its object, or 0 when it was none. Its chunk has to be writable. */
export function handleRemove(process: Process, handle: i32): usize {
  if (<u32>handle >= process.handleCapacity) return 0;
  const entry = entryOf(process, <u32>handle);
  if (load<u32>(entry, 4) == 0) return 0;
  const object = <usize>load<u32>(entry);
  store<u32>(entry, process.handleFree);
  store<u32>(entry, 0, 4);
  process.handleFree = <u32>handle + 1;
  process.handleCount--;
  return object;
}

/** Objects that one step lets go of: each may be a connection that has to be reset, some thousand instructions. */
const CLOSE_BUDGET: u32 = 4;

/** Closes all handles of the current process, in steps. */
export function closeAllHandles(process: Process): void {
  while (!closeSomeHandles(process, true)) yieldPoint();
}

/**
 * At most CLOSE_BUDGET of them, in one chunk. True: none are left. From the first step on the process has no handles: a capsule of its own may ask for
 * them between two steps.
 */
export function closeSomeHandles(process: Process, orderly: bool): bool {
  if (process.handleCapacity != 0) {
    process.handleClosing = process.handleCapacity;
    process.handleCapacity = 0;
    process.handleFree = 0;
    process.handleCount = 0;
  }
  if (process.handleClosing != 0) {
    const first = process.handleClosing - CHUNK_ENTRIES;
    const chunk = <usize>load<u32>(process.handleDirectory + ((first / CHUNK_ENTRIES) << 2));
    if (isShared(chunk)) releaseFrame(chunk);
    else if (closeSomeOfChunk(chunk, orderly)) freeFrames(chunk, 0);
    else return false;
    process.handleClosing = first;
    if (first != 0) return false;
  }
  return true;
}

function closeSomeOfChunk(chunk: usize, orderly: bool): bool {
  let budget = CLOSE_BUDGET;
  for (let entry = chunk; entry < chunk + FRAME_SIZE; entry += 8) {
    const kind = load<u32>(entry, 4);
    if (kind == 0) continue;
    if (budget-- == 0) return false;
    const release = load<u32>(releases + (kind << 2));
    store<u32>(entry, 0, 4);
    if (release != 0) call_indirect<void>(release, <usize>load<u32>(entry), orderly);
  }
  return true;
}

/** The process, which has no handles any more, is gone. */
export function freeHandleTable(process: Process): void {
  if (process.handleDirectory != 0) freeFrames(process.handleDirectory, 0);
  process.handleDirectory = 0;
}
