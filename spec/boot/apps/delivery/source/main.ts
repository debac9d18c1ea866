/**
 * Posts numbered records to the collector as fast as it takes them, until it is told to stop. What the collector has no room for stays here, and is
 * posted again: row posted COUNT REFUSED.
 */
import {
  EAGAIN,
  ECONNREFUSED,
  SIGTERM,
  enter_keepalive,
  evpost,
  nanosleep,
  onSignal,
  processNamed,
} from "../../../../../sdk";
import { row } from "../../report";

const word = memory.data(8, 8);
let stopped: bool = false;

function stop(jid: i32, signal: i32, from: i32): void {
  stopped = true;
}

export function main(): i32 {
  let sink = -1;
  while (sink < 0) {
    nanosleep(1_000_000);
    sink = processNamed("sink");
  }
  onSignal(SIGTERM, stop);
  let posted: u32 = 0;
  let refused: u32 = 0;
  let failed: i32 = 0;
  while (!stopped) {
    store<u32>(word, posted);
    const result = evpost(sink, 1, word, 4);
    if (result == 0) {
      posted++;
      continue;
    }
    if (result == -EAGAIN) refused++;
    // Before the first one the collector may not listen yet.
    else if (posted != 0 || result != -ECONNREFUSED) failed = result;
    nanosleep(500_000);
  }
  row("posted", posted, refused, failed);
  return enter_keepalive();
}
