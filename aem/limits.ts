/**
 * What the manifest lets a process register and have activated (AEM 3.5.3, 3.5.4). All of it is O(1).
 *
 * At the limit of activated events nothing is lost: the event is marked as pending, so that what occurs again coalesces with it, its
 * data stay at their source, and it waits outside of the queue until an event leaves the queue. The highest priority comes in first,
 * and within one the event that has waited longest.
 *
 *     activated ── enterQueue ──► queue ── leaveQueue ──► handler
 *                      │ limit                │ room
 *                      └────► held lists ─────┘
 *
 * An event that starves (waits for memory or a descriptor) is not in the queue and does not count: else those that starve could keep
 * out the one whose handler would free what they wait for.
 */
import { EDQUOT, EPERM } from "../kernel/errno";
import { Process } from "../kernel/process/process";
import { HELD_LEVELS, ProcessUsage, usageOf } from "../kernel/process/usage";
import { EVENT_PENDING, EVENT_STARVED, EVF_CAPSULE, EVF_FORK, EVF_THREAD } from "./abi";
import { enqueue } from "./dispatch";
import { Event, EVENT_HELD, eventOfActivation } from "./event";

// ---- Which limit, for whoever is told ----

/** Registered events; registered events of one type; activated events; descriptors. */
export const LIMIT_EVENTS: u32 = 1;
export const LIMIT_EVENTS_OF_TYPE: u32 = 2;
export const LIMIT_ACTIVATIONS: u32 = 3;
export const LIMIT_DESCRIPTORS: u32 = 4;

/**
 * A limit of the manifest has been met: `what` of the above, `value` the limit. The one place from which the process is told (limit
 * events). Called with its state consistent, at registration or at an activation; must not block, and may activate events.
 */
function limitMet(process: Process, what: u32, value: u32): void {}

/** For kernel/process/handles.ts. */
export function descriptorLimitMet(process: Process, limit: u32): void {
  limitMet(process, LIMIT_DESCRIPTORS, limit);
}

// ---- Registration ----

/** Bits of the descriptor's `refusedExecutors`. */
const EXECUTOR_FUNCTION: u32 = 1;
const EXECUTOR_THREAD: u32 = 2;
const EXECUTOR_FORK: u32 = 4;
const EXECUTOR_CAPSULE: u32 = 8;


@inline
function executorsOf(flags: u32): u32 {
  const executors: u32 =
    (flags & EVF_THREAD ? EXECUTOR_THREAD : 0) |
    (flags & EVF_FORK ? EXECUTOR_FORK : 0) |
    (flags & EVF_CAPSULE ? EXECUTOR_CAPSULE : 0);
  return executors == 0 ? EXECUTOR_FUNCTION : executors;
}

/** Whether the policy allows an event of `type` with the executor that `flags` name: 0, or -EPERM, which is counted. */
export function checkPolicy(process: Process, type: u32, flags: u32): i32 {
  const module = process.module;
  if (((module.refusedTypes >>> type) & 1) == 0 && (module.refusedExecutors & executorsOf(flags)) == 0)
    return 0;
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
  limitMet(process, what, limit);
  return -EDQUOT;
}

// ---- The queue of activated events ----

/** Whether an event that has been activated, and is marked so, may join the queue now. False: it is held back until there is room. */
@inline
export function enterQueue(process: Process, event: Event): bool {
  const usage = usageOf(process);
  const limit = process.module.activationLimit;
  if (limit != 0 && usage.pending >= limit) {
    hold(process, usage, event);
    return false;
  }
  usage.pending++;
  return true;
}

function hold(process: Process, usage: ProcessUsage, event: Event): void {
  keep(usage, event);
  usage.held++;
  usage.heldTotal++;
  event.mark(EVENT_HELD);
  limitMet(process, LIMIT_ACTIVATIONS, process.module.activationLimit);
}


@inline
function keep(usage: ProcessUsage, event: Event): void {
  const priority = <u32>event.priority;
  usage.heldList(priority).append(event.activation);
  usage.heldMap |= (<u64>1) << priority;
}

/** An event has left the queue: whoever is held back comes in, if it makes room for one. */
@inline
export function leaveQueue(process: Process): void {
  const usage = usageOf(process);
  usage.pending--;
  if (usage.held != 0) admit(process, usage);
}

function admit(process: Process, usage: ProcessUsage): void {
  // More can be in the queue than the limit only if somebody has lowered it; then nobody comes in.
  if (usage.pending >= process.module.activationLimit) return;
  while (usage.heldMap != 0) {
    const priority: u32 = HELD_LEVELS - 1 - <u32>clz(usage.heldMap);
    const list = usage.heldList(priority);
    if (list.isEmpty) {
      // Its last one has ended or has another priority now.
      usage.heldMap &= ~((<u64>1) << priority);
      continue;
    }
    const event = eventOfActivation(list.next);
    event.activation.remove();
    usage.held--;
    event.clear(EVENT_HELD);
    enqueue(process, event);
    return;
  }
}

/** An event that is activated shall not be any more: takes it out of the queue, or of where it is held or starves. */
export function withdraw(event: Event): void {
  event.activation.remove();
  const state = <u32>event.state;
  event.clear(EVENT_PENDING | EVENT_STARVED | EVENT_HELD);
  if (state & EVENT_HELD) usageOf(event.process).held--;
  else if ((state & (EVENT_PENDING | EVENT_STARVED)) == EVENT_PENDING) leaveQueue(event.process);
}

/** The priority of a held event has changed. */
export function heldPriorityChanged(event: Event): void {
  event.activation.remove();
  keep(usageOf(event.process), event);
}
