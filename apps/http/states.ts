/** Where in a request (RFC 9112) the parser is; from HEAD (request.ts) on it has come to a part's end. In the order of the grammar: the parser compares them. */

/** Nothing of the request has come, empty lines apart (RFC 9112, 2.2). */
export const START: u32 = 0;
export const START_LF: u32 = 1;
export const METHOD: u32 = 2;
export const TARGET: u32 = 3;
export const VERSION: u32 = 4;
export const LINE_LF: u32 = 5;
export const FIELD: u32 = 6;
export const NAME: u32 = 7;
export const VALUE_TEXT: u32 = 8;
export const VALUE_LF: u32 = 9;
export const HEAD_LF: u32 = 10;
export const CONTENT: u32 = 11;
export const CHUNK_SIZE: u32 = 12;
export const CHUNK_EXTENSION: u32 = 13;
export const CHUNK_SIZE_LF: u32 = 14;
export const CHUNK_DATA: u32 = 15;
export const CHUNK_CR: u32 = 16;
export const CHUNK_LF: u32 = 17;

export const CR: u32 = 0x0d;
export const LF: u32 = 0x0a;
