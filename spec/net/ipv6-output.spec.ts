/** Packets of IPv6 that leave: the link address of a group (RFC 2464, 7), the next hop (RFC 4861, 5.2), and the source (RFC 6724, 5). */
import { EINVAL, EMSGSIZE, ENETDOWN, ENETUNREACH } from "../../kernel/errno";
import { allocateBuffer, BUFFER_HEADROOM, releaseBuffer } from "../../net/buffer";
import { networkFlush, setVlan } from "../../net/interface";
import { ipv6Output } from "../../net/ipv6-output";
import { chooseSource6, isOwn6 } from "../../net/own-addresses";
import { isLinkLocal } from "../../net/scope";
import { EthernetHeader } from "../../net/wire/ethernet";
import * as six from "./frames6";
import { address6, getGlobal, GROUP, lastOf, LINK_LOCAL, OWN_ID, PEER_ID, PREFIX } from "./frames6";
import { bootTransport, delivered, SCTP } from "./ipv6-transport";
import * as link from "./link";

/** TCP with all the options that fit. */
const LONGEST_TRANSPORT: u32 = 60;

/** Sends `payload` bytes; the result of ipv6Output. */
function send(sourceHigh: u64, sourceLow: u64, high: u64, low: u64, payload: u32): i32 {
  const buffer = allocateBuffer(BUFFER_HEADROOM)!;
  buffer.length = payload;
  const result = ipv6Output(buffer, address6(sourceHigh, sourceLow), address6(high, low), SCTP, 64);
  releaseBuffer(buffer);
  return result;
}

describe("ipv6 output", () => {
  beforeEach(bootTransport);

  it("goes to groups at once, with the link address of the group", () => {
    expect<i32>(send(0, 0, GROUP, 0x1234_5678, 30)).toBe(0);
    const last = six.sent[six.sent.length - 1];
    expect<u32>(changetype<EthernetHeader>(last.frame).destination0).toBe(0x3412_3333);
    expect<u32>(<u32>changetype<EthernetHeader>(last.frame).destination4).toBe(0x7856);
    expect<bool>(last.source.same(address6(LINK_LOCAL, OWN_ID))).toBe(true);
    expect<u32>(last.network.payloadLength).toBe(30);
    expect<u32>(last.network.hopLimit).toBe(64);
  });

  it("has room for the longest header of a transport, and a tag", () => {
    setVlan(100);
    const buffer = allocateBuffer(BUFFER_HEADROOM)!;
    buffer.length = 10;
    buffer.push(LONGEST_TRANSPORT);
    // The link sees to it that the driver's header still has its place.
    const result = ipv6Output(buffer, address6(LINK_LOCAL, OWN_ID), address6(GROUP, 1), SCTP, 64);
    releaseBuffer(buffer);
    expect<i32>(result).toBe(0);
    setVlan(0);
  });

  it("comes back from our own addresses", () => {
    expect<i32>(send(0, 0, 0, 1, 30)).toBe(0);
    expect<i32>(send(0, 0, LINK_LOCAL, OWN_ID, 31)).toBe(0);
    networkFlush();
    expect<u32>(delivered).toBe(2);
    expect<i32>(six.sent.length).toBe(0);
  });

  it("says what cannot be", () => {
    expect<i32>(send(0, 0, PREFIX, 9, 30)).toBe(-ENETUNREACH);
    expect<i32>(send(0, 0, 0, 9, 30)).toBe(-ENETUNREACH);
    expect<i32>(send(0, 1, LINK_LOCAL, PEER_ID, 30)).toBe(-EINVAL);
    expect<i32>(send(0, 0, GROUP, 1, 1461)).toBe(-EMSGSIZE);
    expect<i32>(send(0, 0, GROUP, 1, 1460)).toBe(0);
    link.linkDevice().linkUp = 0;
    expect<i32>(send(0, 0, GROUP, 1, 30)).toBe(-ENETDOWN);
  });

  it("asks for neighbours on the link, and for the router beyond it", () => {
    getGlobal();
    expect<i32>(send(0, 0, PREFIX, 9, 30)).toBe(0);
    expect<bool>(lastOf(135).target.same(address6(PREFIX, 9))).toBe(true);
    expect<bool>(lastOf(135).source.same(address6(PREFIX, OWN_ID))).toBe(true);
    expect<i32>(send(0, 0, 0x2001_0db8_ffff_0000, 9, 30)).toBe(0);
    const last = six.sent[six.sent.length - 1];
    expect<bool>(last.destination.same(address6(0x2001_0db8_ffff_0000, 9))).toBe(true);
    expect<u32>(<u32>changetype<EthernetHeader>(last.frame).destination4).toBe(link.PEER4);
    const question = lastOf(135);
    expect<bool>(question.isSound).toBe(true);
    expect<u32>(question.network.hopLimit).toBe(255);
  });

  it("has the source whose scope and prefix fit", () => {
    getGlobal();
    const source = address6(0, 0);
    expect<bool>(chooseSource6(source, address6(LINK_LOCAL, PEER_ID))).toBe(true);
    expect<bool>(isLinkLocal(source)).toBe(true);
    expect<bool>(chooseSource6(source, address6(GROUP, 1)) && isLinkLocal(source)).toBe(true);
    expect<bool>(chooseSource6(source, address6(0xff0e_0000_0000_0000, 1)) && source.high == PREFIX).toBe(
      true,
    );
    expect<bool>(chooseSource6(source, address6(PREFIX + 7, 1)) && source.high == PREFIX).toBe(true);
    expect<bool>(chooseSource6(source, address6(0, 1)) && source.low == 1).toBe(true);
    six.prefixOption(six.routerAdvertisement(1800, 32), 0xfd00_0000_0000_0001, 64, 0xc0, 86400, 14400);
    six.deliver6();
    link.run(3_000_000_000);
    expect<bool>(isOwn6(address6(0xfd00_0000_0000_0001, OWN_ID))).toBe(true);
    expect<bool>(chooseSource6(source, address6(0xfd00_0000_0000_0009, 1)) && source.high >> 56 == 0xfd).toBe(
      true,
    );
    expect<bool>(chooseSource6(source, address6(0x2600_0000_0000_0009, 1)) && source.high == PREFIX).toBe(
      true,
    );
    // Deprecated: only when there is nothing better.
    six.prefixOption(six.routerAdvertisement(1800, 32), PREFIX, 64, 0xc0, 86400, 0);
    six.deliver6();
    expect<bool>(chooseSource6(source, address6(0x2600_0000_0000_0009, 1)) && source.high >> 56 == 0xfd).toBe(
      true,
    );
  });
});
