/**
 * Activation: something has occurred at an event's source, and the event waits for its turn (AEM 3.5.1). None of this can fail, and all of it is O(1).
 *
 * An event is in the queue at most once; what occurs meanwhile coalesces (the job keeps what must not be lost). While its handler runs it may be queued again.
 */
import { EVENT_DRAINING, EVENT_OCCURRED, EVENT_PENDING, EVENT_STOPPED } from "./abi";
import { Event, EVENT_MEASURED, EVENT_PARTICULAR } from "./event";
import { markActivation } from "./latency";
import { enqueue, enqueuePlain } from "./queue";

/** Occurrences at the sources of all events since boot. */
export let activationTotal: u64 = 0;

/** Something has occurred at the event's source, `times` times. */
@inline
export function countActivations(event: Event, times: u32): void {
  event.activations += times;
  activationTotal += times;
}

/** Something has occurred at the event's source. Cannot fail. */
export function activate(event: Event): void {
  countActivations(event, 1);
  makePending(event);
}

/** The same, where the occurrence has been counted. */
export function makePending(event: Event): void {
  const state = <u32>event.state;
  if (state & (EVENT_PENDING | EVENT_STOPPED | EVENT_DRAINING)) {
    // Queued already, or starved: one delivery for both. Stopped: remembered. Draining: too late.
    if (state & EVENT_STOPPED) event.mark(EVENT_OCCURRED);
    return;
  }
  event.mark(EVENT_PENDING);
  if (state & EVENT_PARTICULAR) enqueueParticular(event);
  else enqueuePlain(event);
}

/** The same for all events: those that are particular, and any that is tried again. */
function enqueueParticular(event: Event): void {
  if (event.has(EVENT_MEASURED)) markActivation(event);
  enqueue(event);
}

/** There is more at the source, or still what there was: the event gets another turn behind those that wait now, also if it drains. */
export function again(event: Event): void {
  if (event.has(EVENT_PENDING)) return;
  if (event.has(EVENT_STOPPED)) {
    event.mark(EVENT_OCCURRED);
    return;
  }
  event.mark(EVENT_PENDING);
  enqueueParticular(event);
}
