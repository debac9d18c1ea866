/** The queue with 64 levels against sorted arrays: random members in two queues, one of which is now and then poured into the other. */
import { Link } from "../../kernel/list";
import { PRIORITY_LEVELS, PRIORITY_QUEUE_SIZE, PriorityQueue } from "../../kernel/priority-queue";
import { growMemory } from "../arena";
import { chance, seedChance } from "../chance";

const MEMBERS: u32 = 300;

let queues: PriorityQueue[] = [];
let members: Link[] = [];
/** The model: for each queue and level the members in order; of each member where it is. */
let lists: u32[][] = [];
let places: i32[] = [];

function listOf(queue: u32, level: u32): u32[] {
  return lists[queue * PRIORITY_LEVELS + level];
}

/** A level: some are crowded, each of the others comes now and then. */
function level(): u32 {
  return chance(3) == 0 ? chance(PRIORITY_LEVELS) : chance(2) == 0 ? 32 : 63;
}

function topOf(queue: u32): i32 {
  for (let l = <i32>PRIORITY_LEVELS - 1; l >= 0; l--) if (listOf(queue, l).length > 0) return l;
  return -1;
}

function check(queue: u32): void {
  const q = queues[queue];
  let levels: u64 = 0;
  for (let l: u32 = 0; l < PRIORITY_LEVELS; l++) {
    const list = listOf(queue, l);
    if (list.length == 0) continue;
    levels |= (<u64>1) << l;
    let link = q.first(l);
    for (let i = 0; i < list.length; i++) {
      assert(changetype<usize>(link) == changetype<usize>(members[list[i]]), "order");
      link = link.next;
    }
    assert(changetype<usize>(link.next) == changetype<usize>(members[list[0]]), "the end");
  }
  assert(q.levels == levels, "the map of levels");
}

beforeAll(() => {
  for (let i = 0; i < 2; i++) {
    const queue = changetype<PriorityQueue>(growMemory(PRIORITY_QUEUE_SIZE, 8));
    // Whatever was in the storage.
    memory.fill(changetype<usize>(queue), 0xcc, PRIORITY_QUEUE_SIZE);
    queue.initialize();
    queues.push(queue);
  }
  for (let i: u32 = 0; i < MEMBERS; i++) {
    const link = changetype<Link>(growMemory(offsetof<Link>(), 8));
    link.initialize();
    members.push(link);
    places.push(-1);
  }
  for (let i: u32 = 0; i < 2 * PRIORITY_LEVELS; i++) lists.push([]);
});

describe("a priority queue", () => {
  it("is empty at first, and knows its lowest and its highest level", () => {
    const q = queues[0];
    expect<bool>(q.isEmpty).toBe(true);
    expect<i32>(q.top).toBe(-1);
    q.append(members[0], 0);
    expect<i32>(q.top).toBe(0);
    q.append(members[1], 63);
    expect<i32>(q.top).toBe(63);
    expect<u64>(q.levels).toBe(0x8000_0000_0000_0001);
    q.remove(members[1], 63);
    expect<i32>(q.top).toBe(0);
    q.remove(members[0], 0);
    expect<bool>(q.isEmpty).toBe(true);
    expect<bool>(members[0].isEmpty && members[1].isEmpty).toBe(true);
  });

  it("does what sorted arrays do, in 60000 random operations", () => {
    let poured = 0;
    let taken = 0;
    for (let seed: u64 = 1; seed <= 20; seed++) {
      seedChance(seed);
      for (let step = 0; step < 3000; step++) {
        const what = chance(100);
        const member = chance(MEMBERS);
        const place = places[member];
        const queue = place >= 0 ? (<u32>place) >> 6 : chance(2);
        const q = queues[queue];
        if (place < 0) {
          const l = level();
          if (what < 70) {
            q.append(members[member], l);
            listOf(queue, l).push(member);
          } else {
            q.prepend(members[member], l);
            listOf(queue, l).unshift(member);
          }
          places[member] = <i32>((queue << 6) | l);
        } else if (what < 40) {
          const l = (<u32>place) & 63;
          if (what < 20) q.remove(members[member], l);
          else {
            // By its link alone: the map is behind until somebody tidies, also more than once.
            members[member].remove();
            q.tidy(l);
            q.tidy(chance(PRIORITY_LEVELS));
          }
          const list = listOf(queue, l);
          list.splice(list.indexOf(member), 1);
          places[member] = -1;
        } else if (what < 42) {
          const from = queues[1 - queue];
          q.appendAll(from);
          for (let l: u32 = 0; l < PRIORITY_LEVELS; l++) {
            const list = listOf(1 - queue, l);
            for (let i = 0; i < list.length; i++) {
              listOf(queue, l).push(list[i]);
              places[list[i]] = <i32>((queue << 6) | l);
            }
            lists[(1 - queue) * PRIORITY_LEVELS + l] = [];
          }
          assert(from.isEmpty && from.top == -1, "poured out");
          poured++;
        } else {
          const top = topOf(queue);
          assert(q.top == top && q.isEmpty == top < 0, "top");
          if (top < 0) continue;
          const first = q.first(top);
          const expected = listOf(queue, top).shift();
          assert(changetype<usize>(first) == changetype<usize>(members[expected]), "first of the top");
          q.remove(first, top);
          places[expected] = -1;
          taken++;
        }
        if ((step & 15) == 0) {
          check(0);
          check(1);
        }
      }
    }
    expect<i32>(poured).toBeGreaterThan(200);
    expect<i32>(taken).toBeGreaterThan(5000);
  });

  it("pours into itself what another has, when either is empty", () => {
    for (let i = 0; i < 2; i++) {
      queues[i].initialize();
      for (let l: u32 = 0; l < PRIORITY_LEVELS; l++) lists[i * PRIORITY_LEVELS + l] = [];
    }
    for (let m: u32 = 0; m < MEMBERS; m++) members[m].initialize();
    queues[0].appendAll(queues[1]);
    check(0);
    queues[1].append(members[3], 7);
    queues[1].append(members[4], 7);
    queues[0].appendAll(queues[1]);
    listOf(0, 7).push(3);
    listOf(0, 7).push(4);
    check(0);
    check(1);
    queues[0].appendAll(queues[1]);
    check(0);
  });
});
