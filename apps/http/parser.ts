/**
 * HTTP/1.1 requests (RFC 9112), read incrementally: octets go in as they arrive, in pieces of any size, and the result is the
 * same however they were cut. Pure: no system calls, no allocation, nothing kept of the input but the path.
 *
 * Lines end in CR LF and nothing else; a bare CR or LF, obsolete line folding and white space before a colon are refused.
 *
 * Here is what goes through the parts of a request: request-line.ts, field-lines.ts, and its content, chunks.ts if it comes in chunks. states.ts names the states.
 */
import { chunkStep } from "./chunks";
import { readFields } from "./field-lines";
import { CHUNKED, DONE, HEAD, HEAD_LIMIT, LINE_LIMIT, Request } from "./request";
import { readLine } from "./request-line";
import { CHUNK_CR, CHUNK_DATA, CHUNK_SIZE, CONTENT, HEAD_LF, LINE_LF } from "./states";

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
