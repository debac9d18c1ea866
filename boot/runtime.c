/*
 * The wasm runtime (wasm-rt.h): of the kernel's one instance, which the build has made (tools/instance.ts), only the trap; and that of applications, whose instance, table and
 * memory the kernel has mapped at the fixed addresses of their window before their first instruction.
 */
#include "syscall.h"
#include "instance.h"

/* Calls into the kernel that are not an application's to import. */
QUIET_CALL(aemos_trap, w2c_kernel_trap)
QUIET_CALL(aemos_exit_call, w2c_kernel_sys_exit)
QUIET_CALL(aemos_memory_grow, w2c_kernel_memoryGrow)
QUIET_CALL(aemos_vmtable_end, w2c_kernel_vmtableEnd)

/* The same symbols with the types they are called with (QUIET_CALL defines naked functions without any). */
void call_trap(void* unused, uint32_t code) __asm__("aemos_trap");
void call_exit(void* unused, uint32_t status) __asm__("aemos_exit_call");
uint32_t call_memory_grow(void* unused, uint32_t pages) __asm__("aemos_memory_grow");
uint32_t call_vmtable_end(void* unused) __asm__("aemos_vmtable_end");

SYSCALL(aemos_serve_call, w2c_kernel_serve, 0)
void call_serve(void* unused) __asm__("aemos_serve_call");

/* The whole of a thread that has nothing but handlers to run: they run at the end of this call (syscall_dispatch), which is then made again. */
__attribute__((noreturn)) void aemos_serve(void) {
  for (;;) call_serve(0);
}

/*
 * fork: the registers that a callee has to keep go to the application's stack, which the child has a copy of; both come back here, the
 * child by thread_return.
 */
#define FORK(application_symbol, call)                                                                \
  __attribute__((naked)) void application_symbol(void) {                                              \
    __asm__ volatile(                                                                                 \
        "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"                          \
        "sub $8, %rsp\n"                                                                              \
        "call " #call "\n"                                                                            \
        "add $8, %rsp\n"                                                                              \
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\n"                                \
        "ret\n");                                                                                     \
  }
SYSCALL(aemos_fork_call, w2c_kernel_sys_fork, 1)
FORK(w2c_aemos_fork, aemos_fork_call)
QUIET_SYSCALL(aemos_quiet_fork_call, w2c_kernel_sys_fork, 1)
FORK(quiet_aemos_fork, aemos_quiet_fork_call)

/* ---- Kernel ---- */

__attribute__((noreturn)) void kernel_trap(wasm_rt_trap_t code) {
  w2c_kernel_kernelTrap(&kernel, code);
  for (;;) __asm__ volatile("cli; hlt");
}

/* ---- Applications ---- */

/* The generated code was compiled with these names. */
#undef wasm_rt_trap

__attribute__((noreturn)) void wasm_rt_trap(wasm_rt_trap_t code) {
  call_trap(0, code);
  __builtin_unreachable();
}

__attribute__((noreturn)) void aemos_exit(uint32_t status) {
  call_exit(0, status);
  __builtin_unreachable();
}

/* The kernel mapped the initial pages when it made the process. */
void wasm_rt_allocate_memory(wasm_rt_memory_t* memory, uint64_t initial, uint64_t max, bool is64, uint32_t page_size) {
  uint64_t end = call_vmtable_end(0);
  *memory = (wasm_rt_memory_t){.data = (uint8_t*)WINDOW_BASE, .data_end = (uint8_t*)end, .page_size = page_size,
                               .pages = initial, .max_pages = max, .size = initial * page_size, .is64 = is64};
}

uint64_t wasm_rt_grow_memory(wasm_rt_memory_t* memory, uint64_t pages) {
  if (pages > memory->max_pages) return (uint64_t)-1;
  uint64_t old = memory->pages;
  if (call_memory_grow(0, (uint32_t)pages) == (uint32_t)-1) return (uint64_t)-1;
  memory->pages = old + pages;
  memory->size = memory->pages * memory->page_size;
  return old;
}

/* Modules have one table at most (the build checks), mapped for table_max entries. */
void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t* table, uint32_t elements, uint32_t max) {
  *table = (wasm_rt_funcref_table_t){(wasm_rt_funcref_t*)TABLE_BASE, max, elements};
}

/* ---- Both: what gcc calls where the oldest x86-64 has no instruction ---- */

int __popcountdi2(uint64_t value) {
  value -= value >> 1 & 0x5555555555555555;
  value = (value & 0x3333333333333333) + (value >> 2 & 0x3333333333333333);
  value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return (int)(value * 0x0101010101010101 >> 56);
}
