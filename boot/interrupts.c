/*
 * Descriptor tables, interrupt and exception stubs, and the loop that runs handlers at the end of a system call.
 *
 * Interrupts have IST stack 1, exceptions 2, double fault 3, NMI 4, machine check 5 (Intel SDM 3A, 6.14.5): the processor
 * must never push a frame on an application's stack, which can be at its guard page. The stub copies the frame from
 * there to the thread's kernel stack and leaves the IST stack at once.
 *
 * Whose code was interrupted follows from the interrupt flag it had: the kernel runs with interrupts off (but for the two
 * places in memory.S that wait), applications with interrupts on and without a way to turn them off.
 */
#include "syscall.h"

struct gate {
  uint16_t offset_low, selector;
  uint8_t ist, type;
  uint16_t offset_middle;
  uint32_t offset_high, zero;
};
static struct gate idt[256];

struct task_state {
  uint32_t reserved0;
  uint64_t rsp[3], reserved1, ist[7], reserved2;
  uint16_t reserved3, io_map;
} __attribute__((packed));
static struct task_state task_state;

#define IST_INTERRUPT 1
#define IST_EXCEPTION 2
#define IST_DOUBLE_FAULT 3
#define IST_NMI 4
#define IST_MACHINE_CHECK 5
#define IST_STACKS 5
/*
 * The exceptions' has two pages: the copy of a page in the middle of copy_user takes a frame, which can activate a process's memory, overload and limit events, 32 of
 * each, one within the other: some 6 KiB.
 */
static uint8_t ist_stacks[IST_STACKS + 1][4096] __attribute__((aligned(4096)));

extern uint64_t gdt_task_state[2];

/*
 * One stub for each vector, 16 bytes apart: pushes a zero where the processor pushes no error code, and the vector.
 * Exceptions with an error code: 8, 10-14, 17, 21, 29, 30.
 */
__asm__(
    ".text\n.balign 16\nvector_stubs:\n"
    ".set vector, 0\n"
    ".rept 256\n"
    ".balign 16\n"
    ".if vector < 32 && ((0x60227d00 >> (vector & 31)) & 1)\n"
    ".else\n"
    "push $0\n"
    ".endif\n"
    "push $vector - (vector & 0x80) * 2\n" /* as a signed byte, so that the stub stays short; the common code takes the low 8 bits */
    ".if vector >= 32\n"
    "jmp interrupt_entry\n"
    ".else\n"
    "jmp exception_entry\n"
    ".endif\n"
    ".set vector, vector + 1\n"
    ".endr\n"
    ".balign 16\n");
extern const char vector_stubs[];

/* Offsets in the frame on the IST stack after the stub: vector, error code, then what the processor pushed. */
#define IST_VECTOR "0"
#define IST_RIP "16"
#define IST_FLAGS "32"
#define IST_RSP "40"

/* The general registers in the order of kernel/interrupts/frame.ts, from high to low addresses. */
#define SAVE_REGISTERS                                                                                      \
  "push %%rax\npush %%rcx\npush %%rdx\npush %%rbx\npush %%rbp\npush %%rsi\npush %%rdi\npush %%r8\n"         \
  "push %%r9\npush %%r10\npush %%r11\npush %%r12\npush %%r13\npush %%r14\npush %%r15\n"
#define RESTORE_REGISTERS                                                                                   \
  "pop %%r15\npop %%r14\npop %%r13\npop %%r12\npop %%r11\npop %%r10\npop %%r9\npop %%r8\n"                  \
  "pop %%rdi\npop %%rsi\npop %%rbp\npop %%rbx\npop %%rdx\npop %%rcx\npop %%rax\n"

/* From an IST stack to the thread's kernel stack with the seven words of the frame; all registers preserved but rsp. */
#define MOVE_FRAME                                                                                          \
  "push %%rax\n"                                                                                            \
  "mov %c[stack], %%eax\n"                                                                                  \
  "pop -64(%%rax)\n" /* rax */                                                                              \
  "pop -56(%%rax)\n" /* vector */                                                                           \
  "pop -48(%%rax)\n" /* error code */                                                                       \
  "pop -40(%%rax)\n" /* rip */                                                                              \
  "pop -32(%%rax)\n" /* cs */                                                                               \
  "pop -24(%%rax)\n" /* rflags */                                                                           \
  "pop -16(%%rax)\n" /* rsp */                                                                              \
  "pop -8(%%rax)\n"  /* ss */                                                                               \
  "lea -64(%%rax), %%rsp\n"                                                                                 \
  "pop %%rax\n"

