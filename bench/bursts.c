/*
 * A tcg plugin for QEMU (docs/devel/tcg-plugins): counts the instructions of each burst of a guest with one processor. A burst is what
 * runs from the first instruction of an interrupt's stub, taken while the processor was halted, to the next halt.
 *
 * Arguments: out=PATH      the file that gets a line for each burst, when it has ended
 *            from=ADDRESS  the stubs: 256 of 16 bytes each (boot/interrupts.c), hexadecimal
 *            stubs=BYTES   how long they are all together; 4096 when absent
 *            to=ADDRESS    code whose first instruction is of interest; up to TARGETS times
 *            blocks=1      also the blocks that ran, for a profile
 *            busy=1        a burst is also what runs from an interrupt that stopped an application, to the first `to` or the next interrupt; only
 *                          bursts that reach one are written
 *
 * A line: `burst VECTOR INTERRUPTS TOTAL`, then for each `to` the instructions that had run before it for the first time, or -1. With
 * blocks=1, lines `block ADDRESS INSTRUCTIONS BEFORE` follow when a `to` was reached, in order, BEFORE being what ran ahead.
 *
 * A block counts in full when it begins: interrupts are taken between blocks only. Built by bench/bursts.ts.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "qemu-plugin.h"

#define STUB_SIZE 16
#define HLT 0xf4
#define TARGETS 8
#define BLOCKS 65536

struct block {
  uint64_t address;
  uint32_t instructions;
  int halts;
};

static FILE *out;
static uint64_t from, stubs = 4096, to[TARGETS];
static unsigned targets;
static int with_blocks, busy;

/* The burst under way. */
static int halted, running;
static unsigned vector, interrupts, blocks;
static uint64_t total;
static int64_t reached[TARGETS];
static struct {
  const struct block *block;
  uint64_t before;
} list[BLOCKS];

static void report(void) {
  int of_interest = 0;
  fprintf(out, "burst %u %u %llu", vector, interrupts, (unsigned long long)total);
  for (unsigned i = 0; i < targets; i++) {
    fprintf(out, " %lld", (long long)reached[i]);
    of_interest |= reached[i] >= 0;
  }
  fputc('\n', out);
  for (unsigned i = 0; of_interest && i < blocks; i++)
    fprintf(out, "block %llx %u %llu\n", (unsigned long long)list[i].block->address, list[i].block->instructions,
            (unsigned long long)list[i].before);
  fflush(out);
}

static void executed(unsigned int vcpu, void *userdata) {
  const struct block *block = userdata;
  (void)vcpu;
  if (block->address - from < stubs) {
    if (halted || busy) {
      running = 1;
      vector = (block->address - from) / STUB_SIZE;
      interrupts = blocks = 0;
      total = 0;
      for (unsigned i = 0; i < TARGETS; i++) reached[i] = -1;
    }
    interrupts++;
  }
  halted = block->halts;
  if (!running) return;
  for (unsigned i = 0; i < targets; i++)
    if (block->address == to[i] && reached[i] < 0) {
      reached[i] = (int64_t)total;
      if (busy) {
        running = 0;
        report();
        return;
      }
    }
  if (with_blocks && blocks < BLOCKS) {
    list[blocks].block = block;
    list[blocks++].before = total;
  }
  total += block->instructions;
  if (!halted) return;
  running = 0;
  if (!busy) report();
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  struct block *block = malloc(sizeof *block);
  (void)id;
  if (!block) abort();
  size_t count = qemu_plugin_tb_n_insns(tb);
  const struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, count - 1);
  block->address = qemu_plugin_tb_vaddr(tb);
  block->instructions = (uint32_t)count;
  block->halts = qemu_plugin_insn_size(last) == 1 && *(const uint8_t *)qemu_plugin_insn_data(last) == HLT;
  qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, block);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                                                               char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "out=", 4) == 0) out = fopen(argv[i] + 4, "w");
    else if (strncmp(argv[i], "from=", 5) == 0) from = strtoull(argv[i] + 5, NULL, 16);
    else if (strncmp(argv[i], "stubs=", 6) == 0) stubs = strtoull(argv[i] + 6, NULL, 10);
    else if (strncmp(argv[i], "to=", 3) == 0 && targets < TARGETS) to[targets++] = strtoull(argv[i] + 3, NULL, 16);
    else if (strcmp(argv[i], "blocks=1") == 0) with_blocks = 1;
    else if (strcmp(argv[i], "busy=1") == 0) busy = 1;
    else return -1;
  }
  if (!out || from == 0) return -1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
