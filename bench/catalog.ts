/**
 * The rows of `npm run bench`: name, unit, what is measured, and what is aimed for. The figures themselves stand nowhere in the code; docs/performance.md is made of a run's
 * (report.ts), and `missed` is what it says there of a row that is not where it should be.
 */

/** At most so much; so many times Linux (or another row's system); within so many percent of the row with one. */
export type Aim = { most: number } | { times: number; than?: string } | { flat: number };

export interface Entry {
  name: string;
  unit: string;
  what: string;
  /** More is better; absent: less is. */
  more?: true;
  aim?: Aim;
  /** Why aemos is not there, and what was tried. */
  missed?: string;
  /** Why a side has no figure. */
  only?: string;
}

/** What is behind the name of a row with so many things registered. */
export const CROWD = /\.(\d+)(k|m)$/;

const AEMOS_ONLY = "aemos only";
const INSTRUCTIONS = "instructions";
const PER_OPERATION = "instructions per operation";

/** Where the same sentence is the reason of several rows. */
const STILL =
  "the way has been cut by what stood on it twice; what is left is priorities, limits and counters that are promised (docs/architecture.md)";

export const CATALOG: readonly Entry[] = [
  // ---- From activation to handler ----
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
  { name: "timer.to-handler.thread", unit: INSTRUCTIONS, what: "the same on a thread (EVF_THREAD)", only: AEMOS_ONLY },
  { name: "timer.to-handler.fork", unit: INSTRUCTIONS, what: "the same in a forked copy (EVF_FORK)", only: AEMOS_ONLY },
  { name: "timer.to-handler.capsule", unit: INSTRUCTIONS, what: "the same in a capsule (EVF_CAPSULE)", only: AEMOS_ONLY },
  {
    name: "timer.arm",
    unit: INSTRUCTIONS,
    what: "a timer that is there is started again (`setTimeout`; timerfd_settime)",
    aim: { most: 120 },
  },
  { name: "timer.register", unit: INSTRUCTIONS, what: "a timer event is registered, and started", only: AEMOS_ONLY },
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
  { name: "event.wait.epoll", unit: INSTRUCTIONS, what: "epoll_wait with one event that has occurred", only: "Linux only" },
  { name: "event.wait.poll", unit: INSTRUCTIONS, what: "poll with one descriptor that is ready, the last", only: "Linux only" },
  { name: "event.wait.select", unit: INSTRUCTIONS, what: "the same with select", only: "Linux only" },
  { name: "syscall", unit: INSTRUCTIONS, what: "the cheapest one (getpid; getppid)", aim: { most: 30 } },

  // ---- From the network, and back ----
  {
    name: "udp.nic-to-handler",
    unit: INSTRUCTIONS,
    what: "the device's interrupt, while nothing runs, to the first instruction of the read handler, data in place (Linux: recv has returned); 64 bytes",
    aim: { most: 1200 },
  },
  { name: "tcp.nic-to-handler", unit: INSTRUCTIONS, what: "the same with a segment of 64 bytes", aim: { most: 2000 } },
  { name: "udp.echo", unit: PER_OPERATION, what: "64 bytes to an echo service and back, one at a time", aim: { most: 3000 } },
  { name: "tcp.echo", unit: PER_OPERATION, what: "the same on one connection", aim: { most: 3500 } },
  {
    name: "tcp.echo.crowd",
    unit: PER_OPERATION,
    what: "the same on the frame wire, with so many connections open",
  },
  {
    name: "http.keepalive",
    unit: PER_OPERATION,
    what: "GET of the page of the default image (3.6 KiB) on connections that stay open (wrk -c16)",
    aim: { most: 3000 },
  },
  { name: "http.keepalive.one", unit: PER_OPERATION, what: "the same on one (wrk -c1)", aim: { most: 4000 } },
  {
    name: "tcp.connect-request-close",
    unit: PER_OPERATION,
    what: "connection, the same GET, close (ab -c8)",
    aim: { most: 13_000 },
  },
  { name: "idle", unit: "instructions per second", what: "nobody asks for anything", aim: { most: 1000 } },
  { name: "tcp.segment.received", unit: INSTRUCTIONS, what: "1,460 bytes, driver to read handler, with half an acknowledgement", only: AEMOS_ONLY },
  { name: "tcp.segment.sent", unit: INSTRUCTIONS, what: "1,460 bytes, `send` to driver, with half an acknowledgement", only: AEMOS_ONLY },
  { name: "tcp.connection", unit: INSTRUCTIONS, what: "SYN to the accept handler", only: AEMOS_ONLY },
  { name: "http.request.page", unit: INSTRUCTIONS, what: "GET / on the frame wire, on a connection that stays open", only: AEMOS_ONLY },
  { name: "http.request.close", unit: INSTRUCTIONS, what: "connection, GET / on the frame wire, close, to TIME-WAIT", only: AEMOS_ONLY },
  { name: "http.request.stats", unit: INSTRUCTIONS, what: "GET /stats, likewise", only: AEMOS_ONLY },
  {
    name: "http.keepalive.rate",
    unit: "per second",
    more: true,
    what: "GET on 16 connections that stay open (wrk -c16), over user networking",
    aim: { times: 2.8 },
  },
  { name: "http.keepalive.rate.tap", unit: "per second", more: true, what: "the same over a tap device", aim: { times: 5 } },
  {
    name: "http.connection.rate",
    unit: "per second",
    more: true,
    what: "a connection for each GET (ab -c8), over user networking",
    aim: { times: 2.8 },
  },
  { name: "http.connection.rate.tap", unit: "per second", more: true, what: "the same over a tap device", aim: { times: 5 } },
  {
    name: "udp.echo.rate",
    unit: "per second",
    more: true,
    what: "64 bytes, 16 datagrams in flight, over user networking",
    aim: { times: 2.8 },
  },
  { name: "udp.echo.rate.tap", unit: "per second", more: true, what: "the same over a tap device", aim: { times: 5 } },
  {
    name: "tcp.echo.rate",
    unit: "per second",
    more: true,
    what: "64 bytes on each of 16 connections, over user networking",
    aim: { times: 2.8 },
  },
  { name: "tcp.echo.rate.tap", unit: "per second", more: true, what: "the same over a tap device", aim: { times: 5 } },
  { name: "tcp.bulk.in", unit: "Mbit/s", more: true, what: "one connection, to the guest, over user networking", aim: { times: 2 } },
  { name: "tcp.bulk.in.tap", unit: "Mbit/s", more: true, what: "the same over a tap device, with offload", aim: { times: 2 } },
  { name: "tcp.bulk.out", unit: "Mbit/s", more: true, what: "one connection, from the guest, over user networking", aim: { times: 2 } },
  { name: "tcp.bulk.out.tap", unit: "Mbit/s", more: true, what: "the same over a tap device, with offload", aim: { times: 2 } },
  {
    name: "tcp.bulk.echo",
    unit: "instructions per byte",
    what: "echo of 8 MiB over a tap device, by the bytes sent one way: without offload, with that of what is sent, of what is received, with both",
    only: AEMOS_ONLY,
  },

  // ---- Size ----
  { name: "boot.first-response", unit: "ms", what: "from the start of QEMU to the first answer over HTTP, static address", aim: { most: 100 } },
  { name: "boot.first-response.dhcp", unit: "ms", what: "the same, with DHCP", only: AEMOS_ONLY },
  { name: "boot.guest", unit: INSTRUCTIONS, what: "from the kernel's first instruction (the firmware's are not counted) to the services being ready", aim: { most: 5_000_000 } },
  { name: "image.bytes", unit: "bytes", what: "the image of apps/default.json; kernel and initramfs", aim: { most: 300_000 } },
  { name: "memory.smallest", unit: "MiB", what: "smallest `-m` with which it serves", aim: { most: 4 } },
  { name: "memory.idle-connection", unit: "bytes", what: "a connection that is idle, with its descriptor and the application's events (epoll)", aim: { most: 1024 } },
  { name: "memory.event", unit: "bytes", what: "a registered event with its handle (eventfd and its registration)", aim: { most: 100 } },
  { name: "memory.event.more", unit: "bytes", what: "more for an event with a time-out, a filter or the like", only: AEMOS_ONLY },
  { name: "memory.timer", unit: "bytes", what: "a timer that is armed, with its event (timerfd and its registration)", aim: { most: 64 }, missed: "the timer is part of the event, so this is the figure of both together" },

  // ---- Under load ----
  {
    name: "latency.highest-priority.worst",
    unit: INSTRUCTIONS,
    what: "a periodic timer of the highest priority under full load: processes that compute, a thousand timers, a flood of datagrams; latest call after the earliest one (SCHED_FIFO)",
    aim: { most: 20_000 },
  },
  { name: "load.response", unit: "µs", what: "p50, p99, p99.9 by priority at 0.5, 1 and 10 times capacity", only: "no measurement of it has been written" },
  { name: "interrupts-off.events", unit: INSTRUCTIONS, what: "longest sections with interrupts off, with 100,000 events and more", aim: { most: 15_000 }, only: AEMOS_ONLY },
  { name: "interrupts-off.load", unit: INSTRUCTIONS, what: "the same under full load", aim: { most: 15_000 }, only: AEMOS_ONLY },
  {
    name: "lossy.throughput",
    unit: "KiB/s",
    more: true,
    what: "a stream over a link with 20 ms each way, of whose frames so many percent are lost in each direction and as many reordered",
    aim: { times: 1 },
  },
  { name: "aot.quality", unit: INSTRUCTIONS, what: "programs that compute, geometric mean: AssemblyScript through the pipeline, and the same in C through gcc -O2 (in the Linux guest)", aim: { times: 0.95, than: "gcc -O2" } },
  ...["crc", "sieve", "chase", "sort", "sha256", "json", "multiply"].map((program) => ({
    name: `aot.quality.${program}`,
    unit: INSTRUCTIONS,
    what: `of that: ${program}`,
  })),
];
