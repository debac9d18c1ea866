/** Attacks on IPv4, ICMP and fragments. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { TcpClient } from "../client.ts";
import { address } from "../frame.ts";
import {
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  ICMP_UNREACHABLE,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  encodeIcmp,
  encodeIpv4,
  encodeUdp,
} from "../ipv4.ts";
import { type Attack, type Target, settle } from "./target.ts";
import { PATIENCE } from "../patience.ts";

const echo = (payload: Buffer): Buffer =>
  encodeIcmp({ type: ICMP_ECHO, code: 0, identifier: 9, sequence: 1, payload });
const udp = (target: Target, port: number, payload: Buffer): Buffer =>
  encodeUdp(target.peer.address, target.peer.guest, { sourcePort: 4000, destinationPort: port, payload });

/** IP options as they stand in the header. */
const OPTIONS: number[][] = [
  // Source routes: strict and loose, whole, with a pointer that lies, two of them, and cut off (URGENT/11: CVE-2019-12256).
  [137, 7, 4, 10, 0, 2, 15, 0],
  [131, 7, 4, 10, 0, 2, 15, 0],
  [131, 7, 255, 10, 0, 2, 15, 0],
  [131, 3, 4, 131, 3, 4, 0, 0],
  [137, 39, 4, 0],
  [1, 1, 1, 131],
  // A length of 0 or 1 must not be a loop without end; one beyond the header must not be believed.
  [7, 0, 4, 0],
  [68, 0, 0, 0],
  [7, 1, 0, 0],
  [7, 39, 4, 0],
  [148, 255, 0, 0],
  [1, 1, 1, 7],
];

