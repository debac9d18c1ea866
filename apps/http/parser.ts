/**
 * HTTP/1.1 requests (RFC 9112), read incrementally: octets go in as they arrive, in pieces of any size, and the result is the
 * same however they were cut. Pure: no system calls, no allocation, nothing kept of the input but the path.
 *
 * Lines end in CR LF and nothing else; a bare CR or LF, obsolete line folding and white space before a colon are refused.
 */
import { HEX, TOKEN, TOKENS, TOKENS_SMALL, VALUE, equals, hexValue, is } from "./characters";
import { FIELD_OTHER, nameComplete, valueComplete, valueRun, valueStep } from "./fields";
import {
  BODY_LIMIT,
  CHUNKED,
  CODING_UNKNOWN,
  DONE,
  EXPECT_UNKNOWN,
  EXTENSION_LIMIT,
  FAILED,
  HEAD,
  HEAD_LIMIT,
  LINE_LIMIT,
  METHOD_CONNECT,
  METHOD_GET,
  METHOD_HEAD,
  METHOD_OPTIONS,
  METHOD_OTHER,
  METHOD_UNKNOWN,
  Request,
  SEEN_CODING,
  SEEN_HOST,
  SEEN_LENGTH,
  TRAILERS,
  WORD_ROOM,
} from "./request";
import { targetComplete, targetRun, targetStep } from "./target";

/** Nothing of the request has come, empty lines apart (RFC 9112, 2.2). */
const START: u32 = 0;
const START_LF: u32 = 1;
const METHOD: u32 = 2;
const TARGET: u32 = 3;
const VERSION: u32 = 4;
const LINE_LF: u32 = 5;
const FIELD: u32 = 6;
const NAME: u32 = 7;
const VALUE_TEXT: u32 = 8;
const VALUE_LF: u32 = 9;
const HEAD_LF: u32 = 10;
const CONTENT: u32 = 11;
const CHUNK_SIZE: u32 = 12;
const CHUNK_EXTENSION: u32 = 13;
const CHUNK_SIZE_LF: u32 = 14;
const CHUNK_DATA: u32 = 15;
const CHUNK_CR: u32 = 16;
const CHUNK_LF: u32 = 17;

const CR: u32 = 0x0d;
const LF: u32 = 0x0a;
/** "HTTP/1." and "GET", as a load sees them. */
const HTTP_1: u64 = 0x2e_312f_5054_5448;
const GET: u32 = 0x54_4547;
/** Digits of a chunk size: more would only be zeros or too much. */
const SIZE_DIGITS: u32 = 8;

/** Reads octets into `request` until they end or it is HEAD, DONE or FAILED. Returns how many it took. */
export function parse(request: Request, data: usize, length: u32): u32 {
  let at = data;
  const end = data + length;
  while (at < end) {
    const state = request.state;
    if (state >= HEAD) break;
    if (state <= LINE_LF) {
      const stop = min<usize>(end, at + (LINE_LIMIT - request.used));
      if (at == stop) request.fail(414);
      else at = readLine(request, at, stop);
    } else if (state <= HEAD_LF) {
      const stop = min<usize>(end, at + (HEAD_LIMIT - request.used));
      if (at == stop) request.fail(431);
      else at = readFields(request, at, stop);
    } else if (state == CONTENT || state == CHUNK_DATA) {
      at += content(request, <u64>(end - at));
    } else {
      chunkStep(request, load<u8>(at));
      at++;
    }
  }
  return <u32>(at - data);
}

/** Octets of a token, as long as they fit in the word. `letters`: TOKENS, or TOKENS_SMALL to make them small. */
// @ts-ignore: decorator
@inline
function wordRun(request: Request, at: usize, end: usize, letters: usize): usize {
  let to = request.word + request.wordLength;
  const stop = min<usize>(end, at + (WORD_ROOM - request.wordLength));
  while (at < stop) {
    const letter: u32 = load<u8>(letters + load<u8>(at));
    if (letter == 0) break;
    store<u8>(to, letter);
    to++;
    at++;
  }
  request.wordLength = <u32>(to - request.word);
  return at;
}

