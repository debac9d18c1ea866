/**
 * A listener under a flood of 50,000 forged SYNs a second keeps accepting from a real client (RFC 4987). By the guest's own clock, which counts its instructions, one to the nanosecond, and
 * stands still but for those while it has nothing to do: a program in the guest (spec/boot/apps/pacer) lets it go on by a millisecond when the SYNs of the last
 * one are there. So neither the speed of the host nor what else it does changes what the guest has to bear.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type WiredMachine, bootWired, specImage } from "../boot/machine.ts";
import { TcpClient } from "./client.ts";
import { Flood } from "./flood.ts";
import { PATIENCE } from "./patience.ts";
import type { Peer } from "./peer.ts";

const RATE = 50_000;
/** Frames a second, with those of the requests. */
const FRAME_RATE = 51_000;
/** Milliseconds of the guest's time. */
const DURATION = 1000;
/** Milliseconds of the guest's time in which a request is answered. Its segments wait behind those of the flood that are on the ring. */
const ANSWERED = 100;
/** Milliseconds of the guest's time in each of which the rate is kept: the host's turn to bring the frames of a tick is in it. */
const STRETCH = 20;
/** Milliseconds of the guest's time between two requests. */
const REST = 20;
/** A host that stands still for a second leaves a gap in the flood: then once more, up to so many times. */
const RUNS = 5;
const ECHO = 7;
const PACER = 10;

interface Result {
  /** How long each request took, in milliseconds of the guest's time. */
  times: number[];
  /** Microseconds that it lasted, and SYNs that have reached the guest. In any time of `window` microseconds there were as many as were due. */
  duration: number;
  arrived: number;
  window: number;
}

describe("SYN flood", () => {
  let wired: WiredMachine;
  let peer: Peer;
  before(async () => {
    wired = await bootWired(specImage("flood.json"), {
      memory: 256,
      icount: "shift=0,sleep=off",
      append: "ip=10.0.2.15/24,gw=10.0.2.2 ip6=off",
      ready: /row pacing/,
      peer: { lossless: true },
    });
    ({ peer } = wired);
  });
  after(() => wired?.stop());

  async function flooded(): Promise<Result> {
    await peer.resolve();
    const flood = new Flood(peer, ECHO);
    const { sent } = peer.wire;
    const times: number[] = [];
    let clock = 0;
    let ended = false;
    const asking = peer.port();
    const stop = peer.subscribe(({ udp }) => {
      if (udp?.destinationPort !== asking || udp.sourcePort !== PACER) return;
      clock = udp.payload.readUInt32LE(4);
      flood.send(udp.payload.readUInt32LE(0));
    });
    try {
      const command = Buffer.alloc(8);
      command.writeUInt32LE(FRAME_RATE, 0);
      command.writeUInt32LE(DURATION, 4);
      peer.sendUdp({ sourcePort: asking, destinationPort: PACER, payload: command });
      const known = wired.machine.rows("paced").length;
      const rows = wired.machine.waitForRows("paced", known + 1, 300_000).finally(() => {
        ended = true;
      });
      const requests = (async () => {
        while (!ended) {
          const began = clock;
          const question = Buffer.from("hello");
          const answer = await TcpClient.request(
            peer,
            ECHO,
            question,
            2 * PATIENCE,
            (data) => data.length >= 5,
          );
          assert.equal(answer.toString(), "hello");
          times.push((clock - began) / 1000);
          while (!ended && clock < began + 1000 * REST) await sleep(1);
        }
      })();
      const [paced] = await Promise.all([rows, requests]);
      const [duration = 0, frames = 0, window = 0] = paced[known] as number[];
      return { times, duration, window, arrived: frames - (peer.wire.sent - sent - flood.sent) };
    } finally {
      stop();
      flood.stop();
    }
  }

  test("50,000 forged SYNs in each second of the guest's: every request is answered within 100 ms", async (t) => {
    for (let run = 1, steady = false; !steady; run++) {
      const { times, duration, arrived, window } = await flooded();
      const slowest = Math.max(...times);
      const rate = arrived / (duration / 1e6);
      const text = `${arrived} SYNs in ${(duration / 1000).toFixed(1)} ms, ${rate.toFixed(0)} a second in any ${(window / 1000).toFixed(1)} ms`;
      t.diagnostic(`${text}; ${times.length} requests, the slowest took ${slowest.toFixed(1)} ms`);
      assert.ok(times.length >= 20, `${times.length} requests`);
      assert.ok(slowest <= ANSWERED, `${slowest.toFixed(1)} ms`);
      steady = rate >= RATE && window <= 1000 * STRETCH;
      assert.ok(steady || run < RUNS, `never so many in each ${STRETCH} ms: ${text}`);
    }
  });
});
