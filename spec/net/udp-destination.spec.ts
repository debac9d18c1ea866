/** Which UDP socket a datagram is for (net/socket/udp-socket.ts): random runs against a list of all sockets that is gone through each time. */
import { setLogLevel } from "../../kernel/console";
import { Endpoint } from "../../net/flow";
import { Socket, SOCKET_REUSE } from "../../net/socket/socket";
import { udpCreate } from "../../net/socket/udp";
import { findUdpSocket } from "../../net/socket/udp-socket";
import { chance, seedChance } from "../chance";
import { endpoint, flowOf } from "./addresses";
import * as link from "./link";
import { OWN, PEER } from "./link";

const LOOPBACK: u32 = 0x7f00_0001;
/** Some whose answers are remembered in one place (64 of them). */
const PORTS: u32[] = [7, 8, 71, 135];
const STEPS = 100_000;
const SOCKETS = 12;
/** Bound to every address of both versions. */
const EVERYWHERE: u32 = 2;

class Model {
  /** With a peer: that of `peer`, a port. */
  peer: u32 = 0;
  constructor(
    public socket: Socket,
    /** OWN, LOOPBACK, 0, or EVERYWHERE. */
    public address: u32,
    public port: u32,
  ) {}

  /** Of those that have no peer, the narrowest name goes first. Which it is for this address; 3: none. */
  width(address: u32): u32 {
    if (this.address == address) return 0;
    return this.address == 0 ? 1 : this.address == EVERYWHERE ? 2 : 3;
  }
}

/** In the order in which they got the name, or the peer, that they have; the latest is the last. */
let models: Model[] = [];

function bind(): void {
  if (models.length == SOCKETS) return;
  const socket = changetype<Socket>(changetype<usize>(udpCreate()));
  socket.flags |= SOCKET_REUSE;
  const which = chance(4);
  const address = which == 0 ? OWN : which == 1 ? LOOPBACK : which == 2 ? 0 : EVERYWHERE;
  const port = PORTS[chance(PORTS.length)];
  let name: Endpoint = endpoint(address, port);
  if (address == EVERYWHERE) {
    socket.setFamily6();
    name.setAny6(false);
  }
  assert(call_indirect<i32>(socket.protocol.bind, socket, name) == 0, "bind");
  models.push(new Model(socket, address, port));
}

/** One gets a peer, another one, or none. */
function connect(): void {
  if (models.length == 0) return;
  const index = chance(models.length);
  const model = models[index];
  const peer = model.peer == 0 || chance(2) == 0 ? 1000 + chance(2) : 0;
  // What is bound to an address of the link's cannot speak with the other.
  if (model.address == LOOPBACK || model.address == EVERYWHERE || (peer == 0 && model.peer == 0)) return;
  const socket = model.socket;
  const name = endpoint(peer == 0 ? 0 : PEER, peer);
  assert(call_indirect<i32>(socket.protocol.connect, socket, name) == 0, "connect");
  model.peer = peer;
  models.splice(index, 1);
  models.push(model);
}

function close(): void {
  if (models.length == 0) return;
  const socket = models.splice(chance(models.length), 1)[0].socket;
  call_indirect<void>(socket.protocol.close, socket);
}

function expected(address: u32, port: u32, peer: u32): Socket | null {
  let best: Socket | null = null;
  let narrowest: u32 = 3;
  for (let i = models.length - 1; i >= 0; i--) {
    const model = models[i];
    if (model.port != port) continue;
    // A peer chooses the address of the link.
    if (model.peer != 0 && model.peer == peer && address == OWN) return model.socket;
    const width = model.width(address);
    if (model.peer != 0 || width >= narrowest) continue;
    best = model.socket;
    narrowest = width;
  }
  return best;
}

describe("the socket for a datagram", () => {
  it("is what a list of all says, whatever was asked before", () => {
    link.bootStack(1000, 7);
    setLogLevel(0);
    seedChance(11);
    let found = 0;
    for (let step = 0; step < STEPS; step++) {
      const what = chance(20);
      if (what == 0) bind();
      else if (what == 1) connect();
      else if (what == 2 && chance(2) == 0) close();
      const address = chance(3) == 0 ? LOOPBACK : OWN;
      const port = PORTS[chance(PORTS.length)];
      const peer = 1000 + chance(3);
      const socket = findUdpSocket(flowOf(address, port, PEER, peer));
      assert(socket === expected(address, port, peer), "another socket");
      if (socket !== null) found++;
    }
    expect<i32>(found).toBeGreaterThan(STEPS / 2);
    while (models.length != 0) close();
  });
});
