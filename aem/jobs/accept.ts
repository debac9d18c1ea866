/**
 * The job of sockasync_accept. Source: the queue of connections that a listener has established; one of them for each call of
 * the handler, with a descriptor of its own. When the process can have no more descriptors, connections stay in that queue, and
 * the event is tried again when one is closed.
 */
import { EMFILE } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import {
  HANDLE_SOCKET,
  handleAvailable,
  handleInstall,
  handlesExhausted,
} from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { POLLIN, WAKE_ACCEPT } from "../../kernel/scheduler/wait";
import { Socket } from "../../net/socket/socket";
import { writeSockaddr } from "../../net/socket/sockaddr";
import { EVENT_ACCEPT, EVENT_DRAINING } from "../abi";
import { again, countActivations } from "../activation";
import { Event } from "../event";
import { defineJob, DELIVERED, EMPTY, noFrame, shortage } from "../job";
import { acceptFiltered } from "./filter";
import { pollSocket, sourceOccurred } from "./source";

export function defineAccept(): void {
  defineJob(EVENT_ACCEPT, deliver.index, sourceOccurred.index, WAKE_ACCEPT, POLLIN);
}

function deliver(event: Event): i32 {
  const listener = event.socket;
  // In a clone the connection is the clone's.
  const process = currentProcess();
  if ((pollSocket(listener) & POLLIN) == 0) return EMPTY;
  if (!handleAvailable(process)) return handlesExhausted(process) ? shortage(EMFILE, 0) : noFrame();
  const connection =
    event.extra == 0
      ? call_indirect<usize>(listener.protocol.accept, listener)
      : acceptFiltered(event, listener);
  if (connection == 0) return EMPTY;
  const fd = handleInstall(process, connection, HANDLE_SOCKET);
  if (event.data != 0) writePeer(event, changetype<Socket>(connection));
  if (!event.has(EVENT_DRAINING) && (pollSocket(listener) & POLLIN) != 0) {
    countActivations(event, 1);
    again(event);
  }
  setUpcallArguments(<u32>event.jid, <u32>event.fd, <u32>fd, 0, 0);
  return DELIVERED;
}

/** Fills in the sockaddr and length that were given at registration, as accept does; `data`: their addresses. */
function writePeer(event: Event, connection: Socket): void {
  const peer = connection.flow.remote;
  if (writeSockaddr(<usize>(<u32>event.data), <usize>(event.data >> 32), connection, peer) < 0)
    event.errors++;
}
