/** When handlers run, and when not (docs/architecture.md, Execution): spec/boot/apps/core reports what it saw. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { askUdp } from "./client.ts";
import { DEFAULT_IMAGE, boot, specImage } from "./machine.ts";
import { reportOf } from "./report.ts";

describe("handlers", () => {
  const report = reportOf(specImage("core.json"));
  const { one } = report;

  test("a timer comes for a process that makes calls and never blocks", () => {
    assert.deepEqual(one("timer-calling"), [1], report.console());
  });

  test("memory.grow runs no handler; the next call does", () => {
    assert.deepEqual(one("grow"), [1, 0, 0, 1], report.console());
  });

  test("the calls of a handler start no other handler", () => {
    assert.deepEqual(one("nesting"), [0, 3, 1], report.console());
  });
});

describe("non-maskable interrupts", () => {
  /** So many find a window of one instruction, as there once was between sti and hlt. */
  const STORM = 60_000;
  const BATCH = 1000;

  test(
    "a storm of them while the machine serves: nothing is lost, nothing ends",
    { timeout: 90_000 },
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "aemos-"));
      const path = join(folder, "monitor");
      const machine = await boot(DEFAULT_IMAGE, {
        udp: [7],
        extra: ["-monitor", `unix:${path},server=on,wait=off`],
      });
      const monitor = connect(path);
      try {
        await once(monitor, "connect");
        monitor.resume();
        let storming = true;
        let answers = 0;
        const serve = async (): Promise<void> => {
          while (storming) {
            const message = Buffer.from(`message ${answers}`);
            assert.deepEqual(await askUdp(machine.udp(7), message), message, machine.console());
            answers++;
          }
        };
        const serving = serve();
        // It is waited for below; until then its end is no news.
        serving.catch(() => {});
        for (let sent = 0; sent < STORM; sent += BATCH) {
          monitor.write("nmi\n".repeat(BATCH));
          await sleep(20);
        }
        storming = false;
        await serving;
        assert.ok(answers > 100, `${answers} answers`);
        assert.ok(!machine.guest.ended, machine.console());
      } finally {
        monitor.destroy();
        await machine.stop();
        await rm(folder, { recursive: true });
      }
    },
  );
});
