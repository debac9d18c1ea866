/** Segments that are lost, overtaken or doubled, both ways, without SACK (RFC 9293, 3.10.7.4; RFC 5681; RFC 6582). */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { generator } from "./link.ts";
import { TcpScript } from "./scenario.ts";
import { PASSIVE, type Suite, burst, scenarios } from "./suite.ts";
import { ACK, FIN } from "./tcp.ts";
import { PATIENCE } from "./patience.ts";

/** Ten full segments on their way: the initial window (RFC 6928). */
const TEN = `${PASSIVE}
      +0 call send 14600 = 14600
      ${burst(1, 10)}`;

/** Streams that are sent in a disorder of their own. */
const STREAMS = 32;
/** So many at once, each with so many segments before it waits for the guest: less than its receive ring has room for. */
const AT_ONCE = 8;
const UNANSWERED = 8;
const STREAM_BYTES = 20_000;

/** The stream in pieces that overlap, each octet at least once, in any order; the FIN somewhere among them. */
function pieces(length: number, random: () => number): { from: number; to: number; fin: boolean }[] {
  const below = (limit: number): number => Math.floor(random() * limit);
  const list: { from: number; to: number; fin: boolean; place: number }[] = [];
  for (let at = 0; at < length;) {
    const to = Math.min(length, at + 1 + below(1460));
    // Some begin earlier, some come twice.
    const from = Math.max(0, at - (below(3) === 0 ? below(Math.min(700, 1460 - (to - at) + 1)) : 0));
    for (let times = below(5) === 0 ? 2 : 1; times > 0; times--)
      list.push({ from, to, fin: to === length && below(2) === 0, place: at + below(8 * 1460) });
    at = to;
  }
  list.push({ from: length, to: length, fin: true, place: below(length) });
  return list.sort((a, b) => a.place - b.place);
}

async function disorder(suite: Suite, seed: number): Promise<void> {
  const random = generator(seed);
  const data = randomBytes(STREAM_BYTES);
  const script = new TcpScript(suite.peer, 0, { control: suite.control });
  try {
    await script.run(PASSIVE);
    for (const [index, { from, to, fin }] of pieces(data.length, random).entries()) {
      if (index % UNANSWERED === 0) await suite.peer.ping();
      const flags = fin ? ACK | FIN : ACK;
      script.send({ flags, sequence: 1 + from, acknowledgement: 1, payload: data.subarray(from, to) });
    }
    let highest = 1;
    const end = 1 + data.length + 1;
    // And until all has left.
    await suite.peer.ping();
    for (let wait = PATIENCE / 1000; ; wait = highest === end ? 0 : PATIENCE / 1000) {
      const segment = await script.next(wait);
      if (!segment) break;
      assert.ok(segment.acknowledgement >= highest, "acknowledgements never go back");
      highest = segment.acknowledgement;
    }
    assert.equal(highest, end, `all and the FIN are acknowledged (seed ${seed})`);
    const received = createHash("sha256");
    for (;;) {
      const answer = await script.sockets?.recv(1400);
      if (!answer || answer.result <= 0) break;
      received.update(answer.data);
    }
    assert.equal(received.digest("hex"), createHash("sha256").update(data).digest("hex"), `seed ${seed}`);
  } finally {
    await script.end();
  }
}

