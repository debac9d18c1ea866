/**
 * The one table of `npm run bench`: a row for each thing that is measured, with aemos and Linux side by side. What the rows are stands in catalog.ts; what was found comes as
 * figures from the measurements.
 */
import { type Aim, CATALOG, CROWD, type Entry } from "./catalog.ts";

/** What a measurement has found: of aemos, of Linux, or of both. */
export interface Figure {
  name: string;
  aemos?: number;
  linux?: number;
  /** How it was measured this time, or why one side is missing. */
  note?: string;
  /** That of its measurement when absent. */
  basis?: Basis;
}

/** As it stands in the JSON file. */
export interface Row {
  name: string;
  unit: string;
  aemos: number | null;
  linux: number | null;
  /** How many times better aemos is, whichever direction that is in this unit. */
  ratio: number | null;
  /** What aemos aims for, as text, and whether this run has it; null: no aim, or nothing to judge by. */
  aim: string | null;
  met: boolean | null;
  /** null: not measured. */
  basis: Basis | null;
  note: string;
}

/**
 * What is in a figure besides the system that it is of. "exact": nothing; another run finds the same. "counted": instructions, or bytes, which no host makes more or less, but when the frames of
 * a peer on the host come together does, by some percent. "real time": the host's clock.
 */
export type Basis = "exact" | "counted" | "real time";

/** Measures some rows. */
export interface Measurement {
  /** Names in the catalog of the rows that it makes. */
  rows: readonly string[];
  basis: Basis;
  /** Nothing else may run beside it: it is about how fast the host is. */
  alone?: true;
  run(quick: boolean): Promise<Figure[]>;
}

/** What was found of both systems. Where one fails the other is waited for: nothing runs on beside the next measurement. */
export async function ofBoth(aemos: Promise<Figure[]>, linux: Promise<Figure[]>): Promise<Figure[]> {
  await Promise.allSettled([aemos, linux]);
  return [...(await aemos), ...(await linux)];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) throw new Error("no samples");
  return sorted[sorted.length >> 1] as number;
}

/** The suffix of the rows with so many things registered: "" for one. */
export function crowdSuffix(count: number): string {
  if (count < 1000) return "";
  return count < 1_000_000 ? `.${count / 1000}k` : `.${count / 1_000_000}m`;
}

/** The entry of a row, or of the longest beginning of its name that has one. */
export function entryOf(name: string): Entry | undefined {
  for (let end = name.length; end > 0; end = name.lastIndexOf(".", end - 1)) {
    const found = CATALOG.find((entry) => entry.name === name.slice(0, end));
    if (found) return found;
  }
  return undefined;
}

/** What is aimed for: in words, and whether it is reached. */
function judge(aim: Aim, row: Row, rows: ReadonlyMap<string, Row>): { text: string; met: boolean | null } {
  const { aemos, ratio } = row;
  if ("flat" in aim) {
    const one = rows.get(aim.of ?? row.name.replace(CROWD, ""))?.aemos ?? null;
    const met = one === null || aemos === null ? null : aemos <= one * (1 + aim.flat / 100);
    return { text: `within ${aim.flat} % of ${aim.of ?? "one"}`, met };
  }
  if ("times" in aim) {
    const against = aim.than === undefined ? "Linux" : aim.than;
    return { text: `≥ ${aim.times} × ${against}`, met: ratio === null ? null : ratio >= aim.times };
  }
  if ("least" in aim) return { text: `≥ ${aim.least}`, met: aemos === null ? null : aemos >= aim.least };
  const text = `≤ ${aim.most.toLocaleString("en")}`;
  return { text, met: aemos === null ? null : aemos <= aim.most };
}

const exact = (value: number): number =>
  Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));

/** The rows of the catalog and of what was found, in the catalog's order; `wanted` says which. */
export function makeRows(figures: readonly Figure[], wanted: (name: string) => boolean): Row[] {
  const names = CATALOG.flatMap(({ name }) => {
    const found = figures
      .filter((figure) => entryOf(figure.name)?.name === name)
      .map((figure) => figure.name);
    return [...new Set(found.length > 0 ? found : [name])];
  });
  const rows = new Map<string, Row>();
  for (const name of names.filter(wanted)) {
    const { unit, more, only } = entryOf(name) as Entry;
    const own = figures.filter((figure) => figure.name === name);
    const of = (side: "aemos" | "linux"): number | null => {
      const value = own.find((figure) => figure[side] !== undefined)?.[side];
      return value === undefined ? null : exact(value);
    };
    const [aemos, linux] = [of("aemos"), of("linux")];
    const ratio = aemos && linux ? exact(more ? aemos / linux : linux / aemos) : null;
    const notes = own.flatMap(({ note }) => (note === undefined ? [] : [note]));
    if (only !== undefined && (aemos === null || linux === null)) notes.unshift(only);
    if (own.length === 0) notes.push("not measured in this run");
    const basis = own[0]?.basis ?? null;
    rows.set(name, { name, unit, aemos, linux, ratio, aim: null, met: null, basis, note: notes.join("; ") });
  }
  return judged([...rows.values()]);
}

/** The rows with what the catalog aims for with each, and whether it is reached. */
export function judged(rows: readonly Row[]): Row[] {
  const known = new Map(rows.map((row) => [row.name, row]));
  return rows.map((row) => {
    const aim = entryOf(row.name)?.aim;
    const goal = CROWD.test(row.name) && row.aemos !== null ? { flat: FLATNESS } : aim;
    if (goal === undefined) return { ...row, aim: null, met: null };
    const { text, met } = judge(goal, row, known);
    return { ...row, aim: text, met };
  });
}

/** Percent by which a row with many things registered may be above the one with one. */
const FLATNESS = 5;

/** A figure as text. */
export function cell(value: number | null): string {
  return value === null ? "–" : value.toLocaleString("en", { maximumFractionDigits: 2 });
}

/** The table, as text. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.name,
    row.unit,
    row.basis ?? "",
    cell(row.aemos),
    cell(row.linux),
    cell(row.ratio),
    `${row.aim ?? ""}${row.met === false ? " MISSED" : ""}`,
    row.note,
  ]);
  const all = [["name", "unit", "basis", "aemos", "linux", "ratio", "aim", "note"], ...lines];
  const widths = [0, 1, 2, 3, 4, 5, 6].map((i) => Math.max(...all.map((line) => (line[i] as string).length)));
  const right = new Set([3, 4, 5]);
  return all
    .map((line) =>
      line
        .map((text, i) => (right.has(i) ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
