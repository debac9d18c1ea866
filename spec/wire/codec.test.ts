/** The frame codec against vectors worked out by hand and against itself. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ARP_REPLY,
  ETHERTYPE_ARP,
  address,
  addressText,
  decodeArp,
  decodeEthernet,
  encodeArp,
  encodeEthernet,
} from "./frame.ts";
import {
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  decodeIcmp,
  decodeIpv4,
  decodeUdp,
  encodeIcmp,
  encodeIpv4,
  encodeUdp,
  fold,
  sum16,
} from "./ipv4.ts";
import { parseScenario } from "./parse.ts";
import { ACK, SYN, decodeTcp, encodeTcp, flagsText, sequenceDifference } from "./tcp.ts";
import { generator } from "./link.ts";

const A = address("10.0.2.2");
const B = address("10.0.2.15");

describe("frame codec", () => {
  test("addresses", () => {
    assert.equal(B, 0x0a00020f);
    assert.equal(addressText(0xc0a80001), "192.168.0.1");
    assert.throws(() => address("10.0.2"), RangeError);
    assert.throws(() => address("10.0.2.256"), RangeError);
  });

  test("Ethernet pads to 60 bytes and ARP comes back from it", () => {
    const arp = {
      operation: ARP_REPLY,
      senderMac: "52:54:00:12:34:56",
      senderAddress: B,
      targetMac: "02:00:00:00:00:02",
      targetAddress: A,
    };
    const frame = {
      destination: arp.targetMac,
      source: arp.senderMac,
      type: ETHERTYPE_ARP,
      payload: encodeArp(arp),
    };
    const bytes = encodeEthernet(frame);
    assert.equal(bytes.length, 60);
    assert.equal(
      bytes.subarray(0, 42).toString("hex"),
      "020000000002525400123456080600010800060400025254001234560a00020f0200000000020a000202",
    );
    assert.deepEqual(decodeArp((decodeEthernet(bytes) as { payload: Buffer }).payload), arp);
    assert.equal(decodeArp(Buffer.alloc(27)), undefined);
    assert.equal(decodeEthernet(Buffer.alloc(13)), undefined);
  });

  test("Internet checksum of the example in RFC 1071", () => {
    const bytes = Buffer.from("0001f203f4f5f6f7", "hex");
    assert.equal(fold(sum16(bytes)), ~0xddf2 & 0xffff);
    assert.equal(fold(sum16(bytes.subarray(0, 7))), ~0xdcfb & 0xffff);
  });

  test("IPv4 header checksum of a known packet", () => {
    const known = Buffer.from("450000730000400040 11b861c0a80001c0a800c7".replaceAll(" ", ""), "hex");
    const packet = encodeIpv4({
      source: address("192.168.0.1"),
      destination: address("192.168.0.199"),
      protocol: PROTOCOL_UDP,
      identification: 0,
      payload: Buffer.alloc(0x73 - 20),
    });
    assert.equal(packet.subarray(0, 20).toString("hex"), known.toString("hex"));
    assert.equal(decodeIpv4(packet)?.checksumOk, true);
    packet[8] = 63;
    assert.equal(decodeIpv4(packet)?.checksumOk, false);
    assert.equal(decodeIpv4(packet.subarray(0, 100)), undefined, "shorter than its total length");
  });

  test("UDP and ICMP of every small length survive, and a changed byte is noticed", () => {
    for (let length = 0; length < 70; length++) {
      const payload = Buffer.from(Array.from({ length }, (_, i) => (i * 37 + length) & 255));
      const udp = encodeUdp(A, B, { sourcePort: 7, destinationPort: 65535, payload });
      const back = decodeUdp(A, B, udp);
      assert.ok(back?.checksumOk && back.payload.equals(payload), `UDP ${length}`);
      const icmp = encodeIcmp({ type: 8, code: 0, identifier: 1, sequence: length, payload });
      assert.ok(decodeIcmp(icmp)?.checksumOk, `ICMP ${length}`);
      udp[3] = (udp[3] as number) ^ 1;
      icmp[4] = (icmp[4] as number) ^ 1;
      assert.equal(decodeUdp(A, B, udp)?.checksumOk, false);
      assert.equal(decodeIcmp(icmp)?.checksumOk, false);
    }
  });

  test("TCP options survive", () => {
    const segment = {
      sourcePort: 1,
      destinationPort: 80,
      sequence: 0xffffffff,
      acknowledgement: 0x80000000,
      flags: SYN | ACK,
      window: 65535,
      options: {
        mss: 1460,
        sackPermitted: true,
        timestamp: { value: 0xdeadbeef, echo: 1 },
        windowScale: 7,
        sack: [[1, 2] as [number, number]],
      },
      payload: Buffer.from("hello"),
    };
    const bytes = encodeTcp(A, B, segment);
    const back = decodeTcp(A, B, bytes);
    assert.equal(back?.checksumOk, true);
    assert.deepEqual(back?.options, segment.options);
    assert.equal(back?.sequence, 0xffffffff);
    assert.equal(back?.payload.toString(), "hello");
    assert.equal(flagsText(back?.flags as number), "S.");
    assert.equal(decodeTcp(A, B, bytes.subarray(0, 19)), undefined);
    assert.equal(
      decodeIpv4(encodeIpv4({ source: A, destination: B, protocol: PROTOCOL_TCP, payload: bytes }))?.protocol,
      6,
    );
  });

  test("sequence numbers wrap", () => {
    assert.equal(sequenceDifference(2, 0xfffffffe), 4);
    assert.equal(sequenceDifference(0xfffffffe, 2), -4);
  });

  test("scenario lines are parsed, and a wrong one is named", () => {
    const [send, expect, any, quiet, call, icmp, rich] = parseScenario(`
      // comment
      +.01  < P. 1:6(5) ack 1 win 512 <mss 1460,sackOK,wscale 7> "hello" // request
      +0..1 > S. 0:0(0) ack 1
      *     > - 0:0(0)
      quiet 0.3
      +.5..1 call recv 100 = "a = b"
      +0    < icmp unreachable frag_needed mtu 1200 1:1001(1000)
      +.2   >> .EW * urg 3 <sack 1:1001 2001:3001,TS val +100 ecr *,kind 254 0x01ff,only> [ttl 64,ecn ce]
    `);
    assert.ok(send?.kind === "send" && send.from === 0.01 && send.payload?.toString() === "hello");
    assert.deepEqual(send.options, { mss: 1460, sackPermitted: true, windowScale: 7 });
    assert.ok(
      expect?.kind === "expect" && expect.from === 0 && expect.to === 1 && expect.acknowledgement === 1,
    );
    assert.ok(any?.kind === "expect" && any.to >= 5 && any.flags === 0 && any.acknowledgement === undefined);
    assert.ok(quiet?.kind === "quiet" && quiet.seconds === 0.3);
    assert.ok(call?.kind === "call" && call.from === 0.5 && call.to === 1 && call.again);
    assert.deepEqual([call.words, call.result], [["recv", "100"], '"a = b"']);
    assert.ok(icmp?.kind === "icmp" && icmp.type === 3 && icmp.code === 4 && icmp.mtu === 1200);
    assert.deepEqual(icmp.quoted, { sequence: 1, length: 1000 });
    assert.ok(rich?.kind === "expect" && rich.passing && rich.range === undefined && rich.urgent === 3);
    assert.ok(Math.abs(rich.to - 0.7) < 1e-9 && rich.from === 0);
    assert.equal(flagsText(rich.flags), ".EW");
    assert.deepEqual(rich.ip, { ttl: 64, ecn: 3 });
    assert.deepEqual(rich.options, {
      sack: [
        [1, 1001],
        [2001, 3001],
      ],
      timestamp: { value: { number: 100, relative: true }, echo: undefined },
      unknown: [{ kind: 254, body: Buffer.from([1, 255]) }],
      only: true,
    });
    assert.throws(() => parseScenario("+0 < . *"), /has a sequence number/);
    assert.throws(() => parseScenario("+0 < . 1:1(0) ack"), /not a number/);
    assert.throws(() => parseScenario('+0 < . 1:3(2) "abc"'), /payload has 3 bytes/);
    assert.throws(() => parseScenario("+0 < S 0:0(0) <mass 1460>"), /unknown TCP option: mass/);
    assert.throws(() => parseScenario("+0 ! S 0:0(0)"), /neither/);
    assert.throws(() => parseScenario("+0 < X 0:0(0)"), /^\S+ \+0 < X 0:0\(0\): not flags: X/);
    assert.throws(() => parseScenario("+0 < S 0:1(0)"), /range and length differ/);
  });

  test("the generator repeats", () => {
    const one = generator(5);
    const two = generator(5);
    for (let i = 0; i < 100; i++) assert.equal(one(), two());
  });
});
