/**
 * What the manifest lets a process register and have activated (AEM 3.5.3, 3.5.4). All of it is O(1).
 *
 * At the limit of activated events nothing is lost: the event is marked as pending, so that what occurs again coalesces with it, its
 * data stay at their source, and it waits outside of the queue until an event leaves the queue. The highest priority comes in first,
 * and within one the event that has waited longest.
 *
 *     activated ──────────► queue ──────────► handler
 *                 │ limit            │ room
 *                 └──────► held ─────┘
 */
import { EDQUOT, EPERM } from "../kernel/errno";
import {
  LIMIT_ACTIVATIONS,
  LIMIT_DESCRIPTORS,
  LIMIT_EVENTS,
  LIMIT_EVENTS_OF_TYPE,
  reportLimit,
} from "../kernel/process/limits";
import { ModuleDescriptor } from "../kernel/process/module";
import { Process } from "../kernel/process/process";
import { ProcessUsage, usageOf } from "../kernel/process/usage";
import { EVF_CAPSULE, EVF_EXECUTORS, EVF_FORK, EVF_THREAD } from "./abi";
import { Event, EVENT_HELD, eventOfActivation } from "./event";
import { push } from "./queue";

/** For kernel/process/handles.ts. */
export function descriptorLimitMet(process: Process, limit: u32): void {
  reportLimit(process, LIMIT_DESCRIPTORS, limit);
}

// ---- Registration ----

/** Bits of the descriptor's `refusedExecutors`. */
const EXECUTOR_FUNCTION: u32 = 1;
const EXECUTOR_THREAD: u32 = 2;
const EXECUTOR_FORK: u32 = 4;
const EXECUTOR_CAPSULE: u32 = 8;


@inline
function executorsOf(flags: u32): u32 {
  if ((flags & EVF_EXECUTORS) == 0) return EXECUTOR_FUNCTION;
  const executors: u32 =
    (flags & EVF_THREAD ? EXECUTOR_THREAD : 0) |
    (flags & EVF_FORK ? EXECUTOR_FORK : 0) |
    (flags & EVF_CAPSULE ? EXECUTOR_CAPSULE : 0);
  return executors == 0 ? EXECUTOR_FUNCTION : executors;
}

/** Whether the policy refuses an event of `type` with the executor that `flags` name. */
// @ts-ignore: decorator
@inline
export function isForbidden(module: ModuleDescriptor, type: u32, flags: u32): bool {
  return ((module.refusedTypes >>> type) & 1) != 0 || (module.refusedExecutors & executorsOf(flags)) != 0;
}

/** -EPERM, which is counted. */
export function countForbidden(process: Process): i32 {
  usageOf(process).refusedEvents++;
  return -EPERM;
}

/** Whether one event more of `type` is within the process's limits: 0, or -EDQUOT, which is counted. */
export function checkEventLimits(process: Process, type: u32): i32 {
  const module = process.module;
  const usage = usageOf(process);
  if (module.eventLimit != 0 && process.eventCount >= module.eventLimit) {
    return refuse(process, usage, LIMIT_EVENTS, module.eventLimit);
  }
  const limit = module.typeLimit(type);
  if (limit != 0 && usage.eventsOfType(type) >= limit) {
    return refuse(process, usage, LIMIT_EVENTS_OF_TYPE, limit);
  }
  return 0;
}

function refuse(process: Process, usage: ProcessUsage, what: u32, limit: u32): i32 {
  usage.limitRefusals++;
  reportLimit(process, what, limit);
  return -EDQUOT;
}

// ---- The queue of activated events ----

/**
 * Whether an event that has just been activated, and counted, has to wait outside of the queue. One may always come in when the queue
 * is empty: those that starve may wait for what its handler frees.
 */
@inline
export function hasToWait(process: Process): bool {
  const limit = process.module.activationLimit;
  return limit != 0 && process.waitingCount - process.heldCount > limit && !queueIsEmpty(process);
}

function queueIsEmpty(process: Process): bool {
  return process.pending.isEmpty && process.work.isEmpty;
}

export function hold(event: Event): void {
  const process = event.process;
  process.held.append(event.activation, event.priority);
  process.heldCount++;
  usageOf(process).heldTotal++;
  event.mark(EVENT_HELD);
  reportLimit(process, LIMIT_ACTIVATIONS, process.module.activationLimit);
}

/** An event has left the queue, and some are held: the highest of them comes in. It has been counted already. */
export function admit(process: Process): void {
  if (process.waitingCount - process.heldCount >= process.module.activationLimit && !queueIsEmpty(process))
    return;
  const level = process.held.top;
  const link = process.held.first(level);
  process.held.remove(link, level);
  process.heldCount--;
  const event = eventOfActivation(link);
  event.clear(EVENT_HELD);
  push(event, process);
}
