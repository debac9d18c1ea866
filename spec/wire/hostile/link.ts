/** Attacks on ARP, UDP and DHCP, and on Ethernet itself. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { TcpClient } from "../client.ts";
import { ARP_REPLY, ARP_REQUEST, BROADCAST, ETHERTYPE_ARP, address, encodeArp } from "../frame.ts";
import { PROTOCOL_UDP, encodeUdp } from "../ipv4.ts";
import { type Attack, settle } from "./target.ts";
import { PATIENCE } from "../patience.ts";

const EVIL = "02:00:00:00:66:66";
/** Of DHCP: the fixed part with its cookie. */
function dhcp(options: number[]): Buffer {
  const message = Buffer.alloc(240);
  message.set([2, 1, 6]);
  message.writeUInt32BE(0x63825363, 236);
  return Buffer.concat([message, Buffer.from(options)]);
}

export const linkAttacks: Attack[] = [
  {
    name: "ARP poisoning: replies that nobody asked for do not change an entry that is in use",
    run: async (target) => {
      const { peer } = target;
      const client = new TcpClient(peer, 7);
      await client.connect();
      const stolen: string[] = [];
      const stop = peer.subscribe(({ frame }) => {
        if (frame.destination === EVIL) stolen.push(`type ${frame.type.toString(16)}`);
      });
      const claims = [
        { operation: ARP_REPLY, senderAddress: peer.address, targetAddress: peer.guest },
        { operation: ARP_REPLY, senderAddress: peer.address, targetAddress: peer.address },
        { operation: ARP_REQUEST, senderAddress: peer.address, targetAddress: peer.address },
        { operation: ARP_REQUEST, senderAddress: peer.address, targetAddress: address("10.0.2.99") },
      ];
      for (let round = 0; round < 25; round++) {
        for (const claim of claims) {
          target.frame(encodeArp({ senderMac: EVIL, targetMac: target.mac, ...claim }), ETHERTYPE_ARP, EVIL);
        }
        const data = randomBytes(500);
        client.send(data);
        assert.ok((await client.receive(PATIENCE, (all) => all.length >= 500)).equals(data));
      }
      stop();
      assert.deepEqual(stolen, []);
      await client.close();
    },
  },
  {
    name: "ARP flood: requests of 2,000 invented neighbours do not drive out the one that is in use",
    run: async (target) => {
      const { peer } = target;
      await peer.ping(Buffer.from("before"));
      let asked = 0;
      const stop = peer.subscribe(({ arp }) => {
        if (arp?.operation === ARP_REQUEST && arp.targetAddress === peer.address) asked += 1;
      });
      for (let i = 0; i < 2000; i++) {
        const senderAddress = address("10.0.2.100") + (i % 100);
        const packet = {
          operation: ARP_REQUEST,
          senderMac: `02:00:00:01:${hex(i >> 8)}:${hex(i)}`,
          senderAddress,
        };
        target.frame(
          encodeArp({ ...packet, targetMac: "00:00:00:00:00:00", targetAddress: peer.guest }),
          ETHERTYPE_ARP,
        );
        if (i % 100 === 0) await peer.ping(Buffer.from("between"));
      }
      stop();
      assert.ok(asked <= 2, `the guest had to ask for us ${asked} times`);
    },
  },
  {
    name: "ARP packets of other hardware, with lengths that lie, or cut off",
    drops: 20,
    run: async (target) => {
      const right = encodeArp({
        operation: ARP_REQUEST,
        senderMac: target.peer.mac,
        senderAddress: target.peer.address,
        targetMac: BROADCAST,
        targetAddress: target.peer.guest,
      });
      for (const [at, value] of [
        [0, 1],
        [1, 6],
        [2, 0x86],
        [4, 0],
        [4, 255],
        [5, 16],
        [7, 9],
        [8, 255],
      ] as const) {
        const wrong = Buffer.from(right);
        wrong[at] = value;
        target.frame(wrong, ETHERTYPE_ARP);
      }
      for (let bytes = 0; bytes < 14; bytes++) {
        const frame = Buffer.concat([
          Buffer.from(`${target.mac}${target.peer.mac}`.replaceAll(":", ""), "hex"),
          Buffer.from([8, 6]),
          right.subarray(0, bytes),
        ]);
        target.peer.wire.send(frame);
      }
      await settle();
    },
  },
  {
    name: "UDP: lengths of 0, below the header and beyond the packet, port 0",
    drops: 12,
    run: async (target) => {
      const { address: source, guest } = target.peer;
      const datagram = encodeUdp(source, guest, {
        sourcePort: 5,
        destinationPort: 7,
        payload: Buffer.alloc(40, 1),
        checksum: 0,
      });
      for (const length of [0, 1, 7, 49, 1000, 65535]) {
        const wrong = Buffer.from(datagram);
        wrong.writeUInt16BE(length, 4);
        target.ipv4({ protocol: PROTOCOL_UDP, payload: wrong });
      }
      for (let bytes = 1; bytes < 8; bytes++)
        target.ipv4({ protocol: PROTOCOL_UDP, payload: datagram.subarray(0, bytes) });
      const toZero = { sourcePort: 5, destinationPort: 0, payload: Buffer.alloc(4) };
      target.ipv4({ protocol: PROTOCOL_UDP, payload: encodeUdp(source, guest, toZero) });
      await settle();
    },
  },
  {
    name: "AMNESIA:33, NAME:WRECK: DHCP options that run beyond the message, or have no end",
    drops: 6,
    run: async (target) => {
      const { address: source, guest } = target.peer;
      const messages = [
        [53, 1],
        [53],
        [53, 255, 5],
        [53, 0, 255],
        [53, 1, 2, 54, 4, 10, 0],
        [53, 1, 5, 51, 4],
        [53, 1, 2, 3, 250, 1, 2, 3, 4],
        [52, 1, 3, 53, 1, 2, 119, 200, 0xc0, 0x00],
      ];
      for (const options of messages) {
        const payload = encodeUdp(source, guest, {
          sourcePort: 67,
          destinationPort: 68,
          payload: dhcp(options),
        });
        target.ipv4({ protocol: PROTOCOL_UDP, payload });
      }
      const cut = encodeUdp(source, guest, {
        sourcePort: 67,
        destinationPort: 68,
        payload: dhcp([]).subarray(0, 100),
      });
      target.ipv4({ protocol: PROTOCOL_UDP, payload: cut });
      await settle();
    },
  },
  {
    name: "frames that are too short, of no type, and with tags within tags",
    drops: 13,
    run: async (target) => {
      const header = Buffer.from(`${target.mac}${target.peer.mac}`.replaceAll(":", ""), "hex");
      for (const type of [0x0000, 0x05dc, 0x0801, 0x8035, 0x86dd, 0x88a8, 0xffff])
        target.frame(Buffer.alloc(46), type);
      const tags = [
        "81000001",
        "8100000081000000",
        "8100000088a80000",
        "810000008100",
        "8100",
        "81000fff0800",
      ];
      for (const tag of tags)
        target.peer.wire.send(Buffer.concat([header, Buffer.from(tag, "hex"), Buffer.alloc(46)]));
      for (let bytes = 12; bytes < 14; bytes++)
        target.peer.wire.send(Buffer.concat([header, Buffer.alloc(2)]).subarray(0, bytes));
      await settle();
    },
  },
];

function hex(value: number): string {
  return (value & 255).toString(16).padStart(2, "0");
}
