/**
 * The registers of interrupted code, as the stubs in boot/interrupts.c push them (lowest address first).
 */
@unmanaged
export class InterruptFrame {
  r15: u64;
  r14: u64;
  r13: u64;
  r12: u64;
  r11: u64;
  r10: u64;
  r9: u64;
  r8: u64;
  rdi: u64;
  rsi: u64;
  rbp: u64;
  rbx: u64;
  rdx: u64;
  rcx: u64;
  rax: u64;
  vector: u64;
  error: u64;
  rip: u64;
  cs: u64;
  rflags: u64;
  rsp: u64;
  ss: u64;

  /** Vector as the processor numbers it: the stub pushed it as a sign-extended byte. */
  @inline get number(): u32 {
    return (<u32>this.vector) & 0xff;
  }
}
