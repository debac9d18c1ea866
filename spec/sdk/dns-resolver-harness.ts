/** The DNS resolver with its handler outside, for dns-resolver.test.ts. AssemblyScript. */
import { dnsStatistics, lookupName, resolveName } from "../../sdk/dns";

/** An answer has come: `first` is the first address. */
// @ts-ignore: decorator
@external("test", "told") declare function told(id: i32, first: u32, count: i32): void;

const found = memory.data(128, 8);

/** Room for a name. */
export function room(): usize {
  return heap.alloc(256);
}
export function ask(name: usize, length: i32): i32 {
  return resolveName(name, length, tell);
}
/** The first address, or a negative errno. */
export function wait(name: usize, length: i32): i32 {
  const count = lookupName(name, length, found, 8);
  return count > 0 ? load<i32>(found) : count;
}
export function statistics(): usize {
  return changetype<usize>(dnsStatistics());
}

function tell(id: i32, addresses: usize, count: i32): void {
  told(id, count > 0 ? load<u32>(addresses) : 0, count);
}
