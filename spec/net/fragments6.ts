/** Fragments of IPv6 with other extension headers around the fragment header, and what the stack says of them as an error. */
import { deliver } from "./frames";
import * as six from "./frames6";
import { TRANSPORT6 } from "./frames6";
import { DATAGRAM, fragmentHeader, packets } from "./pieces";

export const PARAMETER_PROBLEM: u32 = 4 << 16;
export const TIME_EXCEEDED: u32 = (3 << 16) | (1 << 8);

/** What the last packet that was sent says as an error: type << 16 | code << 8, and its pointer; 0: none was sent. */
export function error(): u32 {
  if (packets.length == 0) return 0;
  const message = packets[packets.length - 1] + 40;
  return ((<u32>load<u8>(message)) << 16) | ((<u32>load<u8>(message, 1)) << 8) | load<u8>(message, 7);
}

/** `count` headers with destination options, 8 bytes of padding each, at `at`; the last one is followed by `next`. */
export function options(at: usize, count: u32, next: u32): void {
  for (let i: u32 = 0; i < count; i++)
    store<u64>(at + 8 * i, 0x0000_0000_0401_0000 | (i == count - 1 ? next : 60));
}

/** A fragment of `length` bytes of the datagram with `before` headers of options ahead of the fragment header, and, in the first, `behind` of them behind it. */
export function wrapped(id: u32, offset: u32, length: u32, more: bool, before: u32, behind: u32): void {
  const extra = offset == 0 ? behind : 0;
  six.ipv6(before == 0 ? 44 : 60, 8 * before + 8 + 8 * extra + length);
  options(TRANSPORT6, before, 44);
  const at = TRANSPORT6 + 8 * before;
  fragmentHeader(at, behind == 0 ? 17 : 60, id, offset == 0 ? 0 : offset + 8 * behind, more);
  options(at + 8, extra, 17);
  memory.copy(at + 8 + 8 * extra, DATAGRAM + offset, length);
  deliver();
}
