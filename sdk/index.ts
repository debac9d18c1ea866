/**
 * What an application imports: `import { … } from "../../sdk";`. It is all that the application may import from outside; the
 * compiler's `abort` comes with it (`--use abort=sdk/abort/abort`).
 */
import "./abort";
export * from "./aem";
export * from "./calls";
export * from "./control";
export * from "./deadline";
export * from "./dns";
export * from "./errno";
export { inet_pton } from "./inet";
export * from "./log";
export * from "./netinfo";
export * from "./poll";
export * from "./pool";
export * from "./process";
export * from "./processinfo";
export * from "./socket";
export * from "./socket-helpers";
export * from "./sysinfo";
export * from "./system";
