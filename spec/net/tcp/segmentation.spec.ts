/**
 * Segmentation offload: with a device that cuts packets, and with one that does not and packets cut in software, the same segments are on the wire, octet for octet, as when each
 * goes by itself. Each scenario is played three times, from the same seed, and what the peer has got is compared: everything but the initial sequence number, the port and what follows from them.
 */
import { networkCounters } from "../../../net/counters";
import { PATH_MTU_LIFE } from "../../../net/pmtu";
import { SOL_TCP } from "../../../net/socket/options";
import { TcpConnection, tcpStatistics } from "../../../net/socket/tcp/tcp";
import { TCP_NODELAY } from "../../../sdk/socket";
import { close, consume, listener, octet, peek, peekLength, setOption, write } from "./ends";
import { scoreboardFault } from "./scoreboard";
import { establish, meetPeer, ownIsn, PEER_ISN, permitSack, say, setOptions } from "./script";
import { cuts } from "./segments";
import {
  leftOver,
  MILLISECOND,
  offer,
  outbox,
  run,
  sendSingly,
  settleWorld,
  setUpWorld,
  time,
} from "./world";

/** A multiple of a millisecond and of a tick, 2^16 ns. */
const ALIGNMENT: u64 = 1_024_000_000;

/** How segments that would leave one after the other do. */
const SINGLY: u32 = 0;
const BY_DEVICE: u32 = 1;
const IN_SOFTWARE: u32 = 2;

let port: u32 = 20000;
/** What the peer has got, and up to where in order. */
let transcript: string[] = [];
let reached: u32 = 1;

/** A generator of its own: the world's is asked once for each frame, of which there are fewer with offload. */
let state: u32 = 1;
function dice(limit: u32): u32 {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % limit;
}

/** Writes down what was sent since the last time; the checksums are right. */
function listen_(): void {
  while (outbox.length != 0) {
    const packet = outbox.shift();
    const ip = packet.dataStart;
    const tcp = ip + 20;
    const header = ((<u32>load<u8>(tcp, 12)) >> 4) << 2;
    const length: u32 = packet.length - 20 - header;
    const first = bswap<u32>(load<u32>(tcp, 4)) - ownIsn;
    for (let i: u32 = 0; i < length; i++)
      assert(load<u8>(tcp + header + i) == octet(0, first - 1 + i), "wrong octet");
    let line = (time / MILLISECOND).toString() + " " + first.toString() + "+" + length.toString();
    line += " ack " + (bswap<u32>(load<u32>(tcp, 8)) - PEER_ISN).toString();
    line += " flags " + load<u8>(tcp, 13).toString() + " window " + load<u16>(tcp, 14).toString();
    line += " urgent " + load<u16>(tcp, 18).toString() + " options " + (header - 20).toString();
    // Version, type of service, identification, fragment, time to live, protocol.
    line += " ip " + load<u16>(ip).toString() + " " + load<u64>(ip, 4).toString();
    transcript.push(line);
    const fin: u32 = load<u8>(tcp, 13) & 1;
    if (first <= reached && first + length + fin > reached) reached = first + length + fin;
  }
}

