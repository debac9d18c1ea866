/** The image as a boot loader starts it: GRUB, by the BIOS and multiboot 1, from a CD that `grub-mkrescue` makes. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { askUdp } from "./client.ts";
import { DEFAULT_IMAGE, type Machine, boot, built } from "./machine.ts";

const execute = promisify(execFile);

/** As README.md shows it. */
const MENU = `
set timeout=0
menuentry "aemos" {
  multiboot /boot/aemos ip=10.0.2.15/24,gw=10.0.2.2 ip6=off
}
`;

describe("GRUB", () => {
  let folder: string;
  let machine: Machine;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "aemos-"));
    const tree = join(folder, "tree");
    const cdrom = join(folder, "aemos.iso");
    await mkdir(join(tree, "boot", "grub"), { recursive: true });
    await copyFile(await built(DEFAULT_IMAGE), join(tree, "boot", "aemos"));
    await writeFile(join(tree, "boot", "grub", "grub.cfg"), MENU);
    await execute("grub-mkrescue", ["-d", "/usr/lib/grub/i386-pc", "-o", cdrom, tree]);
    machine = await boot(DEFAULT_IMAGE, { cdrom, udp: [7] });
  });
  after(async () => {
    await machine?.stop();
    await rm(folder, { recursive: true });
  });

  test("starts it, and it serves", async () => {
    const message = Buffer.from("by GRUB");
    assert.deepEqual(await askUdp(machine.udp(7), message), message, machine.console());
  });

  test("the command line of its menu is the kernel's", () => {
    const lines = machine.guest.lines.join("\n");
    assert.match(lines, /net: address 10\.0\.2\.15/);
    assert.doesNotMatch(lines, /dhcp:/);
  });
});
