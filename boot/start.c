/*
 * From the assembly entry to the kernel's main: descriptor tables, the kernel's static data, done. And the few facts
 * and services of the machine that need C or a linker symbol.
 */
#include "syscall.h"
#include "instance.h"
#include "unpack.h"

#define DEBUG_EXIT_PORT 0xf4 /* QEMU's isa-debug-exit: exits with (value << 1) | 1 */
#define RESET_PORT 0x64      /* keyboard controller */
#define RESET_COMMAND 0xfe

extern char thread_start[], thread_return[];
void initialize_descriptor_tables(void);

/* The frame that switch_stack pops: r15 (as boot/app.h wants it), r14, r13, r12, rbp (the application's stack pointer), rbx (the entry), return address. */
uint64_t prepare_stack(uint32_t stack_top, uint32_t entry, uint64_t stack) {
  uint64_t* frame = (uint64_t*)(uintptr_t)stack_top - 7;
  frame[0] = WINDOW_BASE;
  for (int i = 1; i < 4; i++) frame[i] = 0;
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
  aemos_unpack(kernel_data, kernel_data_block, kernel_data_block + kernel_data_block_size);
  w2c_kernel_main(&kernel);
  machine_exit(0xff);
}
