/**
 * The DNS resolver of the sdk in a guest (spec/boot/apps/dns) against a server of the test's own: what is asked and how, what is taken for an
 * answer, what is tried when there is none, and what happens at the limits.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DhcpServer } from "../../wire/dhcp.ts";
import {
  A,
  AAAA,
  CNAME,
  type DnsQuestion,
  type DnsRecord,
  type DnsResponse,
  SOA,
  encodeResponse,
} from "../../wire/dns.ts";
import { type Answerer, type Asked, DnsServer } from "../../wire/dns-server.ts";
import { address } from "../../wire/frame.ts";
import type { Peer } from "../../wire/peer.ts";
import { BOOT_FAILED, type WiredMachine, boot, bootWired, specImage } from "../machine.ts";

const IMAGE = specImage("dns.json");
const FIRST = "10.0.2.3";
const SECOND = "10.0.2.4";
const ASYNC = 5300;
const BLOCKING = 5301;
const [ENOENT, EIO, EAGAIN, EINVAL, ELOOP, ENODATA, EDESTADDRREQ, EMSGSIZE, ETIMEDOUT, ECONNREFUSED] = [
  -2, -5, -11, -22, -40, -61, -89, -90, -110, -111,
];

let tags = 0;

/** Sends a command, and waits for the reply with its tag. */
async function command(peer: Peer, port: number, text: string, ms = 3000): Promise<string> {
  const tag = `t${++tags}`;
  await peer.resolve();
  const reply = peer.waitFor(`reply to ${text}`, ms, ({ udp }) => {
    const words = udp?.sourcePort === port ? udp.payload.toString("latin1") : "";
    return words.startsWith(`${tag} `) ? words.slice(tag.length + 1) : undefined;
  });
  peer.sendUdp({ sourcePort: 4000, destinationPort: port, payload: Buffer.from(`${tag} ${text}`) });
  return reply;
}

const hex = (text: string): string => address(text).toString(16).padStart(8, "0");
const octets = (text: string): Buffer => Buffer.from(hex(text), "hex");
const a = (name: string, to: string, ttl = 60): DnsRecord => ({ name, type: A, ttl, data: octets(to) });
const respond = (asked: DnsQuestion, response: DnsResponse): Buffer => encodeResponse(asked, response);
const always =
  (response: (asked: Asked) => DnsResponse): Answerer =>
  (asked) => [respond(asked, response(asked))];

interface Counters {
  requests: number;
  cached: number;
  joined: number;
  refused: number;
  asked: number;
  askedOverTcp: number;
  strays: number;
  timeouts: number;
  errors: number;
  failed: number;
}

async function counters(peer: Peer): Promise<Counters> {
  const values = (await command(peer, ASYNC, "counters")).split(" ").map(Number);
  const names = [
    "requests",
    "cached",
    "joined",
    "refused",
    "asked",
    "askedOverTcp",
    "strays",
    "timeouts",
    "errors",
    "failed",
  ];
  return Object.fromEntries(names.map((name, i) => [name, values[i]])) as unknown as Counters;
}

