/**
 * Isolation: whatever one process does, the others go on answering, and what it had goes back. Applications:
 * spec/boot/apps/{sinner,keeper,pulse,supervisor,mayfly}.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { after, before, describe, test } from "node:test";
import { askUdp, get, request } from "../client.ts";
import { type Machine, boot, specImage } from "../machine.ts";

const SIGKILL = 9;

describe("a process that does what no process should", () => {
  let machine: Machine;
  let rounds = 0;

  before(async () => {
    machine = await boot(specImage("isolation.json"), { tcp: [80], udp: [5000, 5001] });
  });
  after(() => machine?.stop());

  async function order(letter: string, argument = 0): Promise<void> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) =>
      socket.send(Buffer.from([letter.charCodeAt(0), argument]), machine.udp(5000), "127.0.0.1", () =>
        resolve(),
      ),
    );
    socket.close();
  }

  /** Orders until the row is there: datagrams may get lost. */
  async function ordered(row: string, count: number, letter: string, argument = 0): Promise<number[]> {
    for (let attempt = 0; ; attempt++) {
      await order(letter, argument);
      try {
        return (await machine.waitForRows(row, count, 3000))[count - 1] as number[];
      } catch (error) {
        if (attempt === 10) throw error;
      }
    }
  }

  async function beats(): Promise<number> {
    return (await askUdp(machine.udp(5001), Buffer.from("?"))).readUInt32LE(0);
  }

  /** Over real TCP, and a timer of another process. */
  async function othersAnswer(): Promise<void> {
    const first = await beats();
    for (let n = 0; n < 3; n++)
      assert.equal((await request(machine.tcp(80), get("/"), 20_000)).status, 200, machine.console());
    let last = first;
    for (let n = 0; n < 200 && last < first + 3; n++) last = await beats();
    assert.ok(last >= first + 3, `the timer goes on: ${first}, ${last}`);
  }

  async function sin(letter: string, argument: number, loops: boolean): Promise<void> {
    rounds++;
    await ordered("spawned", rounds, letter, argument);
    await machine.waitForRows("posted", rounds);
    assert.equal(machine.rows("posted")[rounds - 1]?.[0], 0);
    if (loops) {
      await othersAnswer();
      assert.equal(machine.rows("ended").length, rounds - 1, "it loops all the while");
      await ordered("ended", rounds, "k");
    }
    const [own, status] = (await machine.waitForRows("ended", rounds))[rounds - 1] as [number, number];
    assert.equal(own, 1);
    if (loops) assert.equal(status, 64 + SIGKILL);
    else assert.ok(status > 64, `status ${status}`);
    await othersAnswer();
    const gone = (await machine.waitForRows("after", rounds))[rounds - 1] as number[];
    const [before, during] = [machine.rows("before"), machine.rows("during")].map(
      (rows) => rows[rounds - 1],
    ) as [number[], number[]];
    // Events: its timer for this row has ended by then. Memory: packets that are under way may hold a frame or two.
    assert.ok((during[1] as number) >= (before[1] as number) + 108, `${during[1]} events meanwhile`);
    assert.deepEqual(gone.slice(1), before.slice(1), "events and processes");
    // The pools of the first round stay.
    if (rounds > 1)
      assert.ok(
        (gone[0] as number) >= (before[0] as number) - 16 * 4096,
        `${before[0]} bytes free before, ${gone[0]} after`,
      );
  }

  for (const [name, letter] of [
    ["a read out of bounds", "r"],
    ["a write out of bounds", "w"],
    ["a call of a null table entry", "n"],
    ["unreachable", "u"],
    ["a division by zero", "d"],
    ["an infinite recursion", "s"],
  ] as const)
    test(`${name}: the others answer, and all that it had goes back`, () => sin(letter, 0, false));

  test("an infinite loop in main code: the others answer; killed, all that it had goes back", () =>
    sin("m", 0, true));

  for (const priority of [0, 32, 63])
    test(`3.2.2 an infinite loop in a handler of priority ${priority}: the others answer; killed, all that it had goes back`, () =>
      sin("h", priority, true));
});

describe("births and ends", () => {
  test("10,000 processes with sockets, events, timers and children end in four ways: memory and events as before", async () => {
    const machine = await boot(specImage("leak.json"), { netdev: "none", ready: false });
    try {
      await machine.exited(200_000);
      const [first, last] = machine.rows("leak") as [number[], number[]];
      assert.deepEqual([first?.[0], last?.[0]], [100, 10_000], machine.console());
      assert.deepEqual(last.slice(1), first.slice(1), "free bytes, events, processes");
      assert.deepEqual(machine.rows("ends"), [[5000, 5000]]);
    } finally {
      await machine.stop();
    }
  });
});
