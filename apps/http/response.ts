/**
 * Responses (RFC 9110, 15; RFC 9112, 4). The page stands ready in memory, header section and all, for each way a connection can
 * go on; everything else is written when it is asked for. There is no Date: a server without a clock sends none (RFC 9110,
 * 6.6.1).
 */
import { RESPONSE_ROOM } from "./connection";
import { PAGE } from "./page";
import { putStatistics } from "./statistics";
import { beginText, endText, put, putBytes, putNumber } from "./text";

// How the connection goes on, as the response says it.
/** HTTP/1.1, open: nothing needs to be said. */
export const OPEN: u32 = 0;
export const CLOSE: u32 = 1;
/** HTTP/1.0, open. */
export const KEEP_ALIVE: u32 = 2;
const WAYS: u32 = 3;

/** The response that was made last: where it is, its octets, and those of them that are its header section. */
export let response: usize = 0;
export let responseLength: u32 = 0;
export let headLength: u32 = 0;

const pages = memory.data(12);
const pageLengths = memory.data(12);
const pageHeads = memory.data(12);
/** Text of the response under way, and the JSON that goes into it. */
const scratch = memory.data(4096, 16);
const content = memory.data(3840, 16);
const CONTENT_ROOM: usize = 3840;

/** Makes the pages; once. */
export function initializeResponses(): void {
  const pageBytes = <usize>String.UTF8.byteLength(PAGE);
  for (let way: u32 = 0; way < WAYS; way++) {
    const at = heap.alloc(pageBytes + 512);
    beginText(at);
    putHead("200 OK", "text/html; charset=utf-8", pageBytes, way);
    put("Cache-Control: no-cache\r\n\r\n");
    store<u32>(pageHeads + (way << 2), <u32>(endText() - at));
    put(PAGE);
    store<usize>(pages + (way << 2), at);
    store<u32>(pageLengths + (way << 2), <u32>(endText() - at));
  }
}

function putHead(status: string, type: string, length: usize, way: u32): void {
  put("HTTP/1.1 ");
  put(status);
  put("\r\nServer: aemos\r\nContent-Type: ");
  put(type);
  put("\r\nContent-Length: ");
  putNumber(length);
  if (way != OPEN) put(way == CLOSE ? "\r\nConnection: close" : "\r\nConnection: keep-alive");
  put("\r\n");
}

export function makePage(way: u32): void {
  response = load<usize>(pages + (way << 2));
  responseLength = load<u32>(pageLengths + (way << 2));
  headLength = load<u32>(pageHeads + (way << 2));
}

export function makeStatistics(way: u32): void {
  beginText(content);
  putStatistics(content + CONTENT_ROOM);
  const length = endText() - content;
  beginText(scratch);
  putHead("200 OK", "application/json", length, way);
  put("Cache-Control: no-store\r\n\r\n");
  headLength = <u32>(endText() - scratch);
  putBytes(content, length);
  response = scratch;
  responseLength = <u32>(endText() - scratch);
}

/** An error's response: its own name is its content. */
export function makeError(status: u32, way: u32): void {
  const line = statusLine(status);
  beginText(scratch);
  putHead(line, "text/plain; charset=utf-8", line.length + 1, way);
  if (status == 405) put("Allow: GET, HEAD\r\n");
  if (status == 503) put("Retry-After: 1\r\n");
  put("\r\n");
  headLength = <u32>(endText() - scratch);
  put(line);
  put("\n");
  response = scratch;
  responseLength = <u32>(endText() - scratch);
}

export function makeContinue(): void {
  beginText(scratch);
  put("HTTP/1.1 100 Continue\r\n\r\n");
  response = scratch;
  responseLength = <u32>(endText() - scratch);
  headLength = responseLength;
}

/** Whether the response has to be copied to outlive the handler. */
export function isTransient(): bool {
  assert(responseLength <= <u32>RESPONSE_ROOM || response != scratch);
  return response == scratch;
}

function statusLine(status: u32): string {
  switch (status) {
    case 400:
      return "400 Bad Request";
    case 404:
      return "404 Not Found";
    case 405:
      return "405 Method Not Allowed";
    case 413:
      return "413 Content Too Large";
    case 414:
      return "414 URI Too Long";
    case 417:
      return "417 Expectation Failed";
    case 431:
      return "431 Request Header Fields Too Large";
    case 501:
      return "501 Not Implemented";
    case 503:
      return "503 Service Unavailable";
    case 505:
      return "505 HTTP Version Not Supported";
    default:
      return "500 Internal Server Error";
  }
}