function streams(suite: Suite): void {
  const seed = Number(process.env["AEMOS_SEED"] ?? Date.now() & 0xffff);
  test(`${STREAMS} streams in pieces that overlap, in any order (AEMOS_SEED=${seed})`, async () => {
    let next = 0;
    const one = async (): Promise<void> => {
      while (next < STREAMS) await disorder(suite, seed + next++);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
  });
}

scenarios(
  "TCP loss and reordering",
  {
    "receiving: what is behind a gap is kept, and asked for at once": `${PASSIVE}
      +0 < P. 6:11(5) ack 1 "world"
      now > . 1:1(0) ack 1
      +0 < P. 11:12(1) ack 1 "!"
      now > . 1:1(0) ack 1
      +0 call recv 100 = -EAGAIN
      +0 < P. 1:6(5) ack 1 "hello"
      now > . 1:1(0) ack 12
      +0 call recv 100 = "helloworld!"`,
    "receiving: a gap that is filled in part is acknowledged at once (RFC 5681, 4.2)": `${PASSIVE}
      +0 < P. 11:16(5) ack 1 "third"
      +0 > . 1:1(0) ack 1
      +0 < P. 1:6(5) ack 1 "first"
      now > . 1:1(0) ack 6
      +0 < P. 6:11(5) ack 1 "secnd"
      now > . 1:1(0) ack 16
      +0 call recv 100 = "firstsecndthird"`,
    "receiving: old data are acknowledged again at once, and not delivered": `${PASSIVE}
      +0 < P. 1:6(5) ack 1 "hello"
      +0..0.3 > . 1:1(0) ack 6
      +0 < P. 1:6(5) ack 1 "HELLO"
      now > . 1:1(0) ack 6
      +0 < P. 4:9(5) ack 1 "LOwor"
      +0 > . 1:1(0) ack 9
      +0 call recv 100 = "hellowor"`,
    "receiving: what came first counts where pieces overlap": `${PASSIVE}
      +0 < P. 4:7(3) ack 1 "def"
      +0 > . 1:1(0) ack 1
      +0 < P. 3:8(5) ack 1 "CDEFG"
      +0 > . 1:1(0) ack 1
      +0 < P. 1:3(2) ack 1 "ab"
      +0 > . 1:1(0) ack 8`,
    "receiving: a FIN with data of which some are old": `${PASSIVE}
      +0 < P. 1:6(5) ack 1 "hello"
      +0 > . 1:1(0) ack 6
      +0 < FP. 1:9(8) ack 1 "helloabc"
      +0 > . 1:1(0) ack 10
      +0 call recv 100 = "helloabc"
      +0 call recv 100 = 0`,
    "receiving: the acknowledgement of a doubled FIN": `${PASSIVE}
      +0 < F. 1:1(0) ack 1
      +0 > . 1:1(0) ack 2
      +0 < F. 1:1(0) ack 1
      +0 > . 1:1(0) ack 2`,

    "sending: two duplicates do nothing, the third repeats the segment (RFC 5681, 3.2)": `${TEN}
      +0 < . 1:1(0) ack 1
      +0 < . 1:1(0) ack 1
      quiet 0.1
      +0 < . 1:1(0) ack 1
      now > . 1:1461(1460) ack 1
      +0 < . 1:1(0) ack 14601
      quiet 0.2`,
    "sending: each of the first two duplicates lets a new segment out (RFC 3042)": `${TEN}
      +0 call send 4380 = 4380
      quiet 0.1
      +0 < . 1:1(0) ack 1
      +0 > . 14601:16061(1460) ack 1
      +0 < . 1:1(0) ack 1
      +0 > . 16061:17521(1460) ack 1
      +0 < . 1:1(0) ack 1
      +0 > . 1:1461(1460) ack 1`,
    "sending: several losses in one window, a hole for each partial acknowledgement (RFC 6582)": `${TEN}
      +0 < . 1:1(0) ack 1
      +0 < . 1:1(0) ack 1
      +0 < . 1:1(0) ack 1
      +0 > . 1:1461(1460) ack 1
      +0 < . 1:1(0) ack 4381
      now > . 4381:5841(1460) ack 1
      +0 < . 1:1(0) ack 8761
      now > . 8761:10221(1460) ack 1
      +0 < . 1:1(0) ack 14601
      quiet 0.2`,
    "sending: the window is halved after a loss": `${TEN}
      +0 call send 29200
      +0 < . 1:1(0) ack 1
      +0 > . 14601:16061(1460) ack 1
      +0 < . 1:1(0) ack 1
      +0 > . 16061:17521(1460) ack 1
      +0 < . 1:1(0) ack 1
      +0 > . 1:1461(1460) ack 1
      // All is there: some of what was allowed before, at least two segments, at most the ten that were on their way.
      +0 < . 1:1(0) ack 17521
      +0 > . 17521:18981(1460) ack 1
      +0 > . 18981:20441(1460) ack 1
      wait 0.1
      +0 < R 1:1(0)`,
    "sending: what overtakes a little is no loss": `${TEN}
      +0 < . 1:1(0) ack 1
      +0 < . 1:1(0) ack 4381
      +0 < . 1:1(0) ack 4381
      +0 < . 1:1(0) ack 14601
      quiet 0.2`,
    "sending: acknowledgements that overtake each other": `${TEN}
      +0 < . 1:1(0) ack 7301
      +0 < . 1:1(0) ack 2921
      +0 < . 1:1(0) ack 1461
      +0 < . 1:1(0) ack 1461
      +0 < . 1:1(0) ack 14601
      quiet 0.2`,
    "sending: an acknowledgement in the middle of a segment": `${PASSIVE}
      +0 call send 1000
      +0 > P. 1:1001(1000) ack 1
      +0 < . 1:1(0) ack 401
      +.88..4 > P. 401:1001(600) ack 1
      +0 < . 1:1(0) ack 1001
      quiet 0.1`,
    "sending: SACK blocks that were not agreed on are nothing": `${PASSIVE}
      +0 call send 2920
      +0 > . 1:1461(1460) ack 1
      +0 > . 1461:2921(1460) ack 1
      +0 < . 1:1(0) ack 1 <sack 1461:2921>
      quiet 0.1
      +0 < . 1:1(0) ack 2921`,
    "sending: acknowledgements with data are no duplicates": `${PASSIVE}
      +0 call send 1460
      +0 > . 1:1461(1460) ack 1
      +0 < P. 1:2(1) ack 1 "a"
      +0 < P. 2:3(1) ack 1 "b"
      +0 < P. 3:4(1) ack 1 "c"
      +0 < P. 4:5(1) ack 1 "d"
      +0 >> . 1461:1461(0) ack 5
      quiet 0.1`,
  },
  streams,
);
