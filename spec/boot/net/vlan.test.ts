/** A guest in a VLAN (vlan= on the command line): all it sends has the tag, what has none or another is dropped and counted. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { DhcpServer } from "../../wire/dhcp.ts";
import { decodeEthernet } from "../../wire/frame.ts";
import { ICMP_ECHO, ICMP_ECHO_REPLY, PROTOCOL_ICMP, encodeIcmp } from "../../wire/ipv4.ts";
import type { Peer } from "../../wire/peer.ts";
import { DEFAULT_IMAGE, type WiredMachine, bootWired } from "../machine.ts";

const VLAN = 100;
const ETHERTYPE_VLAN = 0x8100;

/** The frame with a tag behind its addresses. */
function tagged(frame: Buffer, control: number): Buffer {
  const tag = Buffer.alloc(4);
  tag.writeUInt16BE(ETHERTYPE_VLAN, 0);
  tag.writeUInt16BE(control, 2);
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
}

describe("a guest in a VLAN", () => {
  let wired: WiredMachine;
  let peer: Peer;
  /** Tag of what the peer sends; undefined: none. */
  let control: number | undefined = VLAN;
  let untagged = 0;

  before(async () => {
    wired = await bootWired(DEFAULT_IMAGE, {
      append: `vlan=${VLAN}`,
      dhcp: (opened) => {
        const { wire } = opened;
        const receive = wire.onFrame;
        const send = wire.send.bind(wire);
        wire.onFrame = (frame) => {
          if (decodeEthernet(frame)?.type !== ETHERTYPE_VLAN || frame.readUInt16BE(14) !== VLAN)
            untagged += 1;
          else receive(Buffer.concat([frame.subarray(0, 12), frame.subarray(16)]));
        };
        wire.send = (frame) => send(control === undefined ? frame : tagged(frame, control));
        return new DhcpServer(opened);
      },
    });
    ({ peer } = wired);
  });
  after(() => wired?.stop());

  test("has got its address there, and answers packets of every size", async () => {
    for (const size of [0, 56, 1471, 1472]) await peer.ping(randomBytes(size));
    const data = randomBytes(1472);
    assert.ok((await peer.askUdp(7, data)).equals(data));
    assert.equal(untagged, 0);
  });

  test("takes any priority, but no other VLAN and no frame without a tag", async () => {
    const echo = encodeIcmp({
      type: ICMP_ECHO,
      code: 0,
      identifier: 5,
      sequence: 1,
      payload: Buffer.from("x"),
    });
    const answered = async (tag: number | undefined): Promise<boolean> => {
      const send = (): void => {
        control = tag;
        peer.sendIpv4({ protocol: PROTOCOL_ICMP, payload: echo });
        control = VLAN;
      };
      const reply = await peer.answerTo(send, ({ icmp }) =>
        icmp?.type === ICMP_ECHO_REPLY && icmp.identifier === 5 ? icmp : undefined,
      );
      return reply !== undefined;
    };
    assert.equal(await answered(0xe000 | VLAN), true);
    for (const tag of [undefined, 0, 1, VLAN + 1, 4095])
      assert.equal(await answered(tag), false, `tag ${tag}`);
    assert.equal(await answered(VLAN), true);
  });
});
