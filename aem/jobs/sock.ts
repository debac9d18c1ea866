/**
 * The job of sockasync_sock: what can be done with a socket, as poll would say it. Edge-like: activated when a bit is reported by
 * the socket, and at registration by those that hold; what comes before the handler has run coalesces, and the handler
 * gets the bits as they hold then. Bits that have gone again in between are no reason to call it.
 */
import { setUpcallArguments } from "../../kernel/glue";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, Waiter, WAKE_GONE } from "../../kernel/scheduler/wait";
import { EVENT_SOCK } from "../abi";
import { activate } from "../dispatch";
import { Event } from "../event";
import { defineJob, DELIVERED, EMPTY } from "../job";
import { sourceGone } from "../registry";
import { pollSocket } from "./source";

const BITS: u32 = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP;

export function defineSock(): void {
  defineJob(EVENT_SOCK, deliver.index, occurred.index, BITS, BITS);
}

function occurred(waiter: Waiter, events: u32, detail: u32): void {
  const event = changetype<Event>(waiter);
  if (events & WAKE_GONE) {
    sourceGone(event, detail);
    return;
  }
  event.count |= events;
  activate(event);
}

function deliver(event: Event): i32 {
  const socket = event.socket;
  const bits = pollSocket(socket) & BITS;
  const reported = event.count & bits;
  event.count = 0;
  if (reported == 0) return EMPTY;
  setUpcallArguments(<u32>event.jid, <u32>event.fd, bits, <u32>-socket.error, 0);
  return DELIVERED;
}
