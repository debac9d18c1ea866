/** The chunked transfer coding (RFC 9112, 7.1). */
import { HEX, hexValue, is, VALUE } from "./characters";
import { BODY_LIMIT, EXTENSION_LIMIT, Request, TRAILERS } from "./request";
import {
  CHUNK_CR,
  CHUNK_DATA,
  CHUNK_EXTENSION,
  CHUNK_LF,
  CHUNK_SIZE,
  CHUNK_SIZE_LF,
  CR,
  FIELD,
  LF,
} from "./states";

/** Digits of a chunk size: more would only be zeros or too much. */
const SIZE_DIGITS: u32 = 8;

/** chunked-body (RFC 9112, 7.1), its data apart. `part` counts digits of the size. */
export function chunkStep(request: Request, c: u32): void {
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
