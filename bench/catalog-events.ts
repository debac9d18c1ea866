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
      "about: the interrupt and its vector take 36, the wheel 96, the time at which a periodic timer is due next and its place 40, the hardware timer 29, to queue the event at its level, with overload counted, 41, the wake-up and the return from idling 42, to take the event out, settle the thread's level and call the job 68, its delivery 13, the way to the handler 12. Tried on the wheel, and no help: a look at the time only behind each timer (5 more), a loop of its own for levels that are left to the poll (8 more)",
  },
  {
    name: "timer.to-handler.preempting",
    unit: INSTRUCTIONS,
    what: "the same while another process computes, which is preempted",
    aim: { most: 600 },
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
      "about: 16 are the call's way in and out, 77 look the jid up, check operation and event and fetch the time from the application, 60 read the clock and find the wheel of the level, 13 take the timer out of its slot, 53 find the new one and file it there, 5 are the application's. A timer that is to be due later than before could stay in its slot, which would help every other one here: not done, since the machine would wake up for the former time",
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
      "about: the call's stub takes 15, 113 check it, look the jid up and make a record of the message, which says who sent it, 46 queue the event, with overload counted, 25 leave the kernel's stack for the handler, 83 take the event out, settle the thread's level and call the job, 26 hand the message out and free its record, 7 are the application's. No help: functions marked as rare for gcc (8 more), none inlined that has one caller (7 more), fewer checks ahead of the record (3 more)",
  },
  {
    name: "event.other-process",
    unit: INSTRUCTIONS,
    what: "a process activates an event of another one, which waits for it, has a higher priority and is switched to (eventfd, SCHED_FIFO); with 8 bytes of data",
    aim: { most: 400 },
    missed:
      "about: the call and its checks take 150, a block of the receiver's memory 88, the copy into another address space 87, to queue the event 41, the wake-up with its time slice 108, to stand back and to charge the time 54, the switch 106, to take the event out and call the job 80, to hand the message out 44, 11 are the application's",
  },
  {
    name: "event.register",
    unit: INSTRUCTIONS,
    what: "an event is registered (`sockasync_read`; epoll_ctl)",
    aim: { most: 300 },
    missed:
      "about: 16 are the call's way in and out, 95 check policy, limits and the handler's type in the application's own table, 103 make an event of 88 bytes with a jid that nobody can guess, 149 look the descriptor up and link the event to its socket by level, 10 are the application's. 44 of all are registers saved and restored for the sake of what is done only where something is refused, or memory has to be found",
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
