/** What a fork costs a process with as many MiB of linear memory as its name ends with, all of it touched: rows of TSC ticks. */
import { CLOCK_TSC, clock_gettime, exit, fork, nanosleep, waitpid } from "../../../../sdk";
import { nameNumber } from "../identity";
import { row } from "../report";

const FORKS: i32 = 5;

export function main(): i32 {
  const size = nameNumber();
  // Each size by itself.
  nanosleep(20_000_000 * size);
  const pages = size * 16;
  if (memory.grow(pages - memory.size()) < 0) exit(1);
  for (let at: usize = 0; at < <usize>pages * 65536; at += 4096) store<u8>(at + 9, load<u8>(at + 9));
  for (let n: i32 = 0; n < FORKS; n++) {
    const begin = clock_gettime(CLOCK_TSC);
    const pid = fork(0);
    const end = clock_gettime(CLOCK_TSC);
    if (pid == 0) exit(0);
    const again = clock_gettime(CLOCK_TSC);
    waitpid(pid, 0, 0);
    // The fork; and until the child has ended and all of it has gone back.
    row("fork", size, end - begin, clock_gettime(CLOCK_TSC) - again);
  }
  return 0;
}
