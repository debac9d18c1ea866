/**
 * The stack against itself over a bad link: whatever is lost, repeated, damaged or overtaken, both streams arrive octet for
 * octet, both ends close in order, and every object is given back.
 */
import { chance, seedChance } from "../../chance";
import { addTimerLevel, runTimers, timerPending, TIMER_TICK } from "../../../kernel/time/timers";
import { networkCounters } from "../../../net/counters";
import { setSocketLevel } from "../../../net/socket/rank";
import { Socket } from "../../../net/socket/socket";
import { tcpStatistics, TcpConnection } from "../../../net/socket/tcp/tcp";
import { accept, close, connect, create, listener, peekLength, read, shutdown, write } from "./ends";
import {
  accidents,
  calm,
  leftOver,
  MILLISECOND,
  MIRROR,
  run,
  SECOND,
  standStill,
  settleWorld,
  setUpWorld,
  step,
  time,
} from "./world";

/** The levels of the sockets change in the middle. */
let restless: bool = false;

class End {
  socket: Socket;
  out: u32;
  in: u32;
  sent: u32 = 0;
  received: u32 = 0;
  toSend: u32;
  toReceive: u32;
  closed: bool = false;
  done: bool = false;
  constructor(socket: Socket, out: u32, toSend: u32, toReceive: u32) {
    this.socket = socket;
    this.out = out;
    this.in = 1 - out;
    this.toSend = toSend;
    this.toReceive = toReceive;
  }

  /** Sends and reads some, as an application might. */
  work(): void {
    if (this.done) return;
    if (restless && chance(4) == 0) setSocketLevel(this.socket, chance(64));
    if (this.sent < this.toSend) {
      const some = chance(4) == 0 ? 1 + chance(300) : 1 + chance(20000);
      this.sent += write(this.socket, this.out, this.sent, min(some, this.toSend - this.sent));
    }
    if (this.sent == this.toSend && !this.closed) {
      shutdown(this.socket, 1);
      this.closed = true;
    }
    if (chance(3) != 0) this.received += read(this.socket, this.in, this.received, 1 + chance(40000));
    const length = peekLength(this.socket);
    if (length == 0 && this.received == this.toReceive && this.closed) {
      close(this.socket);
      this.done = true;
    } else if (length < 0 && length != -11) {
      abort("a connection failed");
    }
  }
}

/** One connection, both directions; true when all went well. */
function transfer(up: u32, down: u32, limit: u64, level: u32 = 32): string {
  const server = listener(7, 5);
  const socket = create();
  setSocketLevel(server, level);
  setSocketLevel(socket, level);
  connect(socket, MIRROR, 7);
  const client = new End(socket, 0, up, down);
  let peer: End | null = null;
  const end = time + limit;
  let finished = false;
  while (time < end) {
    if (peer === null) {
      const child = accept(server);
      if (child !== null) peer = new End(child, 1, down, up);
    }
    if (changetype<TcpConnection>(socket).state != 2) client.work();
    if (peer !== null) peer.work();
    if (client.done && peer !== null && peer.done) {
      finished = true;
      break;
    }
    run(chance(3) == 0 ? MILLISECOND * chance(30) : 1);
    if (chance(2) == 0) step();
  }
  close(server);
  settleWorld();
  return finished ? leftOver() : "not finished: " + client.received.toString() + " of " + down.toString();
}