/** After HEAD: on to the content, or DONE when there is none. */
export function proceed(request: Request): void {
  if (request.flags & CHUNKED) request.state = CHUNK_SIZE;
  else request.state = request.remaining != 0 ? CONTENT : DONE;
  request.part = 0;
}

/** Content is counted and thrown away: no resource here takes any. */
function content(request: Request, available: u64): usize {
  const taken = min<u64>(request.remaining, available);
  request.remaining -= taken;
  if (request.remaining == 0) request.state = request.state == CONTENT ? DONE : CHUNK_CR;
  return <usize>taken;
}

/**
 * request-line (RFC 9112, 3): octets that leave the parser in its state all at once, then the one behind them. Returns where it stopped: at `end`, behind the line, or where it
 * failed.
 */
function readLine(request: Request, start: usize, end: usize): usize {
  let at = start;
  while (at != end && request.state <= LINE_LF) {
    let good = true;
    switch (request.state) {
      case START:
        if (load<u8>(at) == CR) {
          at++;
          request.state = START_LF;
          break;
        }
        request.state = METHOD;
      case METHOD: {
        at = wordRun(request, at, end, TOKENS);
        if (at == end) break;
        const c: u32 = load<u8>(at++);
        if (c == 0x20) {
          good = request.wordLength != 0;
          request.method = methodOf(request.word, request.wordLength);
          request.state = TARGET;
        } else if (!is(c, TOKEN)) good = false;
        else request.fail(501);
        break;
      }
      case START_LF:
        good = load<u8>(at++) == LF;
        request.state = START;
        break;
      case TARGET: {
        at = targetRun(request, at, end);
        if (at == end) break;
        const c: u32 = load<u8>(at++);
        if (c != 0x20) {
          good = targetStep(request, c);
          break;
        }
        good = targetComplete(request);
        request.part = 0;
        request.state = VERSION;
        break;
      }
      case VERSION:
        at = versionRun(request, at, end);
        if (at != end) versionStep(request, load<u8>(at++));
        break;
      default:
        if (load<u8>(at) != LF) request.fail(400);
        else request.state = FIELD;
        request.used = 0;
        return at + 1;
    }
    if (!good) request.fail(400);
  }
  request.used += <u32>(at - start);
  return at;
}

/** A version that is there as a whole, if it is 1 and something. */
// @ts-ignore: decorator
@inline
function versionRun(request: Request, at: usize, end: usize): usize {
  if (request.part != 0 || end - at < 8 || (load<u64>(at) & 0xff_ffff_ffff_ffff) != HTTP_1) return at;
  const minor = <u32>load<u8>(at, 7) - 0x30;
  if (minor > 9) return at;
  request.digit = 0x31;
  request.minor = min<u32>(minor, 1);
  request.part = 8;
  return at + 8;
}

/** HTTP-version and the CR behind it. Another major version is 505, another minor one is as good as 1 (RFC 9110, 2.5). */
function versionStep(request: Request, c: u32): void {
  const at = request.part++;
  const digit = c - 0x30 <= 9;
  if (at == 5 && digit) request.digit = c;
  else if (at == 7 && digit) request.minor = min(c - 0x30, 1);
  else if (at == 8 && c == CR) {
    if (request.digit != 0x31) request.fail(505);
    else request.state = LINE_LF;
  } else if (at > 7 || at == 5 || c != <u32>"HTTP/0.0".charCodeAt(at)) request.fail(400);
}

function methodOf(word: usize, length: u32): u32 {
  switch (length) {
    case 3:
      if ((load<u32>(word) & 0xff_ffff) == GET) return METHOD_GET;
      return equals(word, "PUT") ? METHOD_OTHER : METHOD_UNKNOWN;
    case 4:
      if (equals(word, "HEAD")) return METHOD_HEAD;
      return equals(word, "POST") ? METHOD_OTHER : METHOD_UNKNOWN;
    case 5:
      return equals(word, "TRACE") || equals(word, "PATCH") ? METHOD_OTHER : METHOD_UNKNOWN;
    case 6:
      return equals(word, "DELETE") ? METHOD_OTHER : METHOD_UNKNOWN;
    case 7:
      if (equals(word, "OPTIONS")) return METHOD_OPTIONS;
      return equals(word, "CONNECT") ? METHOD_CONNECT : METHOD_UNKNOWN;
    default:
      return METHOD_UNKNOWN;
  }
}

