/** What measures the rows of the catalog, in the order in which it runs. */
import { crowds } from "./crowds.ts";
import { timerPaths } from "./executors.ts";
import { inside } from "./inside.ts";
import { fromDevice } from "./latency.ts";
import { underLoad } from "./load.ts";
import { lossy } from "./lossy.ts";
import { offload } from "./offload.ts";
import { quality } from "./quality.ts";
import { rates, tapRates } from "./rates.ts";
import { requests } from "./requests.ts";
import { response } from "./response.ts";
import type { Measurement } from "./rows.ts";
import { serving } from "./serving.ts";
import { startCosts, startTimes } from "./startup.ts";
import { segments } from "./tcp.ts";

export const MEASUREMENTS: readonly Measurement[] = [
  inside,
  timerPaths,
  fromDevice,
  quality,
  requests,
  segments,
  underLoad,
  response,
  lossy,
  crowds,
  offload,
  startCosts,
  startTimes,
  serving,
  rates,
  tapRates,
];