describe("dns, two servers from DHCP", () => {
  let wired: WiredMachine;
  let peer: Peer;
  let server: DnsServer;
  let names = 0;

  before(async () => {
    wired = await bootWired(IMAGE, {
      dhcp: (each) => new DhcpServer(each, { nameServers: [FIRST, SECOND] }),
    });
    ({ peer } = wired);
    server = new DnsServer(peer, [FIRST, SECOND]);
  });
  after(async () => {
    server?.close();
    await wired?.stop();
  });

  /** A name that nobody has asked for yet. */
  const fresh = (): string => `n${++names}.test`;
  /** Both ways to call, each with a name of its own. */
  const both = async (run: (port: number, name: string) => Promise<void>): Promise<void> => {
    for (const port of [ASYNC, BLOCKING]) {
      server.questions.length = 0;
      await run(port, fresh());
    }
  };
  /** The same at the same time, for what takes long. */
  const together = async (run: (port: number, name: string) => Promise<void>): Promise<void> => {
    server.questions.length = 0;
    await Promise.all([ASYNC, BLOCKING].map((port) => run(port, fresh())));
  };
  /** Questions for a name. */
  const askedFor = (name: string): Asked[] =>
    server.questions.filter((asked) => asked.name.toLowerCase() === name);
  const expects = async (port: number, text: string, wanted: string, ms = 3000): Promise<void> =>
    assert.equal(await command(peer, port, text, ms), wanted, `${text}\n${wired.machine.console()}`);

  test("the lease's servers are known to applications, with address, gateway and MTU", async () => {
    const values = (await command(peer, ASYNC, "information")).split(" ").map(Number);
    const mac = (await peer.resolve()).split(":").map((octet) => Number.parseInt(octet, 16));
    const [m0 = 0, m1 = 0, m2 = 0, m3 = 0, m4 = 0, m5 = 0] = mac;
    assert.deepEqual(values, [
      ...[40, 3, 1500, (m0 | (m1 << 8) | (m2 << 16) | (m3 << 24)) >>> 0, m4 | (m5 << 8)],
      ...["10.0.2.15", "255.255.255.0", "10.0.2.2", "10.0.2.255", FIRST, SECOND].map(address),
      ...[8, EINVAL, -14],
    ]);
    assert.ok(wired.dhcp.log[0]?.options.get(55)?.includes(6), "option 6 is asked for");
    assert.match(wired.machine.guest.output, /name server 10\.0\.2\.3/);
  });

  test("A and AAAA: asked with recursion, of the first server, and told", () =>
    both(async (port, name) => {
      server.answerer = always((asked) => ({
        answers:
          asked.type === A
            ? [a(asked.name, "192.0.2.1"), a(asked.name, "192.0.2.2")]
            : [
                {
                  name: asked.name,
                  type: AAAA,
                  data: Buffer.from("20010db8000000000000000000000001", "hex"),
                },
              ],
      }));
      await expects(port, `A ${name}`, `2 ${hex("192.0.2.1")} ${hex("192.0.2.2")}`);
      await expects(port, `AAAA ${name}`, "1 20010db8000000000000000000000001");
      assert.deepEqual(
        server.questions.map((each) => [
          each.name.toLowerCase(),
          each.type,
          each.server,
          each.bytes.readUInt16BE(2),
        ]),
        [
          [name, A, FIRST, 0x0100],
          [name, AAAA, FIRST, 0x0100],
        ],
      );
      // From now on it is known.
      server.answerer = () => [];
      await expects(port, `A ${name.toUpperCase()}.`, `2 ${hex("192.0.2.1")} ${hex("192.0.2.2")}`);
      assert.equal(server.questions.length, 2);
    }));

  test("CNAME: a chain is followed, one in a circle is refused", () =>
    both(async (port, name) => {
      server.answerer = always((asked) => ({
        answers: [
          { name: asked.name, type: CNAME, data: "one.test" },
          { name: "one.test", type: CNAME, data: "two.test" },
          a("two.test", "192.0.2.7"),
        ],
      }));
      await expects(port, `A ${name}`, `1 ${hex("192.0.2.7")}`);
      server.answerer = always((asked) => ({
        answers: [{ name: asked.name, type: CNAME, data: asked.name }],
      }));
      await expects(port, `A circle.${name}`, `${ELOOP}`);
    }));

  test("no such name, and no such address: told at once, and known for as long as the SOA record says", () =>
    together(async (port, name) => {
      const authority = [{ name: "test", type: SOA, ttl: 100, data: 1 }];
      server.answerer = always((asked) => {
        if (asked.name.toLowerCase().startsWith("x")) return { code: 3 };
        return { code: asked.type === A ? 3 : 0, authority };
      });
      await expects(port, `A ${name}`, `${ENOENT}`);
      await expects(port, `AAAA ${name}`, `${ENODATA}`);
      await expects(port, `A ${name}`, `${ENOENT}`);
      assert.equal(askedFor(name).length, 2);
      await sleep(1200);
      await expects(port, `A ${name}`, `${ENOENT}`);
      assert.equal(askedFor(name).length, 3, "asked again after a second");
      await expects(port, `A x.${name}`, `${ENOENT}`);
      await expects(port, `A x.${name}`, `${ENOENT}`);
      assert.equal(askedFor(`x.${name}`).length, 2, "not known: no SOA record");
    }));

  test("an address is known for its time to live, and for a second at least", () =>
    together(async (port, name) => {
      server.answerer = always((asked) => ({ answers: [a(asked.name, "192.0.2.9", 0)] }));
      await expects(port, `A ${name}`, `1 ${hex("192.0.2.9")}`);
      await expects(port, `A ${name}`, `1 ${hex("192.0.2.9")}`);
      assert.equal(askedFor(name).length, 1);
      await sleep(1200);
      await expects(port, `A ${name}`, `1 ${hex("192.0.2.9")}`);
      assert.equal(askedFor(name).length, 2);
    }));

  test("forged answers are passed over: of another number, question, letter, address or port", () =>
    both(async (port, name) => {
      const before = await counters(peer);
      server.answerer = (asked) => {
        const evil = { answers: [a(asked.name, "192.0.2.66")] };
        const other = respond({ ...asked, name: "evil.test" }, { answers: [a("evil.test", "192.0.2.66")] });
        const swapped = [...asked.name].map((c) =>
          c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase(),
        );
        server.send(respond(asked, evil), asked.port, SECOND);
        server.send(respond(asked, evil), asked.port, FIRST, 54);
        server.send(respond(asked, evil), asked.port ^ 1, FIRST);
        return [
          respond({ ...asked, id: asked.id ^ 1 }, evil),
          other,
          respond({ ...asked, type: AAAA }, evil),
          respond({ ...asked, name: swapped.join("") }, evil),
          Buffer.alloc(0),
          Buffer.from([1]),
          asked.bytes,
          respond(asked, { answers: [a(asked.name, "192.0.2.1")] }),
        ];
      };
      await expects(port, `A ${name}`, `1 ${hex("192.0.2.1")}`);
      const now = await counters(peer);
      if (port === ASYNC) assert.equal(now.strays - before.strays, 7);
    }));

  test("each question has a port, a number and capital letters of its own", async () => {
    server.questions.length = 0;
    server.answerer = always((asked) => ({ answers: [a(asked.name, "192.0.2.1")] }));
    for (let i = 0; i < 40; i++) await expects(ASYNC, `A abcdefghijklmnop${i}.test`, `1 ${hex("192.0.2.1")}`);
    const different = (of: (asked: Asked) => number | string): number =>
      new Set(server.questions.map(of)).size;
    assert.equal(server.questions.length, 40);
    assert.ok(different((asked) => asked.port) >= 38, "ports");
    assert.ok(different((asked) => asked.id) >= 38, "numbers");
    assert.ok(different((asked) => asked.name.slice(0, 16)) >= 38, "capital letters");
  });

  test("who guesses does not get beyond 32 messages: the attempt ends, the next one has another port", async () => {
    const name = fresh();
    const { timeouts } = await counters(peer);
    server.questions.length = 0;
    server.answerer = (asked) =>
      server.questions.length > 1
        ? [respond(asked, { answers: [a(asked.name, "192.0.2.1")] })]
        : Array.from({ length: 40 }, (_, i) =>
            respond({ ...asked, id: asked.id ^ (i + 1) }, { answers: [a(asked.name, "192.0.2.66")] }),
          );
    await expects(ASYNC, `A ${name}`, `1 ${hex("192.0.2.1")}`);
    assert.equal((await counters(peer)).timeouts, timeouts, "without a wait");
    assert.equal(server.questions.length, 2);
    assert.notEqual(server.questions[0]?.port, server.questions[1]?.port);
  });

  test("cut off: fetched over TCP from the same server", () =>
    both(async (port, name) => {
      const answers = (asked: Asked): DnsRecord[] =>
        Array.from({ length: 60 }, (_, i) => a(asked.name, `192.0.2.${i + 1}`));
      server.answerer = (asked) => [
        respond(asked, asked.tcp ? { answers: answers(asked) } : { truncated: true }),
      ];
      const wanted = Array.from({ length: 8 }, (_, i) => hex(`192.0.2.${i + 1}`)).join(" ");
      await expects(port, `A ${name}`, `8 ${wanted}`);
      assert.deepEqual(
        server.questions.map(({ tcp, server: from }) => [tcp, from]),
        [
          [false, server.questions[0]?.server],
          [true, server.questions[0]?.server],
        ],
      );
    }));

  test("cut off, and TCP gives nonsense: the next attempt; an answer that is too long is refused", () =>
    both(async (port, name) => {
      server.answerer = (asked) => {
        if (!asked.tcp) return [respond(asked, { truncated: true })];
        return [respond({ ...asked, id: asked.id ^ 1 }, { answers: [a(asked.name, "192.0.2.66")] })];
      };
      await expects(port, `A ${name}`, `${EIO}`);
      assert.equal(server.questions.length, 12, "six attempts");
      server.answerer = (asked) => {
        if (!asked.tcp) return [respond(asked, { truncated: true })];
        const answers = Array.from({ length: 300 }, () => a(asked.name, "192.0.2.1"));
        return [respond(asked, { answers })];
      };
      await expects(port, `A long.${name}`, `${EMSGSIZE}`);
    }));

  test("a server that cannot answer, or answers nonsense: the other one is asked at once", () =>
    both(async (port, name) => {
      const dead = (await counters(peer)).timeouts;
      for (const code of [2, 5]) {
        server.answerer = (asked) => [
          respond(
            asked,
            server.questions.length % 2 === 1 ? { code } : { answers: [a(asked.name, "192.0.2.1")] },
          ),
        ];
        server.questions.length = 0;
        await expects(port, `A c${code}.${name}`, `1 ${hex("192.0.2.1")}`);
        assert.notEqual(server.questions[0]?.server, server.questions[1]?.server);
      }
      server.answerer = always(() => ({ code: 2 }));
      server.questions.length = 0;
      await expects(port, `A fails.${name}`, `${EIO}`);
      assert.equal(server.questions.length, 6, "each server three times");
      assert.equal((await counters(peer)).timeouts, dead);
    }));

  test("lost answers: asked again; the last round in small letters", () =>
    together(async (port, name) => {
      server.answerer = (asked) =>
        asked.name.startsWith("cased-") && asked.name === asked.name.toLowerCase()
          ? [respond(asked, { answers: [a(asked.name, "192.0.2.1")] })]
          : [];
      const start = performance.now();
      // So long that capital letters are sure.
      await expects(port, `A cased-${"x".repeat(40)}.${name}`, `1 ${hex("192.0.2.1")}`, 15_000);
      const took = performance.now() - start;
      const asked = askedFor(`cased-${"x".repeat(40)}.${name}`);
      assert.equal(asked.length, 5, "twice each server, and once more");
      assert.ok(took > 5900 && took < 12_000, `1 + 1 + 2 + 2 s: ${took} ms`);
      assert.equal(new Set(asked.map((each) => each.port)).size, 5, "five ports");
    }));

  test("the first server is dead: the second one answers, and is asked first from then on", () =>
    together(async (port, name) => {
      const silent = new Map<string, string>();
      server.answerer = (asked) => {
        const of = asked.name.toLowerCase().slice(-name.length);
        if (!silent.has(of)) silent.set(of, asked.server);
        return asked.server === silent.get(of)
          ? []
          : [respond(asked, { answers: [a(asked.name, "192.0.2.1")] })];
      };
      await expects(port, `A ${name}`, `1 ${hex("192.0.2.1")}`, 5000);
      assert.equal(askedFor(name).length, 2);
      await expects(port, `A then.${name}`, `1 ${hex("192.0.2.1")}`);
      assert.equal(askedFor(`then.${name}`).length, 1);
    }));

  test("32 names at once, three times each for one question; the 33rd request is refused", async () => {
    server.questions.length = 0;
    const waiting: Asked[] = [];
    server.answerer = (asked) => {
      waiting.push(asked);
      return [];
    };
    const list = Array.from({ length: 10 }, fresh);
    const before = await counters(peer);
    const replies = [...list, ...list, ...list].map((name) => command(peer, ASYNC, `A ${name}`, 5000));
    await command(peer, ASYNC, "counters");
    const late = [fresh(), fresh(), fresh()].map((name) => command(peer, ASYNC, `A ${name}`, 5000));
    const refused = await late[2];
    assert.equal(refused, `${EAGAIN}`);
    const deadline = Date.now() + 900;
    while (waiting.length < 12 && Date.now() < deadline) await sleep(5);
    assert.equal(waiting.length, 12);
    // In another order than they came.
    for (const asked of waiting.reverse()) {
      const last = Number(asked.name.toLowerCase().slice(1, -5)) & 255;
      server.send(respond(asked, { answers: [a(asked.name, `192.0.2.${last}`)] }), asked.port, asked.server);
    }
    const found = await Promise.all(replies);
    for (const [i, reply] of found.entries()) {
      const last = Number((list[i % 10] as string).slice(1, -5)) & 255;
      assert.equal(reply, `1 ${hex(`192.0.2.${last}`)}`);
    }
    await Promise.all(late);
    const now = await counters(peer);
    assert.deepEqual([now.joined - before.joined, now.refused - before.refused], [20, 1]);
  });

  test("200 names, 30 at a time, with a tenth of all answers lost: each gets its own", async () => {
    let lost = 0;
    server.answerer = (asked) => {
      if (Math.random() < 0.1) {
        lost++;
        return [];
      }
      const number = Number(asked.name.slice(1, 4));
      return [respond(asked, { answers: [a(asked.name, `198.51.${7}.${number}`)] })];
    };
    let next = 0;
    await Promise.all(
      Array.from({ length: 30 }, async () => {
        while (next < 200) {
          const number = next++;
          const name = `m${String(number).padStart(3, "0")}.test`;
          await expects(ASYNC, `A ${name}`, `1 ${hex(`198.51.${7}.${number}`)}`, 20_000);
        }
      }),
    );
    assert.ok(lost > 3);
  });

  test("main code may ask by resolve, and a handler may wait by lookup", async () => {
    server.answerer = always((asked) => ({ answers: [a(asked.name, "192.0.2.5")] }));
    for (const way of ["then", "in"]) {
      const name = fresh();
      await expects(BLOCKING, `${way} A ${name}`, `1 ${hex("192.0.2.5")}`);
      await expects(BLOCKING, `${way} A ${name}`, `1 ${hex("192.0.2.5")}`);
      await expects(BLOCKING, `${way} A ..`, `${EINVAL}`);
    }
  });

  test("nobody is asked for what is an address, localhost, or no name", () =>
    both(async (port) => {
      await expects(port, "A 192.0.2.77", `1 ${hex("192.0.2.77")}`);
      await expects(port, "AAAA 192.0.2.77", `${ENODATA}`);
      await expects(port, "A localhost", `1 ${hex("127.0.0.1")}`);
      await expects(port, "AAAA some.LOCALHOST.", `1 ${"0".repeat(31)}1`);
      for (const wrong of ["", ".", "a..b", "1.2.3", "192.0.2.256", "::1", "a/b", `${"x".repeat(64)}.test`])
        await expects(port, `A ${wrong}`, `${EINVAL}`);
      assert.deepEqual(server.questions, []);
    }));
});

