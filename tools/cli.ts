/** The command line: `aemos build` and `aemos run`. */
import { Command } from "commander";
import { buildImage } from "./build.ts";
import { parseForward, whole } from "./cli-options.ts";
import { UserError } from "./errors.ts";
import { DEFAULT_MANIFEST, shown } from "./paths.ts";
import { type RunOptions, checkFits, runImage } from "./run.ts";
import type { StartedCommand } from "./steps.ts";

const TARGET =
  "an image manifest (.json), an application's folder, its source (.ts, .c) or a ready module (.wasm)";

function reportCommand({ unit, tool, arguments: list }: StartedCommand): void {
  process.stderr.write(`${unit}: ${tool} ${list.join(" ")}\n`);
}

const program = new Command("aemos");
program.description("Builds unikernel images from applications in wasm, and runs them in QEMU.");
program.showHelpAfterError("(--help says more)");

program
  .command("build")
  .description("build an image")
  .argument("[target]", TARGET, DEFAULT_MANIFEST)
  .option("-o, --output <image>", "where the image goes; IMAGE.elf beside it has the symbols for gdb")
  .option("--verbose", "print every command that is started")
  .action(async (target: string, { output, verbose }: { output?: string; verbose?: true }) => {
    const built = await buildImage(target, output, verbose ? { report: reportCommand } : {});
    checkFits(built, built.manifest.memoryMiB);
    process.stdout.write(`${shown(built.image)}\n`);
  });

program
  .command("run")
  .description("build an image, unless TARGET is one, and run it in QEMU; what follows -- goes to QEMU")
  .argument("[target]", `${TARGET}, or an image`, DEFAULT_MANIFEST)
  .option(
    "-p, --publish <HOST:GUEST[/udp]>",
    "forward a port of 127.0.0.1 to the guest; may be repeated",
    parseForward,
  )
  .option("-m, --memory <MiB>", "memory of the machine", whole)
  .option("--accel <name>", "tcg or kvm; by default what works")
  .option("--append <text>", "kernel command line, after the manifest's")
  .option("--pcap <file>", "record all frames")
  .option("--gdb", "wait for gdb before the first instruction")
  .option("--icount", "count instructions instead of time: exact and repeatable")
  .option("--verbose", "print every command that is started")
  .action(async (target: string, options: Omit<RunOptions, "target" | "extra"> & { verbose?: true }) => {
    const report = options.verbose ? reportCommand : undefined;
    process.exitCode = await runImage({ ...options, target, extra, ...(report ? { report } : {}) });
  });

const separator = process.argv.indexOf("--");
const extra = separator < 0 ? [] : process.argv.slice(separator + 1);

try {
  await program.parseAsync(separator < 0 ? process.argv : process.argv.slice(0, separator));
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`aemos: ${error.message}\n`);
  process.exitCode = 1;
}