describe("transfer over a link with accidents", () => {
  beforeAll(() => {
    setUpWorld();
    seedChance(1);
  });

  it("carries one octet each way", () => {
    expect(transfer(1, 1, 60 * SECOND)).toBe("");
  });

  it("carries nothing each way", () => {
    expect(transfer(0, 0, 60 * SECOND)).toBe("");
  });

  it("carries 10 MiB each way on a good link without a retransmission", () => {
    const before = tcpStatistics().retransmitted;
    expect(transfer(10 << 20, 10 << 20, 600 * SECOND)).toBe("");
    expect(tcpStatistics().retransmitted).toBe(before);
  });

  it("carries both streams through 1 % loss", () => {
    accidents.loss = 10;
    expect(transfer(1 << 20, 1 << 20, 600 * SECOND)).toBe("");
  });

  it("carries both streams over a device that keeps its buffers", () => {
    accidents.loss = 20;
    accidents.hold = true;
    expect(transfer(300000, 300000, 600 * SECOND)).toBe("");
  });

  it("survives thousands of schedules of loss, reordering, duplication, damage and refusal", () => {
    let failures = "";
    for (let seed: u32 = 0; seed < 2000 && failures == ""; seed++) {
      seedChance(1000 + seed);
      calm();
      accidents.loss = chance(120);
      accidents.duplicate = chance(100);
      accidents.corrupt = chance(50);
      accidents.refuse = chance(3) == 0 ? chance(80) : 0;
      accidents.hold = chance(2) == 0;
      accidents.delay = <u64>chance(50) * MILLISECOND;
      accidents.jitter = chance(2) == 0 ? 0 : chance(20000000);
      const result = transfer(chance(60000), chance(60000), 7200 * SECOND);
      if (result != "") failures = "seed " + seed.toString() + ": " + result;
    }
    expect(failures).toBe("");
  });

  it("survives hundreds of schedules in which packets wait until the level of their socket has its turn", () => {
    const bystander = create();
    setSocketLevel(bystander, 63);
    let failures = "";
    for (let seed: u32 = 0; seed < 300 && failures == ""; seed++) {
      seedChance(5000 + seed);
      calm();
      accidents.lazy = chance(900);
      accidents.loss = chance(60);
      accidents.delay = <u64>chance(20) * MILLISECOND;
      const result = transfer(chance(60000), chance(60000), 7200 * SECOND, chance(64));
      if (result != "connections 1") failures = "seed " + seed.toString() + ": " + result;
    }
    expect(failures).toBe("");
    close(bystander);
  });

  it("loses nothing of a connection whose packets wait, however long", () => {
    const bystander = create();
    setSocketLevel(bystander, 63);
    calm();
    accidents.lazy = 800;
    const before = networkCounters().packetsDropped;
    const retransmitted = tcpStatistics().retransmitted;
    // Steps go from one timer to the next while packets wait, so that a transfer takes hours of this clock where it often times out.
    expect(transfer(3 << 20, 100, 86400 * SECOND, 10)).toBe("connections 1");
    expect(networkCounters().packetsDropped).toBe(before);
    expect<bool>(tcpStatistics().retransmitted >= retransmitted).toBe(true);
    close(bystander);
  });

  it("sees nothing overtaken when the levels of its sockets change while packets wait", () => {
    const bystander = create();
    setSocketLevel(bystander, 63);
    restless = true;
    let failures = "";
    for (let seed: u32 = 0; seed < 100 && failures == ""; seed++) {
      seedChance(7000 + seed);
      calm();
      accidents.lazy = 600;
      const before = tcpStatistics().outOfOrder;
      const result = transfer(chance(300_000), chance(300_000), 7200 * SECOND, chance(64));
      if (result != "connections 1") failures = "seed " + seed.toString() + ": " + result;
      if (tcpStatistics().outOfOrder != before) failures = "seed " + seed.toString() + ": overtaken";
    }
    restless = false;
    expect(failures).toBe("");
    close(bystander);
  });

  it("has its timers at the level that its socket has, not at the one that it had when they were started", () => {
    calm();
    // Others have their timers with those of the highest one.
    expect<bool>(addTimerLevel(10) && addTimerLevel(32) && addTimerLevel(50)).toBe(true);
    const server = listener(7, 5);
    const socket = create();
    connect(socket, MIRROR, 7);
    run(100 * MILLISECOND);
    const child = accept(server)!;
    accidents.loss = 1000;
    write(socket, 0, 0, 100);
    setSocketLevel(socket, 50);
    const c = changetype<TcpConnection>(socket);
    const before = tcpStatistics().retransmitted;
    const due = c.retransmitTimer.expires;
    expect<bool>(due > time).toBe(true);
    runTimers(due - 1 - TIMER_TICK, 40);
    expect(tcpStatistics().retransmitted).toBe(before, "no sooner");
    expect<bool>(timerPending(c.retransmitTimer)).toBe(true);
    run(due - 1 - TIMER_TICK - time);
    standStill(2 * TIMER_TICK + 1);
    runTimers(due + TIMER_TICK, 40);
    expect(tcpStatistics().retransmitted).toBe(before + 1, "with those of levels above 40");
    setSocketLevel(socket, 10);
    runTimers(c.retransmitTimer.expires + TIMER_TICK, 11);
    expect(tcpStatistics().retransmitted).toBe(before + 1, "it is no such one any more");
    calm();
    close(socket);
    close(child);
    close(server);
    settleWorld();
    expect(leftOver()).toBe("");
  });
});
