/**
 * Where events come from and how a jid finds its event again, in O(1).
 *
 * A jid is a slot of the jid table, and how often that slot has been used:
 *
 *      31 30              22 21                               0
 *     ├──┼──────────────────┼──────────────────────────────────┤
 *     │ 0│ generation 1..511│ slot                             │
 *     └──┴──────────────────┴──────────────────────────────────┘
 *
 * A slot starts at a random generation, and freed slots are used again in the order in which they were freed, and only while there are SPARE_SLOTS of
 * them, as there are at the start: else an event takes a slot that was never used. So an old jid is taken for a new one only after its slot has been round 511 times, each time
 * behind as many others at least: after two million events have come and gone, even where there are few at a time.
 *
 * A word of the table is the address of the slot's event, which is even; or, for a free slot,
 *
 *      31          23 22               1  0
 *     ├──────────────┼──────────────────┼───┤
 *     │ generation   │ next free slot   │ 1 │
 *     └──────────────┴──────────────────┴───┘
 *
 * The table grows by a frame at a time behind a directory, and never shrinks. The spare slots have a word from the start.
 */
import { allocateFrames } from "../kernel/memory/frames";
import { Pool } from "../kernel/memory/pool";
import { Process } from "../kernel/process/process";
import { random32 } from "../kernel/random";
import { Event, EVENT_DEAD, EVENT_SIZE } from "./event";

const SLOT_BITS: u32 = 22;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;
const GENERATION_MASK: u32 = 511;
/** Free slots with fewer of which none is used again. */
const SPARE_SLOTS: u32 = 4096;
/** Slots in a frame of the table. */
const CHUNK_BITS: u32 = 10;
const CHUNK_MASK: u32 = (1 << CHUNK_BITS) - 1;
const CHUNKS: u32 = 1 << (SLOT_BITS - CHUNK_BITS);

/** Most events there can be in the whole system: so many that the spare slots are there all the same. */
export const EVENT_LIMIT: u32 = (1 << SLOT_BITS) - SPARE_SLOTS;
/** Bytes that `initializeEvents` needs: a pool, the directory of the table, and the words of the spare slots. */
export const EVENT_STORAGE: usize = ((offsetof<Pool>() + 7) & ~7) + (CHUNKS << 2) + (SPARE_SLOTS << 2);

let pool: Pool = changetype<Pool>(0);
let directory: usize = 0;
/** Slots that have a word in the table, and slots ever used (they are used from 0 up). */
let slotsThere: u32 = 0;
let slotsUsed: u32 = 0;
/** Queue of the free slots among those used. */
let freeCount: u32 = 0;
let freeFirst: u32 = 0;
let freeLast: u32 = 0;

/** Once at boot. `storage`: EVENT_STORAGE bytes, 8-aligned; `limit`: most events, EVENT_LIMIT if more. */
export function initializeEvents(storage: usize, limit: u32): void {
  // Event.zero
  if (EVENT_SIZE != 88) unreachable();
  pool = changetype<Pool>(storage);
  pool.initialize(EVENT_SIZE, min(limit, EVENT_LIMIT));
  directory = storage + ((offsetof<Pool>() + 7) & ~7);
  memory.fill(directory, 0, CHUNKS << 2);
  slotsThere = 0;
  slotsUsed = 0;
  freeCount = 0;
  const spare = directory + (CHUNKS << 2);
  while (slotsThere < SPARE_SLOTS) addChunk(spare + (slotsThere << 2));
  while (slotsUsed < SPARE_SLOTS) freeSlot(slotsUsed++, randomGeneration());
}

/** The pool of events: limit, in use, peak, failures. */
export function eventPool(): Pool {
  return pool;
}


@inline
function wordOf(slot: u32): usize {
  return load<usize>(directory + ((slot >> CHUNK_BITS) << 2)) + ((slot & CHUNK_MASK) << 2);
}

/** An event with a jid, zeroed but for its links; null at the limit, or when no frame is left. */
export function allocateEvent(): Event | null {
  const address = pool.allocateRaw();
  if (address == 0) return null;
  changetype<Event>(address).zero();
  let slot: u32;
  let generation: u32;
  let word: usize;
  // Without memory for more slots there are the spare ones.
  if (freeCount < SPARE_SLOTS && (slotsUsed < slotsThere || growTable())) {
    slot = slotsUsed++;
    word = wordOf(slot);
    generation = randomGeneration();
  } else if (freeCount == 0) {
    pool.release(address);
    return null;
  } else {
    slot = freeFirst;
    word = wordOf(slot);
    const free = load<u32>(word);
    generation = free >> (SLOT_BITS + 1);
    freeFirst = (free >> 1) & SLOT_MASK;
    freeCount--;
  }
  store<u32>(word, <u32>address);
  const event = changetype<Event>(address);
  event.jid = <i32>((generation << SLOT_BITS) | slot);
  return event;
}

/** From here on the jid is unknown. The event itself stays until `releaseEvent`. */
export function forgetJid(event: Event): void {
  const slot = (<u32>event.jid) & SLOT_MASK;
  const generation = (<u32>event.jid) >> SLOT_BITS;
  freeSlot(slot, generation == GENERATION_MASK ? 1 : generation + 1);
}

/** Its next jid will have `generation`. */
// @ts-ignore: decorator
@inline
function freeSlot(slot: u32, generation: u32): void {
  store<u32>(wordOf(slot), (generation << (SLOT_BITS + 1)) | 1);
  if (freeCount == 0) freeFirst = slot;
  else {
    const last = wordOf(freeLast);
    store<u32>(last, (load<u32>(last) & ~(SLOT_MASK << 1)) | (slot << 1));
  }
  freeLast = slot;
  freeCount++;
}

/** Gives the memory back. */
@inline
export function releaseEvent(event: Event): void {
  pool.release(changetype<usize>(event));
}

/**
 * One handler of the event fewer: it has returned, or is not called after all. True: the event was ended meanwhile, and nothing more is to be done for it; its memory goes with
 * the last of them.
 */
// @ts-ignore: decorator
@inline
export function handlerGone(event: Event): bool {
  event.handlers--;
  if (!event.has(EVENT_DEAD)) return false;
  if (event.handlers == 0) releaseEvent(event);
  return true;
}

/** The event that `process` knows under `jid`, which may be any number; null when it has none of that name. */
export function eventOfJid(process: Process, jid: i32): Event | null {
  const slot = (<u32>jid) & SLOT_MASK;
  if (slot >= slotsUsed) return null;
  const word = load<u32>(wordOf(slot));
  if (word & 1) return null;
  const event = changetype<Event>(<usize>word);
  // Its jid is positive, as all are.
  if (event.jid != jid || changetype<usize>(event.process) != changetype<usize>(process)) return null;
  return event;
}

function growTable(): bool {
  if (slotsThere > SLOT_MASK) return false;
  const frame = allocateFrames(0);
  if (frame == 0) return false;
  addChunk(frame);
  return true;
}

/** A word is written before it is read: by the first use of its slot. */
function addChunk(words: usize): void {
  store<u32>(directory + ((slotsThere >> CHUNK_BITS) << 2), <u32>words);
  slotsThere += 1 << CHUNK_BITS;
}

function randomGeneration(): u32 {
  return max<u32>(random32() & GENERATION_MASK, 1);
}
