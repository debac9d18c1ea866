/**
 * The rows of `npm run bench`: name, unit, what is measured, and what is aimed for. docs/performance.md is made of the figures of a
 * run (report.ts), and `missed` is what it says there of a row that is not where it should be: its parts as `npm run profile` showed them last, and what was tried.
 */

import { EVENTS } from "./catalog-events.ts";
import { NETWORK } from "./catalog-network.ts";
import { SYSTEM } from "./catalog-system.ts";

/** At most so much; at least; so many times Linux (or another row's system); at most so many percent above the row with one, or another one. */
export type Aim =
  { most: number } | { least: number } | { times: number; than?: string } | { flat: number; of?: string };

export interface Entry {
  name: string;
  unit: string;
  what: string;
  /** More is better; absent: less is. */
  more?: true;
  aim?: Aim;
  /** What the figure is bounded by besides aemos itself. */
  bound?: string;
  /** Why aemos is not there, and what was tried. */
  missed?: string;
  /** Why a side has no figure. */
  only?: string;
}

/** What is behind the name of a row with so many things registered. */
export const CROWD = /\.(\d+)(k|m)$/;

export const CATALOG: readonly Entry[] = [...EVENTS, ...NETWORK, ...SYSTEM];
