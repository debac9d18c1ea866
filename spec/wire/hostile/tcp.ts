/** Attacks on TCP. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TcpSegment, ACK, FIN, PSH, RST, SYN, URG, encodeTcp, sequenceAdd } from "../tcp.ts";
import { TcpClient } from "../client.ts";
import { PROTOCOL_ICMP, PROTOCOL_TCP, encodeIcmp, encodeIpv4 } from "../ipv4.ts";
import { TcpScript } from "../scenario.ts";
import { type Attack, type Target, settle } from "./target.ts";
import { PATIENCE } from "../patience.ts";

const ECHO = 7;
const HTTP = 80;

/** A connection to a port of the guest in which nothing is sent but what a test sends. */
class Raw {
  private readonly script: TcpScript;
  /** Sequence number of the next byte that we send, and of the next that we expect, relative to the initial ones. */
  next = 1;
  private expected = 1;

  private constructor(
    readonly target: Target,
    port: number,
  ) {
    this.script = new TcpScript(target.peer, port);
  }

  static async open(target: Target, port: number, options = "<mss 1460>"): Promise<Raw> {
    const raw = new Raw(target, port);
    await raw.script.run(`
      +0 < S 0:0(0) win 65535 ${options}
      *  > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1`);
    return raw;
  }

  /** Sends a segment whose fields are changed by `change`; its bytes count from `next` on. */
  send(payload: string, change: Partial<TcpSegment> = {}): void {
    const { peer } = this.target;
    const segment: TcpSegment = {
      sourcePort: this.script.localPort,
      destinationPort: this.script.remotePort,
      sequence: sequenceAdd(this.script.initial, this.next),
      acknowledgement: sequenceAdd(this.script.remoteInitial ?? 0, this.expected),
      flags: ACK | PSH,
      window: 65535,
      options: {},
      payload: Buffer.from(payload),
      ...change,
    };
    const bytes = encodeTcp(peer.address, peer.guest, segment);
    this.target.ipv4({ protocol: PROTOCOL_TCP, payload: bytes });
    this.next += segment.payload.length;
  }

  /** What comes back and has not come before, acknowledged: up to `length` bytes, or until nothing more comes for a second. */
  async answer(length: number): Promise<string> {
    let text = "";
    while (text.length < length) {
      const segment = await this.script.next(1);
      if (segment === undefined) break;
      const known = this.expected - segment.sequence;
      if (known < 0 || known >= segment.payload.length) continue;
      text += segment.payload.subarray(known).toString("latin1");
      this.expected += segment.payload.length - known;
      this.script.send({ flags: ACK, sequence: this.next, acknowledgement: this.expected });
    }
    return text;
  }

  close(): void {
    this.script.send({ flags: RST, sequence: this.next });
    this.script.dispose();
  }
}

/** Options of a SYN as bytes: with lengths of zero, beyond the header, cut off. */
const BROKEN_OPTIONS: number[][] = [
  [2, 0, 5, 180],
  [2, 1, 5, 180],
  [2, 40, 5, 180],
  [3, 0, 0, 0],
  [8, 255, 0, 0],
  [5, 0, 1, 1],
  [1, 1, 1, 2],
  [1, 1, 1, 8],
  [8, 10, 0, 0],
  [29, 0, 0, 0],
  [29, 255, 0, 0],
];

