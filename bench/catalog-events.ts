/** Rows of the catalog (catalog.ts): from activation to handler. */
import type { Entry } from "./catalog.ts";

const AEMOS_ONLY = "aemos only";
const INSTRUCTIONS = "instructions";
export const EVENTS: readonly Entry[] = [
  {
    name: "timer.to-handler",
    unit: INSTRUCTIONS,
    what: "a timer expires while nothing runs: to the first instruction of its handler; on Linux from the time at which it is due to the return of epoll_wait",
    aim: { most: 300 },
    missed:
      "about: the interrupt and its vector take 38, the wheel 98, the time at which a periodic timer is due next and its place 43, the hardware timer 33, to queue the event at its level, with limits and overload counted, 52, the wake-up and the return from idling 53, to take the event out, settle the thread's level and call the job 86, its delivery 13, the way to the handler 11",
  },
  {
    name: "timer.to-handler.preempting",
    unit: INSTRUCTIONS,
    what: "the same while another process computes, which is preempted",
    aim: { most: 600 },
    missed:
      "what timer.to-handler takes, and 224: all registers saved, levels compared with the reserve in mind, the time charged, a time slice begun, the switch",
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
      "about: 16 are the call's way in and out, 80 look the jid up and check operation and event, 9 fetch the time from the application, 71 read the clock and take the timer out of its slot, 53 find the new one and file it there, 8 are the application's",
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
      "about: the call's stub takes 15, 113 check it, look the jid up and make a record of the message, which says who sent it, 56 queue the event, with limits and overload counted, 24 leave the kernel's stack for the handler, 109 take the event out, settle the thread's level and call the job, 59 hand the message out and free its record",
  },
  {
    name: "event.other-process",
    unit: INSTRUCTIONS,
    what: "a process activates an event of another one, which waits for it, has a higher priority and is switched to (eventfd, SCHED_FIFO); with 8 bytes of data",
    aim: { most: 400 },
    missed:
      "about: the call and its checks take 159, a block of the receiver's memory 88, the copy into another address space 88, to queue the event 52, the wake-up with its time slice 123, to stand back and to charge the time 90, the switch 109, to ask for a handler on both sides 158, to hand the message out 76",
  },
  {
    name: "event.register",
    unit: INSTRUCTIONS,
    what: "an event is registered (`sockasync_read`; epoll_ctl)",
    aim: { most: 300 },
    missed:
      "about: 16 are the call's way in and out, 149 check policy, limits and the handler's type in the application's own table, 109 make an event of 88 bytes with a jid that nobody can guess, 134 look the descriptor up and link the event to its socket by level",
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
