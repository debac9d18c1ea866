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
  },
  {
    name: "event.other-process",
    unit: INSTRUCTIONS,
    what: "a process activates an event of another one, which waits for it, has a higher priority and is switched to (eventfd, SCHED_FIFO); with 8 bytes of data",
    aim: { most: 400 },
  },
  {
    name: "event.register",
    unit: INSTRUCTIONS,
    what: "an event is registered (`sockasync_read`; epoll_ctl)",
    aim: { most: 300 },
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
