/** The DNS resolver of the sdk in a guest, against a server of the test's own: what is asked and how, and what is taken for an answer. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { A, AAAA, CNAME, SOA } from "../../wire/dns.ts";
import type { Asked } from "../../wire/dns-server.ts";
import { address } from "../../wire/frame.ts";
import { ASYNC, DnsGuest, FIRST, SECOND, a, always, hex, respond } from "./dns-guest.ts";

const [ENOENT, EINVAL, ELOOP, ENODATA] = [-2, -22, -40, -61];
/** Milliseconds for which an answer is known for certain: a second, less what is rounded. */
const KNOWN = 800;

describe("dns, answers", () => {
  let guest: DnsGuest;

  before(async () => {
    guest = await DnsGuest.boot();
  });
  after(() => guest?.stop());

  test("the lease's servers are known to applications, with address, gateway and MTU", async () => {
    const values = (await guest.command(ASYNC, "information")).split(" ").map(Number);
    const mac = (await guest.peer.resolve()).split(":").map((octet) => Number.parseInt(octet, 16));
    const [m0 = 0, m1 = 0, m2 = 0, m3 = 0, m4 = 0, m5 = 0] = mac;
    assert.deepEqual(values, [
      ...[232, 3, 1500, (m0 | (m1 << 8) | (m2 << 16) | (m3 << 24)) >>> 0, m4 | (m5 << 8)],
      ...["10.0.2.15", "255.255.255.0", "10.0.2.2", "10.0.2.255", FIRST, SECOND].map(address),
      ...[8, EINVAL, -14],
    ]);
    assert.ok(guest.wired.dhcp.log[0]?.options.get(55)?.includes(6), "option 6 is asked for");
    assert.match(guest.wired.machine.guest.output, /name server 10\.0\.2\.3/);
  });

  test("A and AAAA: asked with recursion, of the first server, and told", () =>
    guest.both(async (port, name) => {
      guest.server.answerer = always((asked) => ({
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
      await guest.expects(port, `A ${name}`, `2 ${hex("192.0.2.1")} ${hex("192.0.2.2")}`);
      await guest.expects(port, `AAAA ${name}`, "1 20010db8000000000000000000000001");
      assert.deepEqual(
        guest.server.questions.map((each) => [
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
      guest.server.answerer = () => [];
      await guest.expects(port, `A ${name.toUpperCase()}.`, `2 ${hex("192.0.2.1")} ${hex("192.0.2.2")}`);
      assert.equal(guest.server.questions.length, 2);
    }));

  test("CNAME: a chain is followed, one in a circle is refused", () =>
    guest.both(async (port, name) => {
      guest.server.answerer = always((asked) => ({
        answers: [
          { name: asked.name, type: CNAME, data: "one.test" },
          { name: "one.test", type: CNAME, data: "two.test" },
          a("two.test", "192.0.2.7"),
        ],
      }));
      await guest.expects(port, `A ${name}`, `1 ${hex("192.0.2.7")}`);
      guest.server.answerer = always((asked) => ({
        answers: [{ name: asked.name, type: CNAME, data: asked.name }],
      }));
      await guest.expects(port, `A circle.${name}`, `${ELOOP}`);
    }));

  test("no such name, and no such address: told at once, and known for as long as the SOA record says", () =>
    guest.together(async (port) => {
      const authority = [{ name: "test", type: SOA, ttl: 100, data: 1 }];
      guest.server.answerer = always((asked) => {
        if (asked.name.toLowerCase().startsWith("x")) return { code: 3 };
        return { code: asked.type === A ? 3 : 0, authority };
      });
      const ask = async (name: string): Promise<void> => {
        await guest.expects(port, `A ${name}`, `${ENOENT}`);
        await guest.expects(port, `AAAA ${name}`, `${ENODATA}`);
        await guest.expects(port, `A ${name}`, `${ENOENT}`);
      };
      const name = await guest.within(KNOWN, ask, (asked) => assert.equal(guest.askedFor(asked).length, 2));
      await sleep(1200);
      await guest.expects(port, `A ${name}`, `${ENOENT}`);
      assert.equal(guest.askedFor(name).length, 3, "asked again after a second");
      await guest.expects(port, `A x.${name}`, `${ENOENT}`);
      await guest.expects(port, `A x.${name}`, `${ENOENT}`);
      assert.equal(guest.askedFor(`x.${name}`).length, 2, "not known: no SOA record");
    }));

  test("an address is known for its time to live, and for a second at least", () =>
    guest.together(async (port) => {
      guest.server.answerer = always((asked) => ({ answers: [a(asked.name, "192.0.2.9", 0)] }));
      const ask = async (name: string): Promise<void> => {
        await guest.expects(port, `A ${name}`, `1 ${hex("192.0.2.9")}`);
        await guest.expects(port, `A ${name}`, `1 ${hex("192.0.2.9")}`);
      };
      const name = await guest.within(KNOWN, ask, (asked) => assert.equal(guest.askedFor(asked).length, 1));
      await sleep(1200);
      await guest.expects(port, `A ${name}`, `1 ${hex("192.0.2.9")}`);
      assert.equal(guest.askedFor(name).length, 2);
    }));

  test("forged answers are passed over: of another number, question, letter, address or port", () =>
    guest.both(async (port, name) => {
      const before = await guest.counters();
      guest.server.answerer = (asked) => {
        const evil = { answers: [a(asked.name, "192.0.2.66")] };
        const other = respond({ ...asked, name: "evil.test" }, { answers: [a("evil.test", "192.0.2.66")] });
        const swapped = [...asked.name].map((c) =>
          c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase(),
        );
        guest.server.send(respond(asked, evil), asked.port, SECOND);
        guest.server.send(respond(asked, evil), asked.port, FIRST, 54);
        guest.server.send(respond(asked, evil), asked.port ^ 1, FIRST);
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
      await guest.expects(port, `A ${name}`, `1 ${hex("192.0.2.1")}`);
      const now = await guest.counters();
      if (port === ASYNC) assert.equal(now.strays - before.strays, 7);
    }));

  test("each question has a port, a number and capital letters of its own", async () => {
    guest.server.questions.length = 0;
    guest.server.answerer = always((asked) => ({ answers: [a(asked.name, "192.0.2.1")] }));
    for (let i = 0; i < 40; i++)
      await guest.expects(ASYNC, `A abcdefghijklmnop${i}.test`, `1 ${hex("192.0.2.1")}`);
    const different = (of: (asked: Asked) => number | string): number =>
      new Set(guest.server.questions.map(of)).size;
    assert.equal(guest.server.questions.length, 40);
    assert.ok(different((asked) => asked.port) >= 38, "ports");
    assert.ok(different((asked) => asked.id) >= 38, "numbers");
    assert.ok(different((asked) => asked.name.slice(0, 16)) >= 38, "capital letters");
  });

  test("who guesses does not get beyond 32 messages: the attempt ends, the next one has another port", async () => {
    const name = guest.fresh();
    const { timeouts } = await guest.counters();
    guest.server.questions.length = 0;
    guest.server.answerer = (asked) =>
      guest.server.questions.length > 1
        ? [respond(asked, { answers: [a(asked.name, "192.0.2.1")] })]
        : Array.from({ length: 40 }, (_, i) =>
            respond({ ...asked, id: asked.id ^ (i + 1) }, { answers: [a(asked.name, "192.0.2.66")] }),
          );
    await guest.expects(ASYNC, `A ${name}`, `1 ${hex("192.0.2.1")}`);
    assert.equal((await guest.counters()).timeouts, timeouts, "without a wait");
    assert.equal(guest.server.questions.length, 2);
    assert.notEqual(guest.server.questions[0]?.port, guest.server.questions[1]?.port);
  });

  test("nobody is asked for what is an address of either version, localhost, or no name", () =>
    guest.both(async (port) => {
      await guest.expects(port, "A 192.0.2.77", `1 ${hex("192.0.2.77")}`);
      await guest.expects(port, "AAAA 192.0.2.77", `${ENODATA}`);
      await guest.expects(port, "AAAA 2001:DB8::a:1", "1 20010db80000000000000000000a0001");
      await guest.expects(port, "AAAA ::ffff:192.0.2.77", `1 ${"0".repeat(20)}ffff${hex("192.0.2.77")}`);
      await guest.expects(port, "A 2001:db8::1", `${ENODATA}`);
      await guest.expects(port, "A localhost", `1 ${hex("127.0.0.1")}`);
      await guest.expects(port, "AAAA some.LOCALHOST.", `1 ${"0".repeat(31)}1`);
      for (const wrong of [
        "",
        ".",
        "a..b",
        "1.2.3",
        "192.0.2.256",
        "192.0.2.07",
        "::g",
        "::1%1",
        "a/b",
        `${"x".repeat(64)}.test`,
      ])
        await guest.expects(port, `A ${wrong}`, `${EINVAL}`);
      assert.deepEqual(guest.server.questions, []);
    }));
});
