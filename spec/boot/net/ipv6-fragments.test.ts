/** Fragments of IPv6 on a frame wire: long datagrams both ways, the MTU of a path, a neighbour that is not known yet, and what a hostile link sends. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { DhcpServer } from "../../wire/dhcp.ts";
import { encodeUdp, fold, sum16 } from "../../wire/ipv4.ts";
import {
  ECHO_REPLY,
  ECHO_REQUEST,
  type Ipv6Packet,
  NEIGHBOUR_SOLICITATION,
  NEXT_FRAGMENT,
  NEXT_ICMPV6,
  encodeIcmpv6,
  encodeIpv6,
  fragmentPayload,
  fragments,
  pseudoSum6,
  reassembled,
  targetOf,
} from "../../wire/ipv6.ts";
import { Router6 } from "../../wire/router6.ts";
import { DEFAULT_IMAGE, type WiredMachine, bootWired } from "../machine.ts";
import { PATIENCE } from "../../wire/patience.ts";

const GUEST = "2001:db8:0:1::15";
const ROUTER = "2001:db8:0:1::2";
const ECHO = 7;

describe("fragments of IPv6", () => {
  let host: WiredMachine;
  let router: Router6;
  let identification = 1000;

  before(async () => {
    host = await bootWired(DEFAULT_IMAGE, {
      append: `ip6=${GUEST}/64`,
      dhcp: (peer) => {
        router = new Router6(peer);
        return new DhcpServer(peer);
      },
    });
    await host.machine.guest.waitFor(`ipv6: address ${GUEST}`, PATIENCE);
    await router.ping(Buffer.from("here"), GUEST, ROUTER);
  });
  after(() => host?.stop());

  function udp(payload: Buffer, source = ROUTER, destinationPort = ECHO): Ipv6Packet {
    const bytes = encodeUdp(0, 0, { sourcePort: 5000, destinationPort, payload, checksum: 0 });
    const sum = fold(sum16(bytes, pseudoSum6(source, GUEST, 17, bytes.length)));
    bytes.writeUInt16BE(sum === 0 ? 0xffff : sum, 6);
    return { source, destination: GUEST, next: 17, payload: bytes };
  }

  /** What comes back to `to` until it is a whole packet. */
  function answer(to = ROUTER, ms = 5000): Promise<{ whole: Ipv6Packet; parts: Ipv6Packet[] }> {
    const parts: Ipv6Packet[] = [];
    return router.waitFor("a packet in fragments", ms, ({ packet }) => {
      if (packet.destination !== to) return undefined;
      if (packet.next === 17) return { whole: packet, parts: [packet] };
      if (packet.next !== NEXT_FRAGMENT) return undefined;
      parts.push(packet);
      const last = (packet.payload.readUInt16BE(2) & 1) === 0;
      const whole = last ? reassembled(parts) : undefined;
      return whole && { whole, parts };
    });
  }

  /** Echoes a datagram, in fragments of `size` bytes. */
  async function echo(payload: Buffer, size = 1448, source = ROUTER): Promise<Ipv6Packet[]> {
    const back = answer(source);
    const packet = udp(payload, source);
    const list = packet.payload.length > size ? fragments(packet, identification++, size) : [packet];
    for (const each of list) router.send(each);
    const { whole, parts } = await back;
    assert.ok(whole.payload.subarray(8).equals(payload), `${whole.payload.length - 8} bytes came back`);
    assert.equal(fold(sum16(whole.payload, pseudoSum6(GUEST, source, 17, whole.payload.length))), 0);
    return parts;
  }

  for (const length of [1452, 1453, 9000, 40_000]) {
    test(`a datagram of ${length} bytes comes back`, async () => {
      const parts = await echo(randomBytes(length));
      assert.equal(parts.length, length <= 1452 ? 1 : Math.ceil((length + 8) / 1448));
      await echo(randomBytes(length), 1232);
    });
  }

  test("an echo request of 30,000 bytes is answered with all of them", async () => {
    const body = Buffer.concat([Buffer.from([1, 2, 3, 4]), randomBytes(30_000)]);
    const payload = encodeIcmpv6(ROUTER, GUEST, { type: ECHO_REQUEST, code: 0, body });
    const back = answer();
    for (const each of fragments({ source: ROUTER, destination: GUEST, next: NEXT_ICMPV6, payload }, 7, 1448))
      router.send(each);
    const { whole } = await back;
    assert.equal(whole.payload[0], ECHO_REPLY);
    assert.ok(whole.payload.subarray(4).equals(body));
  });

  test("a datagram of seven fragments waits for a neighbour that is not known yet, and goes whole", async () => {
    const stranger = "2001:db8:0:1::77";
    router.addresses.add(stranger);
    const asked = router.waitFor("a question", PATIENCE, ({ message }) =>
      message?.type === NEIGHBOUR_SOLICITATION && targetOf(message) === stranger ? true : undefined,
    );
    assert.equal((await echo(randomBytes(9000), 1448, stranger)).length, 7);
    await asked;
  });

  test("a router that says the path is smaller gets smaller fragments", async () => {
    const far = "2001:db8:0:1::88";
    router.addresses.add(far);
    const [first] = await echo(randomBytes(3000), 1448, far);
    const quoted = encodeIpv6(first as Ipv6Packet).subarray(0, 1200);
    const body = Buffer.concat([Buffer.from([0, 0, 1300 >> 8, 1300 & 255]), quoted]);
    router.sendIcmpv6({ source: ROUTER, destination: GUEST }, { type: 2, code: 0, body });
    const parts = await echo(randomBytes(3000), 1448, far);
    assert.deepEqual(
      parts.map(({ payload }) => payload.length),
      [1256, 1256, 520],
    );
  });

  // ---- Hostile ----

  const raw = (payload: Buffer): void =>
    router.send({ source: ROUTER, destination: GUEST, next: NEXT_FRAGMENT, payload });
  const piece = (id: number, offset: number, more: boolean, payload: Buffer, next = 17): void =>
    raw(fragmentPayload(next, id, offset, more, payload));
  const whole = udp(Buffer.alloc(3000, 0x61)).payload;

  const hostile: [string, () => void][] = [
    [
      "overlapping",
      () => {
        piece(1, 0, true, whole.subarray(0, 1448));
        piece(1, 1440, true, whole.subarray(1440, 2400));
        for (const each of fragments(udp(Buffer.alloc(3000)), 1, 1448)) router.send(each);
      },
    ],
    [
      "tiny first fragment",
      () => {
        piece(2, 0, true, Buffer.alloc(8), 6);
        piece(2, 8, false, Buffer.alloc(800), 6);
        piece(3, 0, true, Buffer.concat([Buffer.from([17, 200, 1, 4]), Buffer.alloc(12)]), 60);
      },
    ],
    [
      "zero length",
      () => {
        piece(4, 0, true, Buffer.alloc(0));
        piece(4, 800, false, Buffer.alloc(0));
      },
    ],
    [
      "jumbo past 65,535 bytes",
      () => {
        piece(5, 65_528, false, Buffer.alloc(1000));
        piece(5, 65_528, true, Buffer.alloc(8));
      },
    ],
    [
      "nested fragment headers",
      () => {
        for (let depth = 1; depth < 20; depth++) {
          let payload: Buffer = whole.subarray(0, 800);
          for (let i = 0; i < depth; i++)
            payload = fragmentPayload(i === 0 ? 17 : NEXT_FRAGMENT, 6 + i, 0, i % 2 === 0, payload);
          raw(payload);
        }
      },
    ],
    [
      "cut off everywhere",
      () => {
        for (let length = 0; length < 40; length++)
          raw(fragmentPayload(60, 9, 8, true, whole).subarray(0, length));
      },
    ],
    [
      "exhaustion: 20,000 fragments of datagrams that are never whole",
      () => {
        for (let i = 0; i < 20_000; i++)
          piece(100_000 + i, 8 * (i % 8000), true, Buffer.alloc(i % 50 === 0 ? 1448 : 8));
      },
    ],
  ];
  for (const [name, act] of hostile) {
    test(`hostile: ${name}: what comes whole is served`, async () => {
      act();
      // Behind a flood on the wire the first question may be lost.
      for (let more = 5; ; more--) {
        const answer = router.ping(Buffer.from("still there"), GUEST, ROUTER);
        if (more === 0) await answer;
        if (await answer.then(() => true).catch(() => false)) break;
      }
      await echo(randomBytes(5000));
      assert.doesNotMatch(host.machine.guest.output, /panic|trap/i);
    });
  }
});
