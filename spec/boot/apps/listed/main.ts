/** May call `log` and `nanosleep`, nothing else. */
import { SIGTERM, enter_keepalive, exit, getpid, kill, nanosleep, sigtake, socket } from "../../../../sdk";
import { row } from "../report";

export function main(): i32 {
  row(
    "listed-calls",
    getpid(),
    sigtake(),
    socket(2, 1, 0),
    enter_keepalive(),
    kill(1, SIGTERM),
    nanosleep(1000),
  );
  // A refused exit does not end it; the end of main does.
  exit(9);
  row("listed-exit", 1);
  return 0;
}
