/** request-line (RFC 9112, 3): method, target and version. */
import { equals, is, TOKEN, TOKENS } from "./characters";
import {
  METHOD_CONNECT,
  METHOD_GET,
  METHOD_HEAD,
  METHOD_OPTIONS,
  METHOD_OTHER,
  METHOD_UNKNOWN,
  Request,
} from "./request";
import { CR, FIELD, LF, LINE_LF, METHOD, START, START_LF, TARGET, VERSION } from "./states";
import { targetComplete, targetRun, targetStep } from "./target";
import { wordRun } from "./words";

/** "HTTP/1." and "GET", as a load sees them. */
const HTTP_1: u64 = 0x2e_312f_5054_5448;
const GET: u32 = 0x54_4547;

/**
 * request-line (RFC 9112, 3): octets that leave the parser in its state all at once, then the one behind them. Returns where it stopped: at `end`, behind the line, or where it
 * failed.
 */
export function readLine(request: Request, start: usize, end: usize): usize {
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
