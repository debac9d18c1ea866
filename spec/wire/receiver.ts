/** Receiving side of the peer's TCP (client.ts): puts segments in order, and says what it has (SACK, RFC 2018). */
import { FIN, type TcpSegment, sequenceAdd, sequenceDifference } from "./tcp.ts";

/** SACK blocks that fit with the other options of the client. */
const BLOCKS = 3;

interface Early {
  sequence: number;
  payload: Buffer;
  fin: boolean;
}

export class Receiver {
  /** The next octet. */
  expected = 0;
  /** FIN has come, and all before it. */
  ended = false;
  private stream: Buffer = Buffer.alloc(64 << 10);
  private length = 0;
  /** Behind a gap, the latest first. */
  private early: Early[] = [];

  /** What has come in order since the last `take`; a view. */
  get bytes(): Buffer {
    return this.stream.subarray(0, this.length);
  }

  /** Something is here behind a gap. */
  get waits(): boolean {
    return this.early.length > 0;
  }

  /** Hands out what `bytes` shows, and forgets it. */
  take(): Buffer {
    const all = Buffer.from(this.bytes);
    this.length = 0;
    return all;
  }

  /** A segment that occupies sequence numbers. */
  receive(segment: TcpSegment): void {
    const { sequence, payload } = segment;
    const piece = { sequence, payload, fin: (segment.flags & FIN) !== 0 };
    if (sequenceDifference(sequence, this.expected) > 0) {
      if (!this.early.some((other) => covers(other, piece)))
        this.early.unshift({ ...piece, payload: Buffer.from(payload) });
      return;
    }
    this.append(piece);
    for (;;) {
      const next = this.early.findIndex(({ sequence: at }) => sequenceDifference(at, this.expected) <= 0);
      if (next < 0) break;
      this.append(this.early.splice(next, 1)[0] as Early);
    }
  }

  /** What is here behind gaps, the latest first. */
  blocks(): [number, number][] {
    const blocks: [number, number][] = [];
    for (const piece of this.early) {
      if (blocks.some(([left, right]) => inside(piece.sequence, left, right))) continue;
      blocks.push(this.block(piece));
      if (blocks.length === BLOCKS) break;
    }
    return blocks;
  }

  /** The run of pieces without a gap around one. */
  private block({ sequence, payload }: Early): [number, number] {
    let [left, right] = [sequence, sequenceAdd(sequence, payload.length)];
    for (let grown = true; grown;) {
      grown = false;
      for (const other of this.early) {
        const end = sequenceAdd(other.sequence, other.payload.length);
        const touches = sequenceDifference(other.sequence, right) <= 0 && sequenceDifference(end, left) >= 0;
        if (!touches) continue;
        if (sequenceDifference(other.sequence, left) < 0) [left, grown] = [other.sequence, true];
        if (sequenceDifference(end, right) > 0) [right, grown] = [end, true];
      }
    }
    return [left, right];
  }

  private append({ sequence, payload, fin }: Early): void {
    const known = sequenceDifference(this.expected, sequence);
    if (known < payload.length) {
      const fresh = payload.subarray(known);
      this.grow(fresh.length);
      fresh.copy(this.stream, this.length);
      this.length += fresh.length;
      this.expected = sequenceAdd(this.expected, fresh.length);
    }
    if (!fin || this.ended || sequenceDifference(this.expected, sequence) !== payload.length) return;
    this.ended = true;
    this.expected = sequenceAdd(this.expected, 1);
  }

  private grow(bytes: number): void {
    if (this.length + bytes <= this.stream.length) return;
    const larger = Buffer.alloc(Math.max(this.stream.length * 2, this.length + bytes));
    this.bytes.copy(larger);
    this.stream = larger;
  }
}

function inside(sequence: number, left: number, right: number): boolean {
  return sequenceDifference(sequence, left) >= 0 && sequenceDifference(sequence, right) < 0;
}

function covers(old: Early, piece: Early): boolean {
  const from = sequenceDifference(piece.sequence, old.sequence);
  return from >= 0 && from + piece.payload.length <= old.payload.length && (old.fin || !piece.fin);
}
