/**
 * Sequence-number arithmetic (RFC 9293, 3.4): numbers modulo 2^32, compared within half the space.
 */

/** a < b */
// @ts-ignore: decorator
@inline
export function before(a: u32, b: u32): bool {
  return <i32>(a - b) < 0;
}

/** a > b */
// @ts-ignore: decorator
@inline
export function after(a: u32, b: u32): bool {
  return <i32>(b - a) < 0;
}

/** a <= b */
// @ts-ignore: decorator
@inline
export function upTo(a: u32, b: u32): bool {
  return <i32>(b - a) >= 0;
}

/** a >= b */
// @ts-ignore: decorator
@inline
export function from(a: u32, b: u32): bool {
  return <i32>(a - b) >= 0;
}

/** start <= value < start + length */
// @ts-ignore: decorator
@inline
export function within(value: u32, start: u32, length: u32): bool {
  return value - start < length;
}

/** The one of two numbers that comes first. */
// @ts-ignore: decorator
@inline
export function earlier(a: u32, b: u32): u32 {
  return before(a, b) ? a : b;
}

/** The one that comes last. */
// @ts-ignore: decorator
@inline
export function later(a: u32, b: u32): u32 {
  return after(a, b) ? a : b;
}
