/**
 * The DNS servers that the network or the command line has named, for applications (net/netinfo.ts): the kernel itself resolves no names.
 * The first two count, as is usual. What the command line says (`dns=`) takes the place of what DHCP says.
 */
import { isUnicast } from "./interface";

let first: u32 = 0;
let second: u32 = 0;
let fixed: bool = false;

/** Once at boot. */
export function initializeNameServers(): void {
  first = 0;
  second = 0;
  fixed = false;
}

/** Address of server 0 or 1, in host order; 0: there is none. */
export function nameServer(index: u32): u32 {
  return index == 0 ? first : index == 1 ? second : 0;
}

/** Servers that hold until the next boot; 0: none. */
export function fixNameServers(one: u32, two: u32): void {
  fixed = false;
  learnNameServers(one, two);
  fixed = true;
}

/** Servers of a lease, 0 for none; what no host can have is left out. Nothing happens when the command line has named some. */
export function learnNameServers(one: u32, two: u32): void {
  if (fixed) return;
  if (!isUnicast(one)) {
    one = two;
    two = 0;
  }
  first = isUnicast(one) ? one : 0;
  second = isUnicast(two) && two != one ? two : 0;
}
