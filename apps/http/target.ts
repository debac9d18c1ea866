/** The request target (RFC 9112, 3.2) and the host it may name, octet by octet. `part` of the request is the state. */
import { DIGIT, HEX, HOST, PATH, UNRESERVED, classRun, equals, hexValue, is, lower } from "./characters";
import { METHOD_CONNECT, METHOD_OPTIONS, Request } from "./request";

const START: u32 = 0;
const SCHEME: u32 = 1;
const FIRST_SLASH: u32 = 2;
const SECOND_SLASH: u32 = 3;
const PATH_PART: u32 = 4;
const PERCENT: u32 = 5;
const PERCENT_DIGIT: u32 = 6;
const QUERY: u32 = 7;
const ASTERISK: u32 = 8;
/** From here on: the states of a host, plus this. */
const AUTHORITY: u32 = 16;

const HOST_START: u32 = 0;
const HOST_NAME: u32 = 1;
const HOST_PERCENT: u32 = 2;
const HOST_DIGIT: u32 = 3;
const HOST_LITERAL: u32 = 4;
const HOST_LITERAL_END: u32 = 5;
const HOST_PORT: u32 = 6;
const HOST_BAD: u32 = 7;

/** uri-host [ ":" port ] (RFC 9110, 7.2): the state after `c`; HOST_BAD when it may not be there. */
export function hostStep(state: u32, c: u32): u32 {
  switch (state) {
    case HOST_START:
      if (c == 0x5b /* [ */) return HOST_LITERAL;
    case HOST_NAME:
      if (is(c, HOST)) return HOST_NAME;
      if (c == 0x25 /* % */) return HOST_PERCENT;
      return c == 0x3a /* : */ && state == HOST_NAME ? HOST_PORT : HOST_BAD;
    case HOST_PERCENT:
      return is(c, HEX) ? HOST_DIGIT : HOST_BAD;
    case HOST_DIGIT:
      return is(c, HEX) ? HOST_NAME : HOST_BAD;
    case HOST_LITERAL:
      if (c == 0x5d /* ] */) return HOST_LITERAL_END;
      return is(c, HOST) || c == 0x3a ? HOST_LITERAL : HOST_BAD;
    case HOST_LITERAL_END:
      return c == 0x3a ? HOST_PORT : HOST_BAD;
    case HOST_PORT:
      return is(c, DIGIT) ? HOST_PORT : HOST_BAD;
    default:
      return HOST_BAD;
  }
}

/** Whether a host may end in `state`. A Host field may be empty (RFC 9112, 3.2), an http URI's host not. */
// @ts-ignore: decorator
@inline
export function hostComplete(state: u32, mayBeEmpty: bool): bool {
  if (state == HOST_START) return mayBeEmpty;
  return state == HOST_NAME || state == HOST_LITERAL_END || state == HOST_PORT;
}

/** Takes white space in front of a host, the octets of its name and those of its port, which are all of most hosts; `part` is the state. Returns where they end. */
export function hostRun(request: Request, at: usize, end: usize): usize {
  let state = request.part;
  if (state == HOST_START) {
    while (at < end && load<u8>(at) == 0x20) at++;
    if (at < end && is(load<u8>(at), HOST)) state = HOST_NAME;
  }
  if (state == HOST_NAME) {
    at = classRun(HOST, at, end);
    if (at < end && load<u8>(at) == 0x3a /* : */) {
      at++;
      state = HOST_PORT;
    }
  }
  if (state == HOST_PORT) at = classRun(DIGIT, at, end);
  request.part = state;
  return at;
}

/** Takes the octets of a path that mean themselves. Returns where they end. */
export function targetRun(request: Request, at: usize, end: usize): usize {
  if (request.part == START && load<u8>(at) == 0x2f /* / */ && request.method != METHOD_CONNECT) {
    request.wordLength = 0;
    request.part = PATH_PART;
  }
  if (request.part != PATH_PART) return at;
  while (at < end) {
    const c: u32 = load<u8>(at);
    if (!is(c, PATH)) break;
    request.pushPath(c);
    at++;
  }
  return at;
}

/** Takes one octet of the target. False: it may not be there (400). */
export function targetStep(request: Request, c: u32): bool {
  const part = request.part;
  switch (part) {
    case START:
      request.wordLength = 0;
      if (request.method == METHOD_CONNECT) return authority(request, HOST_START, c);
      if (c == 0x2f /* / */) return path(request, c);
      if (c == 0x2a /* * */ && request.method == METHOD_OPTIONS) {
        request.part = ASTERISK;
        return true;
      }
    case SCHEME:
      request.part = SCHEME;
      if (c != 0x3a /* : */) return request.push(lower(c));
      request.part = FIRST_SLASH;
      return request.wordLength == 4 && equals(request.word, "http");
    case FIRST_SLASH:
    case SECOND_SLASH:
      request.part = part == FIRST_SLASH ? SECOND_SLASH : AUTHORITY;
      return c == 0x2f;
    case PATH_PART:
      return path(request, c);
    case PERCENT:
      request.digit = c;
      request.part = PERCENT_DIGIT;
      return is(c, HEX);
    case PERCENT_DIGIT:
      request.part = PATH_PART;
      if (!is(c, HEX)) return false;
      decoded(request, request.digit, c);
      return true;
    case QUERY:
      // Browsers leave more than RFC 3986 allows unencoded in a query; nothing here reads it.
      return c > 0x20 && c < 0x7f && c != 0x23; /* # */
    case ASTERISK:
      return false;
    default:
      return authority(request, part - AUTHORITY, c);
  }
}

function authority(request: Request, state: u32, c: u32): bool {
  if ((c == 0x2f || c == 0x3f) && request.method != METHOD_CONNECT) {
    return hostComplete(state, false) && path(request, c);
  }
  const next = hostStep(state, c);
  request.part = AUTHORITY + next;
  return next != HOST_BAD;
}

function path(request: Request, c: u32): bool {
  request.part = PATH_PART;
  if (c == 0x3f /* ? */) request.part = QUERY;
  else if (c == 0x25 /* % */) request.part = PERCENT;
  else {
    request.pushPath(c);
    return is(c, PATH);
  }
  return true;
}

/** RFC 3986, 6.2.2: an unreserved character is the same with and without percent-encoding; hexadecimal digits have no case. */
function decoded(request: Request, high: u32, low: u32): void {
  const c = (hexValue(high) << 4) | hexValue(low);
  if (is(c, UNRESERVED)) {
    request.pushPath(c);
    return;
  }
  request.pushPath(0x25);
  request.pushPath(upper(high));
  request.pushPath(upper(low));
}

// @ts-ignore: decorator
@inline
function upper(c: u32): u32 {
  return c >= 0x61 ? c - 0x20 : c;
}

/** Whether the target may end here. An absolute URI without a path means "/". */
export function targetComplete(request: Request): bool {
  const part = request.part;
  if (part == PATH_PART || part == QUERY || part == ASTERISK) {
    if (request.pathLength == 0 && part != ASTERISK) request.pushPath(0x2f);
    return true;
  }
  if (part < AUTHORITY || !hostComplete(part - AUTHORITY, false)) return false;
  request.pushPath(0x2f);
  return true;
}
