/**
 * Packs data for the image in LZ4's block format (github.com/lz4/lz4, doc/lz4_Block_format.md), which boot/unpack.c reads: static data are UTF-16 strings and small objects with
 * long headers, and get to a third or less. Node has no LZ4; what Node has, deflate, takes several times the code to read.
 */

/** A match has at least as many bytes, and a token says how many more. */
const SHORTEST = 4;
/** A match is at most so far behind. */
const FARTHEST = 0xffff;
/** The last bytes are literals, and no match begins in the last twelve. */
const LAST_LITERALS = 5;
const LAST_MATCH = 12;
/** Places with the same four bytes that are looked at, the nearest first. */
const PLACES = 64;

interface Match {
  offset: number;
  length: number;
}

/** What of a length is behind its four bits of the token. */
function lengthBytes(length: number): Buffer {
  if (length < 15) return Buffer.alloc(0);
  const rest = length - 15;
  return Buffer.concat([Buffer.alloc(Math.floor(rest / 255), 255), Buffer.of(rest % 255)]);
}

function sequence(literals: Buffer, match?: Match): Buffer {
  const more = match === undefined ? 0 : match.length - SHORTEST;
  const token = (Math.min(literals.length, 15) << 4) | Math.min(more, 15);
  const head = [Buffer.of(token), lengthBytes(literals.length), literals];
  if (match === undefined) return Buffer.concat(head);
  return Buffer.concat([...head, Buffer.of(match.offset & 0xff, match.offset >> 8), lengthBytes(more)]);
}

/** Finds in what came before what comes again. */
class Matches {
  private readonly places = new Map<number, number[]>();
  private known = 0;

  constructor(private readonly data: Buffer) {}

  /** The longest match at `at`; never asked for a smaller one again. */
  at(at: number): Match | undefined {
    if (at + LAST_MATCH > this.data.length) return undefined;
    for (; this.known < at; this.known++) {
      const key = this.data.readUInt32LE(this.known);
      const list = this.places.get(key);
      if (list === undefined) this.places.set(key, [this.known]);
      else list.push(this.known);
    }
    const places = this.places.get(this.data.readUInt32LE(at)) ?? [];
    let best: Match | undefined;
    for (const place of places.slice(-PLACES).reverse()) {
      if (at - place > FARTHEST) break;
      const length = this.common(place, at);
      if (length > (best?.length ?? 0)) best = { offset: at - place, length };
    }
    return best;
  }

  private common(place: number, at: number): number {
    const most = this.data.length - LAST_LITERALS - at;
    let length = SHORTEST;
    while (length < most && this.data[place + length] === this.data[at + length]) length++;
    return length;
  }
}

/** A block. Where there is a longer match one byte behind, that one is taken. */
export function pack(data: Buffer): Buffer {
  const matches = new Matches(data);
  const sequences: Buffer[] = [];
  let literals = 0;
  for (let at = 0, match = matches.at(0); at < data.length;) {
    const next = matches.at(at + 1);
    if (match === undefined || (next !== undefined && next.length > match.length)) {
      match = next;
      at++;
      continue;
    }
    sequences.push(sequence(data.subarray(literals, at), match));
    at += match.length;
    literals = at;
    match = matches.at(at);
  }
  return Buffer.concat([...sequences, sequence(data.subarray(literals))]);
}
