/** What `npm run profile` makes of the stacks that a guest's plugin has told: the tree, the sums by function, the graph. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Burst, Node } from "../../bench/bursts.ts";
import { callTree, sums, withoutStem } from "../../bench/call-tree.ts";
import { flameGraph } from "../../bench/flame.ts";

const functions = ["main", "net/ip.ts input<a/b>", "net/tcp.ts input", "boot/memory.S memcpy"].map(
  (name, i) => ({
    name,
    address: 0x100 * (i + 1),
  }),
);
/** main > ip > tcp > ip > memcpy; the second part of ip has an address of its own. */
const nodes: Node[] = [0, 0x100, 0x200, 0x300, 0x210, 0x400].map((address, i) => ({
  parent: Math.max(0, i - 1),
  address,
}));

function burst(...ran: [number, number][]): Burst {
  return { vector: 0, interrupts: 1, total: 0, reached: [], ran: new Map(ran) };
}

const tree = callTree(
  [
    { burst: burst([2, 10], [3, 20], [4, 5], [5, 100]), weight: 0.5 },
    { burst: burst([3, 4]), weight: 0.5 },
  ],
  nodes,
  functions,
);

describe("profile", () => {
  it("adds up bursts by their weight, callers above what they call", () => {
    assert.equal(tree.total, 69.5);
    const { stem, top } = withoutStem(tree);
    assert.deepEqual(stem, ["main"]);
    assert.deepEqual([top.name, top.self, top.total], ["net/ip.ts input<a/b>", 5, 69.5]);
  });

  it("counts a function that calls itself once, in all that it includes", () => {
    const found = sums(tree);
    assert.deepEqual(
      found.map(({ name, self, total }) => [name, self, total]),
      [
        ["boot/memory.S memcpy", 50, 50],
        ["net/tcp.ts input", 12, 64.5],
        ["net/ip.ts input<a/b>", 7.5, 69.5],
        ["main", 0, 69.5],
      ],
    );
    assert.equal(
      found.reduce((all, { self }) => all + self, 0),
      tree.total,
    );
  });

  it("draws each call as wide as its share, and needs nothing from elsewhere", () => {
    const svg = flameGraph(tree, "a <title>");
    const widths = [...svg.matchAll(/data-w="([\d.]+)" data-d="(\d+)" data-name="([^"]*)"/g)].map(
      ([, width, depth, name]) => [name, Number(depth), Math.round((Number(width) / 1380) * 695)],
    );
    assert.deepEqual(widths, [
      ["net/ip.ts input&#60;a/b&#62;", 0, 695],
      ["net/tcp.ts input", 1, 645],
      ["net/ip.ts input&#60;a/b&#62;", 2, 525],
      ["boot/memory.S memcpy", 3, 500],
    ]);
    assert.match(svg, /a &#60;title&#62;/);
    assert.deepEqual(svg.match(/https?:[^"]*/g), ["http://www.w3.org/2000/svg"]);
  });
});
