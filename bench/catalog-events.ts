/** Rows of the catalog (catalog.ts): from activation to handler. */
import type { Entry } from "./catalog.ts";

const AEMOS_ONLY = "aemos only";
const INSTRUCTIONS = "instructions";
/** Where the same sentence is the reason of several rows. */
const STILL =
  "the way has been cut by what stood on it twice; what is left is priorities, limits and counters that are promised (docs/architecture.md)";

export const EVENTS: readonly Entry[] = [
  {
    name: "timer.to-handler",
    unit: INSTRUCTIONS,
    what: "a timer expires while nothing runs: to the first instruction of its handler; on Linux from the time at which it is due to the return of epoll_wait",
    aim: { most: 300 },
    missed: STILL,
  },
  {
    name: "timer.to-handler.preempting",
    unit: INSTRUCTIONS,
    what: "the same while another process computes, which is preempted",
    aim: { most: 600 },
    missed: STILL,
    only: AEMOS_ONLY,
  },
  {
    name: "timer.to-handler.thread",
    unit: INSTRUCTIONS,
    what: "the same on a thread (EVF_THREAD)",
    only: AEMOS_ONLY,
  },
  {
    name: "timer.to-handler.fork",
    unit: INSTRUCTIONS,
    what: "the same in a forked copy (EVF_FORK)",
    only: AEMOS_ONLY,
  },
  {
    name: "timer.to-handler.capsule",
    unit: INSTRUCTIONS,
    what: "the same in a capsule (EVF_CAPSULE)",
    only: AEMOS_ONLY,
  },
  {
    name: "timer.arm",
    unit: INSTRUCTIONS,
    what: "a timer that is there is started again (`setTimeout`; timerfd_settime)",
    aim: { most: 120 },
    missed:
      "the call looks the jid up, checks what the event may have, takes the timer out of its slot and files it anew",
  },
  {
    name: "timer.register",
    unit: INSTRUCTIONS,
    what: "a timer event is registered, and started",
    only: AEMOS_ONLY,
  },
  { name: "timer.unregister", unit: INSTRUCTIONS, what: "the opposite", only: AEMOS_ONLY },
  {
    name: "event.same-process",
    unit: INSTRUCTIONS,
    what: "a process activates an event of its own: to the first instruction of the handler (`evpost`; eventfd_write to the return of epoll_wait)",
    aim: { most: 150 },
    missed:
      "the jid is looked up, a message gets a record, and its event goes through the queue and out of it at the end of the call; there is no shorter way for an event that carries nothing",
  },
  {
    name: "event.other-process",
    unit: INSTRUCTIONS,
    what: "a process activates an event of another one, which waits for it, has a higher priority and is switched to (eventfd, SCHED_FIFO); with 8 bytes of data",
    aim: { most: 400 },
    missed:
      "all that an event of one's own takes, a copy of the data, and a switch: registers, run queue, page tables, stack",
  },
  {
    name: "event.register",
    unit: INSTRUCTIONS,
    what: "an event is registered (`sockasync_read`; epoll_ctl)",
    aim: { most: 300 },
    missed:
      "an event gets a jid that nobody can guess, is counted against the limits of its process, its type and its socket, and linked to each",
  },
  { name: "event.unregister", unit: INSTRUCTIONS, what: "the opposite", only: AEMOS_ONLY },
  {
    name: "event.wait.epoll",
    unit: INSTRUCTIONS,
    what: "epoll_wait with one event that has occurred",
    only: "Linux only",
  },
  {
    name: "event.wait.poll",
    unit: INSTRUCTIONS,
    what: "poll with one descriptor that is ready, the last",
    only: "Linux only",
  },
  { name: "event.wait.select", unit: INSTRUCTIONS, what: "the same with select", only: "Linux only" },
  { name: "syscall", unit: INSTRUCTIONS, what: "the cheapest one (getpid; getppid)", aim: { most: 30 } },
];
