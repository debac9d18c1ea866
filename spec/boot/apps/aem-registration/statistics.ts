/** What EVJOBSTAT says of an event (docs/aem-calls.md has the layout). */
import { EVJOBSTAT, evctl } from "../../../../sdk";

const SIZE: u32 = 64;


@unmanaged
export class Statistics {
  size: u32;
  state: u32;
  type: u32;
  flags: u32;
  priority: u32;
  fd: i32;
  waiting: u32;
  /** Of the call, in the word that the kernel leaves 0. */
  result: i32;
  activations: u64;
  handled: u64;
  coalesced: u64;
  errors: u64;
}

const block = memory.data(64, 8);

/** Valid until the next call. */
export function statistics(jid: i32): Statistics {
  const found = changetype<Statistics>(block);
  memory.fill(block, 0xff, SIZE);
  found.size = SIZE;
  const result = evctl(jid, EVJOBSTAT, <i32>block);
  found.result = result;
  return found;
}
