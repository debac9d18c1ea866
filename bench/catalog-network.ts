/** Rows of the catalog (catalog.ts): from the network and back, and how fast. */
import type { Entry } from "./catalog.ts";

const AEMOS_ONLY = "aemos only";
const INSTRUCTIONS = "instructions";
const PER_OPERATION = "instructions per operation";

const PAGE =
  "of 8,400 (wrk -c16) the copy of the page is 520 and the sums over it 860, as QEMU's user network takes no offload; the application is 950; events are 600; three frames come in, the request and two acknowledgements, at 940 each, what they give back with it; three segments leave at 800 each besides copy and sum. It was 9,016: Ethernet, IPv4 and the neighbours have a short way for what nearly all frames are (45 a frame), headers are compared with the connection as they stand (50), who takes a buffer saves no registers (15), a delivery looks at the socket instead of asking its transport six times (95), and what a call that sends looks at in the end is half as much (40). Header prediction was there; what an acknowledgement does is 220, and 45 for each segment that it takes off the queue. To take the ring's next entry at two places of a loop instead of one costs 43 more, the copy of a stream as a function of its own 25, both in registers that gcc saves. Beyond the copy and the sums no function has a tenth of it";
const CONNECTION =
  "18,400: a GET as above, of a longer request, and nearly twice the frames, six that come in and five that leave, at 850 each; two events and a descriptor that come and go are 2,500, timers 500, the keyed hash 220. It was 20,031: of the three hashes two have gone, since the tables and the initial sequence number share one, and half-open requests are found without (440); the rest is what each frame costs less";
const HOST =
  "QEMU's main loop, which carries every frame between the guest's thread and the host, the client, which shares the processors with it, and whatever else runs there; the guest's own part is what the rows of instructions say";

export const NETWORK: readonly Entry[] = [
  {
    name: "udp.nic-to-handler",
    unit: INSTRUCTIONS,
    what: "the device's interrupt, while nothing runs, to the first instruction of the read handler, data in place (Linux: recv has returned); 64 bytes",
    aim: { most: 1200 },
  },
  {
    name: "tcp.nic-to-handler",
    unit: INSTRUCTIONS,
    what: "the same with a segment of 64 bytes",
    aim: { most: 2000 },
  },
  {
    name: "udp.echo",
    unit: PER_OPERATION,
    what: "64 bytes to an echo service and back, one at a time",
    aim: { most: 3000 },
  },
  {
    name: "tcp.echo",
    unit: PER_OPERATION,
    what: "the same on one connection",
    aim: { most: 3500 },
  },
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
    missed: PAGE,
  },
  {
    name: "http.keepalive.one",
    unit: PER_OPERATION,
    what: "the same on one (wrk -c1)",
    aim: { most: 4000 },
    missed: PAGE,
  },
  {
    name: "tcp.connect-request-close",
    unit: PER_OPERATION,
    what: "connection, the same GET, close (ab -c8)",
    aim: { most: 13_000 },
    missed: CONNECTION,
  },
  {
    name: "idle",
    unit: "instructions per second",
    what: "nobody asks for anything",
    aim: { most: 1000 },
  },
  {
    name: "tcp.segment.received",
    unit: INSTRUCTIONS,
    what: "1,460 bytes, driver to read handler, of 40 that come together, which are acknowledged together; timers and the ring's new buffers with it",
    only: AEMOS_ONLY,
  },
  {
    name: "tcp.segment.sent",
    unit: INSTRUCTIONS,
    what: "1,460 bytes, `send` to driver, of 40 for which the peer acknowledges every second one; timers and the ring's new buffers with it",
    only: AEMOS_ONLY,
  },
  {
    name: "tcp.connection",
    unit: INSTRUCTIONS,
    what: "a connection that is accepted: SYN to the accept handler, and what is left to do behind it",
    only: AEMOS_ONLY,
  },
  {
    name: "http.request.page",
    unit: INSTRUCTIONS,
    what: "GET / on the frame wire, on a connection that stays open: all that runs because of it, three acknowledgements of the answer and timers among it",
    only: AEMOS_ONLY,
  },
  {
    name: "http.request.close",
    unit: INSTRUCTIONS,
    what: "connection, GET / on the frame wire, close, to TIME-WAIT",
    only: AEMOS_ONLY,
  },
  { name: "http.request.stats", unit: INSTRUCTIONS, what: "GET /stats, likewise", only: AEMOS_ONLY },
  {
    name: "http.keepalive.rate",
    unit: "per second",
    more: true,
    what: "GET on 16 connections that stay open (wrk -c16), over user networking",
    aim: { times: 2.8 },
    bound: HOST,
  },
  {
    name: "http.keepalive.rate.tap",
    unit: "per second",
    more: true,
    what: "the same over a tap device",
    aim: { times: 5 },
    bound: HOST,
    missed:
      "the run before had 33,614 and 5.04 times. Asked again right after this run, by turns, that run's commit had 31,273, and 6.2 times the 5,043 of Linux, and this one 31,007, and 4.57 times 6,790: aemos is as fast as it was, within 1 %, and what Linux gets differs by more than a third from run to run on this host",
  },
  {
    name: "http.connection.rate",
    unit: "per second",
    more: true,
    what: "a connection for each GET (ab -c8), over user networking",
    aim: { times: 2.8 },
    bound: HOST,
  },
  {
    name: "http.connection.rate.tap",
    unit: "per second",
    more: true,
    what: "the same over a tap device",
    aim: { times: 5 },
    bound: HOST,
  },
  {
    name: "udp.echo.rate",
    unit: "per second",
    more: true,
    what: "64 bytes, 16 datagrams in flight, over user networking",
    aim: { times: 2.8 },
    bound: HOST,
  },
  {
    name: "udp.echo.rate.tap",
    unit: "per second",
    more: true,
    what: "the same over a tap device",
    aim: { times: 5 },
    bound: HOST,
  },
  {
    name: "tcp.echo.rate",
    unit: "per second",
    more: true,
    what: "64 bytes on each of 16 connections, over user networking",
    aim: { times: 2.8 },
    bound: HOST,
  },
  {
    name: "tcp.echo.rate.tap",
    unit: "per second",
    more: true,
    what: "the same over a tap device",
    aim: { times: 5 },
    bound: HOST,
  },
  {
    name: "tcp.bulk.in",
    unit: "Mbit/s",
    more: true,
    what: "one connection, to the guest, over user networking",
    aim: { times: 2 },
    bound: HOST,
  },
  {
    name: "tcp.bulk.in.tap",
    unit: "Mbit/s",
    more: true,
    what: "the same over a tap device, with offload",
    aim: { times: 2 },
    bound: HOST,
  },
  {
    name: "tcp.bulk.out",
    unit: "Mbit/s",
    more: true,
    what: "one connection, from the guest, over user networking",
    aim: { times: 2 },
    bound: HOST,
  },
  {
    name: "tcp.bulk.out.tap",
    unit: "Mbit/s",
    more: true,
    what: "the same over a tap device, with offload",
    aim: { times: 2 },
    bound: HOST,
  },
  {
    name: "tcp.bulk.echo",
    unit: "instructions per byte",
    what: "echo of 8 MiB over a tap device, by the bytes sent one way: without offload, with that of what is sent, of what is received, with both",
    only: AEMOS_ONLY,
  },
];
