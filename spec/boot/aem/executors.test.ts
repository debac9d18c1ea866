/**
 * Executors (AEM 3.1.6, 3.2.3, 3.4.2, 3.6.2, 3.6.4): function, thread, process and capsule; what a fork makes its own; children and their ends; limits.
 * Applications: spec/boot/apps/{executors,fork,crowd,threads,forkcost}; what is right stands here.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Connection, askUdp } from "../client.ts";
import { type Machine, boot, specImage } from "../machine.ts";
import { EBADF, EFAULT, EINVAL, ESRCH } from "../numbers.ts";
import { EXACT, Report, reportOf } from "../report.ts";

const ECHILD = -10;
const EPERM = -1;

function sum(data: Buffer): number {
  let value = 0;
  for (const byte of data) value = (Math.imul(value, 31) + byte) >>> 0;
  return value;
}

describe("executors of data from the network", () => {
  let machine: Machine;
  const parent = 1;

  before(async () => {
    machine = await boot(specImage("executors.json"), {
      tcp: [2000, 2001, 2002, 2003, 2006],
      udp: [2004, 2005],
    });
  });
  after(() => machine?.stop());

  interface Reply {
    pid: number;
    length: number;
    sum: number;
    calls: number;
  }

  function reply(data: Buffer): Reply {
    return {
      pid: data.readUInt32LE(0),
      length: data.readUInt32LE(4),
      sum: data.readUInt32LE(8),
      calls: data.readUInt32LE(12),
    };
  }

  /** Data that are not to be found by chance: one random word, again and again. */
  function marked(bytes: number): { word: Buffer; data: Buffer } {
    const word = randomBytes(8);
    return { word, data: Buffer.alloc(bytes, word) };
  }

  /** How often the word stands in the parent's memory, and in its vmtable. It is asked for in disguise. */
  async function found(word: Buffer): Promise<[number, number]> {
    const disguised = Buffer.from(word.map((byte) => byte ^ 0xff));
    const answer = await askUdp(machine.udp(2005), Buffer.concat([Buffer.from("s"), disguised]), 20_000);
    return [answer.readUInt32LE(0), answer.readUInt32LE(4)];
  }

  async function exchange(port: number, rounds: number): Promise<{ replies: Reply[]; words: Buffer[] }> {
    const connection = await Connection.open(machine.tcp(port));
    const replies: Reply[] = [];
    const words: Buffer[] = [];
    try {
      for (let round = 0; round < rounds; round++) {
        const { word, data } = marked(1200);
        await connection.write(data);
        const answer = reply(await connection.read(16));
        assert.deepEqual(
          [answer.length, answer.sum],
          [data.length, sum(data)],
          "the handler has seen what was sent",
        );
        replies.push(answer);
        words.push(word);
      }
    } finally {
      connection.destroy();
    }
    return { replies, words };
  }

  test("3.1.6, 3.2.3 function: the handler runs in the process itself, with the data", async () => {
    const { replies, words } = await exchange(2000, 3);
    assert.ok(replies.every(({ pid }) => pid === parent));
    assert.deepEqual(
      replies.map(({ calls }) => calls - (replies[0]?.calls ?? 0)),
      [0, 1, 2],
    );
    // What shows that the search below finds what is there.
    const [, vmtable] = await found(words[2] as Buffer);
    assert.ok(vmtable > 0, "the data came to this process's vmtable");
  });

  test("3.1.6, 3.2.3 thread: the handler runs in the process's memory, on a thread of its own", async () => {
    const { replies } = await exchange(2003, 3);
    assert.ok(replies.every(({ pid }) => pid === parent));
    assert.deepEqual(
      replies.map(({ calls }) => calls - (replies[0]?.calls ?? 0)),
      [0, 1, 2],
      "one memory",
    );
  });

  test("3.1.6, 3.2.3, 3.4.2 process: a clone for each call has the data of a stream, and the parent's memory has none of them", async () => {
    const base = (await exchange(2000, 1)).replies[0]?.calls as number;
    const { replies, words } = await exchange(2001, 4);
    for (const { pid, calls } of replies) {
      assert.notEqual(pid, parent);
      assert.equal(calls, base + 1, "each begins as a copy of the parent");
    }
    for (const word of words) assert.deepEqual(await found(word), [0, 0]);
    assert.equal(
      (await exchange(2000, 1)).replies[0]?.calls,
      base + 1,
      "and the parent has counted its own only",
    );
  });

  test("3.1.6, 3.2.3, 3.4.2 capsule: one clone serves call after call, its memory is kept, and the parent's has none of the data", async () => {
    // A call that comes before the only capsule rests waits for it.
    const { replies, words } = await exchange(2002, 5);
    const pids = new Set(replies.map(({ pid }) => pid));
    assert.equal(pids.size, 1);
    assert.ok(!pids.has(parent));
    assert.deepEqual(
      replies.map(({ calls }) => calls - (replies[0]?.calls ?? 0)),
      [0, 1, 2, 3, 4],
    );
    for (const word of words) assert.deepEqual(await found(word), [0, 0]);
  });

  test("3.2.3 capsule: what its handler has left open is closed when it rests: no client waits for its next call", async () => {
    for (let call = 0; call < 3; call++) {
      const connection = await Connection.open(machine.tcp(2006));
      // All of the answer, and an end in order.
      const answer = await connection.readToEnd();
      assert.equal(answer.length, 16);
      assert.notEqual(reply(answer).pid, parent);
      connection.destroy();
    }
  });

  test("3.4.2 a datagram arrives in the child alone", async () => {
    for (const bytes of [8, 1000, 1400]) {
      const { word, data } = marked(bytes);
      const answer = reply(await askUdp(machine.udp(2004), data));
      assert.notEqual(answer.pid, parent);
      assert.deepEqual([answer.length, answer.sum], [bytes, sum(data)]);
      assert.deepEqual(await found(word), [0, 0]);
    }
  });

  test("3.4.2 a message arrives in the child, byte for byte", async () => {
    const data = randomBytes(1000);
    const disguised = Buffer.from(data.map((byte) => byte ^ 0xff));
    const answer = reply(await askUdp(machine.udp(2005), Buffer.concat([Buffer.from("m"), disguised])));
    assert.notEqual(answer.pid, parent);
    assert.deepEqual([answer.length, answer.sum], [data.length, sum(data)]);
  });
});

