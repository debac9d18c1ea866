/** The DNS resolver of the sdk in a guest, against a server of the test's own: what is tried when there is no answer, and what happens at the limits. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { DnsRecord } from "../../wire/dns.ts";
import type { Asked } from "../../wire/dns-server.ts";
import { ASYNC, BLOCKING, DnsGuest, a, always, hex, respond } from "./dns-guest.ts";
import { until } from "../../wire/patience.ts";

const [EIO, EAGAIN, EINVAL, EMSGSIZE] = [-5, -11, -22, -90];

describe("dns, attempts", () => {
  let guest: DnsGuest;

  before(async () => {
    guest = await DnsGuest.boot();
  });
  after(() => guest?.stop());

  test("cut off: fetched over TCP from the same server", () =>
    guest.both(async (port, name) => {
      const answers = (asked: Asked): DnsRecord[] =>
        Array.from({ length: 60 }, (_, i) => a(asked.name, `192.0.2.${i + 1}`));
      guest.server.answerer = (asked) => [
        respond(asked, asked.tcp ? { answers: answers(asked) } : { truncated: true }),
      ];
      const wanted = Array.from({ length: 8 }, (_, i) => hex(`192.0.2.${i + 1}`)).join(" ");
      await guest.expects(port, `A ${name}`, `8 ${wanted}`);
      assert.deepEqual(
        guest.server.questions.map(({ tcp, server: from }) => [tcp, from]),
        [
          [false, guest.server.questions[0]?.server],
          [true, guest.server.questions[0]?.server],
        ],
      );
    }));

  test("cut off, and TCP gives nonsense: the next attempt; an answer that is too long is refused", () =>
    guest.both(async (port, name) => {
      guest.server.answerer = (asked) => {
        if (!asked.tcp) return [respond(asked, { truncated: true })];
        return [respond({ ...asked, id: asked.id ^ 1 }, { answers: [a(asked.name, "192.0.2.66")] })];
      };
      await guest.expects(port, `A ${name}`, `${EIO}`);
      assert.equal(guest.server.questions.length, 12, "six attempts");
      guest.server.answerer = (asked) => {
        if (!asked.tcp) return [respond(asked, { truncated: true })];
        const answers = Array.from({ length: 300 }, () => a(asked.name, "192.0.2.1"));
        return [respond(asked, { answers })];
      };
      await guest.expects(port, `A long.${name}`, `${EMSGSIZE}`);
    }));

  test("a server that cannot answer, or answers nonsense: the other one is asked at once", () =>
    guest.both(async (port, name) => {
      const dead = (await guest.counters()).timeouts;
      for (const code of [2, 5]) {
        guest.server.answerer = (asked) => [
          respond(
            asked,
            guest.server.questions.length % 2 === 1 ? { code } : { answers: [a(asked.name, "192.0.2.1")] },
          ),
        ];
        guest.server.questions.length = 0;
        await guest.expects(port, `A c${code}.${name}`, `1 ${hex("192.0.2.1")}`);
        assert.notEqual(guest.server.questions[0]?.server, guest.server.questions[1]?.server);
      }
      guest.server.answerer = always(() => ({ code: 2 }));
      guest.server.questions.length = 0;
      await guest.expects(port, `A fails.${name}`, `${EIO}`);
      assert.equal(guest.server.questions.length, 6, "each server three times");
      assert.equal((await guest.counters()).timeouts, dead);
    }));

  test("lost answers: asked again; the last round in small letters", () =>
    guest.together(async (port, name) => {
      guest.server.answerer = (asked) =>
        asked.name.startsWith("cased-") && asked.name === asked.name.toLowerCase()
          ? [respond(asked, { answers: [a(asked.name, "192.0.2.1")] })]
          : [];
      const start = performance.now();
      // So long that capital letters are sure.
      await guest.expects(port, `A cased-${"x".repeat(40)}.${name}`, `1 ${hex("192.0.2.1")}`, 15_000);
      const took = performance.now() - start;
      const asked = guest.askedFor(`cased-${"x".repeat(40)}.${name}`);
      assert.equal(asked.length, 5, "twice each server, and once more");
      assert.ok(took > 5900 && took < 12_000, `1 + 1 + 2 + 2 s: ${took} ms`);
      assert.equal(new Set(asked.map((each) => each.port)).size, 5, "five ports");
    }));

  test("the first server is dead: the second one answers, and is asked first from then on", () =>
    guest.together(async (port, name) => {
      const silent = new Map<string, string>();
      guest.server.answerer = (asked) => {
        const of = asked.name.toLowerCase().split(".").at(-2) ?? "";
        if (!silent.has(of)) silent.set(of, asked.server);
        return asked.server === silent.get(of)
          ? []
          : [respond(asked, { answers: [a(asked.name, "192.0.2.1")] })];
      };
      await guest.expects(port, `A ${name}`, `1 ${hex("192.0.2.1")}`);
      assert.equal(guest.askedFor(name).length, 2);
      await guest.expects(port, `A then.${name}`, `1 ${hex("192.0.2.1")}`);
      assert.equal(guest.askedFor(`then.${name}`).length, 1);
    }));

  test("30 requests for ten names at once: ten questions; the 33rd request is refused", async () => {
    guest.server.questions.length = 0;
    const waiting: Asked[] = [];
    guest.server.answerer = (asked) => {
      waiting.push(asked);
      return [];
    };
    const list = Array.from({ length: 10 }, () => guest.fresh());
    const before = await guest.counters();
    const begun = performance.now();
    const replies = [...list, ...list, ...list].map((name) => guest.command(ASYNC, `A ${name}`));
    await guest.command(ASYNC, "counters");
    const late = [guest.fresh(), guest.fresh(), guest.fresh()].map((name) =>
      guest.command(ASYNC, `A ${name}`),
    );
    const refused = await late[2];
    assert.equal(refused, `${EAGAIN}`);
    const names = (): number => new Set(waiting.map(({ name }) => name.toLowerCase())).size;
    await until(
      () => `12 names, not ${names()}`,
      () => names() === 12,
    );
    // After a second each is asked for again.
    if (performance.now() - begun < 900) assert.equal(waiting.length, 12);
    // In another order than they came.
    for (const asked of waiting.reverse()) {
      const last = Number(asked.name.toLowerCase().slice(1, -5)) & 255;
      guest.server.send(
        respond(asked, { answers: [a(asked.name, `192.0.2.${last}`)] }),
        asked.port,
        asked.server,
      );
    }
    const found = await Promise.all(replies);
    for (const [i, reply] of found.entries()) {
      const last = Number((list[i % 10] as string).slice(1, -5)) & 255;
      assert.equal(reply, `1 ${hex(`192.0.2.${last}`)}`);
    }
    await Promise.all(late);
    const now = await guest.counters();
    assert.deepEqual([now.joined - before.joined, now.refused - before.refused], [20, 1]);
  });

  test("200 names, 30 at a time, with a tenth of all answers lost: each gets its own", async () => {
    let lost = 0;
    guest.server.answerer = (asked) => {
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
          await guest.expects(ASYNC, `A ${name}`, `1 ${hex(`198.51.${7}.${number}`)}`, 20_000);
        }
      }),
    );
    assert.ok(lost > 3);
  });

  test("a child of fork asks for itself; its parent's request under way is not disturbed", async () => {
    const name = guest.fresh();
    guest.server.questions.length = 0;
    guest.server.answerer = (asked) => {
      const answer = respond(asked, { answers: [a(asked.name, "192.0.2.5", 0)] });
      setTimeout(() => guest.server.send(answer, asked.port, asked.server), 300);
      return [];
    };
    await guest.expects(BLOCKING, `fork A ${name}`, `2 ${hex("0.0.0.5")} ${hex("192.0.2.5")}`);
    assert.equal(guest.server.questions.length, 2);
    assert.notEqual(guest.server.questions[0]?.port, guest.server.questions[1]?.port);
  });

  test("main code may ask by resolve, and a handler may wait by lookup", async () => {
    guest.server.answerer = always((asked) => ({ answers: [a(asked.name, "192.0.2.5")] }));
    for (const way of ["then", "in"]) {
      const name = guest.fresh();
      await guest.expects(BLOCKING, `${way} A ${name}`, `1 ${hex("192.0.2.5")}`);
      await guest.expects(BLOCKING, `${way} A ${name}`, `1 ${hex("192.0.2.5")}`);
      await guest.expects(BLOCKING, `${way} A ..`, `${EINVAL}`);
    }
  });
});
