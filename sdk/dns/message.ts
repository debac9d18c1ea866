/**
 * DNS messages (RFC 1035, 4.1): a question is written, an answer is read. Nothing of an answer is believed: it is looked at inside its length only, and
 * in a number of steps that its length does not make greater.
 *
 *     0    2       4         6         8         10        12
 *     ├────┼───────┼─────────┼─────────┼─────────┼─────────┼──────────┬────────┬───────────┬────────────┐
 *     │ id │ flags │ QDCOUNT │ ANCOUNT │ NSCOUNT │ ARCOUNT │ question │ answer │ authority │ additional │
 *     └────┴───────┴─────────┴─────────┴─────────┴─────────┴──────────┴────────┴───────────┴────────────┘
 */
import { EIO, ELOOP, EMSGSIZE, ENODATA, ENOENT } from "../errno";
import { HEADER_SIZE, mixCase, NAME_LIMIT, readName } from "./name";

/** Types of records (RFC 1035, 3.2.2; RFC 3596, 2.1). */
export const TYPE_A: u32 = 1;
export const TYPE_CNAME: u32 = 5;
export const TYPE_SOA: u32 = 6;
export const TYPE_AAAA: u32 = 28;
const CLASS_IN: u32 = 1;

/** Octets of the longest question: header, name, type and class. */
export const QUESTION_LIMIT: u32 = HEADER_SIZE + NAME_LIMIT + 4;
/** Addresses that are kept of an answer; the rest is left out. */
export const ADDRESS_LIMIT: u32 = 8;
/** Room for them: 16 bytes each. */
export const ADDRESSES_SIZE: usize = 128;
/** Records of a section that are looked at. */
export const RECORD_LIMIT: u32 = 64;
/** Aliases (CNAME) between the name and its addresses. */
export const ALIAS_LIMIT: u32 = 8;

// In the second pair of octets as they stand in memory.
const RESPONSE: u32 = 0x80;
const OPCODE: u32 = 0x78;
const TRUNCATED: u32 = 0x02;
const RECURSION_DESIRED: u8 = 0x01;
const NO_ERROR: u32 = 0;
const NAME_ERROR: u32 = 3;

// The record that was read last.
let recordType: u32 = 0;
let recordTtl: u32 = 0;
let recordData: u32 = 0;
let recordSize: u32 = 0;
let ownerSize: u32 = 0;
/** Names in small letters: of that record, the one that its aliases have led to, and one that is of no interest. */
const owner = memory.data(256, 8);
const current = memory.data(256, 8);
const other = memory.data(256, 8);

// @ts-ignore: decorator
@inline
function word(place: usize): u32 {
  return bswap<u16>(load<u16>(place));
}

/**
 * Writes the question for records of `type` to `into`, with the letters of the name made capital by `bits` (an octet for eight of the name's; 0: none).
 * Its octets.
 */
export function writeQuestion(into: usize, id: u32, name: usize, size: u32, type: u32, bits: usize): u32 {
  memory.fill(into, 0, HEADER_SIZE);
  store<u16>(into, <u16>id);
  store<u8>(into, RECURSION_DESIRED, 2);
  store<u8>(into, 1, 5);
  memory.copy(into + HEADER_SIZE, name, size);
  if (bits != 0) mixCase(into + HEADER_SIZE, size, bits);
  const rest = into + HEADER_SIZE + size;
  store<u16>(rest, bswap<u16>(<u16>type));
  store<u16>(rest, bswap<u16>(<u16>CLASS_IN), 2);
  return HEADER_SIZE + size + 4;
}

/**
 * Whether a message is a response to this question, and repeats it to the letter, capital ones included (RFC 5452, 9.1; the question of `asked` octets
 * was written by `writeQuestion`).
 */
export function answersQuestion(message: usize, length: u32, question: usize, asked: u32): bool {
  if (length < asked || load<u16>(message) != load<u16>(question)) return false;
  if (((<u32>load<u8>(message, 2)) & (RESPONSE | OPCODE)) != RESPONSE || word(message + 4) != 1) return false;
  return memory.compare(message + HEADER_SIZE, question + HEADER_SIZE, asked - HEADER_SIZE) == 0;
}

/** Whether a response (of HEADER_SIZE octets at least) was cut off. */
export function isTruncated(message: usize): bool {
  return ((<u32>load<u8>(message, 2)) & TRUNCATED) != 0;
}

/** Seconds for which the answer read last may be kept; 0: it may not. */
export let answerTtl: u32 = 0;

