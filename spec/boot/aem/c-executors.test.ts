/**
 * Executors of an application in C (spec/boot/apps/c-executors): threads, forks and capsules with arrays on the shadow stack, which each
 * thread has one of and each clone has a copy of. And what becomes of a process when a thread's overflows (spec/boot/apps/c-guard).
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { specImage } from "../machine.ts";
import { EFAULT } from "../numbers.ts";
import { reportOf } from "../report.ts";

const EPERM = -1;
const ECHILD = -10;
const CALLS = 6;
/** What main returns at its end. */
const STATUS = 21;

describe("executors in C", () => {
  const report = reportOf(specImage("c-executors.json"));
  const { one } = report;

  test("3.1.6 C: a fork in the middle of a recursion: each side has its own locals and globals", () => {
    assert.deepEqual(one("c-fork-child"), [0, 105, 1], "no cell wrong, its globals, another pid");
    assert.deepEqual(one("c-fork-parent"), [0, 5, 1, 41], "no cell wrong, its globals, the child's status");
  });

  test("3.1.6 C: the same beside workers that stand in the middle of their own recursion", () => {
    assert.deepEqual(one("c-beside-child"), [0, 105, 1]);
    assert.deepEqual(one("c-beside-parent"), [0, 5, 1, 41]);
  });

  test("3.2.3 C: handlers on threads keep their arrays while they block and others run", () => {
    assert.deepEqual(
      one("c-threads"),
      [3, 3, 0, 0, 1],
      "ended, at once, cells wrong, frames that overlap, handlers on the main thread meanwhile",
    );
    assert.deepEqual(report.rows("c-thread-refused"), []);
  });

  test("3.1.6 C: fork in a handler on a thread: -EPERM", () => {
    const rows = report.rows("c-thread-fork");
    assert.deepEqual(
      rows.map(([result]) => result),
      rows.map(() => EPERM),
    );
    // One of the three threads, and one in each generation.
    assert.equal(rows.length, 7, report.console());
  });

  test("3.1.6 C: a fork has threads of its own, and room for their stacks, six generations deep", () => {
    assert.deepEqual(one("c-generations"), [99, 1]);
  });

  test("3.2.3 C: EVF_FORK: each call begins with the memory of the parent, whose own stays as it is", () => {
    const [jid, stale, , calls, ended, statuses] = one("c-forks");
    assert.deepEqual([jid, stale, calls, ended, statuses], [1, 0, 0, CALLS, 0]);
  });

  test("3.2.3 C: EVF_NOCLDWAIT: the same, and no child event tells of the clones", () => {
    const [jid, stale, , calls, ended] = one("c-unwaited");
    assert.deepEqual([jid, stale, calls, ended], [1, 0, 0, 0]);
  });

  test("3.2.3 C: EVF_CAPSULE: one clone serves all, and its memory stays from call to call", () => {
    assert.deepEqual(one("c-capsules"), [1, 0, 1, 0, 0, 0]);
    const seen = report.rows("c-clone").map(([calls]) => calls as number);
    assert.ok(seen.length >= 3 * CALLS, report.console());
    // Of forks each is the first; of the capsule they go on.
    const first = seen.lastIndexOf(1);
    assert.deepEqual(
      seen,
      seen.map((_, at) => (at <= first ? 1 : at - first + 1)),
    );
    assert.ok(seen.length - first >= CALLS);
  });

  test("3.2.3 C: an event that a capsule has registered is its own, and does not keep it from its work", () => {
    // The capsule has told of its calls, else c-capsules would not be there; the parent has had none.
    assert.equal(one("c-end")[2], 0);
  });

  test("3.5.1 C: no activation is lost on the way to a clone", () => {
    assert.deepEqual(report.rows("c-counted"), [[0], [0], [0]], report.console());
  });

  test("3.2.3 C: a child event for a process that is no child: -ECHILD", () => {
    assert.deepEqual(one("c-end").slice(0, 2), [ECHILD, 5]);
  });

  test("nothing has trapped", () => assert.equal(report.status, STATUS, report.console()));
});

describe("shadow stacks of threads", () => {
  const WITHIN = 9;
  /** Of a process that has touched what is not mapped. */
  const TRAPPED = 64 + 11;
  const report = reportOf(specImage("c-guard.json"));
  before(() => assert.equal(report.status, STATUS, report.console()));

  test("3.1.6 C: a handler on a thread uses its stack, and the kernel writes to it, but not beyond its end", () => {
    // 820 is the sum of 40 frames.
    assert.deepEqual(report.rows("c-within"), [[64, EFAULT, 820]]);
  });

  test("3.1.6 C: a thread that overflows its shadow stack traps before it has written into anything: its process ends", () => {
    assert.deepEqual(report.rows("c-guarded"), [
      [0, 1, WITHIN],
      // By many frames, by one that is larger than the stack, by one operation, and on the lowest of the stacks.
      [1, 1, TRAPPED],
      [2, 1, TRAPPED],
      [3, 1, TRAPPED],
      [4, 1, TRAPPED],
    ]);
    assert.deepEqual(report.rows("c-overflowed"), [[0, 0]]);
    const said = report.lines.filter((line) => /c-guard.*trapped.*out of bounds/.test(line));
    assert.equal(said.length, 4, report.console());
  });

  test("3.1.6 C: meanwhile the threads of the other process keep what is on theirs", () => {
    assert.deepEqual(report.rows("c-neighbours"), [[0]]);
  });
});
