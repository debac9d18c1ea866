/** sdk/deadline.ts, with handlers that run in the middle of its calls: there is one timer while there are members, and none a second after them. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { compile } from "./compile.ts";

const SHUTDOWN = 3;
const EAGAIN = -11;

let module: WebAssembly.Module;
before(async () => {
  module = await compile("spec/apps/deadline/main.ts");
});

interface Process {
  main: () => number;
  start: (which: number) => void;
  stop: (which: number) => void;
  due: () => number;
  startAgain: () => number;
}

/** A process and its timers. `during` runs at the end of each call, as other handlers do. */
class Kernel {
  during: (call: "evtimer" | "evctl") => void = () => undefined;
  refuse = false;
  readonly timers = new Map<number, number>();
  readonly process: Process;
  private readonly table: WebAssembly.Table;
  private lastJid = 0;

  constructor() {
    const known = new Map<string, WebAssembly.ImportValue>([
      [
        "evtimer",
        (_interval: bigint, _period: bigint, _flags: number, handler: number) => this.timer(handler),
      ],
      ["evctl", (jid: number, operation: number) => this.control(jid, operation)],
    ]);
    const imports = WebAssembly.Module.imports(module).map(({ name }) => [
      name,
      known.get(name) ?? (() => assert.fail(`the model has no ${name}`)),
    ]);
    const instance = new WebAssembly.Instance(module, { aemos: Object.fromEntries(imports) });
    this.process = instance.exports as unknown as Process;
    this.table = instance.exports["table"] as WebAssembly.Table;
  }

  private timer(handler: number): number {
    if (this.refuse) return EAGAIN;
    const jid = ++this.lastJid;
    this.timers.set(jid, handler);
    this.during("evtimer");
    return jid;
  }

  private control(jid: number, operation: number): number {
    assert.equal(operation, SHUTDOWN);
    assert.ok(this.timers.delete(jid), "it is there");
    this.during("evctl");
    return 0;
  }

  /** So many seconds pass. */
  pass(seconds: number): void {
    for (; seconds > 0; seconds--) {
      for (const [jid, handler] of [...this.timers])
        if (this.timers.has(jid)) (this.table.get(handler) as (jid: number, overrun: number) => void)(jid, 0);
    }
  }
}

/** A process that has nobody to wait for. */
function idle(): Kernel {
  const kernel = new Kernel();
  assert.equal(kernel.process.main(), 0);
  kernel.pass(1);
  assert.equal(kernel.timers.size, 0);
  return kernel;
}

test("a handler that starts a member while the timer is made makes no other one", () => {
  const kernel = idle();
  kernel.during = () => {
    kernel.during = () => undefined;
    kernel.process.start(1);
  };
  kernel.process.start(0);
  assert.equal(kernel.timers.size, 1);
  kernel.pass(2);
  assert.equal(kernel.process.due(), 0);
  kernel.pass(1);
  assert.equal(kernel.process.due(), 3);
  assert.equal(kernel.timers.size, 0);
});

test("nor one for which the timer already runs while it is made", () => {
  const kernel = idle();
  kernel.during = () => {
    kernel.during = () => undefined;
    kernel.process.stop(0);
    kernel.pass(2);
    kernel.process.start(1);
  };
  kernel.process.start(0);
  assert.equal(kernel.timers.size, 1);
  kernel.pass(3);
  assert.equal(kernel.process.due(), 2);
  assert.equal(kernel.timers.size, 0);
});

test("another thread that starts a member while the timer ends gets one", () => {
  const kernel = idle();
  kernel.process.start(0);
  kernel.process.stop(0);
  kernel.during = (call) => {
    if (call === "evctl") kernel.process.start(1);
  };
  kernel.pass(1);
  assert.equal(kernel.timers.size, 1);
  kernel.during = () => undefined;
  kernel.pass(3);
  assert.equal(kernel.process.due(), 2);
});

test("a process without events any more has its time-outs again after startDeadlines", () => {
  const kernel = idle();
  kernel.process.start(0);
  kernel.timers.clear();
  assert.equal(kernel.process.startAgain(), 0);
  assert.equal(kernel.timers.size, 1);
  kernel.pass(3);
  assert.equal(kernel.process.due(), 1);
});

test("a timer that is refused is said at the start, and asked for again by the next member", () => {
  const kernel = new Kernel();
  kernel.refuse = true;
  assert.equal(kernel.process.main(), EAGAIN);
  kernel.process.start(0);
  kernel.refuse = false;
  kernel.process.start(1);
  kernel.pass(3);
  assert.equal(kernel.process.due(), 3);
});
