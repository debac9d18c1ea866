/**
 * The table of AEM's requirements that `npm test -- aem` prints: which tests in booted images speak of each, and how they ended.
 *
 * A test says which requirements it shows by the numbers that its name begins with, as in "3.1.1 registration returns …" or
 * "3.1.1, 3.1.4 …". The numbers and titles are those of the requirements text.
 */

/** The filter of `npm test` that asks for the table. */
export const REQUIREMENTS_FILTER = "aem";

/** Whether a requirement that no test speaks of is a failure. */
export const UNTESTED_FAILS = true;

/** Titles by number, in the order of the table. */
export const REQUIREMENTS: ReadonlyMap<string, string> = new Map([
  ["2.1.3", "Example of an event-driven server"],
  ["2.1.4", "Note on transparency"],
  ["3.1.1", "Event registration"],
  ["3.1.2", "Handlers API"],
  ["3.1.3", "Existence of handlers"],
  ["3.1.4", "Event identifier"],
  ["3.1.5", "Event priority (API)"],
  ["3.1.6", "Executor agents"],
  ["3.1.7", "Low level control API"],
  ["3.2.1", "Event priority (soft real-time)"],
  ["3.2.2", "Process priority enforcement"],
  ["3.2.3", "Direct process invocation"],
  ["3.3.1", "Event system (scalability)"],
  ["3.4.1", "Event data completion"],
  ["3.4.2", "Direct data copy"],
  ["3.5.1", "Guaranty of delivery"],
  ["3.5.2", "Error handling"],
  ["3.5.3", "Security"],
  ["3.5.4", "Resource limit"],
  ["3.6.1", "Queuing"],
  ["3.6.2", "Atomicity"],
  ["3.6.3", "Timers and periodic events"],
  ["3.6.4", "Inheritance"],
  ["3.6.5", "Event dispatching"],
]);

export interface TestResult {
  name: string;
  passed: boolean;
}

const RESULT = /^(\s*)(not )?ok \d+ - (.*?)( # (?:SKIP|TODO).*)?$/;

/** Tests of a TAP report of node:test: no suites, and none that were skipped or are still to be done. */
export function testResults(report: string): TestResult[] {
  const results: TestResult[] = [];
  const lines = report.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const [, indent = "", not, name, directive] = lines[at]?.match(RESULT) ?? [];
    if (name === undefined) continue;
    // The details that follow may quote anything, so they are stepped over.
    let suite = false;
    if (lines[at + 1] === `${indent}  ---`) {
      for (at += 2; at < lines.length && lines[at] !== `${indent}  ...`; at++)
        suite ||= lines[at] === `${indent}  type: 'suite'`;
    }
    if (!suite && directive === undefined)
      results.push({ name: name.replace(/\\([\\#])/g, "$1"), passed: not === undefined });
  }
  return results;
}

/** The numbers that a test's name begins with. */
export function requirementsOf(name: string): string[] {
  const [numbers = ""] = name.match(/^\d\.\d\.\d(?:, \d\.\d\.\d)*(?= )/) ?? [];
  return numbers === "" ? [] : numbers.split(", ");
}

interface Row {
  number: string;
  title: string;
  passed: number;
  failed: number;
  state: "pass" | "fail" | "no test";
}

function rows(results: readonly TestResult[]): Row[] {
  const counts = new Map([...REQUIREMENTS.keys()].map((number) => [number, { passed: 0, failed: 0 }]));
  for (const { name, passed } of results) {
    for (const number of requirementsOf(name)) {
      const count = counts.get(number) ?? { passed: 0, failed: 0 };
      counts.set(number, count);
      if (passed) count.passed++;
      else count.failed++;
    }
  }
  return [...counts].map(([number, { passed, failed }]) => {
    const title = REQUIREMENTS.get(number);
    const untested = passed + failed === 0;
    const state = title === undefined || failed > 0 ? "fail" : untested ? "no test" : "pass";
    return { number, title: title ?? "THERE IS NO SUCH REQUIREMENT", passed, failed, state };
  });
}

/**
 * The table from the TAP reports of a run, one line for each requirement. `failures`: what counts as failed beyond the tests
 * themselves: numbers that are no requirement's, and (`untestedFails`) requirements without a test.
 */
export function requirementTable(
  report: string,
  untestedFails = UNTESTED_FAILS,
): { text: string; failures: number } {
  const table = rows(testResults(report));
  const width = Math.max(...table.map(({ title }) => title.length));
  const line = (number: string, title: string, passed: string, failed: string, state: string): string =>
    `${number.padEnd(5)}  ${title.padEnd(width)}  ${passed.padStart(6)}  ${failed.padStart(6)}  ${state}`;
  const text = table.map(({ number, title, passed, failed, state }) =>
    line(number, title, String(passed), String(failed), state),
  );
  const unknown = table.filter(({ number }) => !REQUIREMENTS.has(number)).length;
  const untested = table.filter(({ state }) => state === "no test").length;
  return {
    text: [line("AEM", "requirement", "passed", "failed", ""), ...text]
      .map((row) => row.trimEnd())
      .join("\n"),
    failures: unknown + (untestedFails ? untested : 0),
  };
}
