/* The map of memory for assembly and C; kernel/memory/layout.ts explains it and has the same numbers. */
#ifndef AEMOS_LAYOUT_H
#define AEMOS_LAYOUT_H

#define WINDOW_BASE   0x8000000000
#define INSTANCE_BASE 0x8300000000
#define TABLE_BASE    0x8340000000
#define STACK_TOP     0x8380000000
#define VMTABLE_BASE  0xf0000000
#define SHADOW_BASE   0xf8000000
#define SHADOW_END    0xff000000

/* Selectors of the GDT in entry.S. */
#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define TASK_STATE  0x18

/* Where a code number means the same to interrupts.c and to kernel/interrupts. */
#define VECTOR_NMI 2
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_PAGE_FAULT 14
#define VECTOR_MACHINE_CHECK 18
#define FIRST_INTERRUPT 32

/* kernel/errno.ts */
#define ERESTART 512

#endif
