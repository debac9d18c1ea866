/** The parts of sdk/dns that touch what comes from the wire, laid open for dns-reader.ts. AssemblyScript. */
import { answersQuestion, answerTtl, readAnswer, writeQuestion } from "../../sdk/dns/message";
import { encodeName, readName } from "../../sdk/dns/name";

/** 16 KiB for everything but the message, which the test puts at the very end of the memory. */
export function room(): usize {
  return heap.alloc(16384);
}
export function encode(text: usize, length: u32, width: u32, into: usize): u32 {
  return encodeName(text, length, width, into);
}
export function name(message: usize, length: u32, at: u32, into: usize): u32 {
  return readName(message, length, at, into);
}
export function question(into: usize, id: u32, name: usize, size: u32, type: u32, bits: usize): u32 {
  return writeQuestion(into, id, name, size, type, bits);
}
export function matches(message: usize, length: u32, question: usize, asked: u32): bool {
  return answersQuestion(message, length, question, asked);
}
export function answer(
  message: usize,
  length: u32,
  asked: u32,
  name: usize,
  size: u32,
  type: u32,
  addresses: usize,
): i32 {
  return readAnswer(message, length, asked, name, size, type, addresses);
}
export function ttl(): u32 {
  return answerTtl;
}