/** Field lines and the empty line behind the last (RFC 9112, 5): as readLine. */
function readFields(request: Request, start: usize, end: usize): usize {
  let at = start;
  while (at != end && request.state - FIELD <= HEAD_LF - FIELD) {
    let good = true;
    switch (request.state) {
      case FIELD:
        if (load<u8>(at) == CR) {
          at++;
          request.state = HEAD_LF;
          break;
        }
        request.wordLength = 0;
        request.state = NAME;
      case NAME: {
        at = wordRun(request, at, end, TOKENS_SMALL);
        if (at == end) break;
        const c: u32 = load<u8>(at++);
        if (c == 0x3a /* : */) {
          request.state = VALUE_TEXT;
          good = nameComplete(request);
        } else {
          // A name that does not fit is none that we know; "transfer-encoding" is shorter than the room by seven octets.
          good = is(c, TOKEN);
        }
        break;
      }
      case VALUE_TEXT: {
        at = valueRun(request, at, end);
        if (at == end) break;
        const c: u32 = load<u8>(at++);
        if (c == CR) {
          request.state = VALUE_LF;
          good = valueComplete(request);
        } else good = is(c, VALUE) && (request.field == FIELD_OTHER || valueStep(request, c));
        break;
      }
      case VALUE_LF:
        request.state = FIELD;
        good = load<u8>(at++) == LF;
        break;
      default:
        good = load<u8>(at++) == LF;
        if (!good) break;
        if (request.flags & TRAILERS) request.state = DONE;
        else headComplete(request);
    }
    if (!good) request.fail(400);
  }
  request.used += <u32>(at - start);
  return at;
}

/** The header section is complete: can the end of the request be told (RFC 9112, 6.3), and will we read up to there? */
function headComplete(request: Request): void {
  const flags = request.flags;
  request.state = HEAD;
  if (flags & SEEN_CODING) {
    if ((flags & SEEN_LENGTH) != 0 || request.minor == 0) return request.fail(400);
    if (flags & CODING_UNKNOWN) return request.fail(501);
    if (!(flags & CHUNKED)) return request.fail(400);
  }
  if (request.minor != 0 && !(flags & SEEN_HOST)) return request.fail(400);
  if (flags & EXPECT_UNKNOWN) return request.fail(417);
  if (request.remaining > BODY_LIMIT) request.fail(413);
}

/** chunked-body (RFC 9112, 7.1), its data apart. `part` counts digits of the size. */
function chunkStep(request: Request, c: u32): void {
  let good = true;
  switch (request.state) {
    case CHUNK_SIZE:
      if (is(c, HEX)) {
        good = ++request.part <= SIZE_DIGITS;
        request.remaining = (request.remaining << 4) | hexValue(c);
        break;
      }
      good = request.part != 0;
      request.state = c == CR ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
      if (c != CR && c != 0x3b /* ; */ && c != 0x20 && c != 0x09) good = false;
      break;
    case CHUNK_EXTENSION:
      if (c == CR) request.state = CHUNK_SIZE_LF;
      else good = is(c, VALUE) && ++request.extension <= EXTENSION_LIMIT;
      break;
    case CHUNK_SIZE_LF:
      good = c == LF;
      request.received += request.remaining;
      if (good && request.received > BODY_LIMIT) return request.fail(413);
      request.state = CHUNK_DATA;
      if (request.remaining == 0) {
        request.flags |= TRAILERS;
        request.state = FIELD;
      }
      break;
    case CHUNK_CR:
      good = c == CR;
      request.state = CHUNK_LF;
      break;
    case CHUNK_LF:
      good = c == LF;
      request.part = 0;
      request.state = CHUNK_SIZE;
      break;
    default:
      good = false;
  }
  if (!good) request.fail(400);
}
