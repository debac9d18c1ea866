/**
 * Blocks of one size, taken from the heap as they are first needed and used again after that: O(1), no fragmentation, and
 * never more than `limit`, so that memory cannot run out through what clients do.
 */
@unmanaged
export class Pool {
  /** Bytes of a block, at least 8. */
  size: usize;
  /** Blocks that may exist at once. */
  limit: u32;
  /** Blocks handed out. */
  used: u32;
  private made: u32;
  private free: usize;

  initialize(size: usize, limit: u32): void {
    this.size = max<usize>(size, 8);
    this.limit = limit;
    this.used = 0;
    this.made = 0;
    this.free = 0;
  }

  /** A block with undefined contents, 16-aligned; 0 when `limit` are in use. */
  take(): usize {
    let block = this.free;
    if (block != 0) this.free = load<usize>(block);
    else {
      if (this.made == this.limit) return 0;
      block = heap.alloc(this.size);
      this.made++;
    }
    this.used++;
    return block;
  }

  /** Gives back what `take` gave; 0 is ignored. */
  give(block: usize): void {
    if (block == 0) return;
    store<usize>(block, this.free);
    this.free = block;
    this.used--;
  }
}
