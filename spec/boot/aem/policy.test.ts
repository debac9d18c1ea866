/** AEM 3.5.3 and 3.5.4: policy and limits of a process from the manifest, in a booted image; and watching it (processinfo). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { specImage } from "../machine.ts";
import { EFAULT, ESRCH } from "../numbers.ts";
import { EXACT, reportOf } from "../report.ts";

const EPERM = -1;
const EAGAIN = -11;
const EMFILE = -24;
const EMSGSIZE = -90;
const EDQUOT = -122;

describe("policy and limits", () => {
  const report = reportOf(specImage("policy.json"), EXACT);
  const { one } = report;

  test("3.5.3 what is not refused works as ever", () => assert.deepEqual(one("guarded-allowed"), [1, 0]));
  test("3.5.3 refused calls: -EPERM, with results of 32 and of 64 bits, and without effect", () => {
    assert.deepEqual(one("guarded-calls"), [EPERM, EPERM, EPERM]);
    assert.deepEqual(one("guarded-again"), [EPERM, 0]);
  });
  test("3.5.3 a refused call is logged once for each process, with its name", () => {
    const lines = report.lines.filter((line) => /guarded\) may not call getrandom/.test(line));
    assert.equal(lines.length, 1, report.console());
  });
  test("3.5.3 event types that are not allowed: -EPERM", () =>
    assert.deepEqual(one("guarded-types"), [EPERM, 1]));
  test("3.5.3 executors that are not allowed: -EPERM", () =>
    assert.deepEqual(one("guarded-executor"), [EPERM]));
  test("3.5.3 a list of allowed calls refuses all others; a refused exit does not end the process", () => {
    assert.deepEqual(one("listed-calls"), [EPERM, EPERM, EPERM, EPERM, EPERM, 0]);
    assert.deepEqual(one("listed-exit"), [1]);
  });
  test("3.5.3 no handler runs after or inside a call that is not in handlersAfter", () => {
    assert.deepEqual(one("hushed-sleep"), [0, 0]);
    assert.deepEqual(one("hushed-poll"), [0, 0]);
    assert.deepEqual(one("hushed-after"), [0]);
  });
  test("3.5.3 quiet calls with six parameters get all of them", () => {
    assert.deepEqual(one("hushed-sendto"), [4, 0]);
    assert.deepEqual(one("hushed-recvfrom"), [4, 0x64636261, 2201, 16, 0]);
  });
  test("3.5.3 handlers run after a call that is in handlersAfter", () =>
    assert.deepEqual(one("hushed-keepalive"), [0, 1]));

  test("3.5.4 events of a type, and events: -EDQUOT", () => {
    assert.deepEqual(one("guarded-timers"), [1, 1, EDQUOT]);
    assert.deepEqual(one("guarded-events"), [EDQUOT]);
  });
  test("3.5.4 descriptors: -EMFILE until one is closed", () => {
    assert.deepEqual(one("guarded-descriptors"), [1, EMFILE]);
    assert.deepEqual(one("guarded-descriptor-again"), [1]);
  });
  test("3.5.4 activations: further ones are held back, none is lost", () => {
    assert.deepEqual(one("held-busy"), [2, 18, 21]);
    const [result, handled, most, left, heldLeft, heldTotal = 0] = one("held-done");
    assert.deepEqual([result, handled, most, left, heldLeft], [0, 20, 2, 0, 0]);
    assert.ok(heldTotal >= 18);
  });

  test("3.5.3 of the executors, only the one that is allowed; refusals are counted", () =>
    assert.deepEqual(one("executors"), [EPERM, EPERM, EPERM, 1, 3, 1]));
  test("3.5.4 linear memory: memory.grow fails at the manifest's limit, and goes on failing", () =>
    assert.deepEqual(one("bounded-memory"), [32, -1]));
  test("3.5.4 vmtable: a message that would take more than half of it is refused, and stays with its sender", () =>
    assert.deepEqual(one("bounded-vmtable"), [0, EMSGSIZE]));
  test("3.5.4 threads: as many handlers at once as there are workers, the others after them", () =>
    assert.deepEqual(one("bounded-threads"), [0, 4, 1]));
  test("3.5.4 children: one more than there may be is -EAGAIN, until one has been waited for", () =>
    assert.deepEqual(one("bounded-children"), [1, EAGAIN, 1, 9, 1]));
  test("3.5.4 processor: a process that computes all along has its share of each period, and no more", () => {
    const [used = 0, passed = 0] = one("bounded-share");
    // 10 ms of each 100 ms; a period that has begun, and a quantum at the end of each share, come on top.
    assert.ok(used > passed * 0.02 && used <= passed * 0.1 + passed * 0.01 + 15e6, `${used} of ${passed} ns`);
  });

  test("processinfo: own and others' figures, and no such process", () => {
    const [length = 0, pid, state, events, timers] = one("watcher-self");
    assert.ok(length >= 200);
    assert.deepEqual([pid, state, events, timers], [5, 1, 1, 1]);
    // Blocked; two sockets; getrandom twice, clock_gettime and kill; sock and fork; timer, read and socket.
    assert.deepEqual(one("watcher-guarded"), [3, 2, 4, 2, 3, 3]);
    const [memory = 0, limit, used, size, name] = one("watcher-memory");
    assert.ok(memory >= 65536 && memory % 65536 === 0);
    assert.deepEqual([limit, used, size, name], [16 << 20, 0, 1 << 20, 1]);
    assert.deepEqual(one("watcher-none"), [ESRCH, ESRCH, EFAULT]);
    assert.deepEqual(one("watcher-kill"), [0, ESRCH]);
  });

  test("the image ends as its processes did", () => assert.equal(report.status, 73, report.console()));
});
