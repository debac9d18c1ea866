/** Runs the parts one after the other; what is right stands in spec/boot/aem/operations.test.ts. */
import { data } from "./data";
import { controls } from "./controls";
import { queues } from "./queues";
import { row } from "../report";

export function main(): i32 {
  controls();
  queues();
  data();
  row("done", 1);
  return 0;
}
