/**
 * A test by name for each known class of holes in TCP/IP stacks: URGENT/11 (VxWorks, 2019), SACK panic (Linux, 2019), Ripple20 (Treck, 2020), AMNESIA:33 (uIP, picoTCP, FNET,
 * Nut/Net, 2020), NUMBER:JACK (nine stacks, 2021), NAME:WRECK (2021), and the old ones. One guest goes through all of them: after each a real client is served,
 * nothing has trapped, and what had to be dropped has been counted.
 *
 * Loops of DNS names (NAME:WRECK) have a guest with a resolver: dns.test.ts.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DEFAULT_IMAGE, type WiredMachine, bootWired } from "../../boot/machine.ts";
import { ipv4Attacks } from "./ipv4.ts";
import { linkAttacks } from "./link.ts";
import { Target } from "./target.ts";
import { tcpAttacks } from "./tcp.ts";

describe("hostile frames", () => {
  let wired: WiredMachine;
  let target: Target;

  before(async () => {
    wired = await bootWired(DEFAULT_IMAGE);
    target = new Target(wired.peer, wired.machine, await wired.peer.resolve());
    await target.well();
  });
  after(() => wired?.stop());

  for (const { name, drops, run } of [...ipv4Attacks, ...tcpAttacks, ...linkAttacks]) {
    test(name, async () => {
      const before = await target.dropped();
      await run(target);
      await target.well();
      if (drops === undefined) return;
      const counted = (await target.dropped()) - before;
      assert.ok(counted >= drops, `${counted} frames counted as dropped, at least ${drops} had to be`);
    });
  }
});
