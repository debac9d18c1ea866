/**
 * Requirements 3.1.1 to 3.1.4 and 3.6.3 in a booted image: registrations, handlers, identifiers, timers.
 * spec/boot/apps/aem-registration reports what it sees; what is right stands here.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Connection, askUdp } from "../client.ts";
import { type Machine, boot, specImage } from "../machine.ts";
import { EBADF, EFAULT, EINVAL, EOPNOTSUPP, ESRCH, ESTABLISHED, POLLRDHUP } from "../numbers.ts";

/** Types of event, and the handler that each expects, as the kernel log has it. */
const KINDS = [
  ["accept", "(jid: i32, fd: i32, newfd: i32) => void"],
  ["read", "(jid: i32, fd: i32, data: i32, length: i32, from: i32) => void"],
  ["close", "(jid: i32, fd: i32, error: i32) => void"],
  ["sk", "(jid: i32, fd: i32, oldState: i32, newState: i32) => void"],
  ["sock", "(jid: i32, fd: i32, events: i32, error: i32) => void"],
  ["timer", "(jid: i32, overrun: i32) => void"],
] as const;
const [ACCEPT, READ, CLOSE, SK, SOCK, TIMER] = [0, 1, 2, 3, 4, 5];
const REGISTERED = 1;
const HANDLING = 4;
const STOPPED = 8;
const DEFAULT_PRIORITY = 32;

interface Accepted {
  connection: Connection;
  fd: number;
  /** Identifiers of the events on it. */
  read: number;
  readToo: number;
  close: number;
  closeAgain: number;
  closeToo: number;
  sk: number;
  sock: number;
}