/* A device interrupt: ends a wait of the kernel's, or stops an application. */
__attribute__((naked, used)) void interrupt_entry(void) {
  __asm__ volatile(
      "cmpq $wait_begin, " IST_RIP "(%%rsp)\n"
      "jb 2f\n"
      "cmpq $wait_end, " IST_RIP "(%%rsp)\n"
      "jb 1f\n"
      "2: cld\n"
      MOVE_FRAME
      SAVE_REGISTERS
      "mov $kernel, %%edi\n"
      "movzbl 120(%%rsp), %%esi\n"
      "call w2c_kernel_interrupt\n"
      RESTORE_REGISTERS
      "add $16, %%rsp\n"
      "iretq\n"
      /* The kernel waited: what it called returns the vector, on the stack it called from, interrupts off. */
      "1: movzbl " IST_VECTOR "(%%rsp), %%eax\n"
      "mov " IST_RSP "(%%rsp), %%rsp\n"
      "ret\n"
      :
      : [stack] "i"(KERNEL_GLOBAL(kernelStackTop)));
}

/*
 * An exception. In an application (interrupts were on): to the thread's kernel stack, where the kernel ends the process and
 * schedules. In the kernel: a page fault in copy_user goes on when it was a shared page that has been copied now, else continues at its
 * error exit; everything else is reported on the
 * IST stack (the kernel's own may be what is broken), and that is a panic.
 */
__attribute__((naked, used)) void exception_entry(void) {
  __asm__ volatile(
      "testl $0x200, " IST_FLAGS "(%%rsp)\n"
      "jz 2f\n"
      "cmpb $%c[nmi], " IST_VECTOR "(%%rsp)\n"
      "je 3f\n"
      "cmpb $%c[machine_check], " IST_VECTOR "(%%rsp)\n"
      "je 3f\n"
      "cld\n"
      MOVE_FRAME
      SAVE_REGISTERS
      "mov $kernel, %%edi\n"
      "mov %%esp, %%esi\n"
      "call w2c_kernel_exception\n"
      "1: " RESTORE_REGISTERS
      "add $16, %%rsp\n"
      "iretq\n"
      "2: cmpq $copy_user, " IST_RIP "(%%rsp)\n"
      "jb 3f\n"
      "cmpq $copy_user_end, " IST_RIP "(%%rsp)\n"
      "jae 3f\n"
      "cmpb $%c[page_fault], " IST_VECTOR "(%%rsp)\n"
      "jne 3f\n"
      SAVE_REGISTERS
      "mov $kernel, %%edi\n"
      "mov %%esp, %%esi\n"
      "call w2c_kernel_copyFault\n"
      "test %%eax, %%eax\n"
      "jnz 1b\n"
      RESTORE_REGISTERS
      "movq $copy_user_fault, " IST_RIP "(%%rsp)\n"
      "add $16, %%rsp\n"
      "iretq\n"
      "3: cld\n"
      SAVE_REGISTERS
      "mov $kernel, %%edi\n"
      "mov %%esp, %%esi\n"
      "call w2c_kernel_kernelException\n"
      "jmp 1b\n"
      :
      : [stack] "i"(KERNEL_GLOBAL(kernelStackTop)), [nmi] "i"(VECTOR_NMI), [machine_check] "i"(VECTOR_MACHINE_CHECK),
        [page_fault] "i"(VECTOR_PAGE_FAULT));
}

/*
 * End of a system call with exitWork to do, handlers above all: rax is its result, edx the call itself, rsp the kernel stack with the parameters
 * and the application's rsp as SYSCALL pushed them. The result, and of a call that is to be made again the parameters, move to the application's stack, which a
 * fork clones with it; the kernel stack is empty while a handler runs. The application's stack is only touched with interrupts on: if it has
 * run out, that is the application's fault and not the kernel's. rbx holds its frame throughout, whose lowest word is the call to be made again, or 0.
 */
