/** The console's lines, the backtrace and what an exception in the kernel prints. */
import {
  consoleByte,
  log,
  logAddress,
  logBytes,
  logDecimal,
  logEnd,
  logHex,
  logHexDigits,
  logMac,
  logStart,
  logText,
  LOG_DEBUG,
  LOG_ERROR,
  LOG_INFO,
  logUnsigned,
  setConsoleSink,
  setLogLevel,
} from "../../kernel/console";
import { IMAGE_READ_ONLY_END, IMAGE_START, IMAGE_SYMBOLS } from "../../kernel/hal";
import { kernelException, nmiCount } from "../../kernel/interrupts/exceptions";
import { InterruptFrame } from "../../kernel/interrupts/frame";
import { backtrace, backtraceSome, PANIC_STATUS } from "../../kernel/panic";
import { functionStart, isText, logSymbol } from "../../kernel/symbols";
import { growMemory, setUpArena } from "../arena";
import { chance, chance64, seedChance } from "../chance";
import * as fake from "../fake";

// ---- Console ----

const CONSOLE_SIZE: usize = 65536;
let console: usize = 0;
let consoleLength: usize = 0;

function sink(byte: u32): void {
  store<u8>(console + consoleLength++, byte);
}
function printed(): string {
  const text = String.UTF8.decodeUnsafe(console, consoleLength);
  consoleLength = 0;
  return text;
}

beforeAll(() => {
  setUpArena(4096);
  console = growMemory(CONSOLE_SIZE, 8);
  setConsoleSink(sink.index);
  fake.reset();
});