describe("fork", () => {
  const report = reportOf(specImage("fork/main.ts"), EXACT);
  before(() => assert.deepEqual(report.rows("done"), [[1]], report.console()));

  test("3.2.3 a fork inside of a recursion: both sides return through frames of their own", () => {
    assert.deepEqual(report.rows("stack-child"), [[10_000, 0]]);
    assert.deepEqual(report.rows("stack-parent"), [[10, 1]], "the child's value is not the parent's");
  });

  test("3.2.3 globals, memory and its growth are each side's own, whoever writes first", () => {
    const [pages] = report.rows("pages")[0] as [number];
    // The parent has changed all of it and grown before the child looked.
    assert.deepEqual(report.rows("child-later"), [[2, 100, pages, 42]]);
    assert.deepEqual(report.rows("child-grown"), [[pages + 3, 77]]);
    // And the child before the parent looked.
    assert.deepEqual(report.rows("parent-later"), [[3, 100, 0]]);
    assert.deepEqual(report.rows("waited"), [[1, 5]]);
  });

  test("3.2.3 waitpid tells how a child has ended: its status, or by what", () => {
    assert.deepEqual(report.rows("nobody"), [[ECHILD, ECHILD, EINVAL, EINVAL, EFAULT]]);
    assert.deepEqual(report.rows("not-yet"), [[0, 0]]);
    assert.deepEqual(report.rows("exited"), [[1, 17, ECHILD]]);
    assert.deepEqual(report.rows("killed"), [[1, 64 + 9]]);
    assert.deepEqual(report.rows("trapped"), [[1, 64 + 4]]);
  });

  test("3.2.3 FORK_NO_WAIT: waitpid waits until all such children have ended, and says -ECHILD", () => {
    assert.deepEqual(report.rows("no-wait"), [[ECHILD, ECHILD, ESRCH]]);
  });

  test("3.1.1, 3.2.3 a child event tells of each child that has ended, and with that it is waited for", () => {
    const [[first, second]] = report.rows("children") as [[number, number]];
    assert.deepEqual(report.rows("child-event"), [
      [first, 21],
      [second, 22],
    ]);
    assert.deepEqual(report.rows("no-child"), [[ECHILD, ECHILD, ECHILD]]);
  });

  test("3.6.4 without FORK_EVENTS a child starts with a fresh list, with it with its parent's; the parent keeps its own", () => {
    const [fresh, inherited] = report.rows("inherited") as [number[], number[]];
    assert.deepEqual(fresh, [0, 0, 0]);
    assert.deepEqual([inherited[0], inherited[2]], [1, 1]);
    assert.ok((inherited[1] as number) >= 10, `${inherited[1]} expirations of the child's copy`);
    for (const [, ticks, count] of report.rows("kept")) {
      assert.ok((ticks as number) >= 10);
      assert.equal(count, 1);
    }
    assert.deepEqual(report.rows("flags"), [[EINVAL, EINVAL]]);
  });

  test("3.2.3 a fork inside of a handler; on a thread it is refused", () => {
    assert.deepEqual(
      report.rows("handler-fork").sort(([a], [b]) => (a as number) - (b as number)),
      [[30], [31]],
    );
    assert.deepEqual(report.rows("handler-child"), [[1, 31]]);
    assert.deepEqual(report.rows("thread-fork"), [[EPERM]]);
  });
});

