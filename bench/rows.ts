/** The figures of a run: printed as a table, and written as JSON for later comparison. */
export interface Row {
  name: string;
  value: number;
  unit: string;
  /** Not more than this is aimed for (docs/performance-goals.md). */
  goal?: number;
  /** What the figure says, and what not. */
  note?: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) throw new Error("no samples");
  return sorted[sorted.length >> 1] as number;
}

export function print(row: Row): void {
  const value = Number.isInteger(row.value) ? row.value.toLocaleString("en") : row.value.toFixed(1);
  const note = row.note === undefined ? "" : `  (${row.note})`;
  const goal =
    row.goal === undefined
      ? ""
      : `  goal ${row.goal.toLocaleString("en")}${row.value > row.goal ? ", missed" : ""}`;
  process.stdout.write(`${row.name.padEnd(62)}${value.padStart(12)} ${row.unit}${goal}${note}\n`);
}
