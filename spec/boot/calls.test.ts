/**
 * Every call of docs/aem-calls.md, row by row, and the plain calls: spec/boot/apps/{calls,plain,signals,keepalive} report what they see,
 * what is right stands here.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { address } from "../wire/frame.ts";
import { Connection, askUdp } from "./client.ts";
import { type Machine, boot, specImage } from "./machine.ts";

const EINTR = -4;
const EBADF = -9;
const EAGAIN = -11;
const EFAULT = -14;
const EBUSY = -16;
const EINVAL = -22;
const ESRCH = -3;
const EDESTADDRREQ = -89;
const EPROTONOSUPPORT = -93;
const ESOCKTNOSUPPORT = -94;
const EOPNOTSUPP = -95;
const EAFNOSUPPORT = -97;
const EADDRINUSE = -98;
const EADDRNOTAVAIL = -99;
const ECONNRESET = -104;
const ENOTCONN = -107;
const ECONNREFUSED = -111;
const EINPROGRESS = -115;
const SIGUSR1 = 10;
const SIGUSR2 = 12;
const SIGTERM = 15;
const POLLIN = 1;
const POLLOUT = 4;
const POLLRDHUP = 0x2000;

// TCP states, Linux's numbers.
const ESTABLISHED = 1;
const SYN_SENT = 2;
const FIN_WAIT1 = 4;
const FIN_WAIT2 = 5;
const TIME_WAIT = 6;
const CLOSE = 7;
const SYN_RECV = 3;
const CLOSE_WAIT = 8;
const LAST_ACK = 9;

const HOST = address("10.0.2.2");

describe("calls", () => {
  let machine: Machine;

  before(async () => {
    machine = await boot(specImage("calls.json"), { tcp: [2001, 2002, 2010], udp: [2000, 2003, 2011] });
    await machine.waitForRows("udp-registered", 1, 10000);
  });
  after(() => machine?.stop());

  /** Exactly one row of this name; its values. */
  function row(name: string): number[] {
    const rows = machine.rows(name);
    assert.equal(rows.length, 1, `rows "${name}": ${JSON.stringify(rows)}\n${machine.console()}`);
    return rows[0] as number[];
  }

  /** Waits for a row that `matches`, among those of this name. */
  async function rowWhere(
    name: string,
    matches: (values: number[]) => boolean,
    ms = 5000,
  ): Promise<number[]> {
    const deadline = Date.now() + ms;
    for (;;) {
      const found = machine.rows(name).find(matches);
      if (found) return found;
      const seen = JSON.stringify(machine.rows(name));
      assert.ok(
        Date.now() < deadline,
        `no such row "${name}" within ${ms} ms; seen: ${seen}\n${machine.console()}`,
      );
      await sleep(10);
    }
  }

  /** A command to the control port of `calls`. */
  async function command(letter: string, a = 0, b = 0): Promise<void> {
    const message = Buffer.alloc(9);
    message.write(letter);
    message.writeUInt32BE(a, 1);
    message.writeUInt32BE(b, 5);
    await askUdp(machine.udp(2000), message);
  }

  /** A connection to port 2001 and the numbers of its registrations. */
  async function watched() {
    const known = machine.rows("connection").length;
    const connection = await Connection.open(machine.tcp(2001));
    const rows = await machine.waitForRows("connection", known + 1);
    const [fd, sk, sock, read, close] = rows.at(-1) as [number, number, number, number, number];
    assert.ok(
      Math.min(fd, sk, sock, read, close) > 0,
      `a registration failed: ${[fd, sk, sock, read, close].join(" ")}`,
    );
    return { connection, fd, sk, sock, read, close };
  }

  /** Transitions that an sk event has reported so far. */
  function transitions(jid: number): [number, number][] {
    return machine
      .rows("sk")
      .flatMap(([j, , from, to]) => (j === jid ? [[from as number, to as number]] : []));
  }

  describe("results that need nothing from outside", () => {
    const expected: [string, ...number[]][] = [
      ["kill-none", ESRCH],
      ["kill-signal", EINVAL],
      ["kill-ask", 0],
      ["sigtake-none", 0],
      ["nanosleep", 0],
      ["nanosleep-negative", EINVAL],
      ["clock-unknown", EINVAL],
      ["getrandom", 32, 32],
      ["getrandom-differs", 1],
      ["getrandom-nowhere", EFAULT],
      ["getrandom-flags", EINVAL],
      ["log-nowhere", EFAULT],
      ["log-level", EINVAL],
      ["log-wraps", EFAULT],
      ["sysinfo", 16, 1],
      ["sysinfo-nowhere", EFAULT],
      ["keep-none", EINVAL],
      ["free-none", EINVAL, EINVAL],
      ["socket-family", EAFNOSUPPORT],
      ["socket-type", ESOCKTNOSUPPORT],
      ["socket-protocol", EPROTONOSUPPORT],
      ["bind-foreign", EADDRNOTAVAIL],
      ["bind-short", EINVAL],
      ["bind-nowhere", EFAULT],
      ["bind", 0],
      ["bind-again", EINVAL],
      ["peer-none", ENOTCONN],
      ["send-none", ENOTCONN],
      ["recv-none", ENOTCONN],
      ["shutdown-none", ENOTCONN],
      ["listen", 0],
      ["accept-none", EAGAIN],
      ["bind-used", EADDRINUSE],
      ["close", 0],
      ["close-again", EBADF],
      ["close-never", EBADF],
      ["listen-udp", EOPNOTSUPP],
      ["connect-nowhere", EFAULT],
      ["udp-send-none", EDESTADDRREQ],
      ["unknown-flag", EINVAL],
      ["priority-63", 1],
      ["priority-64", EINVAL],
      ["accept-bad-fd", EBADF],
      ["read-bad-fd", EBADF],
      ["close-bad-fd", EBADF],
      ["sk-bad-fd", EBADF],
      ["sock-bad-fd", EBADF],
      ["accept-on-udp", EOPNOTSUPP],
      ["close-on-udp", EOPNOTSUPP],
      ["sk-on-udp", EOPNOTSUPP],
      ["read-on-listener", EINVAL],
      ["accept-bad-address", EFAULT],
      ["handler-no-entry", EINVAL],
      ["handler-other-type", EINVAL],
      ["handler-timer-type", EINVAL],
      ["timer-negative", EINVAL],
      ["timer-negative-period", EINVAL],
      ["twice", 1],
      ["gone-with-fd", ESRCH],
      ["evctl-lookup", 1],
      ["evctl-priority", 0],
      ["evctl-priority-64", EINVAL],
      ["evctl-statistics", 0, 64],
      ["evctl-statistics-type", 5],
      ["evctl-statistics-priority", 63],
      ["evctl-statistics-counts", 0, 0, 0],
      ["evctl-statistics-nowhere", EFAULT],
      ["evctl-stop", 0],
      ["evctl-lookup-stopped", 9],
      ["evctl-start", 0],
      ["evctl-lookup-started", 1],
      ["evctl-unknown-operation", EINVAL],
      ["evctl-shutdown-argument", EINVAL],
      ["evctl-shutdown", 0],
      ["evctl-lookup-ended", ESRCH],
      ["evctl-unknown-jid", ESRCH],
      ["evctl-jid-0", ESRCH],
      ["timer-hold", 0],
    ];
    for (const [name, ...values] of expected)
      test(`${name}: ${values.join(" ")}`, () => assert.deepEqual(row(name), values));

    test("a sleep of 20 ms takes 20 ms and not much more", () => {
      const [slept = NaN] = row("slept-20ms");
      assert.ok(slept >= 20e6 && slept < 200e6, `${slept} ns`);
    });

    for (const call of ["accept", "read", "close", "sk", "sock", "timer"]) {
      test(`${call}: executors that there are not yet (FORK, CAPSULE, NOCLDWAIT, THREAD) are -EOPNOTSUPP`, () => {
        assert.deepEqual(
          machine.rows(`flag-${call}`),
          [2, 4, 8, 32].map((flag) => [flag, EOPNOTSUPP]),
        );
      });
    }
  });

  describe("evtimer", () => {
    before(() => machine.waitForRows("timers-done", 1, 10000));

    test("one-shot: once, not before its time, and then it is gone", () => {
      const [jid, overrun, micros] = row("timer-once") as [number, number, number];
      assert.ok(jid > 0);
      assert.equal(overrun, 0);
      assert.ok(micros >= 30_000 && micros < 300_000, `after ${micros} us`);
      assert.deepEqual(row("timer-once-ended"), [ESRCH]);
    });
    test("periodic with EVF_ONESHOT: once", () => assert.deepEqual(row("timer-oneshot-periodic"), [1]));
    test("periodic: 50 periods take 50 periods, no drift", () => {
      const [rounds, drift] = row("timer-drift") as [number, number];
      assert.ok(rounds >= 50, `${rounds} expirations`);
      assert.ok(drift >= 0 && drift < 10_000, `${drift} us behind after ${rounds} periods of 10 ms`);
    });
    test("shut down in its own handler: 0, then it is unknown", () =>
      assert.deepEqual(row("timer-shutdown-in-handler"), [0, ESRCH]));
    test("a handler of 55 ms misses expirations of 10 ms: the next call says how many", () => {
      const [overrun = NaN] = row("timer-overrun");
      assert.ok(overrun >= 4 && overrun <= 40, `overrun ${overrun}`);
    });
    test("held by EVJOBSTOP for 95 ms: one call with what was missed, after EVJOBSTART", () => {
      const [state = NaN] = row("timer-lookup-held");
      assert.equal(state & 9, 9, `state ${state}: registered and stopped`);
      assert.deepEqual(row("timer-release"), [0]);
      const [overrun, micros] = row("timer-held") as [number, number];
      assert.ok(overrun >= 8 && overrun <= 40, `overrun ${overrun}`);
      assert.ok(micros >= 105_000, `after ${micros} us`);
    });
    test("enter_keepalive in a handler: -EBUSY", () =>
      assert.deepEqual(row("timer-keepalive-in-handler"), [EBUSY]));
  });

  describe("enter_keepalive", () => {
    test("EVF_KEEPALIVE: returns 0 when the last event with the flag has ended", async () => {
      await machine.waitForRows("keepalive-result", 1);
      assert.deepEqual(row("keepalive-short"), [0]);
      assert.deepEqual(row("keepalive-long"), [0]);
      assert.deepEqual(row("keepalive-result"), [0]);
    });

    test("SIGUSR1, SIGUSR2 and SIGTERM of another process: -EINTR, and sigtake says which", async () => {
      const [pid] = row("signals-pid") as [number];
      await command("k", pid, SIGUSR1);
      await machine.waitForRows("signals-sleeping", 1);
      assert.deepEqual(machine.rows("signals-keepalive"), [[EINTR, SIGUSR1, 0]]);
      await command("k", pid, SIGUSR2);
      assert.deepEqual(
        await machine.waitForRows("signals-sleep", 1),
        [[EINTR, SIGUSR2]],
        "nanosleep is interrupted",
      );
      await command("k", pid, SIGUSR2);
      assert.deepEqual((await machine.waitForRows("signals-keepalive", 2))[1], [EINTR, SIGUSR2, 0]);
      await command("k", pid, SIGTERM);
      assert.deepEqual((await machine.waitForRows("signals-keepalive", 3))[2], [EINTR, SIGTERM, 0]);
      await machine.guest.waitFor(/signals\) exited with status 5/, 3000);
      await command("k", pid, SIGTERM);
      await rowWhere("kill", ([to, signal, result]) => to === pid && signal === SIGTERM && result === ESRCH);
    });
  });

  describe("sockasync_accept", () => {
    test("jid, listener, new descriptor; and the peer's address where it was asked for", async () => {
      const { connection, fd } = await watched();
      const [jid, listener] = row("accept-registered") as [number, number];
      assert.ok(jid > 0);
      assert.deepEqual(machine.rows("accept").at(-1), [jid, listener, fd]);
      const peer = await rowWhere("accept-peer", ([newfd]) => newfd === fd);
      assert.deepEqual(peer.slice(0, 4), [fd, 16, 2, HOST]);
      assert.ok((peer[4] as number) > 0, `port ${peer[4]}`);
      connection.destroy();
    });

    test("EVF_ONESHOT: the first connection only", async () => {
      const [jid] = row("oneshot-registered") as [number];
      const first = await Connection.open(machine.tcp(2002));
      await machine.waitForRows("oneshot", 1);
      const second = await Connection.open(machine.tcp(2002));
      await sleep(300);
      assert.equal(machine.rows("oneshot").length, 1);
      assert.equal(machine.rows("oneshot")[0]?.[0], jid);
      await command("l", jid);
      await rowWhere("lookup", ([asked, result]) => asked === jid && result === ESRCH);
      first.destroy();
      second.destroy();
    });

    test("each of 20 connections is reported", async () => {
      const known = machine.rows("accept").length;
      const connections: Connection[] = [];
      for (let i = 1; i <= 20; i++) {
        connections.push(await Connection.open(machine.tcp(2001)));
        await machine.waitForRows("accept", known + i);
      }
      const rows = (await machine.waitForRows("accept", known + 20)).slice(known);
      assert.equal(new Set(rows.map(([, , fd]) => fd)).size, 20, "20 descriptors");
      for (const connection of connections) connection.destroy();
    });
  });

  describe("sockasync_read", () => {
    test("jid, descriptor, data, length, no sender for TCP; the block can be sent from", async () => {
      const { connection, fd, read } = await watched();
      await connection.write("echo this");
      assert.equal((await connection.read(9)).toString(), "echo this");
      await rowWhere("read", (values) => values.join() === [read, fd, 9, 0, 0x65].join());
      connection.destroy();
    });

    test("the end of the stream: length 0, once, after the data", async () => {
      const { connection, fd, read } = await watched();
      connection.socket.end("no command");
      await rowWhere("read", ([jid, , length]) => jid === read && length === 0);
      await sleep(100);
      const mine = machine.rows("read").filter(([jid]) => jid === read);
      assert.deepEqual(mine, [
        [read, fd, 10, 0, 0x6e],
        [read, fd, 0, 0, -1],
      ]);
      await command("x", fd);
      connection.destroy();
    });

    test("a reset: length -ECONNRESET", async () => {
      const { connection, fd, read } = await watched();
      connection.socket.resetAndDestroy();
      await rowWhere("read", ([jid, , length]) => jid === read && length === ECONNRESET);
      await command("x", fd);
    });

    test("UDP: the sender's address, and datagrams stay datagrams, of no bytes too", async () => {
      const [jid, fd] = row("udp-registered") as [number, number];
      for (const size of [1, 700, 1472]) {
        const data = randomBytes(size);
        assert.ok((await askUdp(machine.udp(2003), data)).equals(data));
        const values = await rowWhere("udp-read", ([, , length]) => length === size);
        assert.deepEqual(values.slice(0, 5), [jid, fd, size, 2, HOST]);
        assert.ok((values[5] as number) > 0);
      }
    });

    test("vmtable_keep: the block is the application's until vmtable_free, each works once", async () => {
      const { connection } = await watched();
      await connection.write("kZ");
      assert.deepEqual(await machine.waitForRows("keep", 1), [[0, EINVAL]]);
      await connection.write("other data that would take its place");
      await sleep(50);
      await connection.write("f");
      assert.deepEqual(await machine.waitForRows("free", 1), [["Z".charCodeAt(0), 0, EINVAL]]);
      connection.destroy();
    });

    test("EVJOBSTOP holds the data in the socket, EVJOBSTART delivers them", async () => {
      const { connection, read } = await watched();
      await connection.write("s");
      assert.deepEqual(await machine.waitForRows("read-stop", 1), [[0]]);
      await connection.write("while it is stopped");
      await sleep(200);
      const calls = (): number[][] => machine.rows("read").filter(([jid]) => jid === read);
      assert.equal(calls().length, 1, JSON.stringify(calls()));
      await command("s", read);
      await rowWhere("read", ([jid, , length]) => jid === read && length === 19);
      connection.destroy();
    });

    test("EVJOBSHTDN ends the event: nothing is delivered any more", async () => {
      const { connection, read } = await watched();
      await command("h", read, 0);
      await connection.write("nobody listens");
      await sleep(200);
      assert.deepEqual(
        machine.rows("read").filter(([jid]) => jid === read),
        [],
      );
      await command("l", read);
      await rowWhere("lookup", ([asked, result]) => asked === read && result === ESRCH);
      connection.destroy();
    });
  });

  describe("sockasync_close", () => {
    test("an orderly end: error 0, once, after the data", async () => {
      const { connection, fd, close, read } = await watched();
      connection.socket.end("bye");
      const event = await rowWhere("close-event", ([jid]) => jid === close);
      assert.deepEqual(event, [close, fd, 0]);
      const lines = machine.guest.lines.filter(
        (line) => line.includes(`row read ${read} `) || line.includes(`row close-event ${close} `),
      );
      assert.match(lines.at(-1) ?? "", /close-event/, lines.join("\n"));
      await sleep(100);
      assert.equal(machine.rows("close-event").filter(([jid]) => jid === close).length, 1);
      await command("x", fd);
      connection.destroy();
    });

    test("a reset: error ECONNRESET", async () => {
      const { connection, fd, close } = await watched();
      connection.socket.resetAndDestroy();
      const event = await rowWhere("close-event", ([jid]) => jid === close);
      assert.deepEqual(event.slice(0, 2), [close, fd]);
      assert.equal(event[2], ECONNRESET);
      await command("x", fd);
    });
  });

  describe("sockasync_sk", () => {
    /** What an accepted connection has gone through before the application could register anything. */
    const opened = [
      [CLOSE, SYN_RECV],
      [SYN_RECV, ESTABLISHED],
    ];

    test("a connection that the client closes: CLOSE_WAIT, LAST_ACK, CLOSE, in order", async () => {
      const { connection, fd, sk } = await watched();
      connection.socket.end();
      await rowWhere("sk", ([jid, , , to]) => jid === sk && to === CLOSE_WAIT);
      await command("w", fd);
      await rowWhere("sk", ([jid, , , to]) => jid === sk && to === CLOSE);
      assert.deepEqual(transitions(sk), [
        ...opened,
        [ESTABLISHED, CLOSE_WAIT],
        [CLOSE_WAIT, LAST_ACK],
        [LAST_ACK, CLOSE],
      ]);
      connection.destroy();
    });

    test("a connection that the application closes: FIN_WAIT1, FIN_WAIT2, TIME_WAIT", async () => {
      const { connection, fd, sk } = await watched();
      await connection.write("w");
      await rowWhere("sk", ([jid, , , to]) => jid === sk && to === FIN_WAIT2);
      connection.socket.end();
      await rowWhere("sk", ([jid, , , to]) => jid === sk && to === TIME_WAIT);
      assert.deepEqual(transitions(sk).slice(0, 5), [
        ...opened,
        [ESTABLISHED, FIN_WAIT1],
        [FIN_WAIT1, FIN_WAIT2],
        [FIN_WAIT2, TIME_WAIT],
      ]);
      await command("x", fd);
      connection.destroy();
    });

    test("a reset: CLOSE", async () => {
      const { connection, fd, sk } = await watched();
      connection.socket.resetAndDestroy();
      await rowWhere("sk", ([jid, , , to]) => jid === sk && to === CLOSE);
      assert.deepEqual(transitions(sk), [...opened, [ESTABLISHED, CLOSE]]);
      await command("x", fd);
    });
  });

  describe("sockasync_sock", () => {
    test("readiness: POLLOUT at once, POLLIN with data, POLLRDHUP at the end", async () => {
      const { connection, fd, sock } = await watched();
      const seen = (): number =>
        machine.rows("sock").reduce((all, [jid, , bits]) => (jid === sock ? all | (bits as number) : all), 0);
      await rowWhere(
        "sock",
        ([jid, on, bits, error]) =>
          jid === sock && on === fd && error === 0 && ((bits as number) & POLLOUT) !== 0,
      );
      assert.equal(seen() & (POLLIN | POLLRDHUP), 0, `bits ${seen()}`);
      // The read event would take the data before this one looks.
      await connection.write("s");
      await machine.waitForRows("read-stop", 2);
      await connection.write("data");
      await rowWhere("sock", ([jid, , bits]) => jid === sock && ((bits as number) & POLLIN) !== 0);
      connection.socket.end();
      await rowWhere("sock", ([jid, , bits]) => jid === sock && ((bits as number) & POLLRDHUP) !== 0);
      await command("x", fd);
      connection.destroy();
    });
  });

  describe("active open", () => {
    let server: Server;
    let port: number;
    const accepted: Socket[] = [];

    before(async () => {
      server = createServer({ allowHalfOpen: true }, (socket) => {
        socket.on("error", () => {});
        accepted.push(socket);
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      port = (server.address() as AddressInfo).port;
    });
    after(() => {
      for (const socket of accepted) socket.destroy();
      server.close();
    });

    /** The server's end of the guest's connection number `count`. */
    async function serverSide(count: number): Promise<Socket> {
      const deadline = Date.now() + 5000;
      while (accepted.length < count) {
        assert.ok(Date.now() < deadline, `no connection from the guest\n${machine.console()}`);
        await sleep(10);
      }
      return accepted[count - 1] as Socket;
    }

    test("with events: -EINPROGRESS, SYN_SENT, ESTABLISHED; data; the whole way to TIME_WAIT", async () => {
      await command("d", port);
      const [fd, sk, result] = (await machine.waitForRows("dial", 1))[0] as [number, number, number];
      assert.equal(result, EINPROGRESS);
      const watch = await rowWhere("connection", ([on]) => on === fd);
      assert.ok(Math.min(...watch) > 0, watch.join(" "));
      const socket = await serverSide(1);
      socket.write("e from the server");
      const [echoed] = (await once(socket, "data")) as [Buffer];
      assert.equal(echoed.toString(), "e from the server");
      await command("w", fd);
      await once(socket, "end");
      socket.end();
      await rowWhere("sk", ([jid, , , to]) => jid === sk && to === TIME_WAIT);
      assert.deepEqual(transitions(sk).slice(0, 5), [
        [CLOSE, SYN_SENT],
        [SYN_SENT, ESTABLISHED],
        [ESTABLISHED, FIN_WAIT1],
        [FIN_WAIT1, FIN_WAIT2],
        [FIN_WAIT2, TIME_WAIT],
      ]);
      await command("x", fd);
    });

    test("refused: SYN_SENT, CLOSE", async () => {
      const closed = createServer();
      closed.listen(0, "127.0.0.1");
      await once(closed, "listening");
      const nobody = (closed.address() as AddressInfo).port;
      closed.close();
      await once(closed, "close");
      const known = machine.rows("dial").length;
      await command("d", nobody);
      const [fd, sk] = (await machine.waitForRows("dial", known + 1)).at(-1) as [number, number];
      await rowWhere("sk", ([jid, , , to]) => jid === sk && to === CLOSE);
      assert.deepEqual(transitions(sk), [
        [CLOSE, SYN_SENT],
        [SYN_SENT, CLOSE],
      ]);
      await command("x", fd);
    });

    test("blocking: recvfrom, sendto", async () => {
      assert.equal(
        (await askUdp(machine.udp(2011), Buffer.from("0123456789"))).toString(),
        "01234567",
        "cut to the buffer",
      );
      await machine.waitForRows("plain-udp-close", 1);
      assert.deepEqual(row("plain-udp-bind"), [0]);
      assert.deepEqual(row("plain-udp-recvfrom"), [8, 16]);
      assert.deepEqual(row("plain-udp-sendto"), [8]);
    });

    test("blocking: bind, listen, getsockname, accept, recv, send, close", async () => {
      await machine.waitForRows("plain-sockname", 1);
      assert.deepEqual(row("plain-listen"), [0]);
      assert.deepEqual(row("plain-sockname"), [0, 16, 2, 0, 2010]);
      const data = randomBytes(500_000);
      const connection = await Connection.open(machine.tcp(2010));
      connection.socket.end(data);
      assert.ok((await connection.readToEnd(20000)).equals(data), "other bytes came back");
      connection.destroy();
      assert.deepEqual((await machine.waitForRows("plain-close", 1))[0], [0]);
      const accept = machine.rows("plain-accepted")[0] as number[];
      assert.deepEqual(accept.slice(0, 4), [0, 16, 2, HOST]);
      assert.deepEqual(machine.rows("plain-carried")[0], [data.length]);
      assert.deepEqual(machine.rows("plain-so-error")[0], [0, 0]);
    });

    test("blocking: connect, getpeername, shutdown; data from the server to a client", async () => {
      const first = Buffer.from([0, 0, port >> 8, port & 255]);
      const connection = await Connection.open(machine.tcp(2010));
      await connection.write(first);
      const socket = await serverSide(2);
      const greeting: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => greeting.push(chunk));
      await once(socket, "end");
      assert.equal(Buffer.concat(greeting).toString("utf16le"), "hello");
      const data = randomBytes(300_000);
      socket.end(data);
      assert.ok((await connection.readToEnd(20000)).equals(data), "other bytes were carried");
      connection.destroy();
      assert.deepEqual(row("plain-connect"), [0]);
      assert.deepEqual(row("plain-dial-peer"), [0, 16, 2, HOST, port]);
      assert.deepEqual(row("plain-dial-shutdown"), [0]);
      assert.deepEqual(await machine.waitForRows("plain-dial-carried", 1), [[data.length]]);
    });

    test("blocking: connect to a port that refuses: -ECONNREFUSED", async () => {
      server.close();
      for (const socket of accepted) socket.destroy();
      await sleep(50);
      const connection = await Connection.open(machine.tcp(2010));
      await connection.write(Buffer.from([0, 0, port >> 8, port & 255]));
      await connection.readToEnd();
      connection.destroy();
      assert.deepEqual((await machine.waitForRows("plain-connect", 2))[1], [ECONNREFUSED]);
    });
  });

  test("EVTBLINIT ends every event of the process, and says how many", async () => {
    await command("t");
    const [first, second, own] = (await machine.waitForRows("tblinit", 1))[0] as [number, number, number];
    assert.ok(first >= 5, `${first} events`);
    assert.equal(second, 0);
    assert.equal(own, ESRCH);
    await assert.rejects(askUdp(machine.udp(2000), Buffer.from("lllllllll"), 700), /no answer/);
  });
});