test("3.2.3 the cost of a fork does not grow with the memory: 1 MiB and 64 MiB within 10 %", async () => {
  const report = await new Report().run(specImage("forkcost.json"), { ...EXACT, memory: 256 });
  const rows = report.rows("fork");
  assert.equal(rows.length, 10, report.console());
  const median = (size: number, column: number): number =>
    rows
      .filter((values) => values[0] === size)
      .map((values) => values[column] as number)
      .sort((a, b) => a - b)[2] as number;
  for (const [what, column] of [
    ["fork", 1],
    ["end of the child", 2],
  ] as const) {
    const [small, large] = [median(1, column), median(64, column)];
    assert.ok(Math.abs(large - small) <= small / 10, `${what}: ${small} and ${large} instructions`);
  }
});

describe("more activations than children", () => {
  const report = reportOf(specImage("crowd.json"), EXACT);

  for (const [kind, name, limit] of [
    [1, "EVF_FORK", 3],
    [2, "EVF_FORK with EVF_NOCLDWAIT", 3],
    [3, "EVF_CAPSULE", 2],
  ] as const) {
    test(`3.1.6, 3.5.1, 3.5.4 ${name}: no more than ${limit} at once, the others wait, nothing is lost`, () => {
      const [, most, ended, total, distinct, longest] = report
        .rows("crowd")
        .find((values) => values[0] === kind) as number[];
      assert.deepEqual([most, ended, total], [limit, 24, 300], report.console());
      const [, activations, handled, waiting, calls] = report
        .rows("crowd-event")
        .find((values) => values[0] === kind) as number[];
      assert.deepEqual([activations, handled, waiting], [24, 24, 0], "statistics of the event");
      assert.equal(calls, 0, "none ran in the parent");
      if (kind === 3) {
        assert.equal(distinct, limit, "capsules serve again and again");
        assert.ok((longest as number) >= 24 / limit, "their memory is kept");
      } else assert.equal(longest, 1, "each clone is new");
    });
  }

  test("3.1.6 nobody has to wait for capsules, nor with EVF_NOCLDWAIT", () => {
    assert.deepEqual(report.rows("left"), [[ECHILD, ESRCH]]);
  });
});

describe("threads", () => {
  const report = reportOf(specImage("threads.json"), EXACT);

  test("3.6.2 handlers on threads and in the context interleave only at system calls: no increment is lost", () => {
    const [calls, counter, intrusions, sleeping, most] = report.rows("protocol")[0] as number[];
    assert.ok((calls as number) > 50, report.console());
    assert.deepEqual([counter, intrusions, sleeping], [calls, 0, 0]);
    assert.ok((most as number) >= 2, "threads were under way at the same time, each blocked in a call");
  });

  test("3.2.3 a thread that blocks in a call lets function handlers run, and goes on when its call is done", () => {
    const [[steps]] = report.rows("steps") as [[number]];
    assert.ok(steps >= 18, report.console());
    assert.deepEqual(report.rows("bound"), [[0]]);
    assert.deepEqual(report.rows("sent"), [[3]]);
    const [received] = report.rows("received") as [number[]];
    assert.deepEqual(
      [received[0], received[1], received[3]],
      [3, 99, 1],
      "its block was its own all the time",
    );
    assert.ok((received[2] as number) >= 18);
  });

  test("3.2.3 a socket that is closed while a thread that its data have woken is still to go on: EBADF for the thread", () => {
    assert.deepEqual(report.rows("closed"), [[0, 0]], report.console());
    assert.deepEqual(report.rows("lost"), [[EBADF]]);
    assert.deepEqual(report.rows("outside"), [[1]]);
  });
});