describe("console", () => {
  beforeEach(() => {
    consoleLength = 0;
    setLogLevel(LOG_INFO);
  });

  it("writes decimal numbers at all sizes", () => {
    let wrong = 0;
    seedChance(2);
    for (let i = 0; i < 500; i++) {
      const value = chance64() >> chance(64);
      logUnsigned(value);
      if (printed() != value.toString()) wrong++;
      logDecimal(<i64>value);
      if (printed() != (<i64>value).toString()) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    logUnsigned(0);
    logUnsigned(9);
    logUnsigned(10);
    logUnsigned(u64.MAX_VALUE);
    expect<string>(printed()).toBe("091018446744073709551615");
    logUnsigned(9_999_999_999_999_999_999);
    logUnsigned(10_000_000_000_000_000_000);
    expect<string>(printed()).toBe("999999999999999999910000000000000000000");
    logDecimal(i64.MIN_VALUE);
    logDecimal(-1);
    logDecimal(0);
    expect<string>(printed()).toBe("-9223372036854775808-10");
  });

  it("writes hexadecimal numbers", () => {
    logHex(0);
    logHex(0xf);
    logHex(0x10);
    logHex(u64.MAX_VALUE);
    logHex(0x0123_4567_89ab_cdef);
    expect<string>(printed()).toBe("0x00xf0x100xffffffffffffffff0x123456789abcdef");
    logHexDigits(0xabc, 2);
    logHexDigits(0xabc, 5);
    logHexDigits(u64.MAX_VALUE, 16);
    expect<string>(printed()).toBe("bc00abcffffffffffffffff");
  });

  it("writes addresses", () => {
    logAddress(0x0a00_020f);
    consoleByte(0x20);
    logAddress(0xffff_ffff);
    consoleByte(0x20);
    logAddress(0);
    consoleByte(0x20);
    logMac(0x1200_5452, 0x5634);
    expect<string>(printed()).toBe("10.0.2.15 255.255.255.255 0.0.0.0 52:54:00:12:34:56");
  });

  it("writes the time with six places, aligned up to 99,999 seconds", () => {
    const times: u64[] = [
      0, 999, 1000, 12_345_678, 999_999_999, 1_000_000_000, 99_999_999_999_999, 123_456_000_000_000,
    ];
    const texts = [
      "[    0.000000] ",
      "[    0.000000] ",
      "[    0.000001] ",
      "[    0.012345] ",
      "[    0.999999] ",
      "[    1.000000] ",
      "[99999.999999] ",
      "[123456.000000] ",
    ];
    for (let i = 0; i < times.length; i++) {
      fake.setTsc(times[i]);
      log(LOG_ERROR, "a", "b");
      expect<string>(printed()).toBe(texts[i] + "a: b\n");
    }
    fake.setTsc(0);
  });

  it("filters by level", () => {
    log(LOG_DEBUG, "a", "b");
    expect<bool>(logStart(LOG_DEBUG, "a")).toBe(false);
    setLogLevel(LOG_ERROR);
    log(LOG_INFO, "a", "b");
    expect<string>(printed()).toBe("");
    log(LOG_ERROR, "a", "b");
    logEnd();
    expect<string>(printed()).toBe("[    0.000000] a: b\n\n");
  });

  it("lets nobody break or fake a line", () => {
    const text = growMemory(256, 8);
    for (let i: usize = 0; i < 256; i++) store<u8>(text + i, <u8>i);
    logBytes(text, 256);
    expect<usize>(consoleLength).toBe(256);
    let wrong = 0;
    for (let i: usize = 0; i < 256; i++) {
      const byte = load<u8>(console + i);
      if (byte < 0x20 || byte == 0x7f) wrong++;
      if (i >= 0x20 && i != 0x7f && byte != <u8>i) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    consoleLength = 0;
    logText("a\u00e4\u4e00b");
    expect<string>(printed()).toBe("a??b");
  });
});

// ---- Exceptions in the kernel, backtrace ----

let text: usize = 0;
let stack: usize = 0;
let panicking: usize = 0;

function putGroup(table: usize, index: usize, first: usize, at: usize): usize {
  store<u32>(table + (index << 3), <u32>first, 4);
  store<u32>(table + (index << 3), <u32>(at - table), 8);
  return at;
}

function putFunction(at: usize, distance: u32, name: u8[]): usize {
  store<u16>(at, <u16>distance);
  at += 2;
  for (let i = 0; i < name.length; i++) store<u8>(at++, name[i]);
  store<u8>(at++, 0);
  return at;
}

function endGroup(at: usize): usize {
  store<u16>(at, 0);
  return at + 2;
}

/** A text of three functions, and a table of their names (tools/names.ts): two groups, and pairs of which one has the other in it. */
function makeText(): void {
  if (text == 0) {
    text = growMemory(4096, 4096);
    stack = growMemory(16384, 16384);
  }
  memory.fill(text, 0x90, 4096);
  memory.fill(stack, 0, 16384);
  const table = text + 3072;
  store<u32>(table, 2);
  const pairs = table + 20;
  memory.fill(pairs, 0, 256);
  store<u16>(pairs, 0x7269); // 0x80: "ir"
  store<u16>(pairs, 0x6480, 2); // 0x81: "ird"
  let at = putGroup(table, 0, text + 256, pairs + 256);
  at = putFunction(at, 0, [0x66, 0x80, 0x73, 0x74]); // "first"
  at = putFunction(at, 256, [0x73, 0x65, 0x63, 0x6f, 0x6e, 0x64]); // "second"
  at = putGroup(table, 1, text + 768, endGroup(at));
  endGroup(putFunction(at, 0, [0x6e, 0x65, 0x74, 0x2f, 0x74, 0x68, 0x81])); // "net/third"
  fake.setImage(IMAGE_START, text);
  fake.setImage(IMAGE_READ_ONLY_END, text + 2048);
  fake.setImage(IMAGE_SYMBOLS, table);
}

/** A direct call at `at` of `target`: its return address. */
function callAt(at: usize, target: usize): u64 {
  store<u8>(at, 0xe8);
  store<u32>(at, <u32>(target - (at + 5)), 1);
  return <u64>at + 5;
}

/** The names in what was printed, without their addresses. */
function names(): string {
  const lines = printed().split("\n");
  let result = "";
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    const at = line.indexOf("0x");
    if (at < 0) {
      if (line.trim() != "") result += line.trim() + ";";
    } else result += (line.includes("?") ? "? " : "") + line.substring(at + 11) + ";";
  }
  return result;
}

/** Words that one step may look at: whatever it is, the result is the same. */
let stepWords: u32 = 1;

/** In steps of another size each time. A step prints one call, with the repetitions of the one before. */
function trace(from: usize, rip: u64, end: usize): void {
  backtrace(from, rip, end);
  stepWords = (stepWords * 3) % 61;
  let lines = countLines();
  while (!backtraceSome(stepWords)) {
    const more = countLines();
    assert(more - lines <= 2, "lines in one step");
    lines = more;
  }
}

function countLines(): i32 {
  let lines = 0;
  for (let i: usize = 0; i < consoleLength; i++) if (load<u8>(console + i) == 0x0a) lines++;
  return lines;
}

describe("a backtrace", () => {
  beforeEach(() => {
    fake.reset();
    makeText();
    consoleLength = 0;
  });

  it("finds what stands behind direct and indirect calls, and nothing else", () => {
    const first = text + 256;
    const second = text + 512;
    const third = text + 768;
    // first calls second calls third, which is where it is.
    store<u64>(stack + 32, callAt(second + 16, third));
    store<u64>(stack + 64, callAt(first + 32, second));
    // Words that point into the text, but behind no call.
    store<u64>(stack, first + 100);
    store<u64>(stack + 8, second + 7);
    store<u64>(stack + 16, text);
    store<u64>(stack + 24, text + 2047);
    store<u64>(stack + 40, ((<u64>1) << 32) | (second + 21));
    store<u64>(stack + 48, u64.MAX_VALUE);
    store<u64>(stack + 56, 3);
    trace(stack, third + 5, stack + 128);
    expect<string>(names()).toBe("net/third+0x005;second+0x015;first+0x025;");
    // call *%rax; call *8(%rax); call *0x100(%rax); call *8(%rsp,%rax,8)
    const codes: u64[] = [0xd0ff, 0x0850ff, 0x0000_0100_90ff, 0x08c4_54ff];
    const lengths: usize[] = [2, 3, 6, 4];
    for (let i = 0; i < 4; i++) {
      makeText();
      store<u64>(first + 16, codes[i] | ((<u64>0x9090_9090_9090_9090) << ((<u64>lengths[i]) << 3)));
      store<u64>(stack + 8, first + 16 + lengths[i]);
      trace(stack, 0, stack + 16);
      expect<string>(names()).toBe("first+0x01" + lengths[i].toString() + ";");
    }
    // FF with another digit is a jump or a push.
    makeText();
    store<u16>(first + 16, 0xe0ff);
    store<u64>(stack + 8, first + 18);
    trace(stack, 0, stack + 16);
    expect<string>(names()).toBe("");
  });

  it("marks what does not fit, and counts a recursion", () => {
    const first = text + 256;
    const second = text + 512;
    const third = text + 768;
    // Left over from an earlier call of third by first.
    store<u64>(stack, callAt(first + 64, second));
    store<u64>(stack + 8, callAt(second + 16, third));
    const again = callAt(second + 32, second);
    for (let i: usize = 0; i < 5; i++) store<u64>(stack + 16 + (i << 3), again);
    store<u64>(stack + 56, callAt(first + 32, second));
    trace(stack, third, stack + 64);
    expect<string>(names()).toBe(
      "net/third+0x000;? first+0x045;second+0x015;second+0x025;and 4 more of it;first+0x025;",
    );
  });

  it("ends at the end of the stack, and after 24 frames", () => {
    const first = text + 256;
    for (let i: usize = 0; i < 2048; i++) {
      store<u64>(stack + (i << 3), callAt(first + (i % 30) * 8, text + 512));
    }
    trace(stack, 0, 0);
    expect<i32>(names().split(";").length - 1).toBe(24);
    trace(stack + 16384 - 20, 0, 0);
    expect<i32>(names().split(";").length - 1).toBe(2, "whole words up to the end of 16 KiB");
  });

  it("names functions by their table", () => {
    expect<u32>(functionStart(<u32>text + 255)).toBe(0);
    expect<u32>(functionStart(<u32>text + 256)).toBe(<u32>text + 256);
    expect<u32>(functionStart(<u32>text + 767)).toBe(<u32>text + 512);
    expect<u32>(functionStart(u32.MAX_VALUE)).toBe(<u32>text + 768);
    expect<bool>(isText(text + 2047)).toBe(true);
    expect<bool>(isText(text + 2048)).toBe(false);
    expect<bool>(isText(text - 1)).toBe(false);
    expect<bool>(isText(((<u64>1) << 32) + text)).toBe(false);
    logSymbol(text + 0x103);
    expect<string>(printed().substring(11)).toBe("first+0x003");
    logSymbol(text + 0x302);
    expect<string>(printed().substring(11)).toBe("net/third+0x002");
    logSymbol(0x80_0000_1234);
    expect<string>(printed()).toBe("0x00001234");
    fake.setImage(IMAGE_SYMBOLS, 0);
    logSymbol(text + 0x103);
    expect<i32>(printed().length).toBe(10);
    expect<u32>(functionStart(<u32>text + 256)).toBe(0);
  });
});

describe("an exception in the kernel", () => {
  it("is a panic with reason, registers and the way there; an NMI is counted", () => {
    fake.reset();
    makeText();
    consoleLength = 0;
    const frame = changetype<InterruptFrame>(growMemory(offsetof<InterruptFrame>(), 8));
    panicking = changetype<usize>(frame);
    frame.vector = 2;
    const before = nmiCount;
    kernelException(frame);
    expect<u64>(nmiCount - before).toBe(1);
    expect<string>(printed()).toBe("");
    // As the stub pushes it: a byte with its sign.
    frame.vector = ((<u64>-1) & ~0xff) | 14;
    frame.rip = text + 515;
    frame.rsp = stack;
    frame.r15 = 0x0123_4567_89ab_cdef;
    fake.setFaultAddress(0x7fff_1234);
    store<u64>(stack + 8, callAt(text + 256 + 32, text + 512));
    expect(() => {
      kernelException(changetype<InterruptFrame>(panicking));
    }).toThrow("the machine ends");
    expect<i32>(fake.lastExit()).toBe(PANIC_STATUS);
    const report = printed();
    expect<bool>(report.includes("fault address 0x7fff1234")).toBe(true, report);
    expect<bool>(report.includes("panic: page fault")).toBe(true, report);
    expect<bool>(report.includes("r15 0123456789abcdef")).toBe(true, report);
    expect<bool>(report.includes("second+0x003\n")).toBe(true, report);
    expect<bool>(report.includes("first+0x025\n")).toBe(true, report);
    // Another one while that is reported ends the machine at once.
    expect(() => {
      kernelException(changetype<InterruptFrame>(panicking));
    }).toThrow("at once");
    expect<bool>(printed().includes("r15")).toBe(false);
  });
});
