/** What the DHCP client (dhcp.ts) knows of its transaction and its lease, and the options of the message that is looked at. */
import { Timer } from "../kernel/time/timers";
import { DhcpOptions } from "./dhcp-options";

/** States of RFC 2131, figure 5; 0: the client was not started. */
export const DHCP_INIT: u32 = 1;
export const DHCP_SELECTING: u32 = 2;
export const DHCP_REQUESTING: u32 = 3;
export const DHCP_BOUND: u32 = 4;
export const DHCP_RENEWING: u32 = 5;
export const DHCP_REBINDING: u32 = 6;

/** First interval between transmissions (RFC 2131, 4.1), seconds; it doubles, and each is varied by up to a second either way. */
export const RETRY_FIRST: u32 = 4;


@unmanaged
export class DhcpClient extends Timer {
  state: u32;
  xid: u32;
  /** Seconds until the next retransmission, not varied. */
  interval: u32;
  tries: u32;
  /** Offered or held address, and the server it is from. */
  address: u32;
  server: u32;
  /** () => void */
  onBound: u32;
  /** ns since boot: of the first message of this attempt, of the request that is under way, and ends of the lease's parts. */
  begun: u64;
  requested: u64;
  renewAt: u64;
  rebindAt: u64;
  endAt: u64;
}

const CLIENT_SIZE: usize = (offsetof<DhcpClient>() + 7) & ~7;
/** Bytes of storage for initializeDhcp. */
export const DHCP_STORAGE: usize = CLIENT_SIZE + offsetof<DhcpOptions>();

/** The one that there is. */
export let client: DhcpClient = changetype<DhcpClient>(0);
/** Of the message that was parsed last. */
export let options: DhcpOptions = changetype<DhcpOptions>(0);

/** Once at boot. `storage`: DHCP_STORAGE bytes. */
export function initializeDhcpClient(storage: usize): void {
  memory.fill(storage, 0, DHCP_STORAGE);
  client = changetype<DhcpClient>(storage);
  options = changetype<DhcpOptions>(storage + CLIENT_SIZE);
}
