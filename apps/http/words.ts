/** Words of a request that are compared with known ones: methods and names of fields. */
import { Request, WORD_ROOM } from "./request";

/** Octets of a token, as long as they fit in the word. `letters`: TOKENS, or TOKENS_SMALL to make them small. */
// @ts-ignore: decorator
@inline
export function wordRun(request: Request, at: usize, end: usize, letters: usize): usize {
  let to = request.word + request.wordLength;
  const stop = min<usize>(end, at + (WORD_ROOM - request.wordLength));
  while (at < stop) {
    const letter: u32 = load<u8>(letters + load<u8>(at));
    if (letter == 0) break;
    store<u8>(to, letter);
    to++;
    at++;
  }
  request.wordLength = <u32>(to - request.word);
  return at;
}
