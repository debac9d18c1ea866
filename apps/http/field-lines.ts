/** Field lines (RFC 9112, 5), their names and values (fields.ts), and what the header section says of the content (RFC 9112, 6). */
import { is, TOKEN, TOKENS_SMALL, VALUE } from "./characters";
import { FIELD_OTHER, nameComplete, valueComplete, valueRun, valueStep } from "./fields";
import {
  BODY_LIMIT,
  CHUNKED,
  CODING_UNKNOWN,
  DONE,
  EXPECT_UNKNOWN,
  HEAD,
  Request,
  SEEN_CODING,
  SEEN_HOST,
  SEEN_LENGTH,
  TRAILERS,
} from "./request";
import { CR, FIELD, HEAD_LF, LF, NAME, VALUE_LF, VALUE_TEXT } from "./states";
import { wordRun } from "./words";

/** Field lines and the empty line behind the last (RFC 9112, 5): as readLine. */
export function readFields(request: Request, start: usize, end: usize): usize {
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
