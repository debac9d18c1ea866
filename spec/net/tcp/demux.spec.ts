/** Who a segment is for: the places of connections that had one of late never name another one, or one that has gone (demux.ts). */
import { Flow, FLOW_SIZE, flowHash, HASH_TABLE } from "../../../net/flow";
import { allocateConnection, freeConnection, TcpConnection } from "../../../net/socket/tcp/connection";
import {
  findConnection,
  findRecent,
  findRecentOf,
  insertConnection,
  removeConnection,
} from "../../../net/socket/tcp/demux";
import { PacketBuffer } from "../../../net/buffer";
import { Ipv4Header } from "../../../net/wire/ipv4";
import { storeAddress } from "../../../net/wire/ipv6";
import { PortsHeader } from "../../../net/wire/ports";
import { growMemory } from "../../arena";
import { chance, seedChance } from "../../chance";
import { flowOf } from "../addresses";
import { OWN, PEER, settleWorld, setUpWorldOf } from "./world";

const CONNECTIONS: u32 = 400;
const STEPS: u32 = 200_000;

const wanted = changetype<Flow>(growMemory(FLOW_SIZE, 8));

/** A packet buffer, an IP header of either version, and ports behind it. */
const packet = changetype<PacketBuffer>(memory.data(64));
const HEADER: usize = memory.data(64);

/** Flow `index`: the addresses go up as the ports go down, so that each place has many flows. Half of them are of IPv6, with the same last eight bytes. */
function flowNumber(index: u32): Flow {
  const number = index >> 1;
  wanted.copy(flowOf(OWN, 80, PEER + (number >> 3), 5000 + (number & 7) - (number >> 3)));
  if (index & 1) {
    wanted.local.high = 0xfe80_0000_0000_0000;
    wanted.remote.high = 0xfe80_0000_0000_0000;
  }
  return wanted;
}

/** A segment of this flow, as far as who it is for. */
function segmentOf(flow: Flow): PacketBuffer {
  const local = flow.local;
  const remote = flow.remote;
  packet.networkHeader = HEADER;
  packet.data = HEADER + 40;
  if (remote.isMapped) {
    const header = changetype<Ipv4Header>(HEADER);
    header.setFirstWord(40);
    header.source = remote.ipv4;
    header.destination = local.ipv4;
  } else {
    store<u8>(HEADER, 0x60);
    storeAddress(HEADER + 8, remote);
    storeAddress(HEADER + 24, local);
  }
  const ports = changetype<PortsHeader>(packet.data);
  ports.sourcePort = remote.port;
  ports.destinationPort = local.port;
  return packet;
}

describe("connections that had a segment of late", () => {
  beforeAll(() => setUpWorldOf(1000, 1000, 1000));
  afterAll(settleWorld);

  it("are found as by the hash, in 200,000 random steps", () => {
    seedChance(54);
    const connections = new StaticArray<usize>(CONNECTIONS);
    let hits: u32 = 0;
    for (let step: u32 = 0; step < STEPS; step++) {
      const index = chance(CONNECTIONS);
      const flow = flowNumber(index);
      const known = connections[index];
      if (chance(8) != 0) {
        const recent = findRecent(flow);
        assert(findRecentOf(segmentOf(flow)) === recent, "of a segment as of its flow");
        if (recent !== null) hits++;
        assert(recent === null || changetype<usize>(recent) == known, "another one, or one that has gone");
        const c = findConnection(<u32>flowHash(flow, HASH_TABLE), flow);
        assert(changetype<usize>(c) == known, "not found");
        if (known != 0) assert(findRecent(flow) === c, "found, and not kept");
      } else if (known != 0) {
        const c = changetype<TcpConnection>(known);
        removeConnection(c);
        freeConnection(c);
        connections[index] = 0;
      } else {
        const c = allocateConnection()!;
        c.flow.copy(flow);
        insertConnection(c, <u32>flowHash(c.flow, HASH_TABLE));
        connections[index] = changetype<usize>(c);
      }
    }
    expect(hits).toBeGreaterThan(100);
    for (let index: u32 = 0; index < CONNECTIONS; index++) {
      if (connections[index] == 0) continue;
      const c = changetype<TcpConnection>(connections[index]);
      removeConnection(c);
      freeConnection(c);
      expect(findRecent(flowNumber(index)) === null).toBe(true);
    }
  });
});
