/*
 * Included ahead of each application's generated C. Its linear memory stands at WINDOW_BASE in every process, which is in r15 (the build
 * overrides MEM_ADDR), so a load is a load from a register and an offset; out of bounds is the MMU's business.
 */
#ifndef AEMOS_APP_H
#define AEMOS_APP_H

#include "layout.h"
#include "unpack.h"
#include "wasm-rt.h"

/*
 * WINDOW_BASE: prepare_stack (boot/start.c) sets it for all that a thread runs, and what is called keeps it. As a constant, of 64 bits, it was loaded over and over: code was 13 %
 * larger, and took 1 % more instructions (aot.quality; sort 4 %).
 */
register uint8_t* aemos_window __asm__("r15");

/* An active data segment, or some that follow one another, of `length` bytes: as LOAD_DATA of wasm2c's, packed (tools/instance.ts). */
#define LOAD_PACKED(memory, offset, block, length)                                             \
  do {                                                                                         \
    RANGE_CHECK((&memory), offset, length);                                                    \
    aemos_unpack(MEM_ADDR(&memory, offset, length), block, block + sizeof block);              \
  } while (0)

/*
 * Whole range of a bulk operation, before its first byte: inside the linear memory as grown, or inside the mapped vmtable zone; or where workers'
 * shadow stacks are, with guards between them.
 * `data_end` is used by no little-endian code, so the runtime keeps the end of the vmtable zone there.
 */
static inline bool aemos_range_ok(const wasm_rt_memory_t* memory, uint64_t offset, uint64_t length) {
  uint64_t end;
  if (__builtin_add_overflow(offset, length, &end)) return false;
  if (LIKELY(end <= memory->size)) return true;
  if (offset >= SHADOW_BASE) return end <= SHADOW_END;
  return offset >= VMTABLE_BASE && end <= (uint64_t)(uintptr_t)memory->data_end;
}

#endif
