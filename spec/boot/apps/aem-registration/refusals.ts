/** 3.1.1 and 3.1.3: registrations that fail, with what error, and that they leave nothing behind. */
import {
  EVTBLINIT,
  SOCK_DGRAM,
  SOCK_STREAM,
  AF_INET,
  close,
  evctl,
  evtimer,
  listenTcp,
  socket,
  sockasync_accept,
  sockasync_close,
  sockasync_read,
  sockasync_sk,
  sockasync_sock,
} from "../../../../sdk";
import { row } from "../report";

const FAR: i64 = 1_000_000_000_000;

/** A function, but no handler of any kind. */
function noHandler(value: i64): i64 {
  return value;
}

/** Handlers of another kind each: a timer's where a socket's is wanted, and the reverse. */
function forTimer(jid: i32, overrun: i32): void {}
function forAccept(jid: i32, fd: i32, newfd: i32): void {}

/** Registers an event of `kind` with `handler`; `fd` is a socket for which it would otherwise succeed. */
function register(kind: i32, listener: i32, stream: i32, handler: u32): i32 {
  switch (kind) {
    case 0:
      return sockasync_accept(listener, 0, 0, 0, handler);
    case 1:
      return sockasync_read(stream, 0, handler);
    case 2:
      return sockasync_close(stream, 0, handler);
    case 3:
      return sockasync_sk(stream, 0, handler);
    case 4:
      return sockasync_sock(stream, 0, handler);
    default:
      return evtimer(FAR, 0, 0, handler);
  }
}

export function refusals(): void {
  const listener = listenTcp(2109);
  const stream = socket(AF_INET, SOCK_STREAM, 0);
  const datagram = socket(AF_INET, SOCK_DGRAM, 0);
  for (let kind = 0; kind < 6; kind++) {
    const other = kind == 5 ? forAccept.index : forTimer.index;
    row(
      "bad-handler",
      kind,
      register(kind, listener, stream, 0),
      register(kind, listener, stream, 1_000_000),
      register(kind, listener, stream, noHandler.index),
      register(kind, listener, stream, other),
    );
  }
  const timer = forTimer.index;
  row("bad-time", evtimer(-1, 0, 0, timer), evtimer(0, -1, 0, timer));
  // A flag that there is not, and priority 64.
  row("bad-flags", evtimer(FAR, 0, 1 << 30, timer), evtimer(FAR, 0, 65 << 8, timer));
  row(
    "bad-source",
    sockasync_accept(stream, 0, 0, 0, forAccept.index),
    sockasync_accept(datagram, 0, 0, 0, forAccept.index),
  );
  close(datagram);
  row(
    "bad-descriptor",
    sockasync_close(datagram, 0, forAccept.index),
    sockasync_close(-1, 0, forAccept.index),
  );
  row("bad-address", sockasync_accept(listener, 0xffff_ff00, 0xffff_ff00, 0, forAccept.index));
  row("left-behind", evctl(0, EVTBLINIT, 0));
  close(stream);
  close(listener);
}