describe("registration", () => {
  let machine: Machine;

  /** The values of the one row of this name, as soon as it is there. */
  const only = async (name: string): Promise<number[]> => {
    const rows = await machine.waitForRows(name, 1, 30_000);
    assert.equal(rows.length, 1, `rows "${name}": ${JSON.stringify(rows)}\n${machine.console()}`);
    return rows[0] as number[];
  };
  /** Waits for rows of this name with this first value; all that there are then. */
  const rowsOf = async (name: string, first: number, count = 1): Promise<number[][]> => {
    const found = (): number[][] => machine.rows(name).filter(([value]) => value === first);
    await machine.until(`${count} rows "${name} ${first}"`, () => found().length >= count);
    return found();
  };
  const command = async (letter: string, argument: number): Promise<void> => {
    const message = Buffer.alloc(5);
    message.write(letter);
    message.writeInt32BE(argument, 1);
    await askUdp(machine.udp(2100), message);
  };
  const lookup = async (jid: number): Promise<number> => {
    const known = machine.rows("lookup").length;
    await command("l", jid);
    const rows = (await machine.waitForRows("lookup", known + 1)).slice(known);
    return rows.find(([asked]) => asked === jid)?.[1] as number;
  };
  const accept = async (): Promise<Accepted> => {
    const known = machine.rows("accepted").length;
    const connection = await Connection.open(machine.tcp(2101));
    await machine.waitForRows("accepted", known + 1);
    const [fd, read, readToo, close, closeAgain, closeToo] = machine.rows("connection").at(-1) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const [, sk, sock] = machine.rows("connection-states").at(-1) as [number, number, number];
    return { connection, fd, read, readToo, close, closeAgain, closeToo, sk, sock };
  };

  before(async () => {
    machine = await boot(specImage("aem-registration.json"), { tcp: [2101], udp: [2100, 2102] });
    await machine.waitForRows("control");
    await machine.waitForRows("stranger-ready");
  });
  after(() => machine?.stop());

  test("3.1.1 a registration returns an identifier, another one each time", async () => {
    const { connection, fd, ...jids } = await accept();
    const [, listening] = await only("listening");
    const timers = await only("timer-registered");
    const all = [...Object.values(jids), listening as number, ...timers];
    assert.ok(
      all.every((jid) => jid > 0),
      all.join(" "),
    );
    assert.equal(new Set(all).size, all.length, all.join(" "));
    await command("x", fd);
    connection.destroy();
  });

  test("3.1.1 or a standard error value, and then nothing is registered", async () => {
    assert.deepEqual(await only("bad-time"), [EINVAL, EINVAL]);
    assert.deepEqual(await only("bad-flags"), [EINVAL, EINVAL]);
    assert.deepEqual(await only("bad-source"), [EINVAL, EOPNOTSUPP]);
    assert.deepEqual(await only("bad-descriptor"), [EBADF, EBADF]);
    assert.deepEqual(await only("bad-address"), [EFAULT]);
    assert.deepEqual(await only("left-behind"), [0], "events of the process after all these refusals");
  });

  test("3.1.1 an event may be registered more than once, for the same handler with the same priority", async () => {
    const { connection, fd, close, closeAgain } = await accept();
    const [priorities] = (await rowsOf("connection-priorities", fd)).slice(-1);
    assert.deepEqual(priorities, [fd, DEFAULT_PRIORITY, DEFAULT_PRIORITY]);
    connection.socket.end();
    for (const jid of [close, closeAgain]) await rowsOf("closed", jid);
    await command("x", fd);
    for (const jid of [close, closeAgain])
      assert.deepEqual(await rowsOf("closed", jid), [[jid, fd, 0, CLOSE]], "each is delivered, once");
    connection.destroy();
  });

  test("3.1.1, 3.6.5 several handlers of one event are all executed", async () => {
    const { connection, fd, read, readToo, close, closeAgain, closeToo } = await accept();
    connection.socket.end();
    // The end of the stream goes to both read handlers, the close to three registrations of two handlers.
    assert.deepEqual(await rowsOf("received", read), [[read, fd, 0, -1, 0, READ]]);
    assert.deepEqual(await rowsOf("received-too", readToo), [[readToo, fd, 0, -1, 0, READ]]);
    for (const jid of [close, closeAgain]) await rowsOf("closed", jid);
    assert.deepEqual(await rowsOf("closed-too", closeToo), [[closeToo, fd, 0, CLOSE]]);
    await command("x", fd);
    connection.destroy();
  });

  test("3.1.1, 3.6.5 several read handlers of one stream each get every byte of it, once", async () => {
    const { connection, fd, read, readToo } = await accept();
    const pieces = ["a", "bc", "def", "ghij", "klmno"];
    for (const piece of pieces) {
      connection.socket.write(piece);
      await sleep(50);
    }
    connection.socket.end();
    const [first, second] = [
      () => machine.rows("received").filter(([jid]) => jid === read),
      () => machine.rows("received-too").filter(([jid]) => jid === readToo),
    ];
    for (const rows of [first, second]) {
      await machine.until("the end of the stream", () => rows().some((row) => row[2] === 0));
      const bytes = rows().reduce((sum, [, , length]) => sum + (length as number), 0);
      assert.equal(bytes, pieces.join("").length);
      // Where one call of the handler began, so did the byte that the stream has there.
      let position = 0;
      for (const [, , length, byte] of rows()) {
        if (length !== 0) assert.equal(byte, pieces.join("").charCodeAt(position));
        position += length as number;
      }
    }
    await command("x", fd);
    connection.destroy();
  });

  test("3.1.2 each kind has its own parameters, in one scheme: the identifier first, then what the event carries", async () => {
    const { connection, fd, sk, sock, ...jids } = await accept();
    const [listener, listening] = await only("listening");
    assert.deepEqual(machine.rows("accepted").at(-1), [listening, listener, fd, ACCEPT]);
    connection.socket.write("Z");
    // Both read events have it; either will do here.
    const received = (): number[] | undefined =>
      [...machine.rows("received"), ...machine.rows("received-too")].find(
        ([jid]) => jid === jids.read || jid === jids.readToo,
      );
    await machine.until("a read handler", () => received() !== undefined);
    assert.deepEqual(received()?.slice(1), [fd, 1, "Z".charCodeAt(0), 0, READ]);
    const states = await rowsOf("changed", sk, 2);
    assert.deepEqual(states[1]?.slice(1), [fd, 3, ESTABLISHED, SK], "SYN_RECV to ESTABLISHED");
    connection.socket.end();
    assert.deepEqual((await rowsOf("closed", jids.close))[0], [jids.close, fd, 0, CLOSE]);
    const polls = (): number[][] => machine.rows("polled").filter(([jid]) => jid === sock);
    await machine.until("a sock handler with POLLRDHUP", () =>
      polls().some((row) => ((row[2] as number) & POLLRDHUP) !== 0),
    );
    for (const row of polls()) assert.deepEqual([row[1], ...row.slice(3)], [fd, 0, SOCK]);
    const [timer] = await only("timer-registered");
    assert.deepEqual((await only("timer-once")).slice(0, 2), [timer, 0]);
    await command("x", fd);
    connection.destroy();
  });

  test("3.1.2 the identifier that a handler gets leads to its event: while it runs, it is being handled", async () => {
    const [jid, state] = await only("once-inside");
    assert.ok((jid as number) > 0);
    assert.equal((state as number) & (REGISTERED | HANDLING), REGISTERED | HANDLING);
  });

  KINDS.forEach(([name, expected], kind) => {
    test(`3.1.3 ${name}: a handler that is not there, or of another type, is refused at registration; the log says the type`, async () => {
      const [row] = await rowsOf("bad-handler", kind);
      // No entry, an entry beyond the table, a function that is no handler, another kind's handler.
      assert.deepEqual(row, [kind, EINVAL, EINVAL, EINVAL, EINVAL]);
      const lines = machine.guest.lines.filter((line) =>
        line.endsWith(`handler of this kind; expected ${expected}`),
      );
      assert.equal(lines.length, 4, machine.console());
      assert.ok(lines.every((line) => /aem: process \d+: table entry \d+ is no/.test(line)));
    });
  });

  test("3.1.4 the identifier leads to the event: state, priority, stop, start, statistics", async () => {
    const [jid, found, priority, stop, stopped, start] = await only("alive");
    assert.ok((jid as number) > 0);
    assert.deepEqual([found, priority, stop, stopped, start], [REGISTERED, 0, 0, REGISTERED | STOPPED, 0]);
    assert.deepEqual(await only("alive-statistics"), [0, TIMER, 40, -1]);
    assert.deepEqual(await only("ended"), [0]);
  });

  test("3.1.4 it is unknown after the end of the event, to every operation, and is not given to the next one", async () => {
    assert.deepEqual(await only("unknown"), Array(6).fill(ESRCH));
    const [jid, next, old, alive, end] = await only("next");
    assert.notEqual(next, jid);
    assert.deepEqual([old, alive, end], [ESRCH, REGISTERED, 0]);
    assert.deepEqual(await only("never-was"), [ESRCH, ESRCH, ESRCH]);
    assert.equal(machine.rows("never").length, 0);
  });

  test("3.1.4 the end of a one-shot event and of a socket's: unknown as well", async () => {
    const [oneshot] = await only("once-inside");
    assert.deepEqual(await only("once-after"), [oneshot, ESRCH, ESRCH]);
    assert.deepEqual((await only("socket-closed")).slice(1), [REGISTERED, 0, ESRCH]);
    const { connection, fd, ...jids } = await accept();
    for (const jid of Object.values(jids)) assert.ok((await lookup(jid)) >= REGISTERED, `event ${jid}`);
    await command("x", fd);
    for (const jid of Object.values(jids)) assert.equal(await lookup(jid), ESRCH, `event ${jid}`);
    connection.destroy();
  });

  test("3.1.4 another process has no such event, and cannot end it", async () => {
    const [, listening] = (await only("listening")) as [number, number];
    const message = Buffer.alloc(4);
    message.writeInt32BE(listening);
    const socket = createSocket("udp4");
    const send = (): void => socket.send(message, machine.udp(2102), "127.0.0.1");
    send();
    const again = setInterval(send, 1000);
    const [row] = await machine.waitForRows("stranger").finally(() => {
      clearInterval(again);
      socket.close();
    });
    assert.deepEqual(row, [listening, ESRCH, ESRCH, ESRCH]);
    assert.ok((await lookup(listening)) >= REGISTERED);
  });

  test("3.6.3 a one-shot timer expires once, and not before its time", async () => {
    const [, overrun, elapsed] = await only("timer-once");
    assert.equal(overrun, 0);
    assert.ok((elapsed as number) >= 30_000, `${elapsed} us`);
    assert.deepEqual(await only("timer-once-calls"), [1]);
  });

  test("3.6.3 a periodic timer keeps to its grid while its handler takes 3 of 10 ms: never early, no drift", async () => {
    const [calls, expirations, earliest, nearest, end] = (await only("timer-periodic")) as [
      number,
      number,
      number,
      number,
      number,
    ];
    assert.equal(calls, 60);
    assert.ok(expirations >= calls);
    assert.ok(earliest >= 0, `a call came ${-earliest} us before its time`);
    // With drift each of the last 20 calls would come at least 40 * 3 ms behind the grid. Load makes some late, not all.
    assert.ok(nearest < 100_000, `the nearest of the last calls came ${nearest} us behind the grid`);
    assert.equal(end, 0);
  });

  test("3.6.3 periodic monitoring: a timer watches another event, and tells of each change", async () => {
    const [, listening] = await only("listening");
    const last = (): number[] => machine.rows("monitor").at(-1) ?? [0, 0, 0, 0];
    let known = machine.rows("accepted").length;
    for (let i = 0; i < 3; i++) {
      const { connection, fd } = await accept();
      known++;
      await machine.until(`${known} activations seen`, () => (last()[1] as number) >= known);
      assert.deepEqual(last().slice(0, 3), [listening, known, known], "activations, and what became of them");
      await command("x", fd);
      connection.destroy();
    }
    const looks = machine.rows("monitor").map((row) => row[3] as number);
    assert.ok(
      looks.every((look, i) => i === 0 || look > (looks[i - 1] as number)),
      looks.join(" "),
    );
  });
});