export const tcpAttacks: Attack[] = [
  {
    name: "URGENT/11: urgent pointers of zero, inside, at the end and beyond the segment (CVE-2019-12255, -12260, -12263)",
    run: async (target) => {
      const pointers = [0, 1, 3, 5, 6, 100, 1460, 32767, 65535];
      const raw = await Raw.open(target, ECHO);
      for (const urgent of pointers) raw.send("abcde", { flags: ACK | PSH | URG, urgent });
      assert.equal(await raw.answer(5 * pointers.length), "abcde".repeat(pointers.length), "all in line");
      // Without data, and out of order.
      raw.send("", { flags: ACK | URG, urgent: 65535 });
      raw.next += 3;
      raw.send("def", { flags: ACK | PSH | URG, urgent: 1 });
      raw.next -= 6;
      raw.send("abc", { flags: ACK | PSH | URG, urgent: 0 });
      assert.equal(await raw.answer(6), "abcdef");
      raw.close();
    },
  },
  {
    name: "URGENT/11: the authentication option (AO), whole and broken, with urgent data (CVE-2019-12260)",
    run: async (target) => {
      const raw = await Raw.open(target, ECHO);
      const ao = [29, 16, ...Array<number>(14).fill(7)];
      raw.send("ok", { flags: ACK | PSH | URG, urgent: 2, options: { raw: Buffer.from(ao) } });
      assert.equal(await raw.answer(2), "ok");
      for (const length of [0, 1, 2, 3, 200]) {
        const next = raw.next;
        raw.send("no", {
          flags: ACK | PSH | URG,
          urgent: 2,
          options: { raw: Buffer.from([29, length, 1, 1]) },
        });
        raw.next = next;
      }
      raw.send("go", { options: { raw: Buffer.from([1, 1, 1, 1]) } });
      assert.match(await raw.answer(2), /^(no|go)/);
      raw.close();
    },
  },
  {
    name: "AMNESIA:33, NUMBER:JACK: TCP options of length zero, beyond the header, cut off",
    drops: BROKEN_OPTIONS.length,
    run: async (target) => {
      const answer = target.peer.waitFor("a SYN,ACK", 400, ({ tcp }) =>
        tcp && (tcp.flags & (SYN | ACK)) === (SYN | ACK) ? tcp : undefined,
      );
      for (const bytes of BROKEN_OPTIONS) {
        target.segment({ destinationPort: HTTP, flags: SYN, options: { raw: Buffer.from(bytes) } });
      }
      await assert.rejects(answer, /nothing within/, "none of them opens a connection");
    },
  },
  {
    name: "headers that say they are longer than the segment, or shorter than a header",
    drops: 14,
    run: async (target) => {
      for (let dataOffset = 0; dataOffset < 16; dataOffset++) {
        if (dataOffset !== 5) target.segment({ destinationPort: HTTP, flags: SYN, dataOffset });
      }
      await settle();
    },
  },
  {
    name: "flags that contradict each other; a packet in the guest's own name (LAND)",
    drops: 1,
    run: async (target) => {
      const { guest } = target.peer;
      for (const flags of [0, FIN, SYN | FIN, SYN | RST, SYN | FIN | URG | PSH, 63, FIN | URG | PSH]) {
        target.segment({ destinationPort: HTTP, flags });
      }
      const segment: TcpSegment = {
        sourcePort: HTTP,
        destinationPort: HTTP,
        sequence: 1,
        acknowledgement: 0,
        flags: SYN,
        window: 100,
        options: {},
        payload: Buffer.alloc(0),
      };
      target.ipv4({ source: guest, protocol: PROTOCOL_TCP, payload: encodeTcp(guest, guest, segment) });
      await settle();
    },
  },
  {
    name: "SACK panic: an MSS of 0, 1 and 48, with selective acknowledgements of anything (CVE-2019-11477 to -11479)",
    run: async (target) => {
      for (const mss of [0, 1, 48]) {
        const raw = await Raw.open(target, HTTP, `<mss ${mss},sackOK>`);
        raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        const sizes: number[] = [];
        const stop = target.peer.subscribe(({ ip, tcp }) => {
          if (ip?.source === target.peer.guest && tcp && tcp.payload.length > 0)
            sizes.push(tcp.payload.length);
        });
        for (let i = 0; i < 30; i++) {
          const from = randomBytes(4).readUInt32BE();
          const blocks: [number, number][] = [
            [from, sequenceAdd(from, 1)],
            [sequenceAdd(from, 8), from],
            [0, 0xffffffff],
            [0xffffffff, 0],
          ];
          raw.send("", { options: { sack: blocks.slice(0, 1 + (i % 4)) } });
        }
        await raw.answer(200);
        stop();
        // Not a packet for every few bytes: what is less than 88 - 12 is not believed.
        assert.ok(
          sizes.length > 0 && (sizes[0] as number) >= 76,
          `MSS ${mss}: segments of ${sizes.join(", ")} bytes`,
        );
        raw.close();
      }
    },
  },
  {
    name: "NUMBER:JACK: initial sequence numbers cannot be guessed from others",
    run: async (target) => {
      const { peer } = target;
      const numbers: number[] = [];
      const stop = peer.subscribe(({ ip, tcp }) => {
        if (ip?.source === peer.guest && tcp && (tcp.flags & (SYN | ACK)) === (SYN | ACK))
          numbers.push(tcp.sequence);
      });
      const clients = 160;
      for (let i = 0; i < clients; i++) {
        const client = new TcpClient(peer, ECHO);
        await client.connect();
        client.abort();
      }
      stop();
      assert.ok(numbers.length >= clients);
      const steps = numbers.slice(1).map((value, i) => (value - (numbers[i] as number)) >>> 0);
      assert.equal(new Set(steps).size, steps.length, "no distance twice");
      // Spread over all of the space: each sixteenth of it has some, and none has half of them.
      const counts = Array<number>(16).fill(0);
      for (const step of steps) counts[step >>> 28] = (counts[step >>> 28] as number) + 1;
      assert.ok(
        Math.min(...counts) > 0 && Math.max(...counts) < steps.length / 4,
        `by sixteenths: ${counts.join(" ")}`,
      );
      // Nor are the low bits a counter's.
      assert.ok(new Set(numbers.map((value) => value & 0xff)).size > 80);
    },
  },
  {
    name: "blind ICMP: a connection is neither ended nor made small by errors that do not know its numbers",
    run: async (target) => {
      const { peer } = target;
      const client = new TcpClient(peer, ECHO);
      await client.connect();
      for (const code of [0, 1, 2, 3, 4]) {
        for (let i = 0; i < 20; i++) {
          const segment = Buffer.alloc(8);
          segment.writeUInt16BE(ECHO, 0);
          segment.writeUInt16BE(client.localPort, 2);
          segment.writeUInt32BE(randomBytes(4).readUInt32BE(), 4);
          const quoted = encodeIpv4({
            source: peer.guest,
            destination: peer.address,
            protocol: PROTOCOL_TCP,
            payload: segment,
          });
          const payload = encodeIcmp({ type: 3, code, identifier: 0, sequence: 68, payload: quoted });
          target.ipv4({ protocol: PROTOCOL_ICMP, payload });
        }
      }
      let largest = 0;
      const stop = peer.subscribe(({ tcp }) => {
        if (tcp?.destinationPort === client.localPort) largest = Math.max(largest, tcp.payload.length);
      });
      const data = randomBytes(20_000);
      client.send(data);
      const answer = await client.receive(PATIENCE, (all) => all.length >= data.length);
      stop();
      assert.ok(answer.equals(data));
      assert.equal(largest, 1460);
      await client.close();
    },
  },
];
