/** May have its handlers run by threads alone (AEM 3.5.3). */
import {
  EVF_CAPSULE,
  EVF_FORK,
  EVF_THREAD,
  ProcessInformation,
  PROCESS_INFORMATION_SIZE,
  onTimer,
  processinfo,
} from "../../../../../sdk";
import { row } from "../../report";

const FAR: i64 = 600_000_000_000;
const information = changetype<ProcessInformation>(memory.data(512, 8));

function timer(jid: i32, overrun: i32): void {}

export function main(): i32 {
  const refused = onTimer(FAR, 0, timer);
  const forked = onTimer(FAR, 0, timer, EVF_FORK);
  const capsule = onTimer(FAR, 0, timer, EVF_CAPSULE);
  const thread = onTimer(FAR, 0, timer, EVF_THREAD);
  processinfo(0, changetype<usize>(information), PROCESS_INFORMATION_SIZE);
  row(
    "executors",
    refused,
    forked,
    capsule,
    thread > 0 ? 1 : thread,
    information.refusedEvents,
    information.events,
  );
  return 0;
}
