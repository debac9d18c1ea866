/** The Linux guest on a frame wire with a peer in Node, as bootWired has aemos. */
import { Peer } from "../spec/wire/peer.ts";
import type { Guest, GuestOptions } from "../tools/qemu.ts";
import { type LinuxImage, SERVING, startLinux } from "./linux.ts";

const BOOT_TIMEOUT = 120_000;

/** A guest and the host at the other end of its wire. */
export interface Wired {
  guest: Guest;
  peer: Peer;
  stop(): Promise<void>;
}

/** The peer is 10.0.2.2, the guest 10.0.2.15. With mode "serve" it serves when this resolves. */
export async function wiredLinux(
  image: LinuxImage,
  mode: "serve" | "load",
  options: Omit<GuestOptions, "image" | "wire">,
): Promise<Wired> {
  const peer = await Peer.open();
  const guest = await startLinux(image, mode, { ...options, wire: peer.wire.guestEnd });
  const stop = async (): Promise<void> => {
    await guest.stop();
    peer.close();
  };
  try {
    if (mode === "serve") await guest.waitFor(SERVING, BOOT_TIMEOUT);
  } catch (error) {
    await stop();
    throw error;
  }
  return { guest, peer, stop };
}
