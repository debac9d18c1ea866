/** GET /stats: what this server and the kernel have counted, as JSON. */
import { SYSTEM_INFORMATION_SIZE, SystemInformation, sysinfo } from "../../sdk";
import { openConnections } from "./connection";
import { putProcesses } from "./processes";
import { put, putNumber } from "./text";

const system = changetype<SystemInformation>(heap.alloc(offsetof<SystemInformation>()));

/** Requests answered, connections accepted, and those of both that went wrong. */
export let requests: u64 = 0;
export let accepted: u64 = 0;
export let refused: u64 = 0;
export let failed: u64 = 0;

export function countRequest(): void {
  requests++;
}
export function countAccepted(): void {
  accepted++;
}
/** A connection too many. */
export function countRefused(): void {
  refused++;
}
/** A request that was answered 4xx or 5xx because of its form. */
export function countFailed(): void {
  failed++;
}

function member(name: string, value: u64): void {
  put(name);
  putNumber(value);
}

/** Writes the JSON text: at most 1200 octets, and as many processes as there is room for before `end`. */
export function putStatistics(end: usize): void {
  memory.fill(changetype<usize>(system), 0, offsetof<SystemInformation>());
  sysinfo(changetype<usize>(system), SYSTEM_INFORMATION_SIZE);
  const milliseconds = system.uptime / 1_000_000;
  put('{"name":"aemos","version":"');
  putVersion();
  member('","uptimeSeconds":', milliseconds / 1000);
  const fraction = milliseconds % 1000;
  put(fraction < 10 ? ".00" : fraction < 100 ? ".0" : ".");
  putNumber(fraction);
  member(',"requests":', requests);
  member(',"badRequests":', failed);
  member(',"connections":{"open":', openConnections());
  member(',"total":', accepted);
  member(',"refused":', refused);
  member('},"kernel":{"processes":', system.processes);
  member(',"memoryTotal":', system.memoryTotal);
  member(',"memoryFree":', system.memoryFree);
  member(',"interrupts":', system.interrupts);
  member(',"events":', system.events);
  member(',"activations":', system.activations);
  member(',"handled":', system.handled);
  member(',"framesReceived":', system.framesReceived);
  member(',"bytesReceived":', system.bytesReceived);
  member(',"framesSent":', system.framesSent);
  member(',"bytesSent":', system.bytesSent);
  member(',"framesDropped":', system.framesDropped);
  member(',"payloadDelivered":', system.payloadDelivered);
  member(',"payloadCopied":', system.payloadCopied);
  member(',"tcpConnections":', system.tcpConnections);
  member(',"tcpAccepted":', system.tcpAccepted);
  member(',"tcpRetransmitted":', system.tcpRetransmitted);
  member(',"framesSegmented":', system.framesSegmented);
  member(',"framesMerged":', system.framesMerged);
  put("},");
  putProcesses(end, <u32>system.processes);
  put("}\n");
}

function putVersion(): void {
  const version = system.version;
  putNumber(version >> 32);
  put(".");
  putNumber((version >> 16) & 0xffff);
  put(".");
  putNumber(version & 0xffff);
}
