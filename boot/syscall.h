/*
 * The way from an application into the kernel and back: a call, not a trap. The build writes one SYSCALL line for each
 * `sys_` export of kernel.wasm; each becomes the function that wasm2c's application code calls for the import.
 *
 *   application stack --cli--> kernel stack of the thread: kernel function --> application stack --sti--> return
 *
 * Before it returns it looks at `exitWork`: handlers of this process run here, between calls, and nowhere else
 * (syscall_dispatch in interrupts.c), and a thread that ranks higher gets the processor. A blocking call that has to let handlers run returns -ERESTART, and is made again
 * after them: so no kernel frame is ever below a handler, and a fork never has to clone one.
 *
 * SYSCALL(symbol that the application calls, symbol of the kernel's export, parameters)
 *   Parameters arrive as the System V ABI has them: rdi is the import's instance (unused), then rsi, rdx, rcx, r8, r9, and the sixth
 *   on the stack. Their copies on the kernel stack are what a restart reloads.
 * QUIET_SYSCALL(the same three): the same call for an application whose policy lets no handler run after it. `quietCall` tells a call that
 *   blocks; it is the thread's (kernel/scheduler/running.ts saves and restores it).
 * REFUSED_CALL(symbol that the application calls, number, name): the same for one whose policy refuses the call. No handler runs.
 * QUIET_CALL(the same two): up to five parameters, and no handler runs at its end. For what the runtime calls in the middle of
 *   something: memory.grow, for one, inside an allocator.
 */
#ifndef AEMOS_SYSCALL_H
#define AEMOS_SYSCALL_H

#include "hal.h"

#include "kernel.h"
#include "layout.h"

extern w2c_kernel kernel;

/* Globals of kernel/glue.ts in the kernel's instance, as addresses an instruction can name. */
#define KERNEL_GLOBAL(name) ((uint64_t)&kernel.w2c_kernel0x2Fglue0x2F##name)

#define ENTER_KERNEL                                                                                  \
  "cli\n"                                                                                             \
  "mov %%rsp, %%rax\n"                                                                                \
  "mov %c[stack], %%esp\n"                                                                            \
  "push %%rax\n"                                                                                      \
  "push %%rsi\n"                                                                                      \
  "push %%rdx\n"                                                                                      \
  "push %%rcx\n"                                                                                      \
  "push %%r8\n"                                                                                       \
  "push %%r9\n" /* 48 bytes: still aligned to 16 */

#define LEAVE_KERNEL                                                                                  \
  "mov 40(%%rsp), %%rsp\n"                                                                            \
  "sti\n"                                                                                             \
  "ret\n"

/* The same for a call after which no handler runs: but a thread that ranks higher does. Needs [pending]; WORK_RESCHEDULE is 2. */
#define LEAVE_QUIETLY                                                                                 \
  "testl $2, %c[pending]\n"                                                                           \
  "jz 2f\n"                                                                                           \
  "push %%rax\n"                                                                                      \
  "sub $8, %%rsp\n"                                                                                   \
  "mov $kernel, %%edi\n"                                                                              \
  "call w2c_kernel_reschedule\n"                                                                      \
  "add $8, %%rsp\n"                                                                                   \
  "pop %%rax\n"                                                                                       \
  "2:\n"                                                                                              \
  LEAVE_KERNEL

#define SYSCALL(application_symbol, kernel_symbol, parameters)                                        \
  __attribute__((naked)) void application_symbol(void) {                                              \
    __asm__ volatile(                                                                                 \
        ENTER_KERNEL                                                                                  \
        ".if " #parameters " > 5\n"                                                                   \
        "sub $8, %%rsp\n"                                                                             \
        "push 8(%%rax)\n"                                                                             \
        ".endif\n"                                                                                    \
        "mov $kernel, %%edi\n"                                                                        \
        "call " #kernel_symbol "\n"                                                                   \
        ".if " #parameters " > 5\n"                                                                   \
        "add $16, %%rsp\n"                                                                            \
        ".endif\n"                                                                                    \
        "cmpl $0, %c[pending]\n"                                                                      \
        "jne 1f\n"                                                                                    \
        LEAVE_KERNEL                                                                                  \
        "1: mov $" #application_symbol ", %%edx\n"                                                    \
        "jmp syscall_dispatch\n"                                                                      \
        :                                                                                             \
        : [stack] "i"(KERNEL_GLOBAL(kernelStackTop)), [pending] "i"(KERNEL_GLOBAL(exitWork))); \
  }

#define QUIET_SYSCALL(application_symbol, kernel_symbol, parameters)                                  \
  __attribute__((naked)) void application_symbol(void) {                                              \
    __asm__ volatile(                                                                                 \
        ENTER_KERNEL                                                                                  \
        ".if " #parameters " > 5\n"                                                                   \
        "sub $8, %%rsp\n"                                                                             \
        "push 8(%%rax)\n"                                                                             \
        ".endif\n"                                                                                    \
        "movl $1, %c[quiet]\n"                                                                        \
        "mov $kernel, %%edi\n"                                                                        \
        "call " #kernel_symbol "\n"                                                                   \
        "movl $0, %c[quiet]\n"                                                                        \
        ".if " #parameters " > 5\n"                                                                   \
        "add $16, %%rsp\n"                                                                            \
        ".endif\n"                                                                                    \
        LEAVE_QUIETLY                                                                                 \
        :                                                                                             \
        : [stack] "i"(KERNEL_GLOBAL(kernelStackTop)), [quiet] "i"(KERNEL_GLOBAL(quietCall)),          \
          [pending] "i"(KERNEL_GLOBAL(exitWork)));                                                    \
  }

#define REFUSED_CALL(application_symbol, number, name)                                                \
  static const char application_symbol##_name[] = name;                                               \
  __attribute__((naked)) void application_symbol(void) {                                              \
    __asm__ volatile(                                                                                 \
        ENTER_KERNEL                                                                                  \
        "mov $" #number ", %%esi\n"                                                                   \
        "mov %[text], %%edx\n"                                                                        \
        "mov %[length], %%ecx\n"                                                                      \
        "mov $kernel, %%edi\n"                                                                        \
        "call w2c_kernel_refused\n"                                                                   \
        LEAVE_QUIETLY                                                                                 \
        :                                                                                             \
        : [stack] "i"(KERNEL_GLOBAL(kernelStackTop)), [pending] "i"(KERNEL_GLOBAL(exitWork)), [text] "i"(application_symbol##_name), \
          [length] "i"(sizeof name - 1));                                                             \
  }

#define QUIET_CALL(application_symbol, kernel_symbol)                                                 \
  __attribute__((naked)) void application_symbol(void) {                                              \
    __asm__ volatile(                                                                                 \
        ENTER_KERNEL                                                                                  \
        "mov $kernel, %%edi\n"                                                                        \
        "call " #kernel_symbol "\n"                                                                   \
        LEAVE_QUIETLY                                                                                 \
        :                                                                                             \
        : [stack] "i"(KERNEL_GLOBAL(kernelStackTop)), [pending] "i"(KERNEL_GLOBAL(exitWork)));                                                \
  }

#endif
