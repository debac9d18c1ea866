/** Several read events on one socket (AEM 3.6.5) over the real TCP and UDP, by loopback, in random interleavings against a model (sharing-model.ts). */
import { EVENT_ENDED, EVJOBLOOKUP } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_shutdown } from "../../net/socket/calls";
import { seedChance } from "../chance";
import { expectNothingLeft, readStatistics } from "./driver";
import { settle } from "./machine";
import {
  client,
  end,
  expectAllGone,
  openDatagrams,
  openStreams,
  sent,
  setUpSharing,
  SHUT_WR,
} from "./sharing";
import {
  ahead,
  beginRun,
  countAnew,
  delivered,
  dispatch,
  endRun,
  finish,
  freeKept,
  held,
  listeners,
  step,
} from "./sharing-model";

beforeAll(setUpSharing);

afterEach(expectAllGone);

describe("3.6.5 several read events on one socket", () => {
  it("of a stream each get all bytes from their registration on, and the end", () => {
    for (let seed: u32 = 1; seed <= 20; seed++) {
      seedChance(seed);
      openStreams();
      beginRun();
      for (let i = 0; i < 1000; i++) step(true);
      finish(true);
      sys_shutdown(client, SHUT_WR);
      settle();
      while (dispatch(true)) freeKept(1);
      for (let i = 0; i < listeners.length; i++) {
        assert(listeners[i].position == sent && listeners[i].ended, "one has not had all, or no end");
        assert((sys_evctl(listeners[i].jid, EVJOBLOOKUP, 0) & EVENT_ENDED) != 0, "EVENT_ENDED");
        readStatistics(listeners[i].jid);
      }
      endRun();
      end();
      expectNothingLeft();
    }
    expect<i32>(delivered).toBeGreaterThan(5000);
    expect<i32>(ahead).toBeGreaterThan(1500, "some were ahead of others");
    expect<i32>(held).toBeGreaterThan(100, "the socket was full for a slow one at times");
    openStreams();
  });

  it("of datagrams each get all datagrams from their registration on", () => {
    countAnew();
    for (let seed: u32 = 1; seed <= 20; seed++) {
      seedChance(seed);
      openDatagrams();
      beginRun();
      for (let i = 0; i < 1000; i++) step(false);
      finish(false);
      for (let i = 0; i < listeners.length; i++) {
        assert(listeners[i].position == sent, "one has not had all");
        readStatistics(listeners[i].jid);
      }
      endRun();
      end();
      expectNothingLeft();
    }
    expect<i32>(delivered).toBeGreaterThan(5000);
    expect<i32>(ahead).toBeGreaterThan(1500, "some were ahead of others");
    expect<i32>(held).toBeGreaterThan(50, "a slow one had the queue full at times");
    openDatagrams();
  });
});