__attribute__((naked, used)) void syscall_dispatch(void) {
  __asm__ volatile(
      "cmp %[restart], %%eax\n"
      "je 4f\n"
      "mov 40(%%rsp), %%rsp\n"
      "sti\n"
      "push %%rbx\n"
      "push %%rax\n"
      "push $0\n" /* aligned to 16 for the calls of handlers */
      "0: mov %%rsp, %%rbx\n"
      "cli\n"
      "mov %c[stack], %%esp\n"
      "mov $kernel, %%edi\n"
      "testl $1, %c[pending]\n" /* WORK_DISPATCH */
      "jz 5f\n"
      "6: call w2c_kernel_dispatch\n"
      "1: mov %%rbx, %%rsp\n"
      "test %%eax, %%eax\n"
      "jz 2f\n"
      "movabs %[instance], %%rdi\n"
      "mov %c[argument1], %%esi\n"
      "mov %c[argument2], %%edx\n"
      "mov %c[argument3], %%ecx\n"
      "mov %c[argument4], %%r8d\n"
      "mov %c[argument5], %%r9d\n"
      "sti\n"
      "call *%%rax\n"
      "cli\n"
      "mov %c[stack], %%esp\n"
      "mov $kernel, %%edi\n"
      "mov %%eax, %%esi\n" /* what an allocator has returned */
      "call w2c_kernel_handlerReturned\n"
      "jmp 1b\n"
      "2: sti\n"
      "pop %%r10\n"
      "test %%r10d, %%r10d\n"
      "jnz 3f\n"
      "pop %%rax\n"
      "pop %%rbx\n"
      "ret\n"
      "3: pop %%r9\n"
      "pop %%r8\n"
      "pop %%rcx\n"
      "pop %%rdx\n"
      "pop %%rsi\n"
      "pop %%rbx\n"
      "jmp *%%r10\n"
      "4: mov %%edx, %%r10d\n"
      "pop %%r9\n"
      "pop %%r8\n"
      "pop %%rcx\n"
      "pop %%rdx\n"
      "pop %%rsi\n"
      "pop %%rsp\n"
      "sti\n"
      "push %%rbx\n"
      "push %%rsi\n"
      "push %%rdx\n"
      "push %%rcx\n"
      "push %%r8\n"
      "push %%r9\n"
      "push %%r10\n"
      "jmp 0b\n"
      /* No handlers. Another thread may rank higher, or have its turn, if an interrupt has not let it run just now; there may be handlers when it is this one's turn again. */
      "5: testl $2, %c[pending]\n" /* WORK_RESCHEDULE */
      "jz 7f\n"
      "call w2c_kernel_giveWay\n"
      "mov $kernel, %%edi\n"
      "testl $1, %c[pending]\n"
      "jnz 6b\n"
      "7: mov %%rbx, %%rsp\n"
      "jmp 2b\n"
      :
      : [stack] "i"(KERNEL_GLOBAL(kernelStackTop)), [pending] "i"(KERNEL_GLOBAL(exitWork)), [argument1] "i"(KERNEL_GLOBAL(upcallArgument1)),
        [argument2] "i"(KERNEL_GLOBAL(upcallArgument2)), [argument3] "i"(KERNEL_GLOBAL(upcallArgument3)),
        [argument4] "i"(KERNEL_GLOBAL(upcallArgument4)), [argument5] "i"(KERNEL_GLOBAL(upcallArgument5)),
        [instance] "i"(INSTANCE_BASE), [restart] "i"(-ERESTART));
}

static void set_gate(unsigned vector, uint8_t ist) {
  uint64_t offset = (uint64_t)vector_stubs + vector * 16;
  idt[vector] = (struct gate){(uint16_t)offset, KERNEL_CODE, ist, 0x8e, (uint16_t)(offset >> 16), (uint32_t)(offset >> 32), 0};
}

void initialize_descriptor_tables(void) {
  for (unsigned i = 1; i <= IST_STACKS; i++) task_state.ist[i - 1] = (uint64_t)ist_stacks[i < IST_EXCEPTION ? i : i + 1];
  task_state.io_map = sizeof task_state;
  uint64_t base = (uint64_t)&task_state;
  gdt_task_state[0] = (sizeof task_state - 1) | (base & 0xffffff) << 16 | 0x89ULL << 40 | (base >> 24 & 0xff) << 56;
  gdt_task_state[1] = base >> 32;
  for (unsigned vector = 0; vector < 256; vector++) set_gate(vector, vector < FIRST_INTERRUPT ? IST_EXCEPTION : IST_INTERRUPT);
  set_gate(VECTOR_DOUBLE_FAULT, IST_DOUBLE_FAULT);
  set_gate(VECTOR_NMI, IST_NMI);
  set_gate(VECTOR_MACHINE_CHECK, IST_MACHINE_CHECK);
  struct {
    uint16_t limit;
    uint64_t base;
  } __attribute__((packed)) pointer = {sizeof idt - 1, (uint64_t)idt};
  __asm__ volatile("lidt %0; ltr %w1" : : "m"(pointer), "r"(TASK_STATE) : "memory");
}
