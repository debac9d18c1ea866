/** Takes memory when a message asks for it (pages of 64 KiB), and reports signals, which it never takes by sigtake. */
import {
  SIGUSR1,
  SIGUSR2,
  enter_keepalive,
  evctl,
  onMessage,
  onSignal,
  sigtake,
  EVJOBSTAT,
} from "../../../../sdk";
import { row } from "../report";

const PORT: i32 = 1;
const statistics = memory.data(64, 8);

function onEat(jid: i32, from: i32, data: usize, length: i32): void {
  row("eaten", from, memory.grow(load<i32>(data)) >= 0 ? 1 : 0);
}

/** activations, handled, coalesced of the event so far: it has been counted as handled already. */
function signalled(jid: i32, signal: i32, from: i32): void {
  store<u32>(statistics, 64);
  evctl(jid, EVJOBSTAT, <i32>statistics);
  row(
    "signal",
    signal,
    from,
    load<u64>(statistics, 32),
    load<u64>(statistics, 40),
    load<u64>(statistics, 48),
  );
}

export function main(): i32 {
  onSignal(SIGUSR1, signalled);
  onSignal(SIGUSR2, signalled);
  onMessage(PORT, onEat);
  const result = enter_keepalive();
  row("eater-interrupted", result, sigtake());
  return 0;
}
