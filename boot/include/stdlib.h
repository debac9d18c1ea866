/* wasm2c's C includes it and uses nothing of it. */
