/** What goes wrong in the world (world.ts). */

/** What goes wrong on the way to MIRROR and back, in thousandths; times in ns. */
export class Accidents {
  loss: u32 = 0;
  duplicate: u32 = 0;
  corrupt: u32 = 0;
  delay: u64 = 1_000_000;
  /** In how many cases a thousand packets that wait for the turn of their socket's level wait on. */
  lazy: u32 = 0;
  jitter: u32 = 0;
  /** The device refuses, as with a full transmit queue. */
  refuse: u32 = 0;
  /** Longer packets are dropped on the way; with `tells`, the router says so. */
  mtu: u32 = 65535;
  tells: bool = false;
  /** The device keeps its reference to a buffer for this long. */
  hold: bool = false;
}

export let accidents: Accidents = new Accidents();

export function calm(): void {
  accidents = new Accidents();
}
