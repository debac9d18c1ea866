/*
 * Call stacks of a guest with one processor, for plugins: which function runs, called by which. Followed by the addresses of the stack: a
 * `call` writes its return address to a word, the frame's slot, and the `ret` that reads this word ends the frame, and all above it.
 *
 * - An indirect call is one like others. A jump to another function takes the place of the one that jumps, as in any profile.
 * - Each thread has a stack of its own here. A `ret` from a slot of another one is switch_stack (boot/memory.S), which left that one by a call: its
 *   last frame. From a slot that nobody knows a new thread begins.
 * - An interrupt or exception is a frame on top of what it stopped, without a slot. It ends with `iretq`, or with the frame of `idle`.
 *
 * A node is a function with the chain of its callers: a tree, which only grows. Nodes are written as lines `node ID PARENT ADDRESS` when they are
 * made; PARENT 0 is the root, ADDRESS the beginning of the function. One file of a plugin includes this.
 */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "qemu-plugin.h"

#define DEPTH 512
#define NODES (1 << 20)
#define BUCKETS (1 << 21)

struct node {
  uint32_t parent, function;
};
struct frame {
  /* Where the return address stands; 0: an interrupt. */
  uint64_t slot;
  /* Callers of the function that the frame returns to. */
  uint32_t callers;
};
struct stack {
  struct stack *next;
  /* Callers of the function that runs. */
  uint32_t callers;
  unsigned depth;
  struct frame frames[DEPTH];
};

static FILE *stacks_out;
static uint64_t *functions;
static uint32_t function_count;
static struct node nodes[NODES];
static uint32_t node_count = 1, buckets[BUCKETS];
/* Those that do not run, the last to be left first. */
static struct stack *parked;
static struct stack *stack;
/* What runs. */
static uint32_t node;
static const void *last_block;

/* A new stack for what begins here: the machine's firmware had none that matters. */
static void stacks_begin(void) {
  stack->depth = 0;
  stack->callers = 0;
}

/* `path`: the addresses of all functions, ascending, hexadecimal, a line for each. */
static void stacks_open(const char *path, FILE *out) {
  FILE *file = fopen(path, "r");
  unsigned long long address;
  if (!file) abort();
  for (size_t room = 0; fscanf(file, "%llx", &address) == 1; functions[function_count++] = address)
    if (function_count == room) {
      room = room ? 2 * room : 4096;
      functions = realloc(functions, room * sizeof *functions);
      if (!functions) abort();
    }
  fclose(file);
  stacks_out = out;
  stack = calloc(1, sizeof *stack);
  if (!stack) abort();
}

/* Index of the function of an address, plus one; 0: none. */
static uint32_t function_at(uint64_t address) {
  uint32_t low = 0, high = function_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (functions[middle] <= address) low = middle + 1;
    else high = middle;
  }
  return low;
}

static uint32_t child(uint32_t parent, uint32_t function) {
  uint32_t bucket = (uint32_t)((parent * 0x9e3779b97f4a7c15ull + function * 0xff51afd7ed558ccdull) >> 43);
  for (; buckets[bucket]; bucket = (bucket + 1) % BUCKETS) {
    const struct node *found = &nodes[buckets[bucket]];
    if (found->parent == parent && found->function == function) return buckets[bucket];
  }
  if (node_count == NODES) return parent;
  buckets[bucket] = node_count;
  nodes[node_count] = (struct node){parent, function};
  fprintf(stacks_out, "node %u %u %llx\n", node_count, parent, function ? (unsigned long long)functions[function - 1] : 0);
  return node_count++;
}

static void push(uint64_t slot) {
  /* Deeper than anything that is measured: begun anew rather than wrong. */
  if (stack->depth == DEPTH) stacks_begin();
  stack->frames[stack->depth++] = (struct frame){slot, stack->callers};
  stack->callers = node;
}

/* Number of the stack's topmost frame with this slot, from 1; 0: there is none. */
static unsigned has_frame(uint64_t slot) {
  unsigned i = stack->depth;
  while (i > 0 && stack->frames[i - 1].slot != slot) i--;
  return i;
}

/* Ends the frame and those above it; 0: the stack has none with this slot. */
static int pop(uint64_t slot) {
  unsigned frame = has_frame(slot);
  if (frame == 0) return 0;
  stack->depth = frame - 1;
  stack->callers = stack->frames[frame - 1].callers;
  return 1;
}

/*
 * Whether an access is the one that the last instruction of the block is for. QEMU before 8.0 also tells of those that helpers make until the next
 * instruction with a callback (descriptors and frames of an interrupt), and takes loads for stores when it is asked for one of the two only.
 */
static int own(const void *block, qemu_plugin_meminfo_t info, int store) {
  if (block != last_block || qemu_plugin_mem_is_store(info) != store) return 0;
  last_block = NULL;
  return 1;
}

static void called(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t slot, void *block) {
  (void)vcpu;
  if (own(block, info, 1)) push(slot);
}

static void returned(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t slot, void *block) {
  (void)vcpu;
  if (!own(block, info, 0) || pop(slot) || stack->depth == 0) return;
  struct stack *left = stack, **link = &parked;
  while (*link && (*link)->frames[(*link)->depth - 1].slot != slot) link = &(*link)->next;
  if ((stack = *link)) {
    *link = stack->next;
    pop(slot);
  } else if (!(stack = calloc(1, sizeof *stack))) abort();
  left->next = parked;
  parked = left;
}

static void interrupt_returned(unsigned int vcpu, void *userdata) {
  (void)vcpu, (void)userdata;
  pop(0);
}

/* Has the last instruction of a block followed; `block` is what stacks_executed will get. */
static void stacks_translated(const struct qemu_plugin_tb *tb, void *block) {
  struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, qemu_plugin_tb_n_insns(tb) - 1);
  const uint8_t *code = qemu_plugin_insn_data(insn);
  size_t size = qemu_plugin_insn_size(insn), at = 0;
  /* Intel SDM 2, 2.1: legacy prefixes that a call or return may have, and REX. */
  while (at + 1 < size && (memchr("\x2e\x3e\x66\xf2\xf3", code[at], 5) || (code[at] & 0xf0) == 0x40)) at++;
  unsigned extension = at + 1 < size ? code[at + 1] >> 3 & 7 : 0;
  if (code[at] == 0xe8 || (code[at] == 0xff && extension == 2))
    qemu_plugin_register_vcpu_mem_cb(insn, called, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, block);
  else if (code[at] == 0xc3 || code[at] == 0xc2)
    qemu_plugin_register_vcpu_mem_cb(insn, returned, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, block);
  else if (code[at] == 0xcf)
    qemu_plugin_register_vcpu_insn_exec_cb(insn, interrupt_returned, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

/* A block of this function begins; `interrupt`: it is the first one of a stub. */
static void stacks_executed(const void *block, uint32_t function, int interrupt) {
  last_block = block;
  if (interrupt) push(0);
  node = child(stack->callers, function);
}
