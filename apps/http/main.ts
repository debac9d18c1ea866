/** The web server of the default image: HTTP/1.1 (RFC 9110, RFC 9112) on port 80. Limits: request.ts, connection.ts. */
import {
  AF_INET6,
  IPPROTO_TCP,
  LOG_ERROR,
  LOG_NOTICE,
  SIGTERM,
  TCP_NODELAY,
  enter_keepalive,
  listenTcp,
  logText,
  onAccept,
  setOption,
  sigtake,
  startDeadlines,
} from "../../sdk";
import { initializeCharacters } from "./characters";
import { initializeConnections } from "./connection";
import { initializeResponses } from "./response";
import { accepted } from "./server";

const PORT: u32 = 80;
const BACKLOG: i32 = 512;

function start(): i32 {
  initializeCharacters();
  initializeConnections();
  initializeResponses();
  const error = startDeadlines();
  if (error < 0) return error;
  const listener = listenTcp(PORT, BACKLOG, AF_INET6);
  if (listener < 0) return listener;
  // Connections have it from their listener: the last segment of a response does not wait until those before it are acknowledged.
  setOption(listener, IPPROTO_TCP, TCP_NODELAY, 1);
  return onAccept(listener, accepted);
}

export function main(): i32 {
  const error = start();
  if (error < 0) {
    logText("cannot listen on port 80", LOG_ERROR);
    return -error;
  }
  logText("HTTP on port 80", LOG_NOTICE);
  let signal = 0;
  while (signal != SIGTERM) {
    enter_keepalive();
    signal = sigtake();
  }
  return 0;
}
