/** Main code that computes, and never calls the kernel: only an interrupt stops it. */
let turns: u64 = 0;

export function main(): i32 {
  while (true) turns++;
  return 0;
}
