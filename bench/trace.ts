/**
 * A figure with all that ran for it: the instructions of one operation, made of the bursts (bursts.ts) of one guest. `npm run bench` prints it, `npm run profile` shows the functions,
 * and what is exact has a ceiling (ceilings.ts).
 */
import type { Burst, BurstCounter, Node } from "./bursts.ts";
import { spread } from "./instructions.ts";
import { type Basis, type Figure, type Measurement, median } from "./rows.ts";

/** A burst with the share of it that counts. */
export interface Weighted {
  burst: Burst;
  weight: number;
}

export interface Trace {
  /** Instructions of one operation. */
  value: number;
  note: string;
  /** What ran, weighted so that all of it is `value`; without stacks it says nothing of functions. */
  bursts: Weighted[];
  nodes: readonly Node[];
  elf: string;
}

/** Rows of aemos that are measured in one guest. */
export interface Session {
  names: readonly string[];
  /** Another run finds the same, or so nearly that it can have a ceiling (docs/profiling.md). */
  exact: boolean;
  /** `quick`: fewer samples. */
  measure(stacks: boolean, quick: boolean): Promise<Record<string, Trace>>;
}

/** What `npm run bench` has of sessions. */
export function measurement(basis: Basis, ...sessions: readonly Session[]): Measurement {
  return {
    rows: sessions.flatMap(({ names }) => names),
    basis,
    async run(quick) {
      // Each has a guest of its own, which waits more than it runs.
      const traces = await Promise.all(sessions.map((session) => session.measure(false, quick)));
      return traces.flatMap(figures);
    },
  };
}

export function figures(traces: Readonly<Record<string, Trace>>): Figure[] {
  return Object.entries(traces).map(([name, { value, note }]) => ({ name, aemos: value, note }));
}

/** The guest's counter, and its image with symbols. */
export interface Source {
  counter: BurstCounter;
  elf: string;
}

export function totalOf(bursts: readonly Burst[]): number {
  return bursts.reduce((sum, { total }) => sum + total, 0);
}

export function weighted(bursts: readonly Burst[], weight: number): Weighted[] {
  return bursts.map((burst) => ({ burst, weight }));
}

/** The median operation of samples, each the bursts of one. `target`: up to there, in the first burst; else all that ran. */
export function medianOf(samples: readonly Burst[][], { counter, elf }: Source, target?: number): Trace {
  const of =
    target === undefined ? totalOf : ([burst]: readonly Burst[]): number => burst?.reached[target] as number;
  const value = median(samples.map(of));
  const sample = samples.find((one) => of(one) === value) as Burst[];
  return { value, note: spread(samples.map(of)), bursts: weighted(sample, 1), nodes: counter.nodes, elf };
}
