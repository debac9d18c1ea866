/** The paths of which `npm run profile` shows where the instructions go; those that are exact have a ceiling (ceilings.ts). */
import type { Session } from "./figure.ts";
import { calls, executors, preemption } from "./paths-inside.ts";
import { loads } from "./paths-load.ts";
import { requests, segments, tcpHandler, udpHandler } from "./paths-wire.ts";

export const SESSIONS: readonly Session[] = [
  executors,
  preemption,
  calls,
  udpHandler,
  tcpHandler,
  segments,
  requests,
  ...loads,
];
