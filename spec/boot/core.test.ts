/** When handlers run, and when not (docs/architecture.md, Execution): spec/boot/apps/core reports what it saw. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { askUdp } from "./client.ts";
import { DEFAULT_IMAGE, boot, specImage } from "./machine.ts";
import { EXACT, reportOf } from "./report.ts";

describe("handlers", () => {
  const report = reportOf(specImage("core.json"), EXACT);
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
  /** Answers meanwhile. */
  const ANSWERS = 100;
  const PROMPT = "(qemu) ";

  test(
    "a storm of them while the machine serves: nothing is lost, nothing ends",
    { timeout: 300_000 },
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
        let prompts = 0;
        let rest = "";
        monitor.setEncoding("latin1").on("data", (text: string) => {
          const parts = (rest + text).split(PROMPT);
          prompts += parts.length - 1;
          rest = (parts.at(-1) as string).slice(1 - PROMPT.length);
        });
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
        // The monitor says when an interrupt has been sent; how fast, is the host's affair.
        for (let sent = 0; sent < STORM || answers <= ANSWERS; sent += BATCH) {
          monitor.write("nmi\n".repeat(BATCH));
          const arrived = machine.until(
            () => `${sent + BATCH} interrupts, not ${prompts}`,
            () => prompts >= sent + BATCH,
          );
          // `serving` is over first only where it fails, and then that is the news.
          arrived.catch(() => {});
          await Promise.race([arrived, serving]);
        }
        storming = false;
        await serving;
        assert.ok(answers > ANSWERS, `${answers} answers`);
        assert.ok(!machine.guest.ended, machine.console());
      } finally {
        monitor.destroy();
        await machine.stop();
        await rm(folder, { recursive: true });
      }
    },
  );
});