/** A stream of random writes to a peer with random windows, that acknowledges what it likes, and loses some; closed in the end. What is wrong, or "". */
function play(seed: u32, way: u32): string {
  state = seed * 2654435761 + 1;
  offer(way == BY_DEVICE, false);
  if (way == SINGLY) sendSingly();
  transcript = [];
  reached = 1;
  setOptions(300 + dice(1161), dice(2) == 0 ? 255 : dice(4), 0);
  const sack = dice(2) == 0;
  permitSack(sack);
  // What was found out about the path is forgotten, and milliseconds and ticks of timers begin at the same places.
  run(PATH_MTU_LIFE);
  run(ALIGNMENT - (time % ALIGNMENT));
  const start = time;
  const server = listener(80, 5);
  const s = establish(server, ++port, 65535);
  close(server);
  if (dice(2) == 0) setOption(s, SOL_TCP, TCP_NODELAY, 1);
  const full = changetype<TcpConnection>(s).sendMss;
  let written: u32 = 0;
  let asked: u32 = 1;
  for (let step = 0; step < 60; step++) {
    const what = dice(8);
    if (what < 3)
      written += write(s, 0, written, 1 + (dice(3) == 0 ? dice(300) : dice(60000)), dice(40) == 0);
    else if (what == 3) {
      const length = 1 + dice(1200);
      say("P.", asked, length, reached, 65535);
      asked += length;
      while (peek(s) != 0) consume(s, peekLength(s));
    } else if (what == 4) {
      const lost = outbox.length != 0 ? dice(4) : 0;
      if (lost == 1) outbox.splice(dice(outbox.length), 1);
      listen_();
      say(".", asked, 0, reached, dice(10) == 0 ? dice(9000) : 20000 + dice(40000));
    } else if (what == 5) run(dice(400) * MILLISECOND);
    else {
      listen_();
      say(".", asked, 0, reached, 20000 + dice(40000));
    }
    const c = changetype<TcpConnection>(s);
    const fault = scoreboardFault(c);
    if (fault != "") return fault;
    // The path takes less for a while (pmtu.ts): then the queue has segments of both sizes.
    if (dice(6) == 0) c.sendMss = c.sendMss == full ? (full * 2) / 3 : full;
    listen_();
  }
  close(s);
  for (let step = 0; step < 2000 && reached <= written + 1; step++) {
    run(20 * MILLISECOND);
    if (outbox.length == 0) continue;
    listen_();
    say(".", asked, 0, reached, 65535);
  }
  listen_();
  say("R", asked, 0, 0, 0);
  if (reached != written + 2)
    return "the stream does not end: " + reached.toString() + " of " + written.toString();
  // The clock starts anew for each.
  for (let i = 0; i < transcript.length; i++) {
    const space = transcript[i].indexOf(" ");
    const at = U64.parseInt(transcript[i].substring(0, space)) - start / MILLISECOND;
    transcript[i] = at.toString() + transcript[i].substring(space);
  }
  settleWorld();
  return leftOver();
}

function compare(seed: u32, way: u32): string {
  let fault = play(seed, SINGLY);
  if (fault != "") return fault;
  const without = transcript;
  fault = play(seed, way);
  if (fault != "") return "cut: " + fault;
  for (let i = 0; i < min(without.length, transcript.length); i++)
    if (without[i] != transcript[i]) return i.toString() + ": " + transcript[i] + " instead of " + without[i];
  return without.length == transcript.length ? "" : "more or fewer segments";
}

/** Segments that went through IP in the packet of another one. */
function segmentsTogether(): u64 {
  return <u64>tcpStatistics().segmentsOut - networkCounters().ipSent;
}

describe("segmentation offload", () => {
  beforeAll(() => {
    setUpWorld();
    meetPeer();
  });
  afterAll(() => {
    offer(false, false);
  });

  it("puts on the wire what would be there without it", () => {
    const before = cuts;
    for (let seed: u32 = 1; seed <= 120; seed++) {
      const fault = compare(seed, BY_DEVICE);
      if (fault != "") {
        expect("seed " + seed.toString() + ": " + fault).toBe("");
        return;
      }
    }
    expect(cuts - before).toBeGreaterThan(500);
  });

  it("in software, too", () => {
    const before = cuts;
    const together = segmentsTogether();
    for (let seed: u32 = 201; seed <= 320; seed++) {
      const fault = compare(seed, IN_SOFTWARE);
      if (fault != "") {
        expect("seed " + seed.toString() + ": " + fault).toBe("");
        return;
      }
    }
    expect(cuts).toBe(before, "the device has nothing to cut");
    expect(segmentsTogether() - together).toBeGreaterThan(500);
  });
});
