/**
 * Field lines (RFC 9112, 5): the five that framing depends on, octet by octet; all others are only checked.
 *
 * Every rule that keeps two readers of one request from disagreeing about where it ends is strict here (RFC 9112, 11.2).
 */
import { DIGIT, TOKEN, VALUE, classRun, equals, is, lower } from "./characters";
import {
  CHUNKED,
  CODING_UNKNOWN,
  CONNECTION_CLOSE,
  CONNECTION_KEEP,
  EXPECT_CONTINUE,
  EXPECT_UNKNOWN,
  GAP,
  Request,
  SEEN_CODING,
  SEEN_HOST,
  SEEN_LENGTH,
  TRAILERS,
} from "./request";
import { hostComplete, hostRun, hostStep } from "./target";

export const FIELD_OTHER: u32 = 0;
const FIELD_HOST: u32 = 1;
const FIELD_LENGTH: u32 = 2;
const FIELD_CODING: u32 = 3;
const FIELD_CONNECTION: u32 = 4;
const FIELD_EXPECT: u32 = 5;

/** "host", as a load sees it. */
const HOST_FIELD: u32 = 0x7473_6f68;

/** Part of a list: before a member, in it, behind its token, in the parameters of an unknown coding. */
const MEMBER_START: u32 = 0;
const MEMBER: u32 = 1;
const MEMBER_END: u32 = 2;
const PARAMETERS: u32 = 3;

/** A length that no content can have: digits beyond it are not added up. */
const LENGTH_LIMIT: u64 = 1 << 56;

/** The name is complete: which field this is. Trailers change nothing (RFC 9110, 6.5.1). False: 400. */
export function nameComplete(request: Request): bool {
  request.part = 0;
  request.field = FIELD_OTHER;
  request.flags &= ~GAP;
  if (request.wordLength == 0) return false;
  if (request.flags & TRAILERS) return true;
  const field = fieldOf(request.word, request.wordLength);
  request.field = field;
  request.wordLength = 0;
  if (field == FIELD_HOST) return once(request, SEEN_HOST);
  if (field == FIELD_LENGTH) return once(request, SEEN_LENGTH);
  if (field == FIELD_CODING) request.flags |= SEEN_CODING;
  return true;
}

function once(request: Request, seen: u32): bool {
  const first = (request.flags & seen) == 0;
  request.flags |= seen;
  return first;
}

function fieldOf(name: usize, length: u32): u32 {
  switch (length) {
    case 4:
      return load<u32>(name) == HOST_FIELD ? FIELD_HOST : FIELD_OTHER;
    case 6:
      return equals(name, "expect") ? FIELD_EXPECT : FIELD_OTHER;
    case 10:
      return equals(name, "connection") ? FIELD_CONNECTION : FIELD_OTHER;
    case 14:
      return equals(name, "content-length") ? FIELD_LENGTH : FIELD_OTHER;
    case 17:
      return equals(name, "transfer-encoding") ? FIELD_CODING : FIELD_OTHER;
    default:
      return FIELD_OTHER;
  }
}

/** Takes the octets at `at` that change nothing but where the value is. Returns where they end. */
export function valueRun(request: Request, at: usize, end: usize): usize {
  if (request.field == FIELD_OTHER) return classRun(VALUE, at, end);
  return request.field == FIELD_HOST && !(request.flags & GAP) ? hostRun(request, at, end) : at;
}

/** Takes one octet, checked to be of class VALUE, of a field that is not FIELD_OTHER. False: 400. */
export function valueStep(request: Request, c: u32): bool {
  const space = c == 0x20 || c == 0x09;
  switch (request.field) {
    case FIELD_HOST:
      if (space) return gap(request, request.part != 0);
      if (request.flags & GAP) return false;
      request.part = hostStep(request.part, c);
      return request.part != 7;
    case FIELD_LENGTH:
      if (space) return gap(request, request.part != 0);
      if ((request.flags & GAP) != 0 || !is(c, DIGIT)) return false;
      request.part = 1;
      if (request.remaining < LENGTH_LIMIT) request.remaining = request.remaining * 10 + (c - 0x30);
      return true;
    default:
      return listStep(request, c, space);
  }
}

/** White space before a value counts for nothing; behind it, only the end of the line may follow. */
// @ts-ignore: decorator
@inline
function gap(request: Request, begun: bool): bool {
  if (begun) request.flags |= GAP;
  return true;
}

/** Transfer-Encoding, Connection, Expect: comma-separated tokens; empty members are allowed (RFC 9110, 5.6.1). */
function listStep(request: Request, c: u32, space: bool): bool {
  if (request.part == PARAMETERS) return true;
  if (c == 0x2c /* , */) {
    request.part = MEMBER_START;
    return member(request);
  }
  if (space) {
    if (request.part == MEMBER) request.part = MEMBER_END;
    return true;
  }
  if (request.part != MEMBER_END && is(c, TOKEN)) {
    request.part = MEMBER;
    // A token that does not fit is none of those we know: its length, one more than there is room for, says so.
    request.push(lower(c));
    return true;
  }
  return foreign(request, c);
}

/** What is no token: parameters of a coding or of an expectation that is not known here anyway. */
function foreign(request: Request, c: u32): bool {
  if (request.field == FIELD_EXPECT) {
    request.flags |= EXPECT_UNKNOWN;
    request.part = PARAMETERS;
    return true;
  }
  if (request.field != FIELD_CODING || c != 0x3b /* ; */ || request.part == MEMBER_START) return false;
  if (isChunked(request)) return false;
  request.part = PARAMETERS;
  return member(request);
}

// @ts-ignore: decorator
@inline
function isChunked(request: Request): bool {
  return request.wordLength == 7 && equals(request.word, "chunked");
}

/** A list member is complete. False: 400. */
function member(request: Request): bool {
  const length = request.wordLength;
  const word = request.word;
  request.wordLength = 0;
  if (length == 0) return true;
  switch (request.field) {
    case FIELD_CODING:
      // Chunked comes last and once (RFC 9112, 6.1).
      if (request.flags & CHUNKED) return false;
      request.flags |= length == 7 && equals(word, "chunked") ? CHUNKED : CODING_UNKNOWN;
      return true;
    case FIELD_CONNECTION:
      if (length == 5 && equals(word, "close")) request.flags |= CONNECTION_CLOSE;
      else if (length == 10 && equals(word, "keep-alive")) request.flags |= CONNECTION_KEEP;
      return true;
    default:
      request.flags |= length == 12 && equals(word, "100-continue") ? EXPECT_CONTINUE : EXPECT_UNKNOWN;
      return true;
  }
}

/** The line has ended. False: 400. */
export function valueComplete(request: Request): bool {
  switch (request.field) {
    case FIELD_OTHER:
      return true;
    case FIELD_HOST:
      return hostComplete(request.part, true);
    case FIELD_LENGTH:
      return request.part != 0;
    default:
      return member(request);
  }
}
