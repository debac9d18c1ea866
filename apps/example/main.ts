/**
 * The example of an event-driven server of the requirements of AEM, chapter 2.1.3, line by line (in C: apps/example-c). What
 * differs: a call returns its error as a negative number, where C has errno; and the handler does something.
 */
import {
  AF_INET,
  INADDR_ANY,
  IPPROTO_TCP,
  LOG_ERROR,
  MSG_DONTWAIT,
  SOCKADDR_SIZE,
  SOCK_STREAM,
  bind,
  close,
  enter_keepalive,
  exit,
  listen,
  logText,
  send,
  setAddress,
  sockasync_accept,
  socket,
} from "../../sdk";

const SERVER_ADDR: u32 = INADDR_ANY;
const SERVER_PORT: u32 = 2003;

const ANSWER = "accepted by an event handler\n";
const answer = memory.data(32);

/**
 * This event handler is executed upon connection.
 */
function accepted(jid: i32, oldSocket: i32, newSocket: i32): void {
  send(newSocket, answer, ANSWER.length, MSG_DONTWAIT);
  close(newSocket);
}

/** Static: they are written after the registration, each time a connection comes. */
const clientAddress = memory.data(16, 8);
const clientLength = memory.data(4, 4);
const serverAddress = memory.data(16, 8);

export function main(): i32 {
  String.UTF8.encodeUnsafe(changetype<usize>(ANSWER), ANSWER.length, answer);
  store<i32>(clientLength, SOCKADDR_SIZE);

  const fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
  if (fd < 0) {
    logText("socket failed", LOG_ERROR);
    exit(1);
  }

  setAddress(serverAddress, SERVER_ADDR, SERVER_PORT);

  if (bind(fd, serverAddress, SOCKADDR_SIZE) < 0) {
    logText("bind failed", LOG_ERROR);
    exit(1);
  }

  listen(fd, 5);

  // Event registration for accept - non blocking system call
  const id = sockasync_accept(fd, clientAddress, clientLength, 0, accepted.index);
  if (id < 0) {
    logText("sockasync_accept failed", LOG_ERROR);
    exit(1);
  }

  enter_keepalive();
  return 0;
}
