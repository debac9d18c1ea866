/*
 * The first instructions: from a multiboot 1 loader's 32-bit protected mode (Multiboot Specification 0.6.96, 3.2) to
 * 64-bit code on our own page tables and descriptor tables, then C (start.c).
 *
 * Page tables here: the first 4 GiB, identity-mapped with 2 MiB pages, so that the kernel can run. kernel/memory/paging.ts
 * refines them: page 0 goes, the image's read-only part becomes read-only, all but its text no-execute.
 */
#include "layout.h"

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x00000003 /* modules page-aligned, memory map wanted */

#define CR0_PE 0x00000001
#define CR0_MP 0x00000002
#define CR0_EM 0x00000004
#define CR0_NE 0x00000020
#define CR0_WP 0x00010000
#define CR0_PG 0x80000000
#define CR4_PAE 0x00000020
#define CR4_PGE 0x00000080
#define CR4_OSFXSR 0x00000200
#define CR4_OSXMMEXCPT 0x00000400
#define MSR_EFER 0xc0000080
#define EFER_LME 0x00000100
#define EFER_NXE 0x00000800

#define PAGE_PRESENT 0x001
#define PAGE_WRITE   0x002
#define PAGE_LARGE   0x080
#define PAGE_GLOBAL  0x100

  .section .multiboot, "a"
  .balign 4
  .long MULTIBOOT_MAGIC
  .long MULTIBOOT_FLAGS
  .long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

  .section .text
  .code32
  .globl _start
_start:
  cli
  cld
  mov $boot_stack_top, %esp
  mov %eax, boot_magic
  mov %ebx, boot_info
  rdtsc
  mov %eax, boot_tsc
  mov %edx, boot_tsc + 4

  /* PML4[0] -> PDPT; PDPT[0..3] -> four page directories; 2,048 pages of 2 MiB. */
  movl $(boot_pdpt + PAGE_PRESENT + PAGE_WRITE), boot_pml4
  mov $boot_pdpt, %edi
  mov $(boot_directories + PAGE_PRESENT + PAGE_WRITE), %eax
  mov $4, %ecx
1:
  mov %eax, (%edi)
  add $4096, %eax
  add $8, %edi
  dec %ecx
  jnz 1b
  mov $boot_directories, %edi
  mov $(PAGE_PRESENT + PAGE_WRITE + PAGE_LARGE + PAGE_GLOBAL), %eax
  mov $2048, %ecx
2:
  mov %eax, (%edi)
  add $0x200000, %eax
  add $8, %edi
  dec %ecx
  jnz 2b

  mov $(CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
  mov %eax, %cr4
  mov $boot_pml4, %eax
  mov %eax, %cr3
  mov $MSR_EFER, %ecx
  rdmsr
  or $(EFER_LME | EFER_NXE), %eax
  wrmsr
  mov %cr0, %eax
  and $~CR0_EM, %eax
  or $(CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG), %eax
  mov %eax, %cr0
  lgdt gdt_pointer
  ljmp $KERNEL_CODE, $long_mode

  .code64
long_mode:
  mov $KERNEL_DATA, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  xor %eax, %eax
  mov %eax, %fs
  mov %eax, %gs
  mov $boot_stack_top, %esp
  fninit
  call boot_start
  ud2

  .data
  .balign 8
gdt:
  .quad 0
  .quad 0x00af9a000000ffff /* KERNEL_CODE: 64-bit, ring 0 */
  .quad 0x00cf92000000ffff /* KERNEL_DATA */
  .globl gdt_task_state
gdt_task_state:
  .quad 0, 0               /* TASK_STATE: filled in by interrupts.c */
gdt_pointer:
  .word . - gdt - 1
  .long gdt
  .long 0

  .bss
  .balign 4096
  .globl boot_pml4
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_directories: .skip 4 * 4096
  .globl boot_stack_top
  .skip 16384
boot_stack_top:
  .globl boot_magic, boot_info, boot_tsc
boot_magic: .skip 4
boot_info: .skip 4
boot_tsc: .skip 8
