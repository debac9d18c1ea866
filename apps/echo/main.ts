/** Echo (RFC 862): TCP and UDP port 7, of both versions of IP. */
import { LOG_ERROR, LOG_NOTICE, SIGTERM, enter_keepalive, logText, sigtake } from "../../sdk";
import { startTcp } from "./tcp";
import { startUdp } from "./udp";

export function main(): i32 {
  let error = startTcp();
  if (error >= 0) error = startUdp();
  if (error < 0) {
    logText("cannot listen on port 7", LOG_ERROR);
    return -error;
  }
  logText("echo on TCP and UDP port 7", LOG_NOTICE);
  let signal = 0;
  while (signal != SIGTERM) {
    enter_keepalive();
    signal = sigtake();
  }
  return 0;
}
