/** The default image on machines that differ: virtio features, processors, boards, memory. Each has to serve HTTP and UDP. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { Connection, askUdp, get, request } from "./client.ts";
import { DEFAULT_IMAGE, type MachineOptions, boot } from "./machine.ts";

async function serves(options: MachineOptions): Promise<void> {
  const machine = await boot(DEFAULT_IMAGE, { tcp: [7, 80], udp: [7], ...options });
  try {
    assert.equal((await request(machine.tcp(80), get("/"))).status, 200);
    const datagram = randomBytes(1472);
    assert.ok((await askUdp(machine.udp(7), datagram)).equals(datagram), "the UDP echo came back changed");
    const data = randomBytes(300_000);
    const connection = await Connection.open(machine.tcp(7));
    connection.socket.end(data);
    assert.ok((await connection.readToEnd()).equals(data), "the TCP echo came back changed");
    connection.destroy();
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${machine.console()}`, { cause: error });
  } finally {
    await machine.stop();
  }
}

describe("machine", () => {
  const variants: [string, MachineOptions][] = [
    ["virtio 1 only", { device: "disable-legacy=on" }],
    ["event index off", { device: "event_idx=off" }],
    ["mergeable receive buffers off", { device: "mrg_rxbuf=off" }],
    ["checksum offload off", { device: "csum=off,guest_csum=off" }],
    [
      "all of these off, virtio 1 only",
      { device: "disable-legacy=on,event_idx=off,mrg_rxbuf=off,csum=off,guest_csum=off" },
    ],
    ["queues of 256 entries asked for", { device: "rx_queue_size=256,tx_queue_size=256" }],
    ["-cpu qemu64: no FSGSBASE, no RDRAND, no TSC deadline", { cpu: "qemu64" }],
    ["SeaBIOS, which places registers itself", { extra: ["-bios", "bios-256k.bin"] }],
    ["-M q35", { machine: "q35" }],
    ["-M q35, virtio 1 only, qemu64", { machine: "q35", cpu: "qemu64", device: "disable-legacy=on" }],
    ["-m 4: limits and zones as small as that", { memory: 4 }],
    ["-m 4, SeaBIOS", { memory: 4, extra: ["-bios", "bios-256k.bin"] }],
    ["-m 32", { memory: 32 }],
    ["-m 3072: memory up to the hole below 4 GiB", { memory: 3072 }],
    ["-m 6144: memory above 4 GiB", { memory: 6144 }],
  ];
  for (const [name, options] of variants) test(name, () => serves(options));
});
