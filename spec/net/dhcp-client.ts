/** For the specs of the DHCP client: a stack without an address, the scripted server (dhcp-server.ts), and how often an address was bound. */
import { setLogLevel } from "../../kernel/console";
import { bufferPool } from "../../net/buffer";
import { setAddress } from "../../net/interface";
import * as link from "./link";
import { script, SERVER, server } from "./dhcp-server";

export let bounds: u32 = 0;
export function onBound(): void {
  bounds++;
}

export function boot(): void {
  link.bootStack(300, 11);
  setLogLevel(0);
  setAddress(0, 0, 0);
  link.setHook(server.index);
  script.messages = script.bad = script.announcements = bounds = script.sentXid = 0;
  script.times = [];
  script.answers = 2 | 8;
  script.lease = 3600;
  script.t1 = script.t2 = 0;
  script.netmask = 0xffff_ff00;
  script.router = SERVER;
  script.unicast = false;
}

/** After each test. */
export function expectSound(): void {
  expect<u32>(script.bad).toBe(0, "malformed messages sent");
  expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
}
