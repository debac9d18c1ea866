/**
 * The events of docs/aem-calls.md that tell of a connection's state, row by row: sk and sock, of connections that are accepted and of those that the guest opens.
 * spec/boot/apps/calls reports what it sees; what is right stands here.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { TcpScript } from "../wire/scenario.ts";
import { CallsMachine } from "./calls-machine.ts";
import { GuestServer } from "./guest-server.ts";
import { type Machine, bootWired, specImage } from "./machine.ts";
import {
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
} from "./numbers.ts";

describe("events of a connection's state", () => {
  let calls: CallsMachine;
  let machine: Machine;

  before(async () => {
    calls = await CallsMachine.start();
    ({ machine } = calls);
  });
  after(() => machine?.stop());

  describe("sockasync_sk", () => {
    /** What an accepted connection has gone through before the application could register anything. */
    const opened = [
      [LISTEN, SYN_RECV],
      [SYN_RECV, ESTABLISHED],
    ];

    test("a connection that the client closes: CLOSE_WAIT, LAST_ACK, CLOSE, in order", async () => {
      const { connection, fd, sk } = await calls.watched();
      connection.socket.end();
      await calls.rowWhere("sk", ([jid, , , to]) => jid === sk && to === CLOSE_WAIT);
      await calls.command("w", fd);
      await calls.rowWhere("sk", ([jid, , , to]) => jid === sk && to === CLOSE);
      assert.deepEqual(calls.transitions(sk), [
        ...opened,
        [ESTABLISHED, CLOSE_WAIT],
        [CLOSE_WAIT, LAST_ACK],
        [LAST_ACK, CLOSE],
      ]);
      connection.destroy();
    });

    test("a connection that the application closes: FIN_WAIT1, FIN_WAIT2, TIME_WAIT", async () => {
      const { connection, fd, sk } = await calls.watched();
      await connection.write("w");
      await calls.rowWhere("sk", ([jid, , , to]) => jid === sk && to === FIN_WAIT2);
      connection.socket.end();
      await calls.rowWhere("sk", ([jid, , , to]) => jid === sk && to === TIME_WAIT);
      assert.deepEqual(calls.transitions(sk).slice(0, 5), [
        ...opened,
        [ESTABLISHED, FIN_WAIT1],
        [FIN_WAIT1, FIN_WAIT2],
        [FIN_WAIT2, TIME_WAIT],
      ]);
      await calls.command("x", fd);
      connection.destroy();
    });

    test("a reset: CLOSE", async () => {
      const { connection, fd, sk } = await calls.watched();
      connection.socket.resetAndDestroy();
      await calls.rowWhere("sk", ([jid, , , to]) => jid === sk && to === CLOSE);
      assert.deepEqual(calls.transitions(sk), [...opened, [ESTABLISHED, CLOSE]]);
      await calls.command("x", fd);
    });
  });

  describe("sockasync_sock", () => {
    test("readiness: POLLOUT at once, POLLIN with data, POLLRDHUP at the end", async () => {
      const { connection, fd, sock } = await calls.watched();
      const seen = (): number =>
        machine.rows("sock").reduce((all, [jid, , bits]) => (jid === sock ? all | (bits as number) : all), 0);
      await calls.rowWhere(
        "sock",
        ([jid, on, bits, error]) =>
          jid === sock && on === fd && error === 0 && ((bits as number) & POLLOUT) !== 0,
      );
      assert.equal(seen() & (POLLIN | POLLRDHUP), 0, `bits ${seen()}`);
      // The read event would take the data before this one looks.
      await connection.write("s");
      await machine.waitForRows("read-stop", 1);
      await connection.write("data");
      await calls.rowWhere("sock", ([jid, , bits]) => jid === sock && ((bits as number) & POLLIN) !== 0);
      connection.socket.end();
      await calls.rowWhere("sock", ([jid, , bits]) => jid === sock && ((bits as number) & POLLRDHUP) !== 0);
      await calls.command("x", fd);
      connection.destroy();
    });
  });

  describe("active open", () => {
    let server: GuestServer;
    before(async () => {
      server = await GuestServer.start();
    });
    after(() => server?.stop());

    test("with events: -EINPROGRESS, SYN_SENT, ESTABLISHED; data; the whole way to TIME_WAIT", async () => {
      await calls.command("d", server.port);
      const [fd, sk, result] = (await machine.waitForRows("dial", 1))[0] as [number, number, number];
      assert.equal(result, EINPROGRESS);
      const watch = await calls.rowWhere("connection", ([on]) => on === fd);
      assert.ok(Math.min(...watch) > 0, watch.join(" "));
      const socket = await server.connection(1);
      socket.write("e from the server");
      const [echoed] = (await once(socket, "data")) as [Buffer];
      assert.equal(echoed.toString(), "e from the server");
      // Listening first: the end can come before the answer to the command.
      const ended = once(socket, "end");
      await calls.command("w", fd);
      await ended;
      socket.end();
      await calls.rowWhere("sk", ([jid, , , to]) => jid === sk && to === TIME_WAIT);
      assert.deepEqual(calls.transitions(sk).slice(0, 5), [
        [CLOSE, SYN_SENT],
        [SYN_SENT, ESTABLISHED],
        [ESTABLISHED, FIN_WAIT1],
        [FIN_WAIT1, FIN_WAIT2],
        [FIN_WAIT2, TIME_WAIT],
      ]);
      await calls.command("x", fd);
    });

    test("refused: SYN_SENT, CLOSE", async () => {
      const closed = createServer();
      closed.listen(0, "127.0.0.1");
      await once(closed, "listening");
      const nobody = (closed.address() as AddressInfo).port;
      closed.close();
      await once(closed, "close");
      const known = machine.rows("dial").length;
      await calls.command("d", nobody);
      const [fd, sk] = (await machine.waitForRows("dial", known + 1)).at(-1) as [number, number];
      await calls.rowWhere("sk", ([jid, , , to]) => jid === sk && to === CLOSE);
      assert.deepEqual(calls.transitions(sk), [
        [CLOSE, SYN_SENT],
        [SYN_SENT, CLOSE],
      ]);
      await calls.command("x", fd);
    });
  });
});

describe("calls, on a frame wire", () => {
  test("sockasync_sk: both sides close at the same moment: FIN_WAIT1, CLOSING, TIME_WAIT", async () => {
    const { machine, peer, stop } = await bootWired(specImage("calls.json"));
    const script = new TcpScript(peer, 2001);
    try {
      await machine.waitForRows("udp-registered");
      await script.run(`
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        // So that the guest's time-outs are long.
        +.3 < . 1:1(0) ack 1
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
