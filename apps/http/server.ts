/**
 * The handlers of the server: from octets that arrive to responses that leave.
 *
 * A request is answered in the read handler that brings its last octet. While a response does not fit in the socket, reading is
 * stopped, what is left of the input is kept in its block, and a sock handler goes on: so each connection holds at most one block and
 * one response, whatever the client pipelines.
 */
import {
  EAGAIN,
  EVJOBSTART,
  EVJOBSTOP,
  MSG_DONTWAIT,
  MSG_MORE,
  SHUT_WR,
  close,
  evctl,
  onRead,
  onSock,
  send,
  shutdown,
  vmtable_keep,
} from "../../sdk";
import { equals } from "./characters";
import {
  Connection,
  ENDING,
  IN_CONTENT,
  LINGERING,
  STOPPED,
  drop,
  expect,
  find,
  idle,
  lingering,
  mayKeep,
  open,
  reading,
  releaseInput,
  releaseOutput,
  setInput,
  takeResponseBlock,
  transferring,
} from "./connection";
import { parse, proceed } from "./parser";
import {
  DONE,
  EXPECT_CONTINUE,
  FAILED,
  HEAD,
  METHOD_GET,
  METHOD_HEAD,
  METHOD_UNKNOWN,
  PATH_ROOM,
  Request,
} from "./request";
import {
  CLOSE,
  KEEP_ALIVE,
  OPEN,
  headLength,
  isTransient,
  makeContinue,
  makeError,
  makePage,
  makeStatistics,
  response,
  responseLength,
} from "./response";
import { countAccepted, countFailed, countRefused, countRequest } from "./statistics";

const RESOURCE_NONE: u32 = 0;
const RESOURCE_PAGE: u32 = 1;
const RESOURCE_STATISTICS: u32 = 2;

/** Accept handler. */
export function accepted(jid: i32, listener: i32, fd: i32): void {
  if (fd < 0) return;
  const address = open(fd);
  if (address == 0) {
    countRefused();
    makeError(503, CLOSE);
    send(fd, response, responseLength, MSG_DONTWAIT);
    close(fd);
    return;
  }
  countAccepted();
  const connection = changetype<Connection>(address);
  const readJid = onRead(fd, received);
  if (readJid < 0) return drop(connection);
  connection.readJid = readJid;
  wait(connection, false);
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  const address = find(fd);
  if (address == 0) return;
  const connection = changetype<Connection>(address);
  // At the end of the stream nothing waits to be sent: reading would be stopped.
  if (length <= 0) return drop(connection);
  if (connection.flags & LINGERING) return;
  serve(connection, data, 0, <u32>length);
}

/** Sock handler: there may be room for the rest of a response. */
function ready(jid: i32, fd: i32, events: i32, error: i32): void {
  const address = find(fd);
  if (address == 0) return;
  const connection = changetype<Connection>(address);
  if (connection.outputLength == 0 || !flush(connection) || connection.outputLength != 0) return;
  serve(connection, connection.input, connection.inputAt, connection.inputLength);
}

/** Reads requests from the octets from `at` to `length` at `data`, and answers them, as long as responses can leave. */
function serve(connection: Connection, data: usize, at: u32, length: u32): void {
  const request = connection.request;
  let answered = false;
  while (connection.outputLength == 0 && !(connection.flags & ENDING)) {
    const state = request.state;
    let alive = true;
    if (state == HEAD) alive = beginContent(connection);
    else if (state == DONE) {
      alive = answer(connection);
      answered = true;
    } else if (state == FAILED) alive = refuse(connection, request.status);
    else if (at < length) at += parse(request, data + at, length - at);
    else break;
    if (!alive) return;
  }
  if (connection.outputLength != 0) {
    if (!keepInput(connection, data, at, length)) return drop(connection);
  } else {
    releaseInput(connection);
    if (connection.flags & ENDING) linger(connection);
    startReading(connection);
  }
  wait(connection, answered);
}

/** Sees to it that what is left of the input outlives this handler, and that no more comes. */
function keepInput(connection: Connection, data: usize, at: u32, length: u32): bool {
  if (!(connection.flags & STOPPED)) {
    evctl(connection.readJid, EVJOBSTOP, 0);
    connection.flags |= STOPPED;
  }
  if (connection.input != 0) {
    connection.inputAt = at;
    return true;
  }
  connection.inputAt = 0;
  connection.inputLength = 0;
  if (at == length || (connection.flags & ENDING) != 0) return true;
  if (!mayKeep(length) || vmtable_keep(data) < 0) return false;
  setInput(connection, data, at, length);
  return true;
}

function startReading(connection: Connection): void {
  if (!(connection.flags & STOPPED)) return;
  connection.flags &= ~STOPPED;
  evctl(connection.readJid, EVJOBSTART, 0);
}

