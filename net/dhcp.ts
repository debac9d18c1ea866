/**
 * DHCP client (RFC 2131, 4.4): gets an address, keeps it, and gives it up when the lease ends.
 *
 *     INIT ─> SELECTING ─offer─> REQUESTING ─ack─> BOUND ─T1─> RENEWING ─T2─> REBINDING
 *      ^                             │ nak           ^            │ ack          │ ack
 *      └─────────────────────────────┴── nak, lease ended         └──────────────┘──> BOUND
 *
 * Here are the states, what is sent in them, and what is believed of what comes; dhcp-lease.ts has what an acknowledgement brings. It has a UDP path of its own, because
 * it works before there is an address. **Not** done: the ARP check of an offered address (and so no DECLINE), INIT-REBOOT, RELEASE.
 */
import {
  LOG_ERROR,
  LOG_INFO,
  LOG_WARNING,
  log,
  logAddress,
  logEnd,
  logStart,
  logText,
} from "../kernel/console";
import { random32 } from "../kernel/random";
import { now, SECOND } from "../kernel/time/clock";
import { Timer, timerPrepare, timerStart } from "../kernel/time/timers";
import { PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import {
  client,
  DHCP_INIT,
  DHCP_REBINDING,
  DHCP_RENEWING,
  DHCP_REQUESTING,
  DHCP_SELECTING,
  initializeDhcpClient,
  options,
  RETRY_FIRST,
} from "./dhcp-client";
import { takeLease } from "./dhcp-lease";
import { sendDhcp } from "./dhcp-output";
import {
  hasDevice,
  isLocalAddress,
  isUnicast,
  networkFlush,
  networkInterface,
  setAddress,
} from "./interface";
import { learnNameServers } from "./name-servers";
import { udpClaimPort } from "./socket/udp";
import {
  DHCP_CLIENT_PORT,
  DHCP_HEADER,
  DHCP_SERVER_PORT,
  DHCPACK,
  DHCPDISCOVER,
  DhcpMessage,
  DHCPNAK,
  DHCPOFFER,
  DHCPREQUEST,
} from "./wire/dhcp";
import { Ipv4Header } from "./wire/ipv4";
import { UDP_HEADER, UdpHeader } from "./wire/udp";

/** Longest interval between transmissions (RFC 2131, 4.1), seconds. */
const RETRY_LAST: u32 = 64;
/** Requests for an offer before we look for another one. */
const REQUEST_TRIES: u32 = 4;
/** Shortest time between renewals (RFC 2131, 4.4.5), seconds. */
const RENEW_MINIMUM: u64 = 60;

/** Once at boot. `storage`: DHCP_STORAGE bytes. */
export function initializeDhcp(storage: usize): void {
  initializeDhcpClient(storage);
  timerPrepare(client, onTimer.index);
}

/**
 * Begins. `onBound`: () => void or 0, called whenever an address was set. False, with a message, when there is no device. Goes on by
 * itself: renews, and starts again when a lease ends.
 */
export function dhcpStart(onBound: u32): bool {
  if (!hasDevice()) {
    log(LOG_ERROR, "dhcp", "there is no network device");
    return false;
  }
  client.onBound = onBound;
  udpClaimPort(DHCP_CLIENT_PORT, dhcpInput.index);
  log(LOG_INFO, "dhcp", "looking for a server");
  restart(false);
  networkFlush();
  return true;
}

/** One of DHCP_*. */
export function dhcpState(): u32 {
  return client.state;
}

/** The link came up: what was sent while it was down is sent again now. */
export function dhcpLinkUp(): void {
  const state = client.state;
  if (state == DHCP_INIT || state == DHCP_SELECTING || state == DHCP_REQUESTING) restart(false);
}

/** Back to INIT, without an address. `wait`: not at once, so that a server that only refuses is not asked all the time. */
function restart(wait: bool): void {
  client.state = DHCP_INIT;
  client.address = 0;
  client.server = 0;
  if (networkInterface().address != 0) setAddress(0, 0, 0);
  learnNameServers(0, 0);
  if (wait) {
    retryLater();
    return;
  }
  client.interval = RETRY_FIRST;
  discover();
}

/** SELECTING: a new transaction. */
function discover(): void {
  client.state = DHCP_SELECTING;
  client.xid = random32();
  client.begun = now();
  send();
}

/** Sends what belongs to the state, and starts the timer for the next time. */
function send(): void {
  const state = client.state;
  const time = now();
  const seconds = <u32>((time - client.begun) / SECOND);
  const operation = state == DHCP_SELECTING ? DHCPDISCOVER : DHCPREQUEST;
  const selecting = state == DHCP_REQUESTING;
  sendDhcp(
    operation,
    client.xid,
    seconds < 0xffff ? seconds : 0xffff,
    selecting ? client.address : 0,
    selecting ? client.server : 0,
    state == DHCP_RENEWING ? client.server : 0,
  );
  if (state == DHCP_RENEWING) renewLater(client.rebindAt);
  else if (state == DHCP_REBINDING) renewLater(client.endAt);
  else retryLater();
}

/** Exponential back-off, varied by ±1 s. */
function retryLater(): void {
  const interval = client.interval;
  const jitter = (<u64>random32() * (2 * SECOND)) >> 32;
  timerStart(client, now() + <u64>interval * SECOND - SECOND + jitter);
  client.interval = interval < RETRY_LAST / 2 ? interval * 2 : RETRY_LAST;
}

/** Half of the time that is left until `limit`, but not less than a minute (RFC 2131, 4.4.5), nor after `limit`. */
function renewLater(limit: u64): void {
  const time = now();
  let at = limit;
  if (time < limit) {
    const half = (limit - time) >> 1;
    at = time + (half > RENEW_MINIMUM * SECOND ? half : RENEW_MINIMUM * SECOND);
    if (at > limit) at = limit;
  }
  timerStart(client, at);
}

function onTimer(timer: Timer): void {
  const time = now();
  const state = client.state;
  if (state == DHCP_INIT) {
    discover();
  } else if (state == DHCP_SELECTING) {
    send();
  } else if (state == DHCP_REQUESTING) {
    if (++client.tries < REQUEST_TRIES) send();
    else restart(false);
  } else if (time >= client.endAt) {
    log(LOG_WARNING, "dhcp", "the lease has ended");
    restart(false);
  } else if (time >= client.rebindAt) {
    if (state != DHCP_REBINDING) beginRequest(DHCP_REBINDING);
    else send();
  } else if (state != DHCP_RENEWING) {
    beginRequest(DHCP_RENEWING);
  } else {
    send();
  }
  networkFlush();
}

/** A request in a transaction of its own: RENEWING or REBINDING. */
function beginRequest(state: u32): void {
  client.state = state;
  client.xid = random32();
  client.begun = now();
  client.requested = client.begun;
  send();
}

// ---- Input ----

/** A datagram to port 68, at its UDP header. Takes the reference. */
function dhcpInput(buffer: PacketBuffer): void {
  handle(buffer);
  releaseBuffer(buffer);
}

function handle(buffer: PacketBuffer): void {
  const counters = networkCounters();
  const sourcePort = changetype<UdpHeader>(buffer.data).sourcePort;
  const address = buffer.data + UDP_HEADER;
  const length = buffer.length - UDP_HEADER;
  if (
    !DhcpMessage.check(address, length) ||
    !options.parse(address + DHCP_HEADER, length - DHCP_HEADER) ||
    options.type == 0
  ) {
    counters.dhcpMalformed++;
    return;
  }
  const message = changetype<DhcpMessage>(address);
  const device = networkInterface().device;
  const type = options.type;
  const state = client.state;
  // An application could write to this port over the loopback: what comes from ourselves is no server's.
  const ours =
    sourcePort == DHCP_SERVER_PORT &&
    !isLocalAddress(changetype<Ipv4Header>(buffer.networkHeader).source) &&
    message.xid == client.xid &&
    message.hardware0 == device.address0 &&
    message.hardware4 == device.address4 &&
    options.server != 0;
  if (ours && state == DHCP_SELECTING && type == DHCPOFFER && isUnicast(message.yourAddress)) {
    select(message.yourAddress);
  } else if (ours && type == DHCPACK && acceptable(state, message)) {
    if (!takeLease(message.yourAddress)) restart(true);
  } else if (ours && type == DHCPNAK && mayRefuse(state)) {
    if (logStart(LOG_WARNING, "dhcp")) {
      logText("refused by ");
      logAddress(options.server);
      logEnd();
    }
    if (state != DHCP_REQUESTING) client.interval = RETRY_FIRST;
    restart(true);
  } else {
    counters.dhcpIgnored++;
  }
}

/** The acknowledgement of what we asked for: from the server that we asked (REBINDING: any), with a lease. */
function acceptable(state: u32, message: DhcpMessage): bool {
  if (options.lease == 0 || !isUnicast(message.yourAddress)) return false;
  if (state == DHCP_REBINDING) return true;
  if (state != DHCP_REQUESTING && state != DHCP_RENEWING) return false;
  return options.server == client.server && message.yourAddress == client.address;
}

function mayRefuse(state: u32): bool {
  if (state == DHCP_REBINDING) return true;
  return (state == DHCP_REQUESTING || state == DHCP_RENEWING) && options.server == client.server;
}

/** Takes the first offer that comes. */
function select(address: u32): void {
  client.state = DHCP_REQUESTING;
  client.address = address;
  client.server = options.server;
  client.tries = 0;
  client.interval = RETRY_FIRST;
  client.requested = now();
  send();
}
