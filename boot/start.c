/*
 * From the assembly entry to the kernel's main: descriptor tables, the kernel's wasm instance, done. And the few facts
 * and services of the machine that need C or a linker symbol.
 */
#include "syscall.h"

#define DEBUG_EXIT_PORT 0xf4 /* QEMU's isa-debug-exit: exits with (value << 1) | 1 */
#define RESET_PORT 0x64      /* keyboard controller */
#define RESET_COMMAND 0xfe

extern char image_start[], image_end[], read_only_end[], kernel_data_start[], kernel_data_end[], symbol_table[], symbol_table_end[];
extern char boot_pml4[], thread_start[], thread_return[];
extern uint32_t boot_magic, boot_info;
extern uint64_t boot_tsc;
extern const uint64_t module_count;
extern const void* const module_table[];
extern const uint64_t image_parameters[];
void initialize_descriptor_tables(void);
void aemos_serve(void);

/* kernel/hal.ts: IMAGE_*, those that change; what does not, boot/hal.h answers by itself. */
uint32_t image_value(uint32_t which) {
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
    case 11: return (uint32_t)(uintptr_t)kernel_data_end;
    case 13: return (uint32_t)(uintptr_t)boot_pml4;
    case 14: return (uint32_t)(uintptr_t)image_parameters;
    case 15: return (uint32_t)(uintptr_t)aemos_serve;
    default: return 0;
  }
}

/* The frame that switch_stack pops: r15, r14, r13, r12, rbp (the application's stack pointer), rbx (the entry), return address. */
uint64_t prepare_stack(uint32_t stack_top, uint32_t entry, uint64_t stack) {
  uint64_t* frame = (uint64_t*)(uintptr_t)stack_top - 7;
  for (int i = 0; i < 4; i++) frame[i] = 0;
  frame[4] = stack;
  frame[5] = entry;
  frame[6] = (uint64_t)(entry ? thread_start : thread_return);
  return (uint64_t)frame;
}

__attribute__((noreturn)) void machine_exit(uint32_t status) {
  w2c_hal_out32(0, DEBUG_EXIT_PORT, status);
  w2c_hal_out8(0, RESET_PORT, RESET_COMMAND);
  for (;;) __asm__ volatile("cli; hlt");
}

__attribute__((noreturn)) void boot_start(void) {
  initialize_descriptor_tables();
  wasm2c_kernel_instantiate(&kernel, 0);
  w2c_kernel_main(&kernel);
  machine_exit(0xff);
}
