/* What wasm2c's C asserts (that its runtime is initialised) is true here by construction. */
#define assert(condition) ((void)0)
