/** What the handler of each type gets when its time-out has run out (EVJOBTIMEOUT): the parameters of docs/aem-calls.md. */
import { ETIMEDOUT } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import { EVENT_READ, EVENT_SK, EVENT_SOCK } from "../abi";
import { Event } from "../event";

/** State of a socket that has had no transition. */
const TCP_CLOSE: u32 = 7;

/** Whether events of the type may have a time-out: those whose handler has a way to be told. */
export function hasTimeout(type: u32): bool {
  return type <= EVENT_SOCK;
}

export function setTimeoutArguments(event: Event): void {
  const type = event.type;
  const jid = <u32>event.jid;
  const fd = <u32>event.fd;
  const error: u32 = -ETIMEDOUT;
  if (type == EVENT_READ || type == EVENT_SOCK) {
    // (data 0, length) and (events 0, error)
    setUpcallArguments(jid, fd, 0, error, 0);
  } else if (type == EVENT_SK) {
    const state = presentState(event);
    setUpcallArguments(jid, fd, state, state, 0);
  } else {
    // accept: newfd; close: error
    setUpcallArguments(jid, fd, error, 0, 0);
  }
}

/** The latest state in the socket's history. */
function presentState(event: Event): u32 {
  const state = event.object == 0 ? 0 : event.socket.history & 15;
  return state == 0 ? TCP_CLOSE : state;
}
