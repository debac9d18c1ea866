/** inet_pton and what the DNS resolver reads addresses with, for inet.test.ts. AssemblyScript. */
import { inet_pton } from "../../sdk";
import { readAddress } from "../../sdk/inet";

/** Room for a text, and behind it for an address. */
export function room(): usize {
  return heap.alloc(1024);
}
/** A text of UTF-16. */
export function pton(family: i32, text: usize, length: i32, destination: usize): i32 {
  return inet_pton(family, String.UTF16.decodeUnsafe(text, (<usize>length) << 1), destination);
}
/** One of octets. */
export function read(family: i32, text: usize, length: i32, destination: usize): i32 {
  return readAddress(family, text, length, 1, destination) ? 1 : 0;
}
