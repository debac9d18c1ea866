/*
 * A tcg plugin for QEMU: the longest sections of a guest with one processor in which interrupts were off, in instructions, and where they
 * were spent. A section begins with `cli` or with the first instruction of an interrupt's or exception's stub, and ends with `sti` or `iretq`. An
 * exception in it, which has a page copied that a fork has shared, is a part of it.
 *
 * Arguments: out=PATH       the file that gets a description of each section that is the longest so far of those that begin where it does
 *            from=ADDRESS   the stubs: 256 of 16 bytes each (boot/interrupts.c), hexadecimal
 *            after=ADDRESS  sections count from when this code has run: the boot is none
 *
 * A description: `section BEGIN TOTAL`, then for each block that ran in it `block ADDRESS INSTRUCTIONS`, and `end`. Built by
 * bench/sections.ts.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "qemu-plugin.h"

#define STUBS 4096
#define STUB_SIZE 16
#define SWITCHES 6
/* Of what is shorter nobody wants to know. */
#define LEAST 1000
#define BEGINS 512

struct block {
  uint64_t address;
  uint32_t instructions;
  /* Instructions that turn interrupts on or off: how many of the block stand before each, and which it is. */
  uint32_t switches;
  struct {
    uint32_t before;
    enum { CLI, STI, IRETQ } what;
    uint64_t address;
  } list[SWITCHES];
  /* In the present section. */
  uint64_t count;
  struct block *next;
};

static FILE *out;
static uint64_t from, after;
static int counting, off;
/* Exceptions in the present section that have not returned. */
static unsigned nested;
static uint64_t begin, total;
/* Blocks of the present section, each once. */
static struct block *ran;
static struct {
  uint64_t begin, longest;
} longest[BEGINS];

static void end_section(void) {
  unsigned slot = 0;
  while (slot < BEGINS - 1 && longest[slot].begin != begin && longest[slot].begin != 0) slot++;
  int report = total >= LEAST && total > longest[slot].longest;
  if (report) {
    longest[slot].begin = begin;
    longest[slot].longest = total;
    fprintf(out, "section %llx %llu\n", (unsigned long long)begin, (unsigned long long)total);
  }
  while (ran) {
    struct block *block = ran;
    if (report) fprintf(out, "block %llx %llu\n", (unsigned long long)block->address, (unsigned long long)block->count);
    ran = block->next;
    block->next = NULL;
    block->count = 0;
  }
  if (report) {
    fprintf(out, "end\n");
    fflush(out);
  }
  off = 0;
  nested = 0;
}

static void begin_section(uint64_t address) {
  off = 1;
  begin = address;
  total = 0;
}

static void add(struct block *block, uint32_t instructions) {
  if (!off || instructions == 0) return;
  total += instructions;
  if (block->count == 0) {
    block->next = ran;
    ran = block;
  }
  block->count += instructions;
}

static void executed(unsigned int vcpu, void *userdata) {
  struct block *block = userdata;
  (void)vcpu;
  if (block->address == after) counting = 1;
  if (!counting) return;
  uint64_t at = block->address - from;
  /* QEMU may run a stub as two blocks: the second one begins no other section. */
  if (at < STUBS && at % STUB_SIZE == 0) {
    if (off) nested++;
    else begin_section(block->address);
  }
  uint32_t done = 0;
  for (uint32_t i = 0; i < block->switches; i++) {
    uint32_t upto = block->list[i].before + 1;
    int what = block->list[i].what;
    if (what == CLI && !off) begin_section(block->list[i].address);
    else add(block, upto - done);
    if (what == IRETQ && nested) nested--;
    else if (what != CLI && off) end_section();
    done = upto;
  }
  add(block, block->instructions - done);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  struct block *block = calloc(1, sizeof *block);
  (void)id;
  if (!block) abort();
  size_t count = qemu_plugin_tb_n_insns(tb);
  block->address = qemu_plugin_tb_vaddr(tb);
  block->instructions = (uint32_t)count;
  for (size_t i = 0; i < count && block->switches < SWITCHES; i++) {
    const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    const uint8_t *data = qemu_plugin_insn_data(insn);
    size_t size = qemu_plugin_insn_size(insn);
    int cli = size == 1 && data[0] == 0xfa;
    int sti = size == 1 && data[0] == 0xfb;
    int iretq = size == 2 && data[0] == 0x48 && data[1] == 0xcf;
    if (!cli && !sti && !iretq) continue;
    block->list[block->switches].before = (uint32_t)i;
    block->list[block->switches].address = qemu_plugin_insn_vaddr(insn);
    block->list[block->switches++].what = cli ? CLI : sti ? STI : IRETQ;
  }
  qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, block);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                                                               char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "out=", 4) == 0) out = fopen(argv[i] + 4, "w");
    else if (strncmp(argv[i], "from=", 5) == 0) from = strtoull(argv[i] + 5, NULL, 16);
    else if (strncmp(argv[i], "after=", 6) == 0) after = strtoull(argv[i] + 6, NULL, 16);
    else return -1;
  }
  if (!out || from == 0 || after == 0) return -1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
