/** The model of spec/aem/control-random.spec.ts: what it knows of each event, and of what was called. */
import { EVENT_READ } from "../../aem/abi";
import { SOCK_DGRAM } from "../../net/socket/socket";
import { growMemory } from "../arena";
import { chance } from "../chance";
import { FakeSocket, NO_END } from "./machine";

/** Between the addresses of two peers in succession. */
export const SPREAD: u32 = 1 << 20;

/** One event, and the socket that only it listens to. */
export class Slot {
  stopped: bool = false;
  other: bool = false;
  ended: bool = false;
  // Filter.
  mask: u32 = 0;
  network: u32 = 0;
  networkMask: u32 = 0;
  least: u32 = 0;
  /** 0: none; and since when it runs. */
  timeout: u64 = 0;
  since: u64 = 0;
  // What the statistics have to say.
  handled: u64 = 0;
  filtered: u64 = 0;
  cleaned: u64 = 0;
  /** Transitions that were not seen: old << 4 | new. */
  states: u32[] = [];
  state: u32 = 7;
  /** Datagrams or connections that have left their queue. */
  serial: u32 = 0;
  taken: u32 = 0;
  // Own memory.
  addresses: u32[] = [];
  lengths: u32[] = [];
  buffersOnly: bool = false;
  allocator: bool = false;
  constructor(
    public type: u32,
    public socket: FakeSocket | null,
    public fd: i32,
    public jid: i32,
  ) {}

  get datagram(): bool {
    return this.type == EVENT_READ && this.socket!.type == SOCK_DGRAM;
  }
  get stream(): bool {
    return this.type == EVENT_READ && !this.datagram;
  }
  passes(address: u32): bool {
    return (address & this.networkMask) == this.network;
  }
  wants(state: u32): bool {
    return this.mask == 0 || ((this.mask >> state) & 1) != 0;
  }
  /** Bytes that wait are too few, and more may come. */
  get heldBack(): bool {
    const socket = this.socket!;
    const there = socket.came - this.taken;
    return socket.end == NO_END && there < this.least && socket.buffer >= this.least;
  }
}

export let slots: Slot[] = [];

/** The application's memory: pieces of it go round. */
let own: u32 = 0;
let piece: u32 = 0;
const PIECES: u32 = 64;
export const PIECE: u32 = 16640;

export function anyOf(): Slot | null {
  return slots.length == 0 ? null : slots[chance(slots.length)];
}

/** Once, behind setUp. */
export function giveMemory(): void {
  own = <u32>growMemory(PIECES * PIECE, 8);
}
export function nextPiece(): u32 {
  return own + (piece++ % PIECES) * PIECE;
}
