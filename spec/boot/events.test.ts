/**
 * The events of docs/aem-calls.md on sockets, row by row: accept, read, close, sk, sock; active open; and the same with plain
 * blocking calls. spec/boot/apps/{calls,plain} report what they see; what is right stands here.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TcpScript } from "../wire/scenario.ts";
import { CallsMachine, type Watched } from "./calls-machine.ts";
import { Connection, askUdp } from "./client.ts";
import { type Machine, bootWired, specImage } from "./machine.ts";
import {
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ESRCH,
  ECONNRESET,
  ECONNREFUSED,
  EINPROGRESS,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  ESTABLISHED,
  SYN_SENT,
  FIN_WAIT1,
  FIN_WAIT2,
  TIME_WAIT,
  CLOSE,
  SYN_RECV,
  CLOSE_WAIT,
  LAST_ACK,
  LISTEN,
  CLOSING,
  HOST,
} from "./numbers.ts";

describe("events of sockets", () => {
  let calls: CallsMachine;
  let machine: Machine;
  const row = (name: string): number[] => calls.row(name);
  const rowWhere = (name: string, matches: (values: number[]) => boolean): Promise<number[]> =>
    calls.rowWhere(name, matches);
  const command = (letter: string, a = 0, b = 0): Promise<void> => calls.command(letter, a, b);
  const watched = (): Promise<Watched> => calls.watched();
  const transitions = (jid: number): [number, number][] => calls.transitions(jid);

  before(async () => {
    calls = await CallsMachine.start();
    ({ machine } = calls);
  });
  after(() => machine?.stop());

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

    test("EVJOBSHTDN with 1 delivers what waits, then ends the event", async () => {
      const { connection, read } = await watched();
      const stops = machine.rows("read-stop").length;
      await connection.write("s");
      await machine.waitForRows("read-stop", stops + 1);
      await connection.write("the last words");
      await sleep(100);
      await command("h", read, 1);
      await rowWhere("read", ([jid, , length]) => jid === read && length === 14);
      await connection.write("nobody listens");
      await sleep(200);
      const lengths = machine.rows("read").flatMap(([jid, , length]) => (jid === read ? [length] : []));
      assert.deepEqual(lengths, [1, 14]);
      await command("l", read);
      await rowWhere("lookup", ([asked, result]) => asked === read && result === ESRCH);
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
      [LISTEN, SYN_RECV],
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
      // Listening first: the end can come before the answer to the command.
      const ended = once(socket, "end");
      await command("w", fd);
      await ended;
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

    test("blocking: recvfrom, sendmsg of a datagram in pieces", async () => {
      assert.equal(
        (await askUdp(machine.udp(2011), Buffer.from("0123456789"))).toString(),
        "01234567",
        "cut to the buffer",
      );
      await machine.waitForRows("plain-udp-close", 1);
      assert.deepEqual(row("plain-udp-bind"), [0]);
      assert.deepEqual(row("plain-udp-recvfrom"), [8, 16]);
      assert.deepEqual(row("plain-udp-sendmsg"), [8]);
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

    test("blocking and not: sendmsg of a head and a body in pieces, which arrive as one stream", async () => {
      const [pieces, piece, rounds] = [63, 4001, 8];
      const body = Buffer.alloc(pieces * piece);
      for (let at = 0; at < body.length; at++) body[at] = at * 7 + Math.floor(at / piece);
      const whole = Buffer.concat([Buffer.from("head\r\n\r\n"), ...Array<Buffer>(1 + rounds).fill(body)]);
      const connection = await Connection.open(machine.tcp(2010));
      // So that there is no room for some of it.
      connection.socket.pause();
      await connection.write(Buffer.from([0, 0, 0, 1]));
      setTimeout(() => connection.socket.resume(), 700);
      const answer = await connection.readToEnd(30000);
      connection.destroy();
      assert.equal(answer.length, whole.length);
      assert.ok(answer.equals(whole), "other bytes came");
      assert.deepEqual(row("plain-pieces-refused"), [EMSGSIZE, EFAULT, EFAULT, EFAULT, EFAULT]);
      assert.deepEqual(row("plain-pieces"), [8 + body.length]);
      assert.deepEqual(row("plain-pieces-unblocked"), [1]);
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
});

describe("calls, on a frame wire", () => {
  test("sockasync_sk: both sides close at the same moment: FIN_WAIT1, CLOSING, TIME_WAIT", async () => {
    const { machine, peer, stop } = await bootWired(specImage("calls.json"));
    const script = new TcpScript(peer, 2001);
    try {
      await machine.waitForRows("udp-registered", 1, 10000);
      await script.run(`
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1
        +0 < P. 1:2(1) ack 1 "w"
        *  >> F. 1:1(0) ack 2
        +0 < F. 2:2(0) ack 1
        +0 > . 2:2(0) ack 3
        +.1 < . 3:3(0) ack 2
        quiet 0.3
      `);
      const seen = (await machine.waitForRows("sk", 5)).map(([, , from, to]) => [from, to]);
      assert.deepEqual(seen, [
        [LISTEN, SYN_RECV],
        [SYN_RECV, ESTABLISHED],
        [ESTABLISHED, FIN_WAIT1],
        [FIN_WAIT1, CLOSING],
        [CLOSING, TIME_WAIT],
      ]);
    } finally {
      script.dispose();
      await stop();
    }
  });
});
