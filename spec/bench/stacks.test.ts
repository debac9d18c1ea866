/** The stacks of `npm run profile` where they are hardest to follow: an interrupt stops an application, and its handler is on another thread of another process. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { type Call, callTree } from "../../bench/call-tree.ts";
import { preemption } from "../../bench/executors.ts";
import { functionsOf } from "../../bench/symbols.ts";

/** What the last one of the functions called, each called by the one before it. */
function below(root: Call, ...names: string[]): Call {
  return names.reduce((call, name) => {
    const next = call.calls.find((other) => other.name === name);
    assert.ok(
      next,
      `${call.name || "the root"} called ${call.calls.map((other) => other.name).join(", ")}, not ${name}`,
    );
    return next;
  }, root);
}

it("an interrupt stands on what it stopped, a thread that is switched to on its own stack, and nothing is lost", async () => {
  const [name = ""] = preemption.names;
  const trace = (await preemption.measure(true, true))[name];
  assert.ok(trace);
  const root = callTree(trace.bursts, trace.nodes, await functionsOf(trace.elf));
  assert.equal(root.total, trace.value);
  assert.deepEqual(
    root.calls.map((call) => call.name),
    ["boot/memory.S thread_start"],
  );
  const [hog, urgent] = ["hog", "urgent"].map((application) =>
    below(root, "boot/memory.S thread_start", `glue start_${application}`, `${application}:main`),
  );
  assert.ok(hog && urgent);
  assert.equal(hog.total + urgent.total, trace.value);
  const interrupt = below(hog, "boot/interrupts.c interrupt_entry", "kernel/main.ts interrupt");
  // Called through tables of functions: the vector's, the timer's, the event's.
  below(interrupt, "kernel/interrupts/deadline.ts onDeadline", "aem/jobs/timer.ts expired");
  // What is jumped to stands in the place of what has jumped.
  below(interrupt, "kernel/scheduler/scheduler.ts runFirst", "boot/memory.S switch_stack");
  below(
    urgent,
    "boot/interrupts.c syscall_dispatch",
    "aem/dispatch.ts nextHandler",
    "aem/jobs/timer.ts deliver",
  );
});
