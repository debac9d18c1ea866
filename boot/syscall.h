/*
 * The way from an application into the kernel and back: a call, not a trap. The build writes one SYSCALL line for each
 * `sys_` export of kernel.wasm; each becomes the function that wasm2c's application code calls for the import.
 *
 *   application stack --cli--> kernel stack of the thread: kernel function --> application stack --sti--> return
 *
 * Before it returns it looks at `dispatchPending`: handlers of this process run here, between calls, and nowhere else
 * (syscall_dispatch in interrupts.c). A blocking call that has to let handlers run returns -ERESTART, and is made again
 * after them: so no kernel frame is ever below a handler, and a fork never has to clone one.
 *
 * SYSCALL(symbol that the application calls, symbol of the kernel's export, parameters)
 *   Parameters arrive as the System V ABI has them: rdi is the import's instance (unused), then rsi, rdx, rcx, r8, r9, and the sixth
 *   on the stack. Their copies on the kernel stack are what a restart reloads.
 */
#ifndef AEMOS_SYSCALL_H
#define AEMOS_SYSCALL_H

#include "hal.h"

#include "kernel.h"
#include "layout.h"

extern w2c_kernel kernel;

/* Globals of kernel/glue.ts in the kernel's instance, as addresses an instruction can name. */
#define KERNEL_GLOBAL(name) ((uint64_t)&kernel.w2c_kernel0x2Fglue0x2F##name)

#define SYSCALL(application_symbol, kernel_symbol, parameters)                                        \
  __attribute__((naked)) void application_symbol(void) {                                              \
    __asm__ volatile(                                                                                 \
        "cli\n"                                                                                       \
        "mov %%rsp, %%rax\n"                                                                          \
        "mov %c[stack], %%esp\n"                                                                      \
        "push %%rax\n"                                                                                \
        "push %%rsi\n"                                                                                \
        "push %%rdx\n"                                                                                \
        "push %%rcx\n"                                                                                \
        "push %%r8\n"                                                                                 \
        "push %%r9\n"                                                                                 \
        ".if " #parameters " > 5\n"                                                                   \
        "push 8(%%rax)\n"                                                                             \
        ".endif\n"                                                                                    \
        "mov $kernel, %%edi\n"                                                                        \
        "call " #kernel_symbol "\n"                                                                   \
        ".if " #parameters " > 5\n"                                                                   \
        "pop %%rdx\n"                                                                                 \
        ".endif\n"                                                                                    \
        "cmpl $0, %c[pending]\n"                                                                      \
        "jne 1f\n"                                                                                    \
        "mov 40(%%rsp), %%rsp\n"                                                                      \
        "sti\n"                                                                                       \
        "ret\n"                                                                                       \
        "1: mov $" #application_symbol ", %%edx\n"                                                    \
        "jmp syscall_dispatch\n"                                                                      \
        :                                                                                             \
        : [stack] "i"(KERNEL_GLOBAL(kernelStackTop)), [pending] "i"(KERNEL_GLOBAL(dispatchPending)));  \
  }

#endif