export const ipv4Attacks: Attack[] = [
  {
    name: "URGENT/11: IP options of length zero, beyond the header, source routes",
    drops: OPTIONS.length * 2,
    run: async (target) => {
      for (const options of OPTIONS) {
        target.ipv4({
          protocol: PROTOCOL_ICMP,
          payload: echo(Buffer.alloc(32)),
          options: Buffer.from(options),
        });
        // To a port that nobody has: an error would quote the options.
        target.ipv4({
          protocol: PROTOCOL_UDP,
          payload: udp(target, 9, Buffer.alloc(32)),
          options: Buffer.from(options),
        });
      }
      await settle();
    },
  },
  {
    name: "Ripple20: lengths of packet and header that lie (CVE-2020-11898)",
    drops: 8,
    run: async (target) => {
      const packet = { protocol: PROTOCOL_ICMP, payload: echo(Buffer.alloc(100)) };
      for (const length of [0, 19, 129, 1500, 65535]) target.broken(packet, 2, [length >> 8, length & 255]);
      for (const first of [0x40, 0x44, 0x65, 0x4f])
        target.broken({ ...packet, payload: Buffer.alloc(8) }, 0, [first]);
      await settle();
    },
  },
  {
    name: "Ripple20: IP in IP, with fragments inside and outside (CVE-2020-11896)",
    drops: 1,
    run: async (target) => {
      const { address: source, guest: destination } = target.peer;
      const inner = encodeIpv4({
        source,
        destination,
        protocol: PROTOCOL_UDP,
        payload: udp(target, 7, Buffer.alloc(1200)),
        fragment: 0x2000,
      });
      target.ipv4({ protocol: 4, payload: inner });
      target.fragments(Buffer.concat([inner, Buffer.alloc(1000)]), 1024, 77, 4);
      let nested = inner;
      for (let i = 0; i < 20; i++) nested = encodeIpv4({ source, destination, protocol: 4, payload: nested });
      target.ipv4({ protocol: 4, payload: nested });
      await settle();
    },
  },
  {
    name: "teardrop: overlapping fragments",
    drops: 12,
    run: async (target) => {
      const datagram = udp(target, 7, randomBytes(2000));
      const piece = (id: number, at: number, end: number, more: boolean): void =>
        target.ipv4({
          protocol: PROTOCOL_UDP,
          payload: datagram.subarray(at, end),
          identification: id,
          fragment: (at >> 3) | (more ? 0x2000 : 0),
        });
      const answer = target.peer.waitFor("an answer", 400, ({ ip, udp: got }) =>
        got?.destinationPort === 4000 || (ip?.fragment ?? 0) & 0x3fff ? true : undefined,
      );
      for (let id = 100; id < 104; id++) {
        piece(id, 0, 1016, true);
        // Inside, across the end, at the same place but longer, and the last inside of what is known.
        if (id === 100) piece(id, 24, 48, false);
        else if (id === 101) piece(id, 1008, 1400, true);
        else if (id === 102) piece(id, 0, 1024, true);
        else piece(id, 512, 1000, false);
        piece(id, 1016, datagram.length, false);
      }
      await assert.rejects(answer, /nothing within/);
      for (let id = 104; id < 110; id++) {
        piece(id, 0, 800, true);
        piece(id, 792, datagram.length, false);
      }
    },
  },
  {
    name: "ping of death: a fragment that ends beyond 65,535 bytes",
    drops: 3,
    run: async (target) => {
      for (const offset of [8191, 8190, 8189]) {
        target.ipv4({
          protocol: PROTOCOL_ICMP,
          payload: Buffer.alloc(1000),
          identification: 200,
          fragment: offset,
        });
      }
      await settle();
    },
  },
  {
    name: "tiny fragments: a TCP header in two pieces (RFC 1858, RFC 3128)",
    drops: 3,
    run: async (target) => {
      const part = (bytes: number, fragment: number): void =>
        target.ipv4({
          protocol: PROTOCOL_TCP,
          payload: Buffer.alloc(bytes, 2),
          identification: 300,
          fragment,
        });
      part(8, 0x2000);
      part(16, 0x2000);
      part(32, 1);
      await settle();
    },
  },
  {
    name: "a flood of fragments (and the Rose attack) beside a connection that goes on",
    run: async (target) => {
      const { peer } = target;
      const data = randomBytes(60_000);
      const answer = TcpClient.request(peer, 7, data, 20_000, (all) => all.length >= data.length);
      for (let i = 0; i < 6000; i++) {
        const source = (address("172.16.0.1") + (i % 5000)) >>> 0;
        // First fragments, last fragments of datagrams of 64 KiB, and some from everywhere between.
        const fragment = i % 3 === 0 ? 0x2000 : i % 3 === 1 ? 8000 : 0x2000 | (1 + (i % 7000));
        target.ipv4({
          source,
          protocol: PROTOCOL_UDP,
          payload: Buffer.alloc(64, i),
          identification: i & 0xffff,
          fragment,
        });
        if (i % 100 === 0) await sleep(4);
      }
      assert.ok((await answer).equals(data), "the connection has lost nothing");
      // Whose fragments come together is served, however full the table is.
      const long = randomBytes(9000);
      assert.ok((await target.askLong(long)).equals(long));
    },
  },
  {
    name: "honest fragments are put together, forwards, backwards and small, and answers go in fragments",
    run: async (target) => {
      for (const [size, piece] of [
        [1473, 1480],
        [3000, 1480],
        [9000, 552],
        [40_000, 1400],
        [65_507, 1480],
      ] as const) {
        const data = randomBytes(size);
        const answer = await target.askLong(data, piece);
        assert.ok(answer.equals(data), `${size} bytes in pieces of ${piece}: ${answer.length} came back`);
      }
      await target.peer.ping(randomBytes(1400));
    },
  },
  {
    name: "ICMP: headers that are cut off, lengths that lie, types that there are not",
    drops: 8,
    run: async (target) => {
      for (let bytes = 0; bytes < 8; bytes++) {
        target.ipv4({ protocol: PROTOCOL_ICMP, payload: echo(Buffer.alloc(0)).subarray(0, bytes) });
      }
      const reply = target.peer.waitFor("an answer", 400, ({ icmp }) => icmp);
      for (const type of [4, 5, 9, 10, 13, 15, 17, 37, 40, 255]) {
        const payload = encodeIcmp({
          type,
          code: 0,
          identifier: 0,
          sequence: 0,
          payload: Buffer.alloc(28, 0x45),
        });
        target.ipv4({ protocol: PROTOCOL_ICMP, payload });
      }
      await assert.rejects(reply, /nothing within/);
    },
  },
  {
    name: "AMNESIA:33: ICMP errors that quote headers which are broken or cut off",
    drops: 30,
    run: async (target) => {
      const { address: source, guest } = target.peer;
      const quoted = encodeIpv4({
        source: guest,
        destination: source,
        protocol: PROTOCOL_TCP,
        payload: Buffer.alloc(8),
      });
      const error = (payload: Buffer, code = 3): void =>
        target.ipv4({
          protocol: PROTOCOL_ICMP,
          payload: encodeIcmp({ type: ICMP_UNREACHABLE, code, identifier: 0, sequence: 0, payload }),
        });
      for (let bytes = 0; bytes < 28; bytes++) error(quoted.subarray(0, bytes));
      for (const first of [0x4f, 0x40, 0x65])
        error(Buffer.concat([Buffer.from([first]), quoted.subarray(1)]));
      // An error about an error, and one to somebody else.
      error(
        encodeIpv4({
          source: guest,
          destination: source,
          protocol: PROTOCOL_ICMP,
          payload: Buffer.alloc(64, 3),
        }),
      );
      error(
        encodeIpv4({
          source: address("10.0.2.77"),
          destination: source,
          protocol: PROTOCOL_TCP,
          payload: Buffer.alloc(8),
        }),
      );
      await settle();
    },
  },
  {
    name: "no answer is an error about an error, a broadcast or a fragment in the middle (RFC 1122, 3.2.2)",
    run: async (target) => {
      const { peer } = target;
      const answer = peer.waitFor("an ICMP error", 500, ({ icmp }) =>
        icmp?.type === ICMP_UNREACHABLE ? icmp : undefined,
      );
      target.ipv4({
        protocol: PROTOCOL_ICMP,
        payload: encodeIcmp({
          type: ICMP_UNREACHABLE,
          code: 3,
          identifier: 0,
          sequence: 0,
          payload: Buffer.alloc(28),
        }),
      });
      target.ipv4({ protocol: 99, payload: Buffer.alloc(24), fragment: 0x2005 });
      peer.sendIpv4({ protocol: 99, payload: Buffer.alloc(24), destination: address("255.255.255.255") });
      peer.sendIpv4({
        protocol: PROTOCOL_UDP,
        payload: udp(target, 9, Buffer.alloc(4)),
        destination: address("10.0.2.255"),
      });
      await assert.rejects(answer, /nothing within/);
    },
  },
  {
    name: "identifications tell nobody how much is sent to others",
    run: async (target) => {
      const { peer } = target;
      const other = address("172.16.7.7");
      const ask = async (source: number): Promise<number> => {
        const answer = peer.waitFor("echo reply", PATIENCE, ({ ip, icmp }) =>
          icmp?.type === ICMP_ECHO_REPLY && ip?.destination === source ? ip.identification : undefined,
        );
        target.ipv4({ source, protocol: PROTOCOL_ICMP, payload: echo(Buffer.from("id")) });
        return answer;
      };
      const seen: number[] = [];
      for (let i = 0; i < 12; i++) {
        seen.push(await ask(peer.address));
        for (let j = 0; j < i; j++) await ask(other);
      }
      // Between two answers to us 0 to 11 went elsewhere: the distances do not know of it.
      const steps = seen.slice(1).map((id, i) => (id - (seen[i] as number)) & 0xffff);
      assert.deepEqual(new Set(steps).size, 1, `distances ${steps.join(" ")}`);
    },
  },
];