/**
 * Reads the response to a question of `asked` octets for `type` records of a name, and writes up to ADDRESS_LIMIT addresses to `addresses`: of TYPE_A 4 bytes
 * each, a number in host order; of TYPE_AAAA 16 as on the wire. How many; or -ENOENT: there is no such name; -ENODATA: it has no such
 * address; -EIO: the server cannot tell, or the response is malformed; -ELOOP: more than ALIAS_LIMIT aliases; -EMSGSIZE: none is among
 * the first RECORD_LIMIT of more records.
 */
export function readAnswer(
  message: usize,
  length: u32,
  asked: u32,
  name: usize,
  size: u32,
  type: u32,
  addresses: usize,
): i32 {
  answerTtl = 0;
  const code = (<u32>load<u8>(message, 3)) & 15;
  if (code != NO_ERROR && code != NAME_ERROR) return -EIO;
  const stated = word(message + 6);
  const records = min(stated, RECORD_LIMIT);
  const width: u32 = type == TYPE_A ? 4 : 16;
  let currentSize = size;
  memory.copy(current, name, size);
  let ttl: u32 = u32.MAX_VALUE;
  let aliases: u32 = 0;
  let count: u32 = 0;
  let at: u32 = 0;
  // An alias may stand behind what it leads to: then the records are read once more.
  let moved: bool;
  do {
    moved = false;
    count = 0;
    at = asked;
    for (let i: u32 = 0; i < records; i++) {
      at = readRecord(message, length, at);
      if (at == 0) return -EIO;
      if (ownerSize != currentSize || memory.compare(owner, current, currentSize) != 0) continue;
      if (recordType == TYPE_CNAME) {
        if (++aliases > ALIAS_LIMIT) return -ELOOP;
        const found = readName(message, length, recordData, current);
        if (found == 0 || found >> 16 != recordData + recordSize) return -EIO;
        currentSize = found & 0xffff;
        count = 0;
        moved = true;
      } else if (recordType == type) {
        if (recordSize != width) return -EIO;
        if (count == ADDRESS_LIMIT) continue;
        take(addresses + <usize>(count++ * width), message + recordData, width);
      } else continue;
      ttl = min(ttl, recordTtl);
    }
  } while (moved);
  if (code == NO_ERROR && count != 0) {
    answerTtl = ttl;
    return count;
  }
  if (code == NO_ERROR && stated > records) return -EMSGSIZE;
  // RFC 2308, 5. The aliases that led here hold for no longer than their own time.
  if (stated == records) answerTtl = min(ttl, negativeTtl(message, length, at));
  return code == NAME_ERROR ? -ENOENT : -ENODATA;
}

function take(to: usize, from: usize, width: u32): void {
  if (width == 4) store<u32>(to, bswap<u32>(load<u32>(from)));
  else memory.copy(to, from, 16);
}

/** Reads the record at offset `at`. The offset behind it; 0: it is malformed. One of another class has type 0. */
function readRecord(message: usize, length: u32, at: u32): u32 {
  const found = readName(message, length, at, owner);
  if (found == 0) return 0;
  at = found >> 16;
  if (at + 10 > length) return 0;
  const place = message + at;
  ownerSize = found & 0xffff;
  recordType = word(place + 2) == CLASS_IN ? word(place) : 0;
  recordTtl = seconds(place + 4);
  recordSize = word(place + 8);
  recordData = at + 10;
  return recordData + recordSize > length ? 0 : recordData + recordSize;
}

/** A time of a record; one with the highest bit set counts as 0 (RFC 2181, 8). */
function seconds(place: usize): u32 {
  const value = bswap<u32>(load<u32>(place));
  return <i32>value < 0 ? 0 : value;
}

/** How long it holds that there is nothing: what the SOA record in the authority section, which begins at `at`, says (RFC 2308, 5); 0: none does. */
function negativeTtl(message: usize, length: u32, at: u32): u32 {
  const records = min(word(message + 8), RECORD_LIMIT);
  for (let i: u32 = 0; i < records; i++) {
    at = readRecord(message, length, at);
    if (at == 0) return 0;
    if (recordType != TYPE_SOA) continue;
    // Two names, then five numbers, of which the last is wanted.
    const first = readName(message, length, recordData, other);
    const second = first == 0 ? 0 : readName(message, length, first >> 16, other);
    if (second == 0 || (second >> 16) + 20 != at) return 0;
    return min(recordTtl, seconds(message + at - 4));
  }
  return 0;
}
