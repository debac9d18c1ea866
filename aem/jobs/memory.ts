/**
 * The job of memory events. Source: the frames of the machine. Activated when fewer are free than the threshold; again only after more have
 * been free than the threshold and an eighth of it.
 *
 * The frame allocator compares its count with one number each way, and calls `framesMoved` when that is passed: inside of an
 * allocation, which is safe, because an activation needs no memory. Here the gauge is of frames in use, since a gauge tells of what rises.
 */
import { EINVAL } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import {
  FRAME_SIZE,
  freeFrameCount,
  onFrameMark,
  setFrameMarks,
  totalFrameCount,
} from "../../kernel/memory/frames";
import { Process } from "../../kernel/process/process";
import { Gauge } from "../../kernel/scheduler/gauge";
import { Waiter, WAKE_SYSTEM } from "../../kernel/scheduler/wait";
import { EVENT_MEMORY, EVENTS_PER_SHARED_SOURCE, PRIORITY_DEFAULT } from "../abi";
import { activate } from "../activation";
import { Event } from "../event";
import { checkSharedSource } from "../evsystem";
import { defineSystemJob, DELIVERED } from "../job";

const KIB_PER_FRAME: u32 = <u32>(FRAME_SIZE >> 10);

/** Bytes that `defineMemory` needs. */
export const MEMORY_STORAGE: usize = offsetof<Gauge>();

let gauge: Gauge = changetype<Gauge>(0);

/** `storage`: MEMORY_STORAGE bytes, 8-aligned. */
export function defineMemory(storage: usize): void {
  gauge = changetype<Gauge>(storage);
  gauge.initialize();
  onFrameMark(framesMoved.index);
  setMarks();
  defineSystemJob(
    EVENT_MEMORY,
    deliver.index,
    occurred.index,
    WAKE_SYSTEM,
    check.index,
    attach.index,
    detach.index,
    PRIORITY_DEFAULT,
  );
}


@inline
function framesInUse(): u32 {
  return totalFrameCount() - freeFrameCount();
}

/** What the gauge waits for, in free frames. */
function setMarks(): void {
  const total = totalFrameCount();
  setFrameMarks(
    gauge.rise == u32.MAX_VALUE ? 0 : total - gauge.rise + 1,
    gauge.fall == 0 ? u32.MAX_VALUE : total - gauge.fall,
  );
}

function framesMoved(): void {
  const used = framesInUse();
  if (used >= gauge.rise) gauge.reached(used);
  if (used < gauge.fall) gauge.sunk(used);
  setMarks();
}

/** The threshold in frames. */
@inline
function framesOf(kib: u32): u32 {
  return kib / KIB_PER_FRAME;
}

function check(process: Process, kib: u32): i32 {
  const frames = framesOf(kib);
  if (frames == 0 || <u64>frames + (frames >> 3) >= <u64>totalFrameCount()) return -EINVAL;
  const total = gauge.count(EVENTS_PER_SHARED_SOURCE);
  return checkSharedSource(process, gauge.countWhere(isOwn.index, process.pid), total);
}

function isOwn(waiter: Waiter, pid: i32): bool {
  return changetype<Event>(waiter).process.pid == pid;
}

function attach(event: Event, kib: u32): void {
  const frames = framesOf(kib);
  const total = totalFrameCount();
  const threshold = event.threshold;
  threshold.trigger = total - frames + 1;
  threshold.release = total - frames - (frames >> 3);
  gauge.add(threshold, framesInUse());
  setMarks();
}

function detach(event: Event): void {
  gauge.update();
  setMarks();
}

function occurred(waiter: Waiter, events: u32, detail: u32): void {
  activate(changetype<Event>(waiter));
}

/** What is free now: the handler may run later than what it is called for. */
function deliver(event: Event): i32 {
  setUpcallArguments(
    <u32>event.jid,
    freeFrameCount() * KIB_PER_FRAME,
    totalFrameCount() * KIB_PER_FRAME,
    0,
    0,
  );
  return DELIVERED;
}
