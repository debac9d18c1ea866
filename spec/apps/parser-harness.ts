/** The parser of apps/http with its result laid open, for parser.test.ts. AssemblyScript. */
import { initializeCharacters } from "../../apps/http/characters";
import { parse, proceed } from "../../apps/http/parser";
import { Request } from "../../apps/http/request";

const request = changetype<Request>(heap.alloc(offsetof<Request>()));

/** Room for `bytes` of input. */
export function room(bytes: i32): usize {
  initializeCharacters();
  return heap.alloc(bytes);
}
export function reset(): void {
  request.reset();
}
export function feed(data: usize, length: u32): u32 {
  return parse(request, data, length);
}
export function next(): void {
  proceed(request);
}
export function state(): u32 {
  return request.state;
}
export function status(): u32 {
  return request.status;
}
export function method(): u32 {
  return request.method;
}
export function minor(): u32 {
  return request.minor;
}
export function persistent(): bool {
  return request.persistent;
}
export function expects(): bool {
  return (request.flags & 128) != 0;
}
export function received(): u32 {
  return <u32>request.received;
}
export function path(): usize {
  return request.path;
}
export function pathLength(): u32 {
  return request.pathLength;
}
