/*
 * memcpy, memmove, memset and memcmp for everything linked, and the kernel's copies to and from an application's window.
 * String instructions: on every processor of the last ten years they are the fastest way for more than a few bytes, and one
 * instruction for each eight bytes is the least there is.
 */
#include "layout.h"

  .text
  .code64

/* void* memcpy(void* rdi, const void* rsi, size_t rdx) */
  .globl memcpy
memcpy:
  mov %rdi, %rax
copy_forward:
  mov %rdx, %rcx
  shr $3, %rcx
  rep movsq
  mov %edx, %ecx
  and $7, %ecx
  rep movsb
  ret

/* void* memmove(void* rdi, const void* rsi, size_t rdx): backwards where the destination overlaps the source from above. */
  .globl memmove
memmove:
  mov %rdi, %rax
  mov %rdi, %rcx
  sub %rsi, %rcx
  cmp %rdx, %rcx
  jae copy_forward
  std
  lea -1(%rdi,%rdx), %rdi
  lea -1(%rsi,%rdx), %rsi
  mov %edx, %ecx
  and $7, %ecx
  rep movsb
  sub $7, %rdi
  sub $7, %rsi
  mov %rdx, %rcx
  shr $3, %rcx
  rep movsq
  cld
  ret

/* void* memset(void* rdi, int esi, size_t rdx) */
  .globl memset
memset:
  mov %rdi, %r8
  movzbl %sil, %eax
  mov $0x0101010101010101, %rcx
  imul %rcx, %rax
  mov %rdx, %rcx
  shr $3, %rcx
  rep stosq
  mov %edx, %ecx
  and $7, %ecx
  rep stosb
  mov %r8, %rax
  ret

/* int memcmp(const void* rdi, const void* rsi, size_t rdx) */
  .globl memcmp
memcmp:
  xor %eax, %eax
  mov %rdx, %rcx
1:
  cmp $8, %rcx
  jb 3f
  mov (%rdi), %r8
  cmp (%rsi), %r8
  jne 3f
  add $8, %rdi
  add $8, %rsi
  sub $8, %rcx
  jmp 1b
2:
  movzbl (%rdi), %eax
  movzbl (%rsi), %r8d
  sub %r8d, %eax
  jne 4f
  inc %rdi
  inc %rsi
  dec %rcx
3:
  test %rcx, %rcx
  jnz 2b
  xor %eax, %eax
4:
  ret

/*
 * int copy_user(void* rdi, const void* rsi, size_t rdx): 0, or -1 where a page fault happened between the two labels
 * (interrupts.c then continues at copy_user_fault). No frame, so there is nothing to unwind.
 */
  .globl copy_user, copy_user_end, copy_user_fault
copy_user:
  mov %rdx, %rcx
  shr $3, %rcx
  rep movsq
  mov %edx, %ecx
  and $7, %ecx
  rep movsb
copy_user_end:
  xor %eax, %eax
  ret
copy_user_fault:
  mov $-1, %eax
  ret

/*
 * void switch_stack(uint64_t* rdi save, uint64_t rsi stack_pointer): the voluntary switch of kernel stacks. The
 * interrupted flag state needs no saving: the kernel runs with interrupts off on both sides.
 */
  .globl switch_stack
switch_stack:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret

/* The first return of a new thread comes here (start.c: prepare_stack), its entry in rbx and its stack pointer in rbp. */
  .globl thread_start, thread_return
thread_start:
  mov %rbp, %rsp
  mov %rbx, %rax
  xor %ebx, %ebx
  xor %ebp, %ebp
  sti
  call *%rax
  ud2

/* The first return of a forked child: 0 from the call whose return address is at rbp. */
thread_return:
  mov %rbp, %rsp
  xor %eax, %eax
  sti
  ret

/*
 * uint32_t idle(void): interrupts on and halt; the interrupt stub (interrupts.c) sees that the interrupted place is between
 * wait_begin and wait_end, and returns the vector from here, interrupts off. Falls through only after an NMI; one
 * right behind sti ends its shadow, so that an interrupt can find any of these instructions.
 */
  .globl idle, poll_interrupt, wait_begin, wait_end
wait_begin:
idle:
  sti
  hlt
  cli
  jmp idle

/* int poll_interrupt(void): the same without waiting; -1 when none was pending. */
poll_interrupt:
  mov $-1, %eax
  sti
  nop
  cli
  ret
wait_end:
