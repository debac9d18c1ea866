/**
 * Who is bound to which local name, an address and a port (POSIX: bind). One table for each transport, in which all that there is to know of a name is found in a few steps, however
 * many sockets share it (SO_REUSEADDR), and however many addresses a port is bound with.
 *
 *     10.0.2.15:80 ⊂ 0.0.0.0:80 ⊂ [::]:80 ⊃ [::]:80 of IPv6 alone ⊃ [2001:db8::15]:80
 *
 * Names overlap where one covers the other (IpAddress.covers). With one address these are itself and two wider ones. With none it is every address of a version as well: what is bound
 * with one of them is counted a second time, in an entry for all of them (`some`).
 *
 * The hash is multiply-shift under random keys: names are chosen by applications of the image, never by a peer.
 */
import { Link } from "../../kernel/list";
import { Pool } from "../../kernel/memory/pool";
import { random64 } from "../../kernel/random";
import { ALL_IPV6, Endpoint, IpAddress, mapped } from "../flow";

/** `low` of the entries for all names with an address of IPv4, and of IPv6. Nobody has these addresses. */
const SOME_IPV4: u64 = 0xfffd_0000_0000;
const SOME_IPV6: u64 = 0xfffc_0000_0000;


@unmanaged
export class LocalName extends Endpoint {
  hashNext: LocalName | null;
  /** Of a name with an address: the entry for all such. */
  some: LocalName | null;
  /** Sockets that are bound to it; of them those that share it with nobody; and those that are served. */
  sockets: u32;
  exclusive: u32;
  served: u32;
  private head0: usize;
  private head1: usize;

  /** Sockets that what comes to this name is for, the latest first: listeners of TCP; of UDP those without a peer. */
  @inline get list(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<LocalName>("head0"));
  }
}


@unmanaged
export class NameTable {
  private key0: u64;
  private key1: u64;
  private pool: Pool;
  private buckets: usize;
  /** 64 less the binary logarithm of the number of buckets. */
  private shift: u32;
  /** Names with an address that somebody is bound to: without any, as where all servers take what comes to their port, a look-up less, which is 43 instructions of each datagram. */
  private withAddress: u32;

  /** `pool`: of nobody else yet; `limit`: most sockets; `buckets`: 2^order words, zeroed. */
  initialize(pool: Pool, limit: u32, buckets: usize, order: u32): void {
    pool.initialize(offsetof<LocalName>(), 2 * limit);
    this.pool = pool;
    this.buckets = buckets;
    this.shift = 64 - order;
    this.withAddress = 0;
    this.key0 = random64() | 1;
    this.key1 = random64() | 1;
  }

  private bucket(high: u64, low: u64, port: u32): usize {
    const mixed = (low ^ ((<u64>port) << 48)) * this.key0 + high * this.key1;
    return this.buckets + ((<usize>(mixed >> this.shift)) << 2);
  }

  private find(high: u64, low: u64, port: u32): LocalName | null {
    let name = changetype<LocalName | null>(load<usize>(this.bucket(high, low, port)));
    while (name !== null && !(name.low == low && name.port == port && name.high == high))
      name = name.hashNext;
    return name;
  }

  /** What is bound to `name`, which has an address, itself (`width` 0), to its port with every address of its version (1), or with every address at all (2); null: nothing. */
  covering(name: Endpoint, width: u32): LocalName | null {
    if (width == 0) return this.withAddress == 0 ? null : this.find(name.high, name.low, name.port);
    return this.find(0, width == 1 ? everyOf(name) : 0, name.port);
  }

  /** Of the names that overlap with `name`: NAME_*, 0 if nothing is bound to any. */
  users(name: Endpoint): u32 {
    const port = name.port;
    const users = usersOf(this.find(name.high, name.low, port)) | usersOf(this.find(0, 0, port));
    if (!name.isAny) return users | usersOf(this.find(0, everyOf(name), port));
    if (name.low != 0) return users | usersOf(this.find(0, someOf(name), port));
    return (
      users |
      usersOf(this.find(0, mapped(0), port)) |
      usersOf(this.find(0, SOME_IPV4, port)) |
      usersOf(this.find(0, ALL_IPV6, port)) |
      usersOf(this.find(0, SOME_IPV6, port))
    );
  }

