/**
 * Programs that only compute, each ROUNDS times, as they are here and as they are in C (native/): what they take in ticks of the time-stamp counter, which are instructions when QEMU
 * counts those.
 *
 *     row quality PROGRAM LEAST RESULT LEAST RESULT     PROGRAM: crc, sieve, chase, sort, sha256, json, multiply, from 0; here, in C
 */
import { CLOCK_TSC, clock_gettime } from "../../../sdk";
import { row } from "../../../spec/boot/apps/report";
import { parseJson } from "./json";
import { chase, crc, multiply, prepare, sieve, sort } from "./kernels";
import { sha256 } from "./sha256";

const ROUNDS: i32 = 5;
const PROGRAMS: i32 = 7;
const ITEM =
  '{"id": 12345, "name": "a \\"quoted\\" name", "on": true, "none": null, "list": [1, -23, 456, [], {}]},\n';
const COPIES: i32 = 1000;
const HASHED: i32 = 131_072;
const text = memory.data(131_072, 64);
let textLength: i32 = 0;

/** An array of COPIES items. */
function write(): void {
  let end = text;
  store<u8>(end++, 0x5b);
  for (let i = 0; i < COPIES; i++) end += String.UTF8.encodeUnsafe(changetype<usize>(ITEM), ITEM.length, end);
  // Instead of the last comma.
  store<u8>(end - 2, 0x5d);
  textLength = <i32>(end - text);
}

// Linked in by bench/quality.ts.
@external("aemos", "native_prepare")
declare function prepareNative(): void;


@external("aemos", "native_run")
declare function runNative(program: i32): u32;

function run(program: i32): u32 {
  if (program == 0) return crc();
  if (program == 1) return sieve();
  if (program == 2) return chase();
  if (program == 3) return sort();
  if (program == 4) return sha256(text, HASHED);
  if (program == 5) return parseJson(text, textLength);
  return multiply();
}

export function main(): i32 {
  write();
  for (let program = 0; program < PROGRAMS; program++) {
    let least = i64.MAX_VALUE;
    let result: u32 = 0;
    let nativeLeast = i64.MAX_VALUE;
    let nativeResult: u32 = 0;
    for (let round = 0; round < ROUNDS; round++) {
      prepare();
      let begin = clock_gettime(CLOCK_TSC);
      result = run(program);
      least = min(least, clock_gettime(CLOCK_TSC) - begin);
      prepareNative();
      begin = clock_gettime(CLOCK_TSC);
      nativeResult = runNative(program);
      nativeLeast = min(nativeLeast, clock_gettime(CLOCK_TSC) - begin);
    }
    row("quality", program, least, result, nativeLeast, nativeResult);
  }
  row("qualities", 1);
  return 0;
}
