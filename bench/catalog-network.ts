/** Rows of the catalog (catalog.ts): from the network and back, and how fast. */
import type { Entry } from "./catalog.ts";

const AEMOS_ONLY = "aemos only";
const INSTRUCTIONS = "instructions";
const PER_OPERATION = "instructions per operation";

const WAY_IN =
  "the device's queue, the checks of each layer, the search for the socket, the event and the copy of its data each have a part, and all of them are needed";
const BOTH_WAYS =
  "interrupt, way in, handler, way out and doorbell for each operation; the ways in and out are each above what they should be";
const PAGE =
  "the page is three segments, which are copied and, as QEMU's user network takes no offload, summed; the rest is the way of the request in and of the acknowledgement";
const HOST =
  "the rate is bounded by QEMU's main loop, which carries every frame between the guest's thread and the host, by the client, which shares the processors with it, and by whatever else runs there; the guest's own part is what the rows of instructions say";

export const NETWORK: readonly Entry[] = [
  {
    name: "udp.nic-to-handler",
    unit: INSTRUCTIONS,
    what: "the device's interrupt, while nothing runs, to the first instruction of the read handler, data in place (Linux: recv has returned); 64 bytes",
    aim: { most: 1200 },
    missed: WAY_IN,
  },
  {
    name: "tcp.nic-to-handler",
    unit: INSTRUCTIONS,
    what: "the same with a segment of 64 bytes",
    aim: { most: 2000 },
    missed: WAY_IN,
  },
  {
    name: "udp.echo",
    unit: PER_OPERATION,
    what: "64 bytes to an echo service and back, one at a time",
    aim: { most: 3000 },
    missed: BOTH_WAYS,
  },
  {
    name: "tcp.echo",
    unit: PER_OPERATION,
    what: "the same on one connection",
    aim: { most: 3500 },
    missed: BOTH_WAYS,
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
    missed: PAGE,
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
    what: "1,460 bytes, driver to read handler, with half an acknowledgement",
    only: AEMOS_ONLY,
  },
  {
    name: "tcp.segment.sent",
    unit: INSTRUCTIONS,
    what: "1,460 bytes, `send` to driver, with half an acknowledgement",
    only: AEMOS_ONLY,
  },
  { name: "tcp.connection", unit: INSTRUCTIONS, what: "SYN to the accept handler", only: AEMOS_ONLY },
  {
    name: "http.request.page",
    unit: INSTRUCTIONS,
    what: "GET / on the frame wire, on a connection that stays open",
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
    missed: HOST,
  },
  {
    name: "http.keepalive.rate.tap",
    unit: "per second",
    more: true,
    what: "the same over a tap device",
    aim: { times: 5 },
    missed: HOST,
  },
  {
    name: "http.connection.rate",
    unit: "per second",
    more: true,
    what: "a connection for each GET (ab -c8), over user networking",
    aim: { times: 2.8 },
    missed: HOST,
  },
  {
    name: "http.connection.rate.tap",
    unit: "per second",
    more: true,
    what: "the same over a tap device",
    aim: { times: 5 },
    missed: HOST,
  },
  {
    name: "udp.echo.rate",
    unit: "per second",
    more: true,
    what: "64 bytes, 16 datagrams in flight, over user networking",
    aim: { times: 2.8 },
    missed: HOST,
  },
  {
    name: "udp.echo.rate.tap",
    unit: "per second",
    more: true,
    what: "the same over a tap device",
    aim: { times: 5 },
    missed: HOST,
  },
  {
    name: "tcp.echo.rate",
    unit: "per second",
    more: true,
    what: "64 bytes on each of 16 connections, over user networking",
    aim: { times: 2.8 },
    missed: HOST,
  },
  {
    name: "tcp.echo.rate.tap",
    unit: "per second",
    more: true,
    what: "the same over a tap device",
    aim: { times: 5 },
    missed: HOST,
  },
  {
    name: "tcp.bulk.in",
    unit: "Mbit/s",
    more: true,
    what: "one connection, to the guest, over user networking",
    aim: { times: 2 },
    missed: HOST,
  },
  {
    name: "tcp.bulk.in.tap",
    unit: "Mbit/s",
    more: true,
    what: "the same over a tap device, with offload",
    aim: { times: 2 },
    missed: HOST,
  },
  {
    name: "tcp.bulk.out",
    unit: "Mbit/s",
    more: true,
    what: "one connection, from the guest, over user networking",
    aim: { times: 2 },
    missed: HOST,
  },
  {
    name: "tcp.bulk.out.tap",
    unit: "Mbit/s",
    more: true,
    what: "the same over a tap device, with offload",
    aim: { times: 2 },
    missed: HOST,
  },
  {
    name: "tcp.bulk.echo",
    unit: "instructions per byte",
    what: "echo of 8 MiB over a tap device, by the bytes sent one way: without offload, with that of what is sent, of what is received, with both",
    only: AEMOS_ONLY,
  },
];
