/** Who is bound to which name, against a list of all that are: net/socket/names.ts. */
import { Link } from "../../kernel/list";
import { Pool } from "../../kernel/memory/pool";
import { initializeRandom, RANDOM_SIZE, seedRandom } from "../../kernel/random";
import { Endpoint } from "../../net/flow";
import {
  LocalName,
  NAME_BOUND,
  NAME_EXCLUSIVE,
  NAME_SERVED,
  NAME_WIDTHS,
  nameShared,
  NameTable,
  serve,
  unserve,
} from "../../net/socket/names";
import { growMemory, setUpArena } from "../arena";
import { chance, seedChance } from "../chance";

const ENDPOINT: usize = offsetof<Endpoint>();
const ORDER: u32 = 4;

class Bound {
  name: Endpoint = changetype<Endpoint>(0);
  member: Link = changetype<Link>(0);
  place: LocalName = changetype<LocalName>(0);
  shares: bool = false;
  served: bool = false;
}

let table: NameTable = changetype<NameTable>(0);
let pool: Pool = changetype<Pool>(0);
let wanted: Endpoint = changetype<Endpoint>(0);
let all: Bound[] = [];

/** 0.0.0.0, ::, :: of IPv6 alone, or one of four addresses of either version; one of three ports. */
function choose(name: Endpoint): void {
  const dice = chance(11);
  if (dice < 3) {
    if (dice == 0) name.ipv4 = 0;
    else name.setAny6(dice == 2);
  } else if (dice < 7) name.ipv4 = 0x0a000000 + dice;
  else {
    name.high = 0x20010db800000000;
    name.low = dice;
  }
  name.port = 80 + chance(3);
}

function overlaps(a: Endpoint, b: Endpoint): bool {
  return a.port == b.port && (a.covers(b) || b.covers(a));
}

function expected(name: Endpoint): u32 {
  let users: u32 = 0;
  for (let i = 0; i < all.length; i++) {
    const one = all[i];
    if (!overlaps(one.name, name)) continue;
    users |= NAME_BOUND;
    if (!one.shares) users |= NAME_EXCLUSIVE;
    if (one.served) users |= NAME_SERVED;
  }
  return users;
}

/** The one that is served for what comes to `name`: of those that cover it the narrowest, and of these the latest. */
function servedAt(name: Endpoint): Bound | null {
  let best: Bound | null = null;
  let narrowest: u32 = NAME_WIDTHS;
  for (let i = 0; i < all.length; i++) {
    const one = all[i];
    if (!one.served || one.name.port != name.port || !one.name.covers(name)) continue;
    const width: u32 = one.name.same(name) ? 0 : one.name.low == 0 ? 2 : 1;
    if (width > narrowest) continue;
    best = one;
    narrowest = width;
  }
  return best;
}

function found(name: Endpoint): Link | null {
  for (let width: u32 = 0; width < NAME_WIDTHS; width++) {
    const entry = table.covering(name, width);
    if (entry !== null && entry.served != 0) return entry.list.next;
  }
  return null;
}

/** To the end of the list of those that are served, which is in the order of serving. */
function toTheEnd(one: Bound): void {
  all.splice(all.indexOf(one), 1);
  all.push(one);
}

describe("local names", () => {
  beforeAll(() => {
    setUpArena(64);
    initializeRandom(growMemory(RANDOM_SIZE, 8));
    seedRandom(7);
    pool = changetype<Pool>(growMemory(offsetof<Pool>(), 8));
    table = changetype<NameTable>(growMemory(offsetof<NameTable>(), 8));
    wanted = changetype<Endpoint>(growMemory(ENDPOINT, 8));
    table.initialize(pool, 200, growMemory(sizeof<usize>() << ORDER, 8), ORDER);
  });

  it("100,000 random steps say what a list of all says", () => {
    seedChance(71);
    for (let step = 0; step < 100_000; step++) {
      const dice = chance(6);
      const one = all.length != 0 ? all[chance(all.length)] : null;
      if (dice < 2 && all.length < 40) {
        const bound = new Bound();
        bound.name = changetype<Endpoint>(heap.alloc(ENDPOINT));
        bound.member = changetype<Link>(heap.alloc(offsetof<Link>()));
        bound.member.initialize();
        choose(bound.name);
        bound.shares = chance(2) == 0;
        bound.place = table.bind(bound.name, bound.shares)!;
        all.push(bound);
      } else if (one !== null && dice == 2) {
        if (one.served) unserve(one.place, one.member);
        table.unbind(one.place, one.shares);
        all.splice(all.indexOf(one), 1);
        heap.free(changetype<usize>(one.name));
        heap.free(changetype<usize>(one.member));
      } else if (one !== null && dice == 3) {
        one.shares = !one.shares;
        nameShared(one.place, one.shares);
      } else if (one !== null) {
        one.served = !one.served;
        if (one.served) serve(one.place, one.member);
        else unserve(one.place, one.member);
        toTheEnd(one);
      }
      choose(wanted);
      assert(table.users(wanted) == expected(wanted), "other users");
      // What comes is for an address.
      while (wanted.isAny) choose(wanted);
      const best = servedAt(wanted);
      assert(found(wanted) === (best === null ? null : best.member), "another one is served");
    }
    while (all.length != 0) {
      const one = all.pop();
      if (one.served) unserve(one.place, one.member);
      table.unbind(one.place, one.shares);
    }
    expect<u32>(pool.inUse).toBe(0);
  });

  it("at the end of its memory a name is not bound, and nothing of it is left", () => {
    const places: LocalName[] = [];
    wanted.port = 1000;
    // Two entries each, then one: the last name would need two.
    for (let i: u32 = 0; i < 199; i++) {
      wanted.ipv4 = 0x0a000001;
      wanted.port++;
      places.push(table.bind(wanted, false)!);
    }
    wanted.ipv4 = 0;
    wanted.port++;
    places.push(table.bind(wanted, false)!);
    expect<u32>(pool.inUse).toBe(399);
    wanted.ipv4 = 0x0a000001;
    wanted.port++;
    expect<bool>(table.bind(wanted, false) === null).toBe(true);
    expect<u32>(pool.inUse).toBe(399);
    expect<u32>(table.users(wanted)).toBe(0);
    while (places.length != 0) table.unbind(places.pop(), false);
    expect<u32>(pool.inUse).toBe(0);
  });
});
