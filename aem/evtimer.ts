/** The call evtimer (AEM 4.3): one-shot and periodic timers on the timing wheel. */
import { EINVAL } from "../kernel/errno";
import { now } from "../kernel/time/clock";
import { timerPrepare } from "../kernel/time/timers";
import { EVENT_TIMER, EVF_ONESHOT } from "./abi";
import { Event } from "./event";
import { startTimer } from "./jobs/timer";
import { admitEvent, createEvent } from "./registry";

/**
 * Calls `handler` in `interval` nanoseconds, and then every `period` nanoseconds; with period 0, or EVF_ONESHOT, once only: then the
 * event ends with its handler. Returns the jid, or a negative errno.
 */
export function sys_evtimer(interval: i64, period: i64, flags: u32, handler: u32): i32 {
  if (interval < 0 || period < 0) return -EINVAL;
  const once = period == 0 || (flags & EVF_ONESHOT) != 0;
  if (once) flags |= EVF_ONESHOT;
  const created = createEvent(EVENT_TIMER, flags, admitEvent(EVENT_TIMER, flags, handler));
  if (created < 0) return <i32>created;
  const event = changetype<Event>(<usize>created);
  event.data = once ? 0 : <u64>period;
  timerPrepare(event, event.job.occurred);
  startTimer(event, now() + <u64>interval);
  return event.jid;
}