/** Starts the time-out of what the connection waits for now. `again`: also if it waited for the same before. */
function wait(connection: Connection, again: bool): void {
  let list = idle;
  if (connection.flags & LINGERING) list = lingering;
  else if (connection.outputLength != 0 || (connection.flags & IN_CONTENT) != 0) list = transferring;
  else if (connection.request.begun) list = reading;
  if (!again && connection.waitsFor == changetype<usize>(list)) return;
  connection.waitsFor = changetype<usize>(list);
  expect(connection, list);
}

/** What the path names. */
function resourceOf(request: Request): u32 {
  const length = request.pathLength;
  if (length > PATH_ROOM) return RESOURCE_NONE;
  if (length == 1 && load<u8>(request.path) == 0x2f /* / */) return RESOURCE_PAGE;
  if (length == 6 && equals(request.path, "/stats")) return RESOURCE_STATISTICS;
  return RESOURCE_NONE;
}

/** The status that a well-formed request gets. */
function statusOf(request: Request): u32 {
  if (request.method == METHOD_UNKNOWN) return 501;
  // "*": the server itself.
  if (request.pathLength == 0) return 405;
  if (resourceOf(request) == RESOURCE_NONE) return 404;
  return request.method == METHOD_GET || request.method == METHOD_HEAD ? 200 : 405;
}

/** After the header section. A client that waits for leave to send content gets it, or its answer at once (RFC 9110, 10.1.1). */
function beginContent(connection: Connection): bool {
  const request = connection.request;
  if (request.hasContent) {
    if ((request.flags & EXPECT_CONTINUE) != 0 && request.minor != 0) {
      const status = statusOf(request);
      if (status != 200) return refuse(connection, status);
      makeContinue();
      if (!transmit(connection, responseLength)) return false;
    }
    connection.flags |= IN_CONTENT;
  }
  proceed(request);
  return true;
}

/** Answers a complete request. False: the connection is gone. */
function answer(connection: Connection): bool {
  const request = connection.request;
  let way = request.minor == 0 ? KEEP_ALIVE : OPEN;
  if (!request.persistent) {
    way = CLOSE;
    connection.flags |= ENDING;
  }
  connection.flags &= ~IN_CONTENT;
  const status = statusOf(request);
  countRequest();
  if (status != 200) makeError(status, way);
  else if (resourceOf(request) == RESOURCE_PAGE) makePage(way);
  else makeStatistics(way);
  const length = request.method == METHOD_HEAD ? headLength : responseLength;
  request.reset();
  return transmit(connection, length);
}

/** Answers what cannot be read on from: the connection ends. False: it is gone already. */
function refuse(connection: Connection, status: u32): bool {
  connection.flags |= ENDING;
  connection.flags &= ~IN_CONTENT;
  countFailed();
  makeError(status, CLOSE);
  return transmit(connection, connection.request.method == METHOD_HEAD ? headLength : responseLength);
}

/** Sends `length` octets of the response; what does not fit waits in `output`. False: the connection is gone. */
function transmit(connection: Connection, length: u32): bool {
  // The end of the connection goes with the last response (linger).
  const more = connection.flags & ENDING ? MSG_MORE : 0;
  let sent = send(connection.fd, response, length, MSG_DONTWAIT | more);
  if (sent == length) return true;
  if (sent < 0) {
    if (sent != -EAGAIN) return gone(connection);
    sent = 0;
  }
  const rest = length - <u32>sent;
  let output = response + sent;
  if (isTransient()) {
    const block = takeResponseBlock();
    if (block == 0) return gone(connection);
    memory.copy(block, output, rest);
    connection.outputBlock = block;
    output = block;
  }
  connection.output = output;
  connection.outputLength = rest;
  if (connection.sockJid == 0) {
    const jid = onSock(connection.fd, ready);
    if (jid < 0) return gone(connection);
    connection.sockJid = jid;
  } else {
    evctl(connection.sockJid, EVJOBSTART, 0);
  }
  // Room that came before the event was on is not reported.
  return flush(connection);
}

/** Sends of the rest what there is room for. False: the connection is gone. */
function flush(connection: Connection): bool {
  const sent = send(connection.fd, connection.output, connection.outputLength, MSG_DONTWAIT);
  if (sent < 0) return sent == -EAGAIN || gone(connection);
  connection.output += sent;
  connection.outputLength -= sent;
  if (connection.outputLength != 0) return true;
  releaseOutput(connection);
  evctl(connection.sockJid, EVJOBSTOP, 0);
  return true;
}

function gone(connection: Connection): bool {
  drop(connection);
  return false;
}

/**
 * The last response is with the kernel. Closing now, with octets unread, would reset the connection and take the response from
 * the client (RFC 9112, 9.6): so our direction ends, and theirs is read for a while.
 */
function linger(connection: Connection): void {
  connection.flags |= LINGERING;
  shutdown(connection.fd, SHUT_WR);
}
