/** What goes wrong: traps of a process, panic of the kernel, no network device, too little memory; and exit statuses. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { after, before, describe, test } from "node:test";
import { Connection, askUdp, get, request } from "./client.ts";
import { DEFAULT_IMAGE, type Machine, type MachineOptions, boot, specImage } from "./machine.ts";

/** Exit status of kernel/panic.ts. */
const PANIC_STATUS = 101;

function sendUdp(port: number, payload: string): Promise<void> {
  const socket = createSocket("udp4");
  return new Promise((resolve, reject) => {
    socket.send(payload, port, "127.0.0.1", (error) => {
      socket.close();
      if (error) reject(error);
      else resolve();
    });
  });
}

describe("a process that traps", () => {
  /** Command of spec/boot/apps/traps, what the console calls the trap, function that did it (another may have swallowed it). */
  const traps: [string, string, RegExp, string][] = [
    ["unreachable", "u", /unreachable/, "command"],
    ["a read out of bounds", "r", /out of bounds/, "readAt"],
    ["a write to the last bytes of 4 GiB", "w", /out of bounds/, "writeAt"],
    ["a fill across the end of memory", "f", /out of bounds/, "fillBeyond"],
    ["division by zero", "d", /divide/, "divide"],
    ["a quotient that does not fit", "o", /overflow/, "overflow"],
    ["a stack that is exhausted", "s", /stack/, "recurse"],
    ["an indirect call to an entry of another type", "t", /indirect call/, "callEntry"],
  ];
  const ports = traps.map((_, index) => 3001 + index);
  let machine: Machine;

  before(async () => {
    machine = await boot(specImage("traps.json"), { tcp: [80], udp: ports });
    await machine.waitForRows("traps-port", traps.length);
  });
  after(() => machine?.stop());

  traps.forEach(([name, command, what, culprit], index) => {
    const frame = new RegExp(`trap-${index + 1}:spec/boot/apps/traps/main/(${culprit}|command)\\+0x`);
    test(`${name}: it ends, with its name, the trap and a backtrace; the others go on`, async () => {
      const port = machine.udp(ports[index] as number);
      assert.equal((await askUdp(port, Buffer.from("? alive"))).toString(), "? alive");
      const before = machine.guest.lines.length;
      await sendUdp(port, command);
      const lines = (): string[] => machine.guest.lines.slice(before);
      const reported = (): boolean =>
        lines().some((line) => /trapped/.test(line)) && lines().some((line) => frame.test(line));
      await machine.until(`a backtrace with ${culprit}`, reported);
      const text = lines().join("\n");
      const line = lines().find((candidate) => candidate.includes("trapped")) ?? "";
      assert.match(
        line,
        new RegExp(`trap-${index + 1}\\b`),
        `the process is named\n${text}\n${machine.console()}`,
      );
      assert.match(line, what, text);
      assert.match(text, frame, `the backtrace names the function\n${text}`);
      assert.equal((await request(machine.tcp(80), get("/"))).status, 200, "http goes on answering");
      for (let other = index + 1; other < traps.length; other++) {
        const answer = await askUdp(machine.udp(ports[other] as number), Buffer.from("? and you"));
        assert.equal(answer.toString(), "? and you", `trap-${other + 1} goes on answering`);
      }
    });
  });

  test("the port of a process that has ended is free again and closed", async () => {
    await assert.rejects(askUdp(machine.udp(3001), Buffer.from("? gone"), 700), /no answer/);
    const response = await request(machine.tcp(80), get("/stats"));
    const stats = JSON.parse(response.body.toString()) as { kernel: { processes: number } };
    assert.equal(stats.kernel.processes, 1, "only http is left");
  });
});

describe("the end of the machine", () => {
  test("kernel panic: reason, registers, backtrace with the names of AssemblyScript functions, exit status", async () => {
    const machine = await boot(DEFAULT_IMAGE, { append: "panic=test", ready: false });
    try {
      const status = await machine.exited(60_000);
      const text = machine.guest.output;
      assert.equal(status, PANIC_STATUS, text);
      assert.match(text, /panic: \S+/, "reason");
      assert.match(
        text,
        /\brip [0-9a-f]{16}[\s\S]*\brax [0-9a-f]{16}[\s\S]*\br15 [0-9a-f]{16}/,
        `registers\n${text}`,
      );
      assert.match(text, /0x[0-9a-f]{8} (kernel\/main\/\w+|main)\+0x[0-9a-f]+/, `backtrace\n${text}`);
    } finally {
      await machine.stop();
    }
  });

  test("the status that an application returns comes through", async () => {
    const machine = await boot(specImage("status/main.ts"), { ready: false });
    try {
      assert.equal(await machine.exited(60_000), 7, machine.console());
    } finally {
      await machine.stop();
    }
  });

  for (const [name, options, message] of [
    ["no network device", { netdev: "none" }, /no network device/i],
    [
      "a network device without MSI-X",
      { device: "vectors=0" },
      /virtio-net: .*MSI-X[\s\S]*no network device/i,
    ],
  ] as [string, MachineOptions, RegExp][]) {
    test(`${name}: a clear message, and the boot goes on at once`, async () => {
      const machine = await boot(DEFAULT_IMAGE, options);
      try {
        assert.match(machine.guest.output, message, machine.console());
        const [, milliseconds] = /ready in (\d+) ms/.exec(machine.guest.output) ?? [];
        assert.ok(Number(milliseconds) < 2000, `ready after ${milliseconds} ms`);
      } finally {
        await machine.stop();
      }
    });
  }

  test("too little memory: a clear message and a defined end", async () => {
    for (const memory of [4, 6, 8]) {
      const machine = await boot(specImage("large-stack.json"), { memory, ready: false, tcp: [80] });
      try {
        const status = await machine.exited(60_000);
        assert.match(machine.guest.output, /not enough memory/i, `-m ${memory}: ${machine.console()}`);
        assert.ok(status > 0 && status < 128, `-m ${memory}: status ${status}`);
      } finally {
        await machine.stop();
      }
    }
  });

  test("an unknown word and a wrong value on the command line are said, and do not stop the boot", async () => {
    const machine = await boot(DEFAULT_IMAGE, { append: "log=loud ip=10.0.2.15/24,gw=10.0.2.2", tcp: [7] });
    try {
      assert.match(machine.guest.output, /log=/, machine.console());
      const connection = await Connection.open(machine.tcp(7));
      await connection.write("x");
      assert.equal((await connection.read(1)).toString(), "x");
      connection.destroy();
    } finally {
      await machine.stop();
    }
  });
});
