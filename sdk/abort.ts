/**
 * What the compiler calls where a check fails (index out of range, null, `assert`, `throw`): logs where and why, then traps, which
 * ends the process. asc takes it with `--use abort=sdk/abort/abort`.
 */
import { log } from "./calls";
import { LOG_ERROR } from "./log";

const PIECE_UNITS: i32 = 120;
const line = memory.data(800);

function text(at: usize, piece: string | null): usize {
  if (piece === null) return at;
  return at + String.UTF8.encodeUnsafe(changetype<usize>(piece), min(piece.length, PIECE_UNITS), at);
}

function decimal(at: usize, value: u32): usize {
  let digits: usize = 1;
  for (let rest = value / 10; rest != 0; rest /= 10) digits++;
  for (let i = digits; i > 0; i--) {
    store<u8>(at + i - 1, <u8>(48 + (value % 10)));
    value /= 10;
  }
  return at + digits;
}

export function abort(
  message: string | null,
  fileName: string | null,
  lineNumber: u32,
  columnNumber: u32,
): void {
  let end = text(line, "abort: ");
  end = text(end, message);
  end = text(end, " at ");
  end = text(end, fileName);
  end = text(end, ":");
  end = decimal(end, lineNumber);
  end = text(end, ":");
  end = decimal(end, columnNumber);
  log(LOG_ERROR, line, <i32>(end - line));
  unreachable();
}
