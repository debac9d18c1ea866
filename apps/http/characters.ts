/** Classes of octets in the grammar of HTTP (RFC 9110, 5.6.2 and 5.5) and of URIs (RFC 3986, 2.2 and 2.3). */

/** tchar: what a token (method, field name, list member) is made of. */
export const TOKEN: u32 = 1;
/** field-vchar, obs-text, SP and HTAB: what a field value may have. */
export const VALUE: u32 = 2;
/** pchar without "%": path segments; "/" too. */
export const PATH: u32 = 4;
/** unreserved and sub-delims: a registered name without "%". */
export const HOST: u32 = 8;
export const DIGIT: u32 = 16;
export const HEX: u32 = 32;
/** unreserved: its percent-encoding means the same as the character. */
export const UNRESERVED: u32 = 64;

const classes = memory.data(256);

/** What stands for each octet of a token, itself or its small letter; 0: it is of no token. */
export const TOKENS: usize = memory.data(256);
export const TOKENS_SMALL: usize = memory.data(256);

function mark(characters: string, bits: u32): void {
  for (let i = 0; i < characters.length; i++) {
    const at = classes + <usize>characters.charCodeAt(i);
    store<u8>(at, load<u8>(at) | bits);
  }
}

function range(first: u32, last: u32, bits: u32): void {
  for (let c = first; c <= last; c++) store<u8>(classes + c, load<u8>(classes + c) | bits);
}

/** Fills in the table; once, before the first `is`. */
export function initializeCharacters(): void {
  const everywhere = TOKEN | PATH | HOST;
  range(0x30, 0x39, everywhere | UNRESERVED | DIGIT | HEX);
  range(0x41, 0x5a, everywhere | UNRESERVED);
  range(0x61, 0x7a, everywhere | UNRESERVED);
  range(0x41, 0x46, HEX);
  range(0x61, 0x66, HEX);
  range(0x20, 0x7e, VALUE);
  range(0x80, 0xff, VALUE);
  mark("\t", VALUE);
  mark("!#$%&'*+-.^_`|~", TOKEN);
  mark("-._~", UNRESERVED | PATH | HOST);
  mark("!$&'()*+,;=", PATH | HOST);
  mark(":@/", PATH);
  for (let c: u32 = 0; c < 256; c++) {
    const token = is(c, TOKEN);
    store<u8>(TOKENS + c, token ? c : 0);
    store<u8>(TOKENS_SMALL + c, token ? lower(c) : 0);
  }
}

/** Whether octet `c` is of one of the classes in `bits`. */
// @ts-ignore: decorator
@inline
export function is(c: u32, bits: u32): bool {
  return (load<u8>(classes + c) & bits) != 0;
}

/** Where the octets of the classes in `bits` end that begin at `at`; `end` at the latest. */
// @ts-ignore: decorator
@inline
export function classRun(bits: u32, at: usize, end: usize): usize {
  while (at < end && is(load<u8>(at), bits)) at++;
  return at;
}

// @ts-ignore: decorator
@inline
export function lower(c: u32): u32 {
  return c - 0x41 < 26 ? c | 0x20 : c;
}

/** Value of a hexadecimal digit that is known to be one. */
// @ts-ignore: decorator
@inline
export function hexValue(c: u32): u32 {
  return c <= 0x39 ? c - 0x30 : (c | 0x20) - 0x57;
}

/** Whether the `text.length` octets at `at` are the ASCII string `text`. */
export function equals(at: usize, text: string): bool {
  const length = text.length;
  for (let i = 0; i < length; i++) {
    if (load<u8>(at + i) != <u8>text.charCodeAt(i)) return false;
  }
  return true;
}
