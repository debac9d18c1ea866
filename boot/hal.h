/*
 * The hardware abstraction layer: what kernel/hal.ts imports, as `static inline` functions that stand before the generated
 * kernel.h, so that each costs the instruction it names. Asm that the compiler must not merge or move is volatile, and
 * clobbers memory wherever memory can change behind its back: stack switch, idle, barriers, device registers.
 */
#ifndef AEMOS_HAL_H
#define AEMOS_HAL_H

#include <stddef.h>
#include <stdint.h>

#include "layout.h"

#define WASM_RT_CORE_TYPES_DEFINED
typedef uint8_t u8;
typedef int8_t s8;
typedef uint16_t u16;
typedef int16_t s16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef int64_t s64;
typedef float f32;
typedef double f64;

struct w2c_hal;
#define UNUSED_HAL (void)hal

/* ---- Ports and device registers ---- */

#define HAL_IN(bits, suffix)                                                                        \
  static inline u32 w2c_hal_in##bits(struct w2c_hal* hal, u32 port) {                               \
    u##bits value;                                                                                  \
    UNUSED_HAL;                                                                                     \
    __asm__ volatile("in" suffix " %w1, %0" : "=a"(value) : "Nd"(port) : "memory");                 \
    return value;                                                                                   \
  }
#define HAL_OUT(bits, suffix)                                                                       \
  static inline void w2c_hal_out##bits(struct w2c_hal* hal, u32 port, u32 value) {                  \
    UNUSED_HAL;                                                                                     \
    __asm__ volatile("out" suffix " %0, %w1" : : "a"((u##bits)value), "Nd"(port) : "memory");       \
  }
#define HAL_READ(bits, type)                                                                        \
  static inline type w2c_hal_read##bits(struct w2c_hal* hal, u32 address) {                         \
    u##bits value;                                                                                  \
    UNUSED_HAL;                                                                                     \
    __asm__ volatile("mov %1, %0" : "=r"(value) : "m"(*(volatile u##bits*)(uintptr_t)address) : "memory"); \
    return value;                                                                                   \
  }
#define HAL_WRITE(bits, type)                                                                       \
  static inline void w2c_hal_write##bits(struct w2c_hal* hal, u32 address, type value) {            \
    UNUSED_HAL;                                                                                     \
    __asm__ volatile("mov %1, %0" : "=m"(*(volatile u##bits*)(uintptr_t)address) : "r"((u##bits)value) : "memory"); \
  }

HAL_IN(8, "b")
HAL_IN(16, "w")
HAL_IN(32, "l")
HAL_OUT(8, "b")
HAL_OUT(16, "w")
HAL_OUT(32, "l")
HAL_READ(8, u32)
HAL_READ(16, u32)
HAL_READ(32, u32)
HAL_READ(64, u64)
HAL_WRITE(8, u32)
HAL_WRITE(16, u32)
HAL_WRITE(32, u32)
HAL_WRITE(64, u64)

/* ---- Barriers: x86 keeps loads in order and stores in order; only a load may pass an older store ---- */

static inline void w2c_hal_readBarrier(struct w2c_hal* hal) {
  UNUSED_HAL;
  __asm__ volatile("" : : : "memory");
}
static inline void w2c_hal_writeBarrier(struct w2c_hal* hal) {
  UNUSED_HAL;
  __asm__ volatile("" : : : "memory");
}
static inline void w2c_hal_fullBarrier(struct w2c_hal* hal) {
  UNUSED_HAL;
  __asm__ volatile("mfence" : : : "memory");
}

/* ---- Processor ---- */

static inline u64 w2c_hal_scale(struct w2c_hal* hal, u64 value, u64 factor) {
  UNUSED_HAL;
  return (u64)((unsigned __int128)value * factor >> 32);
}
/* The u64 from `at` to seven behind it, added with carry; the first of a block begins without one. */
#define ADD_REST(at)                                                                                    \
  "adc 8+" #at "+%q1, %0\n\tadc 16+" #at "+%q1, %0\n\tadc 24+" #at "+%q1, %0\n\tadc 32+" #at "+%q1, %0\n\t" \
  "adc 40+" #at "+%q1, %0\n\tadc 48+" #at "+%q1, %0\n\tadc 56+" #at "+%q1, %0\n\t"
#define ADD_NEXT(at) "adc " #at "+%q1, %0\n\t" ADD_REST(at)
static inline u64 w2c_hal_sum64(struct w2c_hal* hal, u32 address, u64 sum) {
  const u64(*words)[8] = (const u64(*)[8])(uintptr_t)address;
  UNUSED_HAL;
  __asm__("add %q1, %0\n\t" ADD_REST(0) "adc $0, %0" : "+r"(sum) : "o"(*words) : "cc");
  return sum;
}
static inline u64 w2c_hal_sum256(struct w2c_hal* hal, u32 address, u64 sum) {
  const u64(*words)[32] = (const u64(*)[32])(uintptr_t)address;
  UNUSED_HAL;
  __asm__("add %q1, %0\n\t" ADD_REST(0) ADD_NEXT(64) ADD_NEXT(128) ADD_NEXT(192) "adc $0, %0"
          : "+r"(sum)
          : "o"(*words)
          : "cc");
  return sum;
}
static inline u64 w2c_hal_tsc(struct w2c_hal* hal) {
  u64 low, high; /* the processor clears the upper halves (SDM 2B) */
  UNUSED_HAL;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return high << 32 | low;
}
static inline u32 w2c_hal_cpuid(struct w2c_hal* hal, u32 leaf, u32 subleaf, u32 which) {
  u32 value[4];
  UNUSED_HAL;
  __asm__ volatile("cpuid" : "=a"(value[0]), "=b"(value[1]), "=c"(value[2]), "=d"(value[3]) : "a"(leaf), "c"(subleaf));
  return value[which & 3];
}
static inline u64 w2c_hal_readMsr(struct w2c_hal* hal, u32 msr) {
  u32 low, high;
  UNUSED_HAL;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
  return (u64)high << 32 | low;
}
static inline void w2c_hal_writeMsr(struct w2c_hal* hal, u32 msr, u64 value) {
  UNUSED_HAL;
  __asm__ volatile("wrmsr" : : "a"((u32)value), "d"((u32)(value >> 32)), "c"(msr) : "memory");
}
static inline u64 w2c_hal_rdrand(struct w2c_hal* hal) {
  u64 value;
  u8 ok;
  UNUSED_HAL;
  __asm__ volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(ok) : : "cc");
  return ok ? value : 0;
}
static inline void w2c_hal_pause(struct w2c_hal* hal) {
  UNUSED_HAL;
  __asm__ volatile("pause" : : : "memory");
}

/* boot/memory.S */
u32 idle(void);
s32 poll_interrupt(void);
int copy_user(void* destination, const void* source, size_t length);
void switch_stack(u64* save, u64 stack_pointer);
/* boot/start.c */
u64 prepare_stack(u32 stack_top, u32 entry, u64 stack);
__attribute__((noreturn)) void machine_exit(u32 status);

static inline u32 w2c_hal_idle(struct w2c_hal* hal) {
  UNUSED_HAL;
  return idle();
}
static inline u32 w2c_hal_poll(struct w2c_hal* hal) {
  UNUSED_HAL;
  return (u32)poll_interrupt();
}

/* ---- Address spaces ---- */

static inline void w2c_hal_setPageTables(struct w2c_hal* hal, u32 pml4) {
  UNUSED_HAL;
  __asm__ volatile("mov %0, %%cr3" : : "r"((u64)pml4) : "memory");
}
static inline u32 w2c_hal_pageTables(struct w2c_hal* hal) {
  u64 value;
  UNUSED_HAL;
  __asm__ volatile("mov %%cr3, %0" : "=r"(value));
  return (u32)value;
}
static inline void w2c_hal_invalidatePage(struct w2c_hal* hal, u64 address) {
  UNUSED_HAL;
  __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}
static inline u64 w2c_hal_faultAddress(struct w2c_hal* hal) {
  u64 value;
  UNUSED_HAL;
  __asm__ volatile("mov %%cr2, %0" : "=r"(value));
  return value;
}
static inline u64 w2c_hal_loadWindow(struct w2c_hal* hal, u64 address) {
  UNUSED_HAL;
  return *(const volatile u64*)address;
}
#define EFAULT 14
static inline u32 w2c_hal_copyFromUser(struct w2c_hal* hal, u32 destination, u32 source, u32 length) {
  UNUSED_HAL;
  return copy_user((void*)(uintptr_t)destination, (const void*)(WINDOW_BASE + (u64)source), length) ? (u32)-EFAULT : 0;
}
static inline u32 w2c_hal_copyToUser(struct w2c_hal* hal, u32 destination, u32 source, u32 length) {
  UNUSED_HAL;
  return copy_user((void*)(WINDOW_BASE + (u64)destination), (const void*)(uintptr_t)source, length) ? (u32)-EFAULT : 0;
}

/* ---- Threads ---- */

static inline void w2c_hal_switchStack(struct w2c_hal* hal, u32 save, u64 stack_pointer) {
  UNUSED_HAL;
  switch_stack((u64*)(uintptr_t)save, stack_pointer);
}
static inline u64 w2c_hal_prepareStack(struct w2c_hal* hal, u32 stack_top, u32 entry, u64 stack) {
  UNUSED_HAL;
  return prepare_stack(stack_top, entry, stack);
}
static inline void w2c_hal_saveFpu(struct w2c_hal* hal, u32 area) {
  UNUSED_HAL;
  __asm__ volatile("fxsave64 (%0)" : : "r"((u64)area) : "memory");
}
static inline void w2c_hal_restoreFpu(struct w2c_hal* hal, u32 area) {
  UNUSED_HAL;
  __asm__ volatile("fxrstor64 (%0)" : : "r"((u64)area) : "memory");
}

/* ---- The image ---- */

extern char image_start[], image_end[], read_only_end[], kernel_data_start[], symbol_table[], symbol_table_end[];
extern char boot_pml4[];
extern uint32_t boot_magic, boot_info;
extern uint64_t boot_tsc;
extern const uint64_t module_count;
extern const void* const module_table[];
extern const unsigned char handler_types[][32];
extern const uint64_t image_parameters[];
void aemos_serve(void);

/* kernel/hal.ts: IMAGE_*. `which` is a constant wherever it is asked, and so is nearly every answer. */
static inline u32 w2c_hal_image(struct w2c_hal* hal, u32 which) {
  UNUSED_HAL;
  switch (which) {
    case 0: return boot_info;
    case 1: return boot_magic;
    case 2: return (uint32_t)(uintptr_t)image_start;
    case 3: return (uint32_t)(uintptr_t)image_end;
    case 4: return (uint32_t)(uintptr_t)read_only_end;
    case 5: return (uint32_t)(uintptr_t)module_table;
    case 6: return (uint32_t)module_count;
    case 7: return &symbol_table[0] == &symbol_table_end[0] ? 0 : (uint32_t)(uintptr_t)symbol_table;
    case 8: return (uint32_t)boot_tsc;
    case 9: return (uint32_t)(boot_tsc >> 32);
    case 10: return (uint32_t)(uintptr_t)kernel_data_start;
    case 11: return (uint32_t)(uintptr_t)handler_types;
    case 12: return (uint32_t)(uintptr_t)boot_pml4;
    case 13: return (uint32_t)(uintptr_t)image_parameters;
    case 14: return (uint32_t)(uintptr_t)aemos_serve;
    default: return 0;
  }
}
static inline void w2c_hal_exit(struct w2c_hal* hal, u32 status) {
  UNUSED_HAL;
  machine_exit(status);
}
static inline void w2c_hal_raise(struct w2c_hal* hal) {
  UNUSED_HAL;
  __asm__ volatile("ud2" : : : "memory");
}

/* The kernel's own end (runtime.c). */
#define wasm_rt_trap kernel_trap

#endif
