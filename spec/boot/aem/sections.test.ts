/**
 * No section with interrupts off is longer than 15,000 instructions (docs/architecture.md, Bounds of priorities): what spec/boot/aem/scale.test.ts does not do
 * with its million events. Sections are counted by a plugin of QEMU's (bench/sections.ts); the application is spec/boot/apps/sections.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Section, SectionCounter } from "../../../bench/sections.ts";
import { buildImage } from "../../../tools/build.ts";
import { type Machine, boot, specImage } from "../machine.ts";

const SECTION = 15_000;
const TRAPS = 8;
/** Of each case what `main` says that it was worth. */
const CASES: ReadonlyMap<number, [string, number]> = new Map([
  [1, ["a spawn with a vmtable of 128 MiB", 7]],
  [2, ["traps of processes that rank one above the other", TRAPS]],
  [3, ["a socket of datagrams with 32 read events is closed", 0]],
  [4, ["a process with 32 read events on one socket ends", 0]],
  [5, ["a connection with 16 read and 16 close events is closed", 0]],
  [6, ["64 events on one socket, of two processes, hear of a datagram and end; there cannot be more", 1]],
  [7, ["33 processes that have an event each on one socket", 32]],
  [8, ["a process with 64 idle threads ends", 0]],
  [9, ["a process with 64 threads that sleep in handlers ends", 0]],
  [10, ["a datagram of 65,507 bytes, in fragments to ourselves and back, to a handler", 65507]],
  [11, ["the same, read", 65507]],
  [12, ["a stream and a datagram in 64 pieces", 128]],
  [13, ["every port toward one address and port is taken (IPv6): -EADDRNOTAVAIL, and all are closed", -99]],
  [14, ["10,000 streams share a port (SO_REUSEADDR), one of them listens, and all are closed", 10_000]],
  [15, ["4,000 connected sockets of datagrams share a port, one of them gets one, and all are closed", 4000]],
  [16, ["a listener is closed at which 1,000 connections wait", 1000]],
  [17, ["a process ends with such a listener, and the connections to it", 10]],
  [18, ["a mebibyte of random bytes", 0x100000]],
  [19, ["EVJOBCLEAN drops 1,000 connections that wait", 1000]],
  [20, ["EVJOBCLEAN drops 400 segments of a stream, which are one occurrence", 1]],
  [21, ["EVJOBCLEAN drops 128 datagrams, for each of 32 events", 32 * 128]],
  [22, ["EVJOBCLEAN drops 64 messages", 64]],
  [23, ["EVTBLINIT ends 64 events with 64 messages each", 64]],
  [24, ["a process ends with such events", 64]],
  [25, ["a socket is closed in which as many datagrams wait as may", 192]],
]);

describe("sections with interrupts off", () => {
  let machine: Machine;
  let sections: Section[];

  before(async () => {
    const { elf } = await buildImage(specImage("sections.json"));
    const counter = await SectionCounter.create("spec-sections", elf);
    machine = await boot(specImage("sections.json"), {
      netdev: "none",
      ready: false,
      memory: 512,
      icount: "shift=0,sleep=off",
      extra: counter.qemuArguments,
    });
    assert.equal(await machine.exited(120_000), 0, machine.console());
    sections = await counter.sections();
  });
  after(() => machine?.stop());

  test("3.3.1 each case has done what it is for", () => {
    assert.deepEqual(machine.rows("failed"), [], machine.console());
    assert.deepEqual(
      machine.rows("done"),
      [...CASES].map(([number, [, result]]) => [number, result]),
      machine.console(),
    );
  });

  test("3.3.1, 3.2.1 none is longer than 15,000 instructions", (t) => {
    for (const { instructions, begin, functions } of sections.slice(0, 6))
      t.diagnostic(`${instructions} from ${begin}: ${functions.join(", ")}`);
    assert.ok(sections.length > 10, "sections were counted");
    const long = sections.filter(({ instructions }) => instructions > SECTION);
    assert.deepEqual(long, []);
  });

  test("a report of a trap is whole, and no other one begins before its end", () => {
    // `row` is an application's; whatever else is said comes with a time in front.
    const lines = machine.guest.lines.filter((line) => !/^\[ *[\d.]+\] (?!process:.* trapped)/.test(line));
    const begins = lines.flatMap((line, index) => (line.includes(" trapped: ") ? [index] : []));
    assert.equal(begins.length, TRAPS, machine.console());
    const pids = new Set(begins.map((index) => /process: (\d+)/.exec(lines[index] as string)?.[1]));
    assert.equal(pids.size, TRAPS, "one of each process");
    begins.forEach((from, index) => {
      const report = lines.slice(from + 1, begins[index + 1]).filter((line) => line.startsWith("  "));
      const names = report.map((line) => /main\/(odd|even)\+/.exec(line)?.[1]).filter(Boolean);
      assert.ok(names.length >= 15, report.join("\n"));
      for (const [at, name] of names.entries()) assert.notEqual(name, names[at - 1], report.join("\n"));
    });
  });
});
