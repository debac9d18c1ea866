/** What is found of a path, with all that ran: the instructions of one operation, made of the bursts (bursts.ts) of one guest. */
import type { Burst, BurstCounter, Node } from "./bursts.ts";
import type { Weighted } from "./call-tree.ts";
import { spread } from "./instructions.ts";
import { median } from "./rows.ts";
import { totalOf } from "./tcp.ts";

export interface Figure {
  /** Instructions of one operation. */
  value: number;
  note: string;
  /** What ran, weighted so that all of it is `value`; without stacks it says nothing of functions. */
  bursts: Weighted[];
  nodes: readonly Node[];
  elf: string;
}

/** Paths that are measured in one guest. */
export interface Session {
  /** Their names, as `npm run bench` has them, and what they are. */
  paths: Readonly<Record<string, string>>;
  /** Nothing depends on the host: another run finds the same, within one percent. */
  exact: boolean;
  measure(stacks: boolean): Promise<Record<string, Figure>>;
}

/** The guest's counter, and its image with symbols. */
export interface Source {
  counter: BurstCounter;
  elf: string;
}

export function weighted(bursts: readonly Burst[], weight: number): Weighted[] {
  return bursts.map((burst) => ({ burst, weight }));
}

/** The median operation. `target`: up to there; else all that ran. */
export function medianOf(samples: readonly Burst[][], { counter, elf }: Source, target?: number): Figure {
  const of =
    target === undefined ? totalOf : ([burst]: readonly Burst[]): number => burst?.reached[target] as number;
  const value = median(samples.map(of));
  const sample = samples.find((one) => of(one) === value) as Burst[];
  return { value, note: spread(samples.map(of)), bursts: weighted(sample, 1), nodes: counter.nodes, elf };
}

/** The mean of samples that hold `operations` each: where some of the work is done for several of them at once. */
export function meanOf(samples: readonly Burst[][], { counter, elf }: Source, operations = 1): Figure {
  const bursts = weighted(samples.flat(), 1 / samples.length / operations);
  const value = bursts.reduce((sum, { burst, weight }) => sum + weight * burst.total, 0);
  return { value, note: `mean; ${spread(samples.map(totalOf))}`, bursts, nodes: counter.nodes, elf };
}
