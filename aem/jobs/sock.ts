/**
 * The job of sockasync_sock: what can be done with a socket, as poll would say it. Edge-like: activated when a bit is reported by
 * the socket, and at registration by those that hold; what comes before the handler has run coalesces, and the handler
 * gets the bits as they hold then. Bits that have gone again in between are no reason to call it.
 */
import { setUpcallArguments } from "../../kernel/glue";
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLMSG,
  POLLOUT,
  POLLPRI,
  POLLRDHUP,
  Waiter,
  WAKE_GONE,
} from "../../kernel/scheduler/wait";
import { EVENT_SOCK } from "../abi";
import { activate, countActivations } from "../activation";
import { Event } from "../event";
import { extraOf } from "../extra";
import { defineJob, DELIVERED, EMPTY } from "../job";
import { sourceGone } from "../unregister";
import { pollSocket } from "./source";

const BITS: u32 = POLLIN | POLLPRI | POLLOUT | POLLERR | POLLHUP | POLLMSG | POLLRDHUP;

export function defineSock(): void {
  defineJob(EVENT_SOCK, deliver.index, occurred.index, BITS, BITS);
}

function occurred(waiter: Waiter, events: u32, detail: u32): void {
  const event = changetype<Event>(waiter);
  if (events & WAKE_GONE) {
    sourceGone(event, detail);
    return;
  }
  if (event.extra != 0 && isMasked(event, events)) {
    countActivations(event, 1);
    extraOf(event).filtered++;
    return;
  }
  event.count |= events;
  activate(event);
}

/** Whether the filter wants none of these bits. */
function isMasked(event: Event, bits: u32): bool {
  const mask = extraOf(event).mask;
  return mask != 0 && (mask & bits) == 0;
}

function deliver(event: Event): i32 {
  const socket = event.socket;
  let bits = pollSocket(socket) & BITS;
  const reported = event.count & bits;
  event.count = 0;
  if (reported == 0) return EMPTY;
  if (event.extra != 0) {
    if (isMasked(event, reported)) {
      // The filter is younger than what has occurred.
      extraOf(event).filtered++;
      return EMPTY;
    }
    const mask = extraOf(event).mask;
    if (mask != 0) bits &= mask;
  }
  setUpcallArguments(<u32>event.jid, <u32>event.fd, bits, <u32>-socket.error, 0);
  return DELIVERED;
}