  /** One socket more is bound to `name`; `shares`: it has SO_REUSEADDR. Null: no memory. */
  bind(name: Endpoint, shares: bool): LocalName | null {
    const entry = this.take(name.high, name.low, name.port);
    if (entry === null) return null;
    if (!name.isAny && entry.some === null) {
      const some = this.take(0, someOf(name), name.port);
      if (some === null) {
        this.drop(entry);
        return null;
      }
      entry.some = some;
      this.withAddress++;
    }
    add(entry, 1, shares ? 0 : 1, 0);
    return entry;
  }

  /** One that is not served, and shares it or not, is gone. */
  unbind(entry: LocalName, shares: bool): void {
    const some = entry.some;
    add(entry, -1, shares ? 0 : -1, 0);
    if (entry.sockets == 0) this.drop(entry);
    if (some !== null && some.sockets == 0) this.drop(some);
  }

  private take(high: u64, low: u64, port: u32): LocalName | null {
    const found = this.find(high, low, port);
    if (found !== null) return found;
    const address = this.pool.allocate();
    if (address == 0) return null;
    const entry = changetype<LocalName>(address);
    entry.high = high;
    entry.low = low;
    entry.port = port;
    entry.list.initialize();
    const bucket = this.bucket(high, low, port);
    entry.hashNext = changetype<LocalName | null>(load<usize>(bucket));
    store<usize>(bucket, changetype<usize>(entry));
    return entry;
  }

  private drop(entry: LocalName): void {
    if (entry.some !== null) this.withAddress--;
    const bucket = this.bucket(entry.high, entry.low, entry.port);
    let previous = changetype<LocalName>(load<usize>(bucket));
    if (previous === entry) store<usize>(bucket, changetype<usize>(entry.hashNext));
    else {
      while (previous.hashNext !== entry) previous = previous.hashNext!;
      previous.hashNext = entry.hashNext;
    }
    this.pool.release(changetype<usize>(entry));
  }
}

/** Widths that a name can have (NameTable.covering). */
export const NAME_WIDTHS: u32 = 3;
/** Somebody is bound; of these somebody shares the name with nobody; somebody is served. */
export const NAME_BOUND: u32 = 1;
export const NAME_EXCLUSIVE: u32 = 2;
export const NAME_SERVED: u32 = 4;

function usersOf(entry: LocalName | null): u32 {
  if (entry === null) return 0;
  return NAME_BOUND | (entry.exclusive != 0 ? NAME_EXCLUSIVE : 0) | (entry.served != 0 ? NAME_SERVED : 0);
}

/** `low` of the name for every address of the version that `name` is of. */
// @ts-ignore: decorator
@inline
function everyOf(name: IpAddress): u64 {
  return name.isMapped ? mapped(0) : ALL_IPV6;
}

// @ts-ignore: decorator
@inline
function someOf(name: IpAddress): u64 {
  return name.isMapped ? SOME_IPV4 : SOME_IPV6;
}

function add(entry: LocalName, sockets: u32, exclusive: u32, served: u32): void {
  let at: LocalName | null = entry;
  while (at !== null) {
    at.sockets += sockets;
    at.exclusive += exclusive;
    at.served += served;
    at = at.some;
  }
}

/** The SO_REUSEADDR of one that is bound is another one now. */
export function nameShared(entry: LocalName, shares: bool): void {
  add(entry, 0, shares ? -1 : 1, 0);
}

/** What comes is for the socket of `member` from now on. */
export function serve(entry: LocalName, member: Link): void {
  entry.list.prepend(member);
  add(entry, 0, 0, 1);
}

/** It no longer is. */
export function unserve(entry: LocalName, member: Link): void {
  member.remove();
  add(entry, 0, 0, -1);
}
