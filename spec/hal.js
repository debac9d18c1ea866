/**
 * The fake hal of the as-pect specs: what boot/hal.h is to the image, this is to kernel code compiled for Node.
 *
 * `createMachine()` makes one machine per spec file (each file has an instance of its own): module "hal" for the kernel and
 * module "fake" for the spec, which steers the machine through spec/fake.ts (documented there).
 */
const EFAULT = 14;
const PAGE = 4096;
const VMTABLE_BASE = 0xf0000000;
const WINDOW_BASE = 0x8000000000n;
const CONSOLE_PORT = 0x3f8;
const CONSOLE_STATUS = 0x3fd;
const PCI_ADDRESS = 0xcf8;
const PCI_DATA = 0xcfc;

// A word of 64 bits and its halves, the low one first.
const sumWhole = new BigUint64Array(1);
const sumHalves = new Uint32Array(sumWhole.buffer);

/** @param {() => WebAssembly.Exports} exports of the spec's instance, once it runs */
export function createMachine(exports) {
  // Made once, and again after the memory has grown: what stands over the old buffer has no length then.
  let linear = new Uint8Array(0);
  let linearView;
  function bytes() {
    if (linear.length === 0) {
      linear = new Uint8Array(exports().memory.buffer);
      linearView = new DataView(linear.buffer);
    }
    return linear;
  }
  const view = () => (bytes(), linearView);
  /** The function at this index of the spec's table; index 0: none. */
  const callback = (index) => (index ? exports().table.get(index) : undefined);
  const text = (pointer) => {
    const units = new Uint16Array(
      exports().memory.buffer,
      pointer,
      view().getUint32(pointer - 4, true) >>> 1,
    );
    return String.fromCharCode(...units);
  };

  // ---- State, as `fake.reset()` leaves it ----
  let tsc,
    tscStep,
    pauseStep,
    random,
    exitStatus,
    console_,
    interrupts,
    pml4,
    fault,
    barriers,
    invalidations,
    switches;
  let hooks, ports, queues, outs, pci, pciMasks, pciAddress, msrs, cpuids, images, userMaps, userHoles;
  function reset() {
    tsc = 0n;
    tscStep = 0n;
    pauseStep = 100n;
    random = 0x9e3779b97f4a7c15n;
    exitStatus = -1;
    console_ = "";
    interrupts = [];
    pml4 = fault = barriers = invalidations = switches = 0;
    hooks = {};
    ports = new Map([[CONSOLE_STATUS, 0x60]]);
    queues = new Map();
    outs = [];
    pci = new Map();
    pciMasks = new Map();
    pciAddress = 0;
    msrs = new Map();
    cpuids = new Map();
    images = new Map();
    userMaps = [];
    userHoles = [];
  }
  reset();

  // ---- Ports: a hook answers for all; else PCI configuration space; else queued answers; else the table; else all ones ----
  const widthMask = (width) => (width === 32 ? 0xffffffff : (1 << width) - 1) >>> 0;
  function portIn(port, width) {
    if (hooks.in) return hooks.in(port, width) >>> 0;
    if (port === PCI_ADDRESS && width === 32) return pciAddress;
    if (port >= PCI_DATA && port < PCI_DATA + 4 && pci.size) {
      const word = pci.get((pciAddress & 0x7ffffffc) >>> 0) ?? 0xffffffff;
      return ((word >>> ((port - PCI_DATA) * 8)) & widthMask(width)) >>> 0;
    }
    const queue = queues.get(port);
    const value = queue?.length ? queue.shift() : (ports.get(port) ?? 0xffffffff);
    return (value & widthMask(width)) >>> 0;
  }
  function portOut(port, width, value) {
    value = (value & widthMask(width)) >>> 0;
    if (port === CONSOLE_PORT) {
      console_ += String.fromCharCode(value);
      if (hooks.out) hooks.out(port, width, value);
      return;
    }
    outs.push({ port, width, value });
    if (hooks.out) return void hooks.out(port, width, value);
    if (port === PCI_ADDRESS && width === 32) pciAddress = value;
    else if (port >= PCI_DATA && port < PCI_DATA + 4) {
      const address = (pciAddress & 0x7ffffffc) >>> 0;
      const old = pci.get(address);
      if (old === undefined) return;
      const shift = (port - PCI_DATA) * 8;
      const mask = ((widthMask(width) << shift) & (pciMasks.get(address) ?? 0)) >>> 0;
      pci.set(address, ((old & ~mask) | ((value << shift) & mask)) >>> 0);
    }
  }

  // ---- Device registers: linear memory, with a hook before each read and after each write ----
  function read(address, width, get) {
    if (hooks.read) hooks.read(address, width);
    return get(view(), address >>> 0);
  }
  function write(address, width, value, set) {
    set(view(), address >>> 0);
    if (hooks.write) hooks.write(address, width, BigInt.asUintN(64, BigInt(value)));
  }

  // ---- The window of the process: linear memory itself, with what `mapUser` put elsewhere and `unmapUser` took out ----
  function userToLinear(user, length, write) {
    user >>>= 0;
    for (const hole of userHoles) if (user < hole.end && user + length > hole.start) return -1;
    if (hooks.window && user >= VMTABLE_BASE) return hooks.window(user, write ? 1 : 0) >>> 0 || -1;
    for (const map of userMaps)
      if (user >= map.user && user + length <= map.user + map.length) return map.address + (user - map.user);
    return user + length <= bytes().length ? user : -1;
  }
  /** Page by page, as they need not stand together. `move(user, linear)` for each piece; -EFAULT before the first that is missing. */
  function copy(user, length, write, move) {
    user >>>= 0;
    for (let done = 0; done < length || done === 0;) {
      const piece = Math.min(length - done, PAGE - ((user + done) % PAGE));
      const linear = userToLinear(user + done, piece, write);
      if (linear < 0) return -EFAULT;
      move(done, linear, piece);
      done += piece;
      if (length === 0) break;
    }
    return 0;
  }

  /** One's complement sum. The kernel's checksums are most of what a long spec does: halves of words as numbers, since a BigInt is slow. */
  function addWords(address, length, sum) {
    sumWhole[0] = sum;
    let [low, high] = [sumHalves[0], sumHalves[1]];
    const words = view();
    for (let at = address, end = at + length; at < end; at += 8) {
      low += words.getUint32(at, true);
      high += words.getUint32(at + 4, true);
    }
    // Each half's carry goes into the other: bit 64 counts as bit 0.
    while (low > 0xffffffff || high > 0xffffffff) {
      const carry = Math.floor(high / 0x1_0000_0000);
      high = (high >>> 0) + Math.floor(low / 0x1_0000_0000);
      low = (low >>> 0) + carry;
    }
    [sumHalves[0], sumHalves[1]] = [low, high];
    return sumWhole[0];
  }

  const hal = {
    in8: (port) => portIn(port, 8),
    in16: (port) => portIn(port, 16),
    in32: (port) => portIn(port, 32),
    out8: (port, value) => portOut(port, 8, value),
    out16: (port, value) => portOut(port, 16, value),
    out32: (port, value) => portOut(port, 32, value),
    read8: (a) => read(a, 8, (v, p) => v.getUint8(p)),
    read16: (a) => read(a, 16, (v, p) => v.getUint16(p, true)),
    read32: (a) => read(a, 32, (v, p) => v.getUint32(p, true)),
    read64: (a) => read(a, 64, (v, p) => v.getBigUint64(p, true)),
    write8: (a, value) => write(a, 8, value & 0xff, (v, p) => v.setUint8(p, value)),
    write16: (a, value) => write(a, 16, value & 0xffff, (v, p) => v.setUint16(p, value, true)),
    write32: (a, value) => write(a, 32, value >>> 0, (v, p) => v.setUint32(p, value, true)),
    write64: (a, value) => write(a, 64, value, (v, p) => v.setBigUint64(p, value, true)),
    readBarrier: () => void barriers++,
    writeBarrier: () => void barriers++,
    fullBarrier: () => void barriers++,
    sum64: (address, sum) => addWords(address >>> 0, 64, sum),
    sum256: (address, sum) => addWords(address >>> 0, 256, sum),
    scale: (value, factor) => (BigInt.asUintN(64, value) * BigInt.asUintN(64, factor)) >> 32n,
    tsc: () => (tsc += tscStep),
    cpuid: (leaf, subleaf, register) => cpuids.get(`${leaf >>> 0}.${subleaf >>> 0}.${register}`) ?? 0,
    readMsr: (msr) => msrs.get(msr >>> 0) ?? 0n,
    writeMsr: (msr, value) => void msrs.set(msr >>> 0, value),
    rdrand: () => {
      // xorshift64: reproducible, never 0.
      random ^= BigInt.asUintN(64, random << 13n);
      random ^= random >> 7n;
      random ^= BigInt.asUintN(64, random << 17n);
      return random;
    },
    idle: () => {
      if (interrupts.length) return interrupts.shift();
      if (hooks.idle) return hooks.idle();
      throw new Error("hal.idle: nothing will ever interrupt");
    },
    poll: () => (interrupts.length ? interrupts.shift() : -1),
    pause: () => void (tsc += pauseStep),
    setPageTables: (address) => void (pml4 = address),
    pageTables: () => pml4,
    invalidatePage: () => void invalidations++,
    faultAddress: () => BigInt(fault),
    loadWindow: (address) => {
      const user = address - WINDOW_BASE;
      if (user < 1n << 32n) return view().getBigUint64(userToLinear(Number(user), 8, false), true);
      let entry = BigInt(pml4);
      for (const shift of [39n, 30n, 21n, 12n])
        entry =
          view().getBigUint64(Number((entry & ~0xfffn) + (((address >> shift) & 511n) << 3n)), true) &
          0xffffffffff000n;
      return view().getBigUint64(Number(entry + (address & 0xfffn)), true);
    },
    copyFromUser: (destination, user, length) =>
      copy(user, length >>> 0, false, (done, linear, piece) =>
        bytes().copyWithin((destination >>> 0) + done, linear, linear + piece),
      ),
    copyToUser: (user, source, length) =>
      copy(user, length >>> 0, true, (done, linear, piece) =>
        bytes().copyWithin(linear, (source >>> 0) + done, (source >>> 0) + done + piece),
      ),
    switchStack: (save, stack) => {
      switches++;
      if (hooks.switch) return void hooks.switch(save, stack);
      throw new Error("hal.switchStack: a spec cannot block");
    },
    prepareStack: (top) => BigInt((top >>> 0) - 64),
    saveFpu: () => {},
    restoreFpu: () => {},
    image: (which) => images.get(which) ?? 0,
    exit: (status) => {
      exitStatus = status;
      throw new Error(`hal.exit(${status})`);
    },
    // On the machine the exception handler goes on from here; in a spec the caller does.
    raise: () => {},
  };

  const fake = {
    reset,
    setTsc: (ticks) => void (tsc = BigInt.asUintN(64, ticks)),
    advance: (ticks) => void (tsc = BigInt.asUintN(64, tsc + ticks)),
    setTscStep: (ticks) => void (tscStep = ticks),
    setPauseStep: (ticks) => void (pauseStep = ticks),
    setRandom: (seed) => void (random = BigInt.asUintN(64, seed) || 1n),
    lastExit: () => exitStatus,
    consoleHas: (pointer) => (console_.includes(text(pointer)) ? 1 : 0),
    consoleClear: () => void (console_ = ""),
    consolePrint: () => void process.stdout.write(console_),
    setPort: (port, value) => void ports.set(port, value >>> 0),
    queuePort: (port, value) => {
      if (!queues.has(port)) queues.set(port, []);
      queues.get(port).push(value >>> 0);
    },
    outCount: () => outs.length,
    outPort: (index) => outs[index].port,
    outWidth: (index) => outs[index].width,
    outValue: (index) => outs[index].value,
    outClear: () => void (outs = []),
    onIn: (index) => void (hooks.in = callback(index)),
    onOut: (index) => void (hooks.out = callback(index)),
    onRead: (index) => void (hooks.read = callback(index)),
    onWrite: (index) => void (hooks.write = callback(index)),
    onIdle: (index) => void (hooks.idle = callback(index)),
    onSwitch: (index) => void (hooks.switch = callback(index)),
    onWindow: (index) => void (hooks.window = callback(index)),
    setPci: (address, value, writable) => {
      pci.set((address & 0x7ffffffc) >>> 0, value >>> 0);
      pciMasks.set((address & 0x7ffffffc) >>> 0, writable >>> 0);
    },
    getPci: (address) => pci.get((address & 0x7ffffffc) >>> 0) ?? 0xffffffff,
    setMsr: (msr, value) => void msrs.set(msr >>> 0, BigInt.asUintN(64, value)),
    getMsr: (msr) => msrs.get(msr >>> 0) ?? 0n,
    setCpuid: (leaf, subleaf, register, value) =>
      void cpuids.set(`${leaf >>> 0}.${subleaf >>> 0}.${register}`, value),
    setImage: (which, value) => void images.set(which, value),
    queueInterrupt: (vector) => void interrupts.push(vector),
    setFaultAddress: (address) => void (fault = address),
    mapUser: (user, address, length) =>
      void userMaps.push({ user: user >>> 0, address: address >>> 0, length: length >>> 0 }),
    unmapUser: (user, length) =>
      void userHoles.push({ start: user >>> 0, end: (user >>> 0) + (length >>> 0) }),
    clearUser: () => {
      userMaps = [];
      userHoles = [];
    },
    barriers: () => barriers,
    invalidations: () => invalidations,
    switches: () => switches,
  };
  return { hal, fake };
}