describe("dns, servers from the command line", () => {
  test("dns= takes the place of the lease's servers; a port that nobody has refuses at once, nobody times out", async () => {
    const wired = await bootWired(IMAGE, {
      append: "dns=10.0.2.9",
      dhcp: (each) => new DhcpServer(each, { nameServers: [FIRST, SECOND] }),
    });
    const { peer } = wired;
    const server = new DnsServer(peer, ["10.0.2.9", FIRST, SECOND]);
    try {
      server.answerer = always((asked) => ({ answers: [a(asked.name, "192.0.2.1")] }));
      assert.equal(await command(peer, ASYNC, "A host.test"), `1 ${hex("192.0.2.1")}`);
      assert.deepEqual(
        server.questions.map((asked) => asked.server),
        ["10.0.2.9"],
      );
      server.answerer = () => [];
      const start = performance.now();
      const replies = await Promise.all(
        [ASYNC, BLOCKING].map((port) => command(peer, port, "A late.test", 12_000)),
      );
      assert.deepEqual(replies, [`${ETIMEDOUT}`, `${ETIMEDOUT}`]);
      const took = performance.now() - start;
      assert.ok(took > 6900 && took < 9500, `1 + 2 + 4 s: ${took} ms`);
    } finally {
      server.close();
      await wired.stop();
    }
  });

  test("a static address with servers; without any there is nobody to ask; a server's port that is closed", async () => {
    const wired = await bootWired(IMAGE, { append: "ip=10.0.2.15/24,gw=10.0.2.2" });
    try {
      for (const port of [ASYNC, BLOCKING])
        assert.equal(await command(wired.peer, port, "A host.test"), `${EDESTADDRREQ}`);
    } finally {
      await wired.stop();
    }
    // The guest itself: nobody listens on its port 53.
    const own = await bootWired(IMAGE, { append: "ip=10.0.2.15/24,gw=10.0.2.2 dns=10.0.2.15,127.0.0.1" });
    try {
      for (const port of [ASYNC, BLOCKING])
        assert.equal(await command(own.peer, port, "A host.test"), `${ECONNREFUSED}`);
    } finally {
      await own.stop();
    }
  });

  test("servers that make no sense end the boot, and are named", async () => {
    const machine = await boot(IMAGE, { append: "dns=10.0.2.3,0.0.0.0", ready: false });
    try {
      assert.equal(await machine.exited(20000), BOOT_FAILED, machine.console());
      assert.match(machine.console(), /10\.0\.2\.3,0\.0\.0\.0: one or two addresses/);
    } finally {
      await machine.stop();
    }
  });
});
