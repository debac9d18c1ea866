#!/usr/bin/env node
// The command `aemos`: loads the TypeScript of tools/ through tsx.
try {
  const { register } = await import("tsx/esm/api");
  register();
} catch (error) {
  if (error?.code !== "ERR_MODULE_NOT_FOUND") throw error;
  process.stderr.write("aemos: its dependencies are not installed: run npm ci\n");
  process.exit(1);
}
await import("./cli.ts");
