/**
 * A flame graph as one SVG that needs nothing else: callers above what they call, as wide as the instructions that they took together, from left to right in the order
 * in which they ran first. The pointer shows the figures of a function; a click makes it as wide as the picture, and one on the title line shows all again.
 */
import { type Call, withoutStem } from "./call-tree.ts";

const WIDTH = 1400;
const MARGIN = 10;
const ROW = 18;
const HEAD = 62;
/** Of a letter at 11 px. */
const LETTER = 6.4;
/** What is narrower is not drawn: it would not be seen. */
const NARROWEST = 0.1;

/** Hue of what a function belongs to. */
const ROOMS: readonly (readonly [string, RegExp, number])[] = [
  ["boot, glue", /^(boot\/|glue )/, 0],
  ["kernel", /^kernel\//, 30],
  ["events", /^aem\//, 52],
  ["network", /^net\//, 200],
  ["drivers", /^drivers\//, 275],
  ["application", /./, 120],
];

function colour(name: string): string {
  const room = ROOMS.find(([, pattern]) => pattern.test(name)) ?? ROOMS[0];
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  return `hsl(${room?.[2]},65%,${68 + (hash % 13)}%)`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

function count(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 1 : 0 });
}

/** A label as far as it fits: the function, with its file where there is room. */
const SCRIPT = `
const all = [...document.querySelectorAll("g.call")];
const full = ${WIDTH - 2 * MARGIN};
function zoom(from, width, depth) {
  for (const call of all) {
    const x = Number(call.dataset.x), w = Number(call.dataset.w), d = Number(call.dataset.d);
    const above = d < depth && x <= from + 1e-6 && x + w >= from + width - 1e-6;
    const left = above ? 0 : (x - from) / width * full, wide = above ? full : w / width * full;
    const seen = above || (x >= from - 1e-6 && x + w <= from + width + 1e-6 && d >= depth);
    call.style.display = seen && wide > 0.05 ? "" : "none";
    call.style.opacity = above ? 0.5 : 1;
    call.querySelector("rect").setAttribute("x", ${MARGIN} + left);
    call.querySelector("rect").setAttribute("width", Math.max(0.3, wide - 0.5));
    const text = call.querySelector("text"), name = call.dataset.name, short = name.slice(name.lastIndexOf(" ") + 1);
    const room = Math.floor((wide - 6) / ${LETTER});
    text.setAttribute("x", ${MARGIN} + left + 3);
    text.textContent = name.length <= room ? name : short.length <= room ? short : room > 3 ? short.slice(0, room - 1) + "…" : "";
  }
}
for (const call of all)
  call.addEventListener("click", () => zoom(Number(call.dataset.x), Number(call.dataset.w), Number(call.dataset.d)));
document.getElementById("head").addEventListener("click", () => zoom(0, full, 0));
zoom(0, full, 0);
`;

/** `title` says what was counted and how much it was; the total of the tree is the width. */
export function flameGraph(root: Call, title: string): string {
  const { stem, top } = withoutStem(root);
  const scale = (WIDTH - 2 * MARGIN) / top.total;
  const calls: string[] = [];
  let depth = 0;
  const draw = (call: Call, left: number, level: number): void => {
    const width = call.total * scale;
    if (width < NARROWEST) return;
    depth = Math.max(depth, level + 1);
    const percent = ((100 * call.total) / top.total).toFixed(1);
    const figures = `${call.name}\n${count(call.total)} instructions, ${percent} %; ${count(call.self)} of its own`;
    calls.push(
      `<g class="call" data-x="${left.toFixed(3)}" data-w="${width.toFixed(3)}" data-d="${level}" data-name="${escaped(call.name)}">` +
        `<title>${escaped(figures)}</title>` +
        `<rect y="${HEAD + level * ROW}" height="${ROW - 1}" fill="${colour(call.name)}"/>` +
        `<text y="${HEAD + level * ROW + 12.5}"/></g>`,
    );
    for (const other of call.calls) {
      draw(other, left, level + 1);
      left += other.total * scale;
    }
  };
  if (top === root) {
    let left = 0;
    for (const call of root.calls) {
      draw(call, left, 0);
      left += call.total * scale;
    }
  } else draw(top, 0, 0);
  const height = HEAD + depth * ROW + MARGIN;
  const legend = ROOMS.map(
    ([room, , hue], i) =>
      `<rect x="${MARGIN + i * 100}" y="44" width="10" height="10" fill="hsl(${hue},65%,72%)"/><text x="${MARGIN + 14 + i * 100}" y="53">${room}</text>`,
  ).join("");
  const below =
    stem.length === 0 ? "" : `below ${stem.map((name) => name.slice(name.lastIndexOf(" ") + 1)).join(" › ")}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="monospace" font-size="11">
<style>rect { stroke: #fff; stroke-width: 0.3 } g.call, #head { cursor: pointer } g.call:hover rect { stroke: #000; stroke-width: 1 } text { pointer-events: none }</style>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<g id="head"><rect width="${WIDTH}" height="40" fill="#fff"/><text x="${MARGIN}" y="18" font-size="14">${escaped(title)}</text><text x="${MARGIN}" y="35" fill="#666">${escaped(below)}</text></g>
${legend}
${calls.join("\n")}
<script><![CDATA[${SCRIPT}]]></script>
</svg>
`;
}
