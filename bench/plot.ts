/** A plot as an SVG that GitHub shows: lines over two logarithmic axes. Colours are readable on a light page and on a dark one. */

export interface Line {
  label: string;
  colour: string;
  /** Linux's are dashed. */
  dashed: boolean;
  points: readonly (readonly [x: number, y: number])[];
}

const WIDTH = 760;
const HEIGHT = 400;
const MARGIN = { left: 80, right: 250, top: 44, bottom: 56 };
const INK = "#808890";
const FONT = 'font-family="sans-serif" font-size="12"';

const round = (value: number): string => value.toFixed(1);

/** 1, 10, 100, …: the powers of ten that hold all values. */
function decades(values: readonly number[]): number[] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: high - low + 1 }, (_, i) => low + i);
}

function short(value: number): string {
  if (value >= 1e6) return `${value / 1e6} M`;
  return value.toLocaleString("en");
}

/** Labels beside the ends of the lines, no two upon one another. */
function spreadOut(wanted: readonly number[]): number[] {
  const order = wanted.map((y, index) => ({ y, index })).sort((a, b) => a.y - b.y);
  let below = -Infinity;
  const found: number[] = [];
  for (const { y, index } of order) {
    below = Math.max(y, below + 15);
    found[index] = below;
  }
  return found;
}

/** `title` stands above; `x`, `y` say what the axes are. */
export function plot(title: string, x: string, y: string, lines: readonly Line[]): string {
  const points = lines.flatMap((line) => line.points);
  const [columns, rows] = [decades(points.map(([at]) => at)), decades(points.map(([, value]) => value))];
  const across = WIDTH - MARGIN.left - MARGIN.right;
  const down = HEIGHT - MARGIN.top - MARGIN.bottom;
  const scale = (value: number, range: number[]): number =>
    (Math.log10(value) - (range[0] as number)) / ((range.at(-1) as number) - (range[0] as number));
  const atX = (value: number): number => MARGIN.left + scale(value, columns) * across;
  const atY = (value: number): number => MARGIN.top + (1 - scale(value, rows)) * down;

  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}">`,
    `<text x="${MARGIN.left}" y="24" ${FONT} font-weight="bold" fill="${INK}">${title}</text>`,
  ];
  for (const power of columns) {
    const at = round(atX(10 ** power));
    out.push(
      `<line x1="${at}" y1="${MARGIN.top}" x2="${at}" y2="${MARGIN.top + down}" stroke="${INK}" stroke-opacity="0.25"/>`,
      `<text x="${at}" y="${HEIGHT - 34}" text-anchor="middle" ${FONT} fill="${INK}">${short(10 ** power)}</text>`,
    );
  }
  for (const power of rows) {
    const at = round(atY(10 ** power));
    out.push(
      `<line x1="${MARGIN.left}" y1="${at}" x2="${MARGIN.left + across}" y2="${at}" stroke="${INK}" stroke-opacity="0.25"/>`,
      `<text x="${MARGIN.left - 8}" y="${Number(at) + 4}" text-anchor="end" ${FONT} fill="${INK}">${short(10 ** power)}</text>`,
    );
  }
  out.push(
    `<text x="${MARGIN.left + across / 2}" y="${HEIGHT - 12}" text-anchor="middle" ${FONT} fill="${INK}">${x}</text>`,
    `<text transform="translate(16 ${MARGIN.top + down / 2}) rotate(-90)" text-anchor="middle" ${FONT} fill="${INK}">${y}</text>`,
  );
  const labels = spreadOut(lines.map((line) => atY((line.points.at(-1) as readonly [number, number])[1])));
  for (const [index, { label, colour, dashed, points: own }] of lines.entries()) {
    const path = own.map(([at, value]) => `${round(atX(at))},${round(atY(value))}`).join(" ");
    const dash = dashed ? ' stroke-dasharray="6 4"' : "";
    out.push(
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`,
      ...own.map(
        ([at, value]) => `<circle cx="${round(atX(at))}" cy="${round(atY(value))}" r="3" fill="${colour}"/>`,
      ),
      `<text x="${MARGIN.left + across + 10}" y="${round((labels[index] as number) + 4)}" ${FONT} fill="${colour}">${label}</text>`,
    );
  }
  return `${[...out, "</svg>"].join("\n")}\n`;
}
