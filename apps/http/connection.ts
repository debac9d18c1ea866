/** A client's connection, and the table of all of them by descriptor. */
import { Deadline, DeadlineList, Pool, close, vmtableSize, vmtable_free } from "../../sdk";
import { Request } from "./request";

/** Connections at once: one more is answered 503 and closed. */
export const CONNECTION_LIMIT: u32 = 4096;
/** Descriptors are numbered from 0 up: this many, with a few of the process's own. */
const DESCRIPTOR_LIMIT: u32 = CONNECTION_LIMIT + 16;
/** Responses that wait to be sent and are not static. One more closes its connection. */
const RESPONSE_LIMIT: u32 = 256;
/** Bytes of a response that is not static: header section and content. */
export const RESPONSE_ROOM: usize = 4096;
/** Blocks of input that may be kept while responses wait, as the zone counts them: three quarters of it. */
let keptLimit: u32 = 0;

// Flags of a connection.
/** After what waits to be sent: end. */
export const ENDING: u32 = 1;
/** Our direction has ended; what comes is thrown away until the client's has, too (RFC 9112, 9.6). */
export const LINGERING: u32 = 2;
/** Content of a request is being read. */
export const IN_CONTENT: u32 = 4;
/** Reading is stopped. */
export const STOPPED: u32 = 8;


@unmanaged
export class Connection extends Deadline {
  fd: i32;
  readJid: i32;
  /** 0: not registered yet. */
  sockJid: i32;
  flags: u32;
  /** The list of its time-out. */
  waitsFor: usize;
  /** What waits to be sent; `outputLength` 0: nothing. */
  output: usize;
  outputLength: u32;
  /** Block of `responses` that `output` is in; 0: it is static. */
  outputBlock: usize;
  /** Kept block of input that waits for the response before; 0: none, and reading goes on. */
  input: usize;
  inputAt: u32;
  inputLength: u32;

  /** Stands behind this class. */
  @inline get request(): Request {
    return changetype<Request>(changetype<usize>(this) + offsetof<Connection>());
  }
}

const connections = changetype<Pool>(heap.alloc(offsetof<Pool>()));
const responses = changetype<Pool>(heap.alloc(offsetof<Pool>()));
const byDescriptor = heap.alloc((<usize>DESCRIPTOR_LIMIT) << 2);
let kept: u32 = 0;

// ---- Time-outs ----

/** Seconds that a connection may stay open between requests. */
export const IDLE_SECONDS: u32 = 60;
/** Seconds for a header section from its first octet, so that slow senders are bounded. */
export const HEAD_SECONDS: u32 = 20;
/** Seconds for the content of a request, and for a response to be taken. */
export const TRANSFER_SECONDS: u32 = 60;
/** Seconds that a client gets to read the last response and close. */
export const LINGER_SECONDS: u32 = 2;

export const idle = changetype<DeadlineList>(heap.alloc(offsetof<DeadlineList>()));
export const reading = changetype<DeadlineList>(heap.alloc(offsetof<DeadlineList>()));
export const transferring = changetype<DeadlineList>(heap.alloc(offsetof<DeadlineList>()));
export const lingering = changetype<DeadlineList>(heap.alloc(offsetof<DeadlineList>()));

export function initializeConnections(): void {
  connections.initialize(offsetof<Connection>() + offsetof<Request>(), CONNECTION_LIMIT);
  responses.initialize(RESPONSE_ROOM, RESPONSE_LIMIT);
  memory.fill(byDescriptor, 0, (<usize>DESCRIPTOR_LIMIT) << 2);
  keptLimit = <u32>((vmtableSize() / 4) * 3);
  idle.initialize(IDLE_SECONDS, expired);
  reading.initialize(HEAD_SECONDS, expired);
  transferring.initialize(TRANSFER_SECONDS, expired);
  lingering.initialize(LINGER_SECONDS, expired);
}

/** (Re)starts the connection's time-out with the period of `list`. */
// @ts-ignore: decorator
@inline
export function expect(connection: Connection, list: DeadlineList): void {
  list.start(connection);
}

function expired(connection: usize): void {
  drop(changetype<Connection>(connection));
}

/** Connections that are open. */
export function openConnections(): u32 {
  return connections.used;
}

/** The connection of a descriptor; 0: it has none (any more). */
export function find(fd: i32): usize {
  return <u32>fd < DESCRIPTOR_LIMIT ? load<usize>(byDescriptor + ((<usize>fd) << 2)) : 0;
}

/** A connection for a new descriptor; 0: there are CONNECTION_LIMIT. */
export function open(fd: i32): usize {
  if (<u32>fd >= DESCRIPTOR_LIMIT) return 0;
  const address = connections.take();
  if (address == 0) return 0;
  memory.fill(address, 0, offsetof<Connection>());
  const connection = changetype<Connection>(address);
  connection.fd = fd;
  connection.request.reset();
  store<usize>(byDescriptor + ((<usize>fd) << 2), address);
  return address;
}

/** Lets go of all that the connection has; its events go with the descriptor. */
export function drop(connection: Connection): void {
  connection.stop();
  releaseOutput(connection);
  releaseInput(connection);
  store<usize>(byDescriptor + ((<usize>connection.fd) << 2), 0);
  close(connection.fd);
  connections.give(changetype<usize>(connection));
}

/** A copy of a response that could not be sent at once; 0: there are too many. */
export function takeResponseBlock(): usize {
  return responses.take();
}

export function releaseOutput(connection: Connection): void {
  responses.give(connection.outputBlock);
  connection.outputBlock = 0;
  connection.outputLength = 0;
}

/** Whether a block of `length` bytes may be kept besides those that are. */
export function mayKeep(length: u32): bool {
  return kept + blockSize(length) <= keptLimit;
}

/** Takes over a block that was kept, as input from `at` on. */
export function setInput(connection: Connection, data: usize, at: u32, length: u32): void {
  kept += blockSize(length);
  connection.input = data;
  connection.inputAt = at;
  connection.inputLength = length;
}

export function releaseInput(connection: Connection): void {
  connection.inputAt = connection.inputLength;
  if (connection.input == 0) return;
  vmtable_free(connection.input);
  kept -= blockSize(connection.inputLength);
  connection.input = 0;
}

/** Bytes of the zone that a block takes: a power of two. */
function blockSize(length: u32): u32 {
  return (<u32>1) << (32 - clz<u32>(max<u32>(length, 64) - 1));
}
