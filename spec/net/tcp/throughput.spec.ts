/**
 * How long a stream of 2 MiB takes, in virtual time, over a path of 20 ms with loss and with reordering: recovery with SACK is held to its lead over
 * recovery without it, and to what it achieves.
 */
import { seedChance } from "../../chance";
import { Socket } from "../../../net/socket/socket";
import { tcpStatistics, TcpConnection } from "../../../net/socket/tcp/tcp";
import { TCP_ESTABLISHED } from "../../../net/socket/tcp/state";
import { accept, close, connect, create, listener, read, write } from "./ends";
import { stripSack } from "./fates";
import { accidents, calm, MILLISECOND, MIRROR, SECOND, settleWorld, setUpWorld, step, time } from "./world";

const BYTES: u32 = 2 << 20;
const SEEDS: u32 = 20;

/** Segments that were sent again, on average. */
let repeated: u64 = 0;

/** One way, from the first SYN to the last octet: ms. */
function oneWay(): u64 {
  const server = listener(7, 5);
  const socket = create();
  connect(socket, MIRROR, 7);
  let child: Socket | null = null;
  const start = time;
  let sent: u32 = 0;
  let got: u32 = 0;
  while (got < BYTES && time - start < 3600 * SECOND) {
    if (child === null) child = accept(server);
    if (changetype<TcpConnection>(socket).state == TCP_ESTABLISHED && sent < BYTES)
      sent += write(socket, 0, sent, BYTES - sent);
    if (child !== null) got += read(child, 0, got, BYTES);
    if (!step()) break;
  }
  const took = (time - start) / MILLISECOND;
  close(socket);
  if (child !== null) close(child);
  close(server);
  settleWorld();
  return got == BYTES ? took : u32.MAX_VALUE;
}

/** The mean over SEEDS runs with `loss` thousandths of the packets lost and up to `jitter` ns of additional delay each. */
function mean(loss: u32, jitter: u32, sack: bool): u64 {
  let total: u64 = 0;
  const before = tcpStatistics().retransmitted;
  stripSack(!sack);
  for (let seed: u32 = 1; seed <= SEEDS; seed++) {
    seedChance(seed);
    calm();
    accidents.delay = 10 * MILLISECOND;
    accidents.loss = loss;
    accidents.jitter = jitter;
    total += oneWay();
  }
  stripSack(false);
  repeated = (tcpStatistics().retransmitted - before) / SEEDS;
  return total / SEEDS;
}

describe("throughput", () => {
  beforeAll(setUpWorld);

  it("with 1 % loss", () => {
    const took = mean(10, 0, true);
    expect(took).toBeLessThan(2100);
    expect(repeated).toBeLessThan(20, "14 or 15 are lost");
  });

  it("with 5 % loss, where SACK makes the difference", () => {
    const took = mean(50, 0, true);
    const again = repeated;
    const without = mean(50, 0, false);
    expect(again).toBeLessThan(90, "76 are lost");
    expect(took * 5).toBeLessThan(without * 4);
    expect(took).toBeLessThan(7000);
  });

  it("with packets that overtake each other, and none lost", () => {
    const took = mean(0, 4_000_000, true);
    expect(repeated).toBeLessThan(15);
    expect(took).toBeLessThan(1500);
  });
});
