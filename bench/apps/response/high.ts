/** A server of bench/apps/response, of priority 48. */
import { serve } from "./worker";

export function main(): i32 {
  return serve(48);
}
