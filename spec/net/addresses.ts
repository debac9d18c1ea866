/** IPv4 addresses for the specs: as numbers, where the stack has net/flow.ts. */
import { Endpoint, Flow } from "../../net/flow";

const ENDS: u32 = 8;
const ends = new StaticArray<u64>(ENDS * 3);
const flow = new StaticArray<u64>(6);
let next: u32 = 0;

/** As an argument of a call: good until seven more have been made. */
export function endpoint(address: u32, port: u32): Endpoint {
  next = (next + 1) % ENDS;
  const it = changetype<Endpoint>(changetype<usize>(ends) + next * offsetof<Flow>("remote0"));
  it.setIpv4(address, port);
  return it;
}

/** The same for a flow: good until the next one. */
export function flowOf(local: u32, localPort: u32, remote: u32, remotePort: u32): Flow {
  const it = changetype<Flow>(changetype<usize>(flow));
  it.local.setIpv4(local, localPort);
  it.remote.setIpv4(remote, remotePort);
  return it;
}

/** address << 16 | port. */
export function packed(it: Endpoint): u64 {
  assert(it.isMapped, "an IPv4 address");
  return ((<u64>it.ipv4) << 16) | it.port;
}

/** Sum of the pseudo header as RFC 793, 3.1 has it, in memory order (net/checksum.ts). */
export function pseudoHeaderSum(source: u32, destination: u32, protocol: u32, length: u32): u32 {
  const total =
    <u64>bswap<u32>(source) +
    <u64>bswap<u32>(destination) +
    <u64>((protocol << 8) + <u32>bswap<u16>(<u16>length));
  return <u32>((total & 0xffff_ffff) + (total >> 32));
}
