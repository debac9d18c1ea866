/** What ran, as a tree of functions by their callers; made of bursts (bursts.ts), and shown as a table here, as a graph in flame.ts. */
import type { Node } from "./bursts.ts";
import { type CodeSymbol, nameAt } from "./symbols.ts";
import type { Weighted } from "./trace.ts";

export interface Call {
  /** File and function. */
  name: string;
  /** Instructions of its own, and with those of all that it called. */
  self: number;
  total: number;
  /** In the order in which they were called for the first time. */
  calls: Call[];
}

/** The tree of all that ran in the bursts. Its root is no function. */
export function callTree(
  bursts: readonly Weighted[],
  nodes: readonly Node[],
  functions: readonly CodeSymbol[],
): Call {
  const root: Call = { name: "", self: 0, total: 0, calls: [] };
  // A burst has its nodes in the order in which they ran first.
  const counts = new Map<number, number>();
  for (const { burst, weight } of bursts)
    for (const [node, instructions] of burst.ran)
      counts.set(node, (counts.get(node) ?? 0) + weight * instructions);
  const calls = new Map<number, Call>([[0, root]]);
  const callOf = (index: number): Call => {
    const known = calls.get(index);
    if (known !== undefined) return known;
    const { parent, address } = nodes[index] as Node;
    const caller = callOf(parent);
    const name = nameAt(functions, address);
    // Two places of one function, as gcc splits it.
    let call = caller.calls.find((other) => other.name === name);
    if (call === undefined) {
      call = { name, self: 0, total: 0, calls: [] };
      caller.calls.push(call);
    }
    calls.set(index, call);
    return call;
  };
  for (const [index, count] of counts) callOf(index).self += count;
  addUp(root);
  return root;
}

function addUp(call: Call): number {
  call.total = call.self + call.calls.reduce((sum, other) => sum + addUp(other), 0);
  return call.total;
}

/** The first call below which there is more than one way, and the names of those that led there. */
export function withoutStem(root: Call): { stem: string[]; top: Call } {
  const stem: string[] = [];
  let top = root;
  for (;;) {
    const [only, another] = top.calls;
    if (top.self !== 0 || only === undefined || another !== undefined) return { stem, top };
    if (top !== root) stem.push(top.name);
    top = only;
  }
}

export interface Sum {
  name: string;
  self: number;
  total: number;
}

/** By function, the largest self first. A function that calls itself counts once. */
export function sums(root: Call): Sum[] {
  const found = new Map<string, Sum>();
  const above = new Set<string>();
  const visit = (call: Call): void => {
    const sum = found.get(call.name) ?? { name: call.name, self: 0, total: 0 };
    found.set(call.name, sum);
    sum.self += call.self;
    const outermost = !above.has(call.name);
    if (outermost) {
      sum.total += call.total;
      above.add(call.name);
    }
    call.calls.forEach(visit);
    if (outermost) above.delete(call.name);
  };
  root.calls.forEach(visit);
  return [...found.values()].sort((a, b) => b.self - a.self);
}
