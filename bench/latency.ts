/**
 * From the network device's interrupt to the handler of what it brings, while nothing else runs: counted exactly (bursts.c), from the first instruction of the interrupt's stub to the
 * first of the handler. In aemos bench/apps/latency, in Linux the echo services of bench/linux/serve.c, whose handlers have the data as aemos's have.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { bootWired } from "../spec/boot/machine.ts";
import { TcpClient } from "../spec/wire/client.ts";
import type { Peer } from "../spec/wire/peer.ts";
import { buildImage } from "../tools/build.ts";
import { BurstCounter, VECTOR_TIMER } from "./bursts.ts";
import { STATIC, benchImage, spread } from "./instructions.ts";
import { buildLinux, startLinux } from "./linux.ts";
import { type Figure, type Measurement, median, ofBoth } from "./rows.ts";
import { symbol, symbolsOf } from "./symbols.ts";
import { type Session, figures, medianOf } from "./trace.ts";
import { wiredLinux } from "./wired.ts";

const LATENCY_IMAGE = benchImage("latency");
const READS = 100;
const QUICK_READS = 15;
const OCTETS = Buffer.alloc(64, 1);
/** Milliseconds after which no timer of the last exchange is left (delayed acknowledgement, the driver's housekeeping): each begins alike. */
const SETTLED = 100;
/** Handlers of the latency application, by their symbols. */
const HANDLERS = ["main0x2Freceived", "main0x2Fdatagram"];
const NAMES = ["tcp.nic-to-handler", "udp.nic-to-handler"];

/** Sends `reads` segments and as many datagrams, one at a time, each answered. */
async function exchange(peer: Peer, port: number, reads: number): Promise<void> {
  const client = new TcpClient(peer, port);
  await client.connect(5000);
  for (let i = 0; i < reads; i++) {
    await sleep(SETTLED);
    client.send(OCTETS);
    await client.receive(5000, (data) => data.length >= OCTETS.length);
  }
  client.abort();
  for (let i = 0; i < reads; i++) {
    await sleep(SETTLED);
    await peer.askUdp(port, OCTETS, 5000);
  }
  await sleep(SETTLED);
}

/** Of segments and datagrams that came while nothing else did. */
export const latencies: Session = {
  names: NAMES,
  exact: true,
  async measure(stacks, quick) {
    const { elf } = await buildImage(LATENCY_IMAGE);
    const counter = await BurstCounter.create("latency", elf, HANDLERS, stacks);
    const options = { append: STATIC, icount: true, cpu: "qemu64", extra: counter.qemuArguments };
    const { machine, peer, stop } = await bootWired(LATENCY_IMAGE, options);
    try {
      await machine.waitForRows("timers", 1, 60_000);
      await exchange(peer, 4000, quick ? QUICK_READS : READS);
      const bursts = (await counter.bursts()).filter(
        ({ vector, interrupts }) => vector !== VECTOR_TIMER && interrupts === 1,
      );
      const reaching = (target: number) =>
        bursts.filter(({ reached }) => (reached[target] as number) >= 0).map((burst) => [burst]);
      return Object.fromEntries(
        NAMES.map((name, target) => [name, medianOf(reaching(target), { counter, elf }, target)]),
      );
    } finally {
      await stop();
    }
  },
};

/** Where the Linux kernel has the stubs of its devices' interrupts, which the guest says, and how many bytes of them. */
async function stubsOfLinux(): Promise<{ from: string; bytes: bigint }> {
  const guest = await startLinux(await buildLinux(), "symbols", { netdev: "none" });
  try {
    await guest.waitFor(/^listed$/m, 60_000);
    const address = (name: string): string => {
      const found = new RegExp(`^([0-9a-f]+) \\w ${name}$`, "m").exec(guest.output);
      if (!found) throw new Error(`Linux has no ${name}`);
      return found[1] as string;
    };
    const from = address("irq_entries_start");
    return { from, bytes: BigInt(`0x${address("spurious_entries_start")}`) - BigInt(`0x${from}`) };
  } finally {
    await guest.stop();
  }
}

async function linux(reads: number): Promise<Figure[]> {
  const { from, bytes } = await stubsOfLinux();
  const image = await buildLinux();
  const symbols = await symbolsOf(image.program);
  const to = ["echo_handler", "datagram_handler"].map((name) => symbol(symbols, name).toString(16));
  const counter = await BurstCounter.at("latency-linux", from, to, [`stubs=${bytes}`]);
  const { peer, stop } = await wiredLinux(image, "serve", {
    icount: true,
    cpu: "qemu64",
    memory: 256,
    extra: counter.qemuArguments,
  });
  try {
    await exchange(peer, 7, reads);
    const bursts = await counter.bursts();
    return NAMES.map((name, index) => {
      const values = bursts
        .filter(({ interrupts, reached }) => (reached[index] as number) >= 0 && interrupts === 1)
        .map(({ reached }) => reached[index] as number);
      return { name, linux: median(values), note: `Linux: ${spread(values)}` };
    });
  } finally {
    await stop();
  }
}

export const fromDevice: Measurement = {
  rows: NAMES,
  basis: "exact",
  run: async (quick) => {
    const aemos = latencies.measure(false, quick).then(figures);
    return ofBoth(aemos, linux(quick ? QUICK_READS : READS));
  },
};
