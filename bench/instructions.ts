/** What measurements of guest instructions share: images, the address, and how a spread is said. */
import { join } from "node:path";
import { ROOT } from "../tools/paths.ts";
import { median } from "./rows.ts";

/** A manifest (.json) of bench/apps, or an application's folder there. */
export function benchImage(name: string): string {
  const folder = join(ROOT, "bench", "apps", name);
  return name.endsWith(".json") ? folder : join(folder, "main.ts");
}

export const STATIC = "ip=10.0.2.15/24,gw=10.0.2.2";

/** The spread, where there is one. */
export function spread(values: readonly number[]): string {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const count = `${values.length} samples`;
  if (least === most) return `all of ${count}`;
  const [middle, half] = [median(values), values.length / 2];
  const same = values.filter((value) => value === middle).length;
  return `${same > half ? `${same} of ${count}, ` : `${count}, `}smallest ${least}, largest ${most}`;
}
