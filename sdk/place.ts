/**
 * Memory of one call of this library, for a struct that the kernel reads while the call waits, or writes. It cannot be static: handlers run while a call waits and at its end, threads
 * (EVF_THREAD) whenever one waits, and any of them may make the same call. So each call takes a place of its own, and gives it back. There are never more of them than
 * calls at once: main code's, a handler's, and one of each thread.
 */

/** Bytes of a place, which is 16-aligned. */
export const PLACE_SIZE: usize = 32;

/** Those that no call has; each begins with the address of the next. */
let free: usize = 0;

/** A place full of zeros. */
export function takePlace(): usize {
  let place = free;
  if (place == 0) place = heap.alloc(PLACE_SIZE);
  else free = load<usize>(place);
  memory.fill(place, 0, PLACE_SIZE);
  return place;
}

export function givePlace(place: usize): void {
  store<usize>(place, free);
  free = place;
}
