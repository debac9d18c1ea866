/**
 * Starts an image in QEMU: the one place that knows its command line. docs: QEMU's invocation page; why each option is
 * there stands beside it.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { accelerator } from "./accelerator.ts";
import { UserError } from "./errors.ts";
import { Guest } from "./guest.ts";
import { refusal } from "./ports.ts";
import { requireTool } from "./toolchain.ts";

export { Guest, STATUS_RESET, STATUS_STOPPED } from "./guest.ts";

/** A port of the host whose connections or datagrams go to a port of the guest. */
export interface Forward {
  host: number;
  guest: number;
  udp?: boolean;
}

/** A wire that carries one Ethernet frame in each UDP datagram on 127.0.0.1. */
export interface DatagramWire {
  /** QEMU's port: send frames to it. */
  localPort: number;
  /** Where QEMU sends the guest's frames. */
  remotePort: number;
}

/** A wire that loses nothing: frames, their length in four bytes in front, in a TCP connection that QEMU opens to this port of 127.0.0.1. What the guest has no room for waits. */
export interface StreamWire {
  streamPort: number;
}

export type Wire = DatagramWire | StreamWire;

export interface GuestOptions {
  /** Path of the image. */
  image: string;
  /** Path of a CD image that boots instead, with a boot loader of its own; `append` is for the loader to say then. */
  cdrom?: string;
  /** Memory in MiB; 128 when absent. */
  memory?: number;
  /** Kernel command line. */
  append?: string;
  /** With user networking. */
  forwards?: readonly Forward[];
  /** With netdev "dgram" or "stream". */
  wire?: Wire;
  /**
   * A tap device of the host's, by name: with netdev "tap". The only back end here whose frames can be larger than the link's MTU, since the host's kernel cuts and merges
   * segments of TCP (vnet_hdr); `vhost` would take the frames past QEMU.
   */
  tap?: string;
  /** "dgram" or "stream" when `wire` is given, "tap" when `tap` is, else "user". "none": a machine without a network device. */
  netdev?: "none" | "user" | "dgram" | "stream" | "tap";
  /** Counts instructions instead of time: one to the nanosecond, exact and repeatable (tcg only). A text is passed as it is. */
  icount?: boolean | string;
  /** Processor model; "max" when absent, or what kvm takes. */
  cpu?: string;
  /** "tcg" or "kvm"; what works when absent. */
  accel?: string;
  /** Machine model. */
  machine?: string;
  /** Properties of the network device, as in "mrg_rxbuf=off,disable-modern=on". */
  device?: string;
  /** Records the wire into this file. */
  pcap?: string;
  /** Waits for gdb on port 1234 before the first instruction. */
  gdb?: boolean;
  /** Further arguments for QEMU. */
  extra?: readonly string[];
}

export const DEFAULT_MEMORY = 128;
const DEFAULT_MACHINE = "pc";
/** Port where the guest's exit status goes; boot/start.c writes it. */
const DEBUG_EXIT = "isa-debug-exit,iobase=0xf4,iosize=0x04";
/** So that a tool that dies leaves no guest behind (util-linux, in every Debian). */
const SETPRIV = "/usr/bin/setpriv";

/**
 * Firmware that does no more than start what -kernel names: 25 ms less than SeaBIOS, QEMU's default, takes, which serves where a QEMU comes without it (Debian has both
 * in what qemu-system-x86 depends on). It places no registers: that is drivers/pci.ts's then, as it is Linux's.
 */
const FAST_FIRMWARE = "qboot.rom";

/** Whether the QEMU at this path has a firmware beside its others. */
function hasFirmware(qemu: string, name: string): boolean {
  return existsSync(join(dirname(qemu), "..", "share", "qemu", name));
}

/** Commas are doubled inside QEMU's option values. */
function quote(value: string): string {
  return value.replaceAll(",", ",,");
}

function networkArguments(options: GuestOptions): string[] {
  const wired = options.wire && ("streamPort" in options.wire ? "stream" : "dgram");
  const kind = options.netdev ?? wired ?? (options.tap === undefined ? "user" : "tap");
  if (kind === "none") {
    if (options.pcap !== undefined) throw new UserError("--pcap: there is no network device to record");
    return [];
  }
  let netdev: string;
  if (kind === "dgram") {
    if (!options.wire || !("localPort" in options.wire))
      throw new Error("netdev dgram needs wire: { localPort, remotePort }");
    const { localPort, remotePort } = options.wire;
    netdev =
      `dgram,id=n0,local.type=inet,local.host=127.0.0.1,local.port=${localPort},` +
      `remote.type=inet,remote.host=127.0.0.1,remote.port=${remotePort}`;
  } else if (kind === "stream") {
    if (!options.wire || !("streamPort" in options.wire))
      throw new Error("netdev stream needs wire: { streamPort }");
    netdev = `stream,id=n0,server=off,addr.type=inet,addr.host=127.0.0.1,addr.port=${options.wire.streamPort}`;
  } else if (kind === "tap") {
    if (options.tap === undefined) throw new Error("netdev tap needs tap, the name of a device");
    netdev = `tap,id=n0,ifname=${quote(options.tap)},script=no,downscript=no,vhost=off`;
  } else {
    const forwards = options.forwards ?? [];
    const rules = forwards.map(
      ({ host, guest, udp }) => `,hostfwd=${udp ? "udp" : "tcp"}:127.0.0.1:${host}-:${guest}`,
    );
    netdev = `user,id=n0${rules.join("")}`;
  }
  const properties = options.device === undefined ? "" : `,${options.device}`;
  // romfile=: no boot ROM to load, which saves some 20 ms.
  const list = ["-netdev", netdev, "-device", `virtio-net-pci,netdev=n0,romfile=${properties}`];
  if (options.pcap !== undefined)
    list.push("-object", `filter-dump,id=dump0,netdev=n0,file=${quote(options.pcap)}`);
  return list;
}

