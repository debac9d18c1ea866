/** Reports each signal that ends its enter_keepalive; SIGUSR2 also while it sleeps; SIGTERM ends it with status 5. */
import { SIGTERM, SIGUSR1, enter_keepalive, getpid, nanosleep, sigtake } from "../../../../sdk";
import { row } from "../report";

const SECOND: i64 = 1_000_000_000;

export function main(): i32 {
  row("signals-pid", getpid());
  let signal = 0;
  while (signal != SIGTERM) {
    const result = enter_keepalive();
    signal = sigtake();
    row("signals-keepalive", result, signal, sigtake());
    if (signal == SIGUSR1) {
      row("signals-sleeping", 0);
      row("signals-sleep", nanosleep(600 * SECOND), sigtake());
    }
  }
  return 5;
}
