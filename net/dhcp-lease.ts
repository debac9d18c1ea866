/** The lease that a DHCP server has acknowledged (RFC 2131, 4.4.1 and 4.4.5): its address, its times, and what is logged of it. */
import { LOG_INFO, LOG_WARNING, log, logAddress, logEnd, logStart } from "../kernel/console";
import { logText, logUnsigned } from "../kernel/console";
import { SECOND } from "../kernel/time/clock";
import { timerStart, timerStop } from "../kernel/time/timers";
import { client, DHCP_BOUND, DHCP_REQUESTING, options, RETRY_FIRST } from "./dhcp-client";
import { networkInterface, setAddress } from "./interface";
import { learnNameServers, nameServer4 } from "./name-servers";

/** The shortest lease that we follow, seconds. */
const LEASE_MINIMUM: u32 = 60;
const LEASE_INFINITE: u32 = 0xffff_ffff;

/** The lease is ours: sets the address, and times for its parts, which count from the request (RFC 2131, 4.4.1). False: it makes no sense, as the log says. */
export function takeLease(address: u32): bool {
  const netmask = options.netmask != 0 ? options.netmask : classMask(address);
  const networkInterface_ = networkInterface();
  const gateway = options.router;
  const same = address == networkInterface_.address && netmask == networkInterface_.netmask;
  if (!same || gateway != networkInterface_.gateway) {
    if (!setAddress(address, netmask, gateway) && !setAddress(address, netmask, 0)) {
      log(LOG_WARNING, "dhcp", "the lease makes no sense: address and netmask do not fit");
      return false;
    }
    if (gateway != networkInterface_.gateway) {
      log(LOG_WARNING, "dhcp", "the gateway is not on this net: not used");
    }
  }
  learnNameServers(options.nameServer0, options.nameServer1);
  const first = client.state == DHCP_REQUESTING;
  client.state = DHCP_BOUND;
  client.address = address;
  client.server = options.server;
  client.interval = RETRY_FIRST;
  setLease();
  if (first || !same) {
    report();
    if (client.onBound != 0) call_indirect<void>(client.onBound);
  }
  return true;
}

/** When the lease is to be renewed, from whom, and when it ends (RFC 2131, 4.4.5). */
function setLease(): void {
  if (options.lease == LEASE_INFINITE) {
    client.endAt = u64.MAX_VALUE;
    timerStop(client);
    return;
  }
  const lease = options.lease < LEASE_MINIMUM ? LEASE_MINIMUM : options.lease;
  let t1 = options.t1;
  let t2 = options.t2;
  // Times that make no sense, or would have us renew all the time, are replaced by the usual ones.
  if (t2 < LEASE_MINIMUM / 2 || t2 >= lease) t2 = <u32>((<u64>lease * 7) >> 3);
  if (t1 < LEASE_MINIMUM / 4 || t1 >= t2) t1 = lease >> 1 < t2 ? lease >> 1 : t2 >> 1;
  const start = client.requested;
  client.renewAt = start + <u64>t1 * SECOND;
  client.rebindAt = start + <u64>t2 * SECOND;
  client.endAt = start + <u64>lease * SECOND;
  timerStart(client, client.renewAt);
}

function report(): void {
  if (!logStart(LOG_INFO, "dhcp")) return;
  const networkInterface_ = networkInterface();
  logText("address ");
  logAddress(networkInterface_.address);
  logText("/");
  logUnsigned(popcnt(networkInterface_.netmask));
  logText(", gateway ");
  logAddress(networkInterface_.gateway);
  if (nameServer4(0) != 0) {
    logText(", name server ");
    logAddress(nameServer4(0));
  }
  logText(", from ");
  logAddress(client.server);
  if (options.lease == LEASE_INFINITE) {
    logText(", for ever");
  } else {
    logText(", for ");
    logUnsigned(options.lease);
    logText(" s");
  }
  logEnd();
}

/** The mask of the address's class, for a server that sends none. */
function classMask(address: u32): u32 {
  if (address < 0x8000_0000) return 0xff00_0000;
  return address < 0xc000_0000 ? 0xffff_0000 : 0xffff_ff00;
}