/** QEMU's arguments for these options. `firmware`: another than its own, for what -kernel names. */
export function qemuArguments(
  options: GuestOptions,
  accel: { name: string; cpu: string },
  firmware?: string,
): string[] {
  const list = [
    "-M",
    options.machine ?? DEFAULT_MACHINE,
    "-accel",
    accel.name,
    "-cpu",
    options.cpu ?? accel.cpu,
  ];
  // maxcpus=2: before 8.1 QEMU drops the guest's memory barriers under tcg when there can be only one processor.
  list.push("-smp", "1,maxcpus=2", "-m", String(options.memory ?? DEFAULT_MEMORY));
  list.push(
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    "-display",
    "none",
    "-serial",
    "stdio",
    "-device",
    DEBUG_EXIT,
  );
  list.push("-device", "virtio-rng-pci,romfile=", ...networkArguments(options));
  if (options.cdrom !== undefined) list.push("-cdrom", options.cdrom);
  else {
    if (firmware !== undefined) list.push("-bios", firmware);
    list.push("-kernel", options.image);
    if (options.append !== undefined && options.append !== "") list.push("-append", options.append);
  }
  if (options.icount) list.push("-icount", options.icount === true ? "shift=0" : options.icount);
  if (options.gdb) list.push("-s", "-S");
  return [...list, ...(options.extra ?? [])];
}

const REASONS = new Map([
  ["EADDRINUSE", "is in use"],
  ["EACCES", "is not this user's to open"],
]);

/** Says in our words what QEMU says in its own. */
async function explain(errors: string, options: GuestOptions): Promise<string> {
  const rule = errors.match(/Could not set up host forwarding rule '(tcp|udp):[\d.]*:(\d+)-[^']*:(\d+)'/);
  if (rule !== null) {
    const [, protocol, host, guest] = rule;
    const code = await refusal(Number(host), protocol === "udp");
    return (
      `port ${host} (${protocol}) on this host ${REASONS.get(code ?? "") ?? "cannot be opened"}: it cannot be forwarded to port ${guest} of the guest; ` +
      `choose another with -p HOST:${guest}${protocol === "udp" ? "/udp" : ""}`
    );
  }
  if (/Address already in use/.test(errors) && options.gdb)
    return "port 1234 is in use: is another guest waiting for gdb?";
  const own = errors
    .split("\n")
    .filter((line) => line !== "" && !line.includes("warning:"))
    .join("\n");
  return `QEMU could not start ${options.image}: ${own === "" ? errors.trim() : own}`;
}

/** Guests that are running: none outlives this process. */
const running = new Set<Guest>();
process.on("exit", () => {
  for (const guest of running) if (guest.pid !== undefined) killQuietly(guest.pid);
});

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** What the options leave no choice in: only tcg counts instructions, for its clock or for a plugin. */
export function wantedAccelerator(options: GuestOptions): string | undefined {
  return options.accel ?? (options.icount || options.extra?.includes("-plugin") ? "tcg" : undefined);
}

/** Starts the image. Resolves as soon as QEMU runs; `waitFor` says when the guest is where it should be. */
export async function startGuest(options: GuestOptions): Promise<Guest> {
  if (!existsSync(options.image)) throw new UserError(`${options.image}: there is no such image`);
  const qemu = await requireTool("qemu-system-x86_64");
  const firmware = hasFirmware(qemu, FAST_FIRMWARE) ? FAST_FIRMWARE : undefined;
  const list = qemuArguments(options, await accelerator(wantedAccelerator(options)), firmware);
  const [command, args] = existsSync(SETPRIV)
    ? [SETPRIV, ["--pdeathsig", "KILL", "--", qemu, ...list]]
    : [qemu, list];
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const guest = new Guest(child, (errors) => explain(errors, options));
  running.add(guest);
  guest.exited.then(
    () => running.delete(guest),
    () => running.delete(guest),
  );
  return guest;
}
