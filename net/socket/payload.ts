/**
 * The one copy of what a socket has received: from the packet in which it came out of the device's ring to the memory of the application. Whoever
 * delivers, a call or the job of an event, does it here, so that networkCounters().payloadCopied has every copy.
 */
import { writeUser } from "../../kernel/memory/user";
import { networkCounters } from "../counters";

/** Copies `length` bytes of payload to the application. 0 or -EFAULT. */
export function writePayload(user: usize, source: usize, length: u32): i32 {
  const result = writeUser(user, source, length);
  if (result < 0) return result;
  const counters = networkCounters();
  counters.payloadDelivered += length;
  counters.payloadCopied += length;
  return 0;
}
