/** The runner: status of the guest, console, forwards, signals, and what it refuses. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { probe, probeImage } from "../../tools/accelerator.ts";
import { buildImage } from "../../tools/build.ts";
import { parseForward } from "../../tools/cli-options.ts";
import { STATUS_STOPPED, qemuArguments, startGuest, wantedAccelerator } from "../../tools/qemu.ts";
import { checkFits, describeForward, mergeForwards } from "../../tools/run.ts";
import { aemos, sourceFolder, writeFiles } from "./support.ts";

const folder = sourceFolder("run");
const TCG = { name: "tcg", cpu: "max" };
let ends = "";
let succeeds = "";
let sleeps = "";

before(async () => {
  writeFiles(folder, {
    "ends.ts": "export function main(): i32 {\n  return 42;\n}\n",
    "succeeds.ts": "export function main(): i32 {\n  return 0;\n}\n",
    "sleeps.ts": `@external("aemos", "nanosleep") declare function nanosleep(ns: i64): i32;
export function main(): i32 {\n  while (true) nanosleep(1_000_000_000);\n  return 0;\n}\n`,
  });
  const image = async (name: string): Promise<string> => {
    const output = join(folder, name);
    await buildImage(join(folder, `${name}.ts`), output);
    return output;
  };
  ends = await image("ends");
  succeeds = await image("succeeds");
  sleeps = await image("sleeps");
});

test("the guest's exit status comes through", async () => {
  assert.equal(await (await startGuest({ image: ends })).exited, 42);
  assert.equal(await (await startGuest({ image: succeeds })).exited, 0);
  assert.equal((await aemos(["run", ends]).ended).status, 42);
  assert.equal((await aemos(["run", join(folder, "succeeds.ts")]).ended).status, 0);
});

test("the console can be waited for", async () => {
  const guest = await startGuest({ image: sleeps });
  const [, free] = await guest.waitFor(/ready in \d+ ms, (\d+) of/);
  assert.ok(Number(free) > 0);
  await assert.rejects(
    guest.waitFor("never printed", 50),
    /no never printed within 50 ms\n--- console:\n.*ready/s,
  );
  await guest.stop();
  assert.equal(await guest.exited, STATUS_STOPPED);
  await assert.rejects(guest.waitFor("never printed"), /the guest ended before it printed/);
});

test("a guest that ends fails those who wait for it", async () => {
  const guest = await startGuest({ image: ends });
  await assert.rejects(guest.waitFor("never printed"), /the guest ended with status 42/);
});

test("SIGINT ends it at once with 130", async () => {
  const command = aemos(["run", sleeps]);
  await command.printed("ready in");
  const start = performance.now();
  command.signal("SIGINT");
  assert.equal((await command.ended).status, 130);
  // That it was not by itself, the status says.
  assert.ok(performance.now() - start < 10_000);
});

test("the URL and what else is forwarded are printed first", async () => {
  const port = await freePort();
  const { output } = await aemos(["run", ends, "-p", `${port}:80`, "-p", `${port}:7/udp`]).ended;
  assert.ok(output.startsWith(`http://127.0.0.1:${port}/\n127.0.0.1:${port} -> port 7 (udp)\n[`), output);
});

test("a port of the host that is in use is named", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const { status, errors } = await aemos(["run", ends, "-p", `${port}:80`]).ended;
  server.close();
  assert.equal(status, 1);
  assert.match(errors, new RegExp(`^aemos: port ${port} \\(tcp\\) on this host is in use`));
});

test("--pcap records the wire", async () => {
  const file = join(folder, "wire.pcap");
  await aemos(["run", ends, "--pcap", file]).ended;
  assert.ok(existsSync(file));
  assert.equal(readFileSync(file).readUInt32LE(0), 0xa1b2c3d4);
});

test("--append reaches the kernel, after the manifest's", async () => {
  writeFiles(folder, {
    "append.json": JSON.stringify({
      name: "append",
      append: "panic=1",
      applications: [{ name: "ends", module: "ends.ts" }],
    }),
  });
  const { output } = await aemos(["run", join(folder, "append.json"), "--append", "loglevel=7"]).ended;
  assert.match(output, /panic: asked for on the command line/);
});

test("what follows -- goes to QEMU, whose complaint is shown", async () => {
  const { status, errors } = await aemos(["run", ends, "--", "-no-such-option"]).ended;
  assert.equal(status, 1);
  assert.match(errors, /QEMU could not start .*ends: .*-no-such-option: invalid option/);
});

test("an image that is not there, or is none", async () => {
  await assert.rejects(startGuest({ image: join(folder, "none") }), /none: there is no such image/);
  const { status, errors } = await aemos(["run", join(folder, "none")]).ended;
  assert.equal(status, 1);
  assert.match(errors, /none: there is no such file or folder/);
});

test("QEMU missing: its name and its package", async () => {
  const { status, errors } = await aemos(["run", ends], { PATH: folder }).ended;
  assert.equal(status, 1);
  assert.match(
    errors,
    /qemu-system-x86_64 is not installed: apt-get install --no-install-recommends qemu-system-x86 /,
  );
});

test("a machine too small for the manifest is refused before it starts", async () => {
  writeFiles(folder, {
    "big.json": JSON.stringify({
      name: "big",
      memoryMiB: 16,
      applications: ["one", "two"].map((name) => ({ name, module: "ends.ts", stackKiB: 8192 })),
    }),
  });
  const { status, errors } = await aemos(["run", join(folder, "big.json")]).ended;
  assert.equal(status, 1);
  assert.match(
    errors,
    /big\.json: the image and its applications need at least \d+ MiB, the machine has 16 MiB/,
  );
  assert.match((await aemos(["build", join(folder, "big.json")]).ended).errors, /the machine has 16 MiB/);
  checkFits(await buildImage(join(folder, "big.json")), 64);
});

test("options of the command line", () => {
  assert.deepEqual(parseForward("8080:80"), [{ host: 8080, guest: 80, udp: false }]);
  assert.deepEqual(parseForward("7007:7/udp")[0]?.udp, true);
  for (const wrong of ["80", "0:80", "8080:70000", "8080:80/sctp", "a:b"])
    assert.throws(() => parseForward(wrong), /HOST:GUEST/);
  const web = { host: 8080, guest: 80 };
  assert.deepEqual(mergeForwards([web, { host: 1, guest: 7 }], [{ host: 9090, guest: 80 }]), [
    { host: 1, guest: 7 },
    { host: 9090, guest: 80 },
  ]);
  assert.throws(
    () => mergeForwards([web], [{ host: 8080, guest: 7 }]),
    /port 8080 \(tcp\) of this host would be forwarded twice: http:\/\/127\.0\.0\.1:8080\/, 127\.0\.0\.1:8080 -> port 7/,
  );
  assert.equal(mergeForwards([web], [{ host: 8080, guest: 7, udp: true }]).length, 2);
  assert.equal(describeForward(web), "http://127.0.0.1:8080/");
});

test("an unknown option is refused with a hint", async () => {
  const { status, errors } = await aemos(["run", "--nonsense"]).ended;
  assert.equal(status, 1);
  assert.match(errors, /unknown option '--nonsense'/);
});

test("QEMU's command line", () => {
  const text = (options: object): string => qemuArguments({ image: "i", ...options }, TCG).join(" ");
  assert.match(text({}), /-smp 1,maxcpus=2 -m 128 /);
  assert.match(
    text({ forwards: [{ host: 1, guest: 2, udp: true }] }),
    /user,id=n0,hostfwd=udp:127\.0\.0\.1:1-:2/,
  );
  assert.match(
    text({ wire: { localPort: 5, remotePort: 6 } }),
    /dgram,id=n0,local\.type=inet,local\.host=127\.0\.0\.1,local\.port=5,remote\.type=inet,remote\.host=127\.0\.0\.1,remote\.port=6/,
  );
  assert.match(
    text({ wire: { streamPort: 5 } }),
    /stream,id=n0,server=off,addr\.type=inet,addr\.host=127\.0\.0\.1,addr\.port=5 /,
  );
  assert.doesNotMatch(text({ netdev: "none" }), /netdev|virtio-net/);
  assert.match(text({ icount: true, gdb: true, cpu: "qemu64" }), /-cpu qemu64 .*-icount shift=0 -s -S/);
  assert.throws(() => text({ netdev: "none", pcap: "x" }), /no network device/);
});

test("what counts instructions runs under tcg, whatever else works", () => {
  const image = "i";
  assert.equal(wantedAccelerator({ image }), undefined);
  assert.equal(wantedAccelerator({ image, icount: true }), "tcg");
  assert.equal(wantedAccelerator({ image, icount: "shift=0,sleep=off" }), "tcg");
  assert.equal(wantedAccelerator({ image, extra: ["-plugin", "total.so"] }), "tcg");
  assert.equal(wantedAccelerator({ image, extra: ["-monitor", "none"] }), undefined);
  assert.equal(wantedAccelerator({ image, accel: "kvm" }), "kvm");
});

test("the probe for kvm tells an accelerator that works from one that is too slow", async () => {
  assert.equal(probeImage().readUInt32LE(0), 0x1badb002);
  assert.equal(await probe(TCG, 20_000), true);
  assert.equal(await probe(TCG, 1), false);
  assert.equal(await probe({ name: "none-such", cpu: "max" }), false);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
