/**
 * Segmentation offload against a real back end: Linux's tap device takes packets of up to 64 KiB from the guest and gives it such. Each test has a network namespace of its own
 * (tap-session.ts), for which it has to be root, or be allowed user namespaces and /dev/net/tun; where neither is so, it fails and says so.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SectionCounter } from "../../../bench/sections.ts";
import { buildImage } from "../../../tools/build.ts";
import { DEFAULT_IMAGE, built } from "../machine.ts";
import { type Session, tapSession } from "./tap.ts";

const BYTES = 8 << 20;
/** Payload of a full segment, timestamps on it: what is on the wire without offload. */
const SEGMENT = 1448;
const NO_OFFLOAD = "host_tso4=off,host_tso6=off,guest_tso4=off,guest_tso6=off";
/** The goal of docs/architecture.md. */
const SECTION = 15_000;

function difference({ before, after }: Session, name: string): number {
  return (after[name] ?? Number.NaN) - (before[name] ?? Number.NaN);
}

describe("segmentation offload, on a tap device", () => {
  for (const family of [4, 6] as const) {
    test(`8 MiB each way over IPv${family}, in packets of several segments`, async () => {
      const result = await tapSession({ image: await built(DEFAULT_IMAGE), family, bytes: BYTES });
      assert.equal(result.received, result.sent, "every octet comes back");
      const segmented = difference(result, "framesSegmented");
      const merged = difference(result, "framesMerged");
      const sent = difference(result, "framesSent");
      const received = difference(result, "framesReceived");
      const seen = `${segmented} of ${sent} sent, ${merged} of ${received} received`;
      // At least four segments in each packet with data, on average; the rest are acknowledgements.
      const most = BYTES / SEGMENT / 4;
      assert.ok(segmented > 50 && segmented < most, seen);
      assert.ok(merged > 50 && merged < most, seen);
      assert.ok(received < BYTES / SEGMENT, seen);
      assert.ok(result.frames.fromGuest < BYTES / SEGMENT, "the host has seen the packets uncut");
      assert.equal(difference(result, "framesDropped"), 0);
    });
  }

  for (const [name, device] of [
    ["the device cuts and merges", undefined],
    ["it does neither", NO_OFFLOAD],
  ] as const)
    test(`no section with interrupts off is longer than 15,000 instructions: ${name}`, async (t) => {
      const { elf, image } = await buildImage(DEFAULT_IMAGE);
      const counter = await SectionCounter.create("offload", elf);
      const options = { image, family: 4 as const, bytes: BYTES, icount: true, extra: counter.qemuArguments };
      const result = await tapSession(device === undefined ? options : { ...options, device });
      assert.equal(result.received, result.sent);
      const sections = await counter.sections();
      for (const { instructions, begin, functions } of sections.slice(0, 3))
        t.diagnostic(`${instructions} from ${begin}: ${functions.join(", ")}`);
      assert.ok(sections.length > 4, "sections were counted");
      assert.deepEqual(
        sections.filter(({ instructions }) => instructions > SECTION),
        [],
      );
    });

  test("the same without, where the device does not offer it", async () => {
    const result = await tapSession({
      image: await built(DEFAULT_IMAGE),
      family: 4,
      bytes: BYTES,
      device: NO_OFFLOAD,
    });
    assert.equal(result.received, result.sent);
    assert.equal(difference(result, "framesSegmented"), 0);
    assert.equal(difference(result, "framesMerged"), 0);
    assert.ok(difference(result, "framesReceived") > BYTES / SEGMENT);
    assert.ok(difference(result, "framesSent") > BYTES / SEGMENT);
  });
});
