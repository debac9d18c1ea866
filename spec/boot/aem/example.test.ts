/** 2.1.3, the example of an event-driven server: apps/example and apps/example-c, each in an image of its own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT } from "../../../tools/paths.ts";
import { Connection } from "../client.ts";
import { type Machine, boot } from "../machine.ts";

const PORT = 2003;
const ANSWER = "accepted by an event handler\n";

for (const [language, name] of [
  ["TypeScript", "example"],
  ["C", "example-c"],
] as const) {
  describe(`the example in ${language}`, () => {
    let machine: Machine;
    before(async () => {
      machine = await boot(join(ROOT, "apps", name), { tcp: [PORT] });
    });
    after(() => machine?.stop());

    test(`2.1.3 ${language}: when a connection is coming in, the handler of accept is executed`, async () => {
      const connection = await Connection.open(machine.tcp(PORT));
      assert.equal((await connection.readToEnd()).toString(), ANSWER);
      connection.destroy();
    });

    test(`2.1.3 ${language}: once registered the server is kept alive: each further connection is answered`, async () => {
      for (let i = 0; i < 20; i++) {
        const connection = await Connection.open(machine.tcp(PORT));
        assert.equal((await connection.readToEnd()).toString(), ANSWER, `connection ${i}`);
        connection.destroy();
      }
      assert.equal(machine.guest.ended, false);
    });
  });
}
