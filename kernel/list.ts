/**
 * Intrusive doubly linked circular list (Linux: list_head). A `Link` stands inside the object it links, so that
 * insertion and removal are O(1), allocate nothing and cannot fail. A list is a `Link` that is its head.
 */

@unmanaged
export class Link {
  next: Link;
  prev: Link;

  /** Makes this an empty list, or an unlinked member. */
  @inline initialize(): void {
    this.next = this;
    this.prev = this;
  }

  /** For a head: no members. For a member: it is in no list. */
  @inline get isEmpty(): bool {
    return changetype<usize>(this.next) == changetype<usize>(this);
  }

  /** Inserts `member` as the last of the list whose head this is. */
  @inline append(member: Link): void {
    const last = this.prev;
    member.next = this;
    member.prev = last;
    last.next = member;
    this.prev = member;
  }

  /** Inserts `member` as the first of the list whose head this is. */
  @inline prepend(member: Link): void {
    const first = this.next;
    member.next = first;
    member.prev = this;
    first.prev = member;
    this.next = member;
  }

  /** Takes this member out of its list; harmless when it is in none. */
  @inline remove(): void {
    const next = this.next;
    const prev = this.prev;
    prev.next = next;
    next.prev = prev;
    this.next = this;
    this.prev = this;
  }
}
