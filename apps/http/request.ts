/** A request as far as it has been read: what the parser writes and the server reads. No input is kept but the path. */

/** Longest request line, in octets (RFC 9112, 3: at least 8000): 414 beyond. */
export const LINE_LIMIT: u32 = 8192;
/** All field lines of a request together, trailers too: 431 beyond. */
export const HEAD_LIMIT: u32 = 16384;
/** Content of a request: 413 beyond. */
export const BODY_LIMIT: u64 = 1 << 20;
/** Chunk extensions of a request together: 400 beyond. */
export const EXTENSION_LIMIT: u32 = 4096;
/** Longest method: 501 beyond. */
export const WORD_ROOM: u32 = 24;
/** Path octets that are kept: a longer path is the name of nothing here. */
export const PATH_ROOM: u32 = 64;

// States in which the parser stops and the server has the word.
/** The header section is complete and right; `proceed` goes on to the content. */
export const HEAD: u32 = 30;
/** The request is complete; `reset` begins the next one. */
export const DONE: u32 = 31;
/** `status` says why; nothing more can be read from this connection. */
export const FAILED: u32 = 32;

export const METHOD_UNKNOWN: u32 = 0;
export const METHOD_GET: u32 = 1;
export const METHOD_HEAD: u32 = 2;
/** A method of RFC 9110 or RFC 5789 that no resource here allows. */
export const METHOD_OTHER: u32 = 3;
export const METHOD_CONNECT: u32 = 4;
export const METHOD_OPTIONS: u32 = 5;

// Flags of a request.
export const SEEN_HOST: u32 = 1;
export const SEEN_LENGTH: u32 = 2;
export const SEEN_CODING: u32 = 4;
/** The last transfer coding so far is chunked. */
export const CHUNKED: u32 = 8;
/** There was a transfer coding that is not known here. */
export const CODING_UNKNOWN: u32 = 16;
export const CONNECTION_CLOSE: u32 = 32;
export const CONNECTION_KEEP: u32 = 64;
export const EXPECT_CONTINUE: u32 = 128;
export const EXPECT_UNKNOWN: u32 = 256;
/** Field lines are read as trailers now. */
export const TRAILERS: u32 = 512;
/** White space came after part of a field value that may have none inside. */
export const GAP: u32 = 1024;


@unmanaged
export class Request {
  /** The parser's, or HEAD, DONE, FAILED. */
  state: u32;
  /** HTTP status that FAILED answers with. */
  status: u32;
  /** METHOD_*. */
  method: u32;
  /** Minor version: 0, or 1 for that and later ones. */
  minor: u32;
  flags: u32;
  /** Octets of the present section that count against its limit. */
  used: u32;
  /** Octets of chunk extensions. */
  extension: u32;
  /** Which field's value is read (parser). */
  field: u32;
  /** State inside the target, version or value (parser). */
  part: u32;
  wordLength: u32;
  /** Length of the decoded path; above PATH_ROOM its octets were not kept. */
  pathLength: u32;
  /** First digit of a percent-encoding. */
  digit: u32;
  /** Content-Length as sent, saturated; then octets of content or chunk to come. */
  remaining: u64;
  /** Octets of content so far (chunked). */
  received: u64;
  private word0: u64;
  private word1: u64;
  private word2: u64;
  private path0: u64;
  private path1: u64;
  private path2: u64;
  private path3: u64;
  private path4: u64;
  private path5: u64;
  private path6: u64;
  private path7: u64;

  /** Method, field name or list member that is read, up to WORD_ROOM octets. */
  @inline get word(): usize {
    return changetype<usize>(this) + offsetof<Request>("word0");
  }
  /** The path, percent-encodings of unreserved characters undone. */
  @inline get path(): usize {
    return changetype<usize>(this) + offsetof<Request>("path0");
  }

  /** Ready for the first octet of a request. */
  reset(): void {
    memory.fill(changetype<usize>(this), 0, offsetof<Request>("word0"));
  }

  /** Ends the reading with an HTTP status. */
  fail(status: u32): void {
    this.status = status;
    this.state = FAILED;
  }

  /** Adds `c` to the word; false when there is no room. */
  @inline push(c: u32): bool {
    const length = this.wordLength;
    if (length >= WORD_ROOM) return false;
    store<u8>(this.word + length, c);
    this.wordLength = length + 1;
    return true;
  }


  @inline pushPath(c: u32): void {
    const length = this.pathLength;
    if (length < PATH_ROOM) store<u8>(this.path + length, c);
    this.pathLength = length + 1;
  }

  /** Whether the connection stays open after the response (RFC 9112, 9.3). */
  @inline get persistent(): bool {
    if (this.flags & CONNECTION_CLOSE) return false;
    return this.minor != 0 || (this.flags & CONNECTION_KEEP) != 0;
  }

  /** Whether content follows the header section. */
  @inline get hasContent(): bool {
    return (this.flags & CHUNKED) != 0 || this.remaining != 0;
  }

  /** Whether anything of a request has been read. */
  @inline get begun(): bool {
    return this.state != 0;
  }
}
